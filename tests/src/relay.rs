//! Something on the wire between two sides, that reads and changes their lines.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Where a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the one who connected.
    Up,
    /// Towards the one who connected.
    Down,
}

/// Listens, and connects each connection on to `target`. Each line is replaced by those that
/// `edit` makes of it.
pub async fn start<F>(target: String, edit: F) -> SocketAddr
where
    F: Fn(Way, String) -> Vec<String> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let edit = Arc::new(edit);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&target).await else { continue };
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(copy(near_in, far_out, Way::Up, Arc::clone(&edit)));
            tokio::spawn(copy(far_in, near_out, Way::Down, Arc::clone(&edit)));
        }
    });
    address
}

/// Ends with either side; the halves that are dropped then end the other direction.
async fn copy<R, W, F>(from: R, mut to: W, way: Way, edit: Arc<F>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    F: Fn(Way, String) -> Vec<String>,
{
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        for line in edit(way, line) {
            if to.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
