//! One connection of a rig: reads, hashes and writes in turn.

use std::time::Duration;

use bytes::BytesMut;
use orepass_stratum::line::LineError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::Rig;
use super::pace::Pace;
use super::session::{Next, Session};
use crate::lines::Lines;

/// How much is read at a time.
const READ: usize = 8 * 1024;
/// How long the pool may leave a write waiting.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Logs in and mines until one side ends the connection.
pub(super) async fn converse<S>(rig: &mut Rig, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut control = rig.control.clone();
    let drops = control.borrow_and_update().drops;
    let mut lines = Lines::new(rig.config.coin.habits().strict_lines);
    let mut out = BytesMut::new();
    let mut pace = Pace::new(rig.config.hashrate);
    let mut session = Session::new(&rig.config, &rig.stats, &mut rig.memory);
    session.begin(&mut out);
    loop {
        if !out.is_empty() {
            if !matches!(timeout(WRITE_PATIENCE, stream.write_all(&out)).await, Ok(Ok(()))) {
                session.count_disconnect();
                break;
            }
            out.clear();
        }
        let mining = session.decide_mining(&control);
        let lingers_until = session.lingers_until();
        lines.buffer().reserve(READ);
        tokio::select! {
            biased;
            changed = control.changed() => {
                let told = *control.borrow_and_update();
                if changed.is_err() || told.closed || told.drops != drops {
                    break;
                }
            }
            read = stream.read_buf(lines.buffer()) => {
                let ended = matches!(read, Ok(0) | Err(_));
                if ended || take_lines(&mut session, &mut lines, &mut out) == Next::Close {
                    session.count_disconnect();
                    break;
                }
            }
            () = sleep_until(lingers_until.unwrap_or_else(Instant::now)), if lingers_until.is_some() => {
                session.take_over();
            }
            () = session.ready(&pace), if mining => {
                pace.spent(session.mine(pace.batch(), &mut out));
            }
        }
    }
    session.end();
    // What a closing side owes the other is the end of its stream; an error changes nothing.
    let _ = timeout(WRITE_PATIENCE, stream.shutdown()).await;
}

fn take_lines(session: &mut Session<'_>, lines: &mut Lines, out: &mut BytesMut) -> Next {
    loop {
        match lines.next_line() {
            None => {
                session.count_ignored_lines(lines.take_ignored());
                return Next::Continue;
            }
            Some(Ok(line)) => {
                if session.handle_line(line, Instant::now(), out) == Next::Close {
                    return Next::Close;
                }
            }
            Some(Err(error)) => {
                session.count_malformed(&error.to_string());
                if matches!(error, LineError::NotStratum { .. }) {
                    return Next::Close;
                }
            }
        }
    }
}
