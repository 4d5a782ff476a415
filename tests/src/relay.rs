//! Something on the wire between two sides, that reads and changes their lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

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

/// Listens, and connects each connection on to `target`; what is said arrives so much later.
pub async fn delayed(target: String, by: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&target).await else { continue };
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(carry(near_in, far_out, by));
            tokio::spawn(carry(far_in, near_out, by));
        }
    });
    address
}

/// As much as comes within the delay is under way at a time.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, by: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let reading = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let piece = (Instant::now() + by, buffer[..count].to_vec());
            if sender.send(piece).await.is_err() {
                return;
            }
        }
        drop(sender);
    };
    let writing = async {
        while let Some((due, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
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
