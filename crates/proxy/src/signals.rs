//! What the system tells the program by signals.

use std::io;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To stop, by the signal of this name; the second one stops at once.
    Stop(&'static str),
    /// SIGHUP: to read the config again.
    Reload,
    /// SIGUSR1: to open the log's file again, since it was moved away.
    ReopenLogs,
    /// SIGUSR2: to hand over to a new process.
    Upgrade,
}

/// All signals that the program takes. Without that, each of them ends it.
pub struct Signals {
    #[cfg(unix)]
    taken: [(tokio::signal::unix::Signal, Signal); 5],
}

impl Signals {
    /// Takes the signals over from the system.
    ///
    /// # Errors
    /// When the system refuses.
    #[cfg(unix)]
    pub fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let taken = [
            (signal(SignalKind::interrupt())?, Signal::Stop("SIGINT")),
            (signal(SignalKind::terminate())?, Signal::Stop("SIGTERM")),
            (signal(SignalKind::hangup())?, Signal::Reload),
            (signal(SignalKind::user_defined1())?, Signal::ReopenLogs),
            (signal(SignalKind::user_defined2())?, Signal::Upgrade),
        ];
        Ok(Self { taken })
    }

    /// Takes the signals over from the system.
    ///
    /// # Errors
    /// Never, on this system.
    #[cfg(not(unix))]
    pub fn install() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next signal.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, meaning) in &mut self.taken {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*meaning);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// The next signal.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Signal {
        // Without a console there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop("Ctrl-C")
    }

    /// The name of the next signal that asks to stop; what others ask for is too late then.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            if let Signal::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
