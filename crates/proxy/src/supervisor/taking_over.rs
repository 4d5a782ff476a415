//! Takes over from the process before this one, and does what [`New`] says.

use std::path::PathBuf;
use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use tracing::{info, warn};

use super::Supervisor;
use crate::clock::{now, sleep_until};
use crate::commands::CommandError;
use crate::config::Config;
use crate::handover::new::{HeardByNew, New, NewAct};
use crate::handover::{HandoverMessage, Peer, State};
use crate::process::Process;
use crate::registry::Registry;
use crate::store::Store;

/// How often it is looked whether the pools serve.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long after the old process' end nobody here works under an extranonce that it had: its pools
/// may give them out again while the work is the same.
const HOLD_FOR: Duration = Duration::from_secs(600);

impl<'a> Supervisor<'a> {
    /// Starts in place of the old process, as soon as that lets go of what is needed.
    ///
    /// # Errors
    /// A [`CommandError`] when nothing comes of it; the old process serves on then.
    pub(crate) async fn take_over(
        mut old: Peer,
        config: Config,
        file: Option<PathBuf>,
        registry: &'a Registry,
        process: &'a Process,
    ) -> Result<Self, CommandError> {
        let mut new = New::begin(now());
        let mut parts = Some((config, file));
        let mut supervisor: Option<Self> = None;
        let mut serving = Vec::new();
        while !new.is_serving() {
            let heard = tokio::select! {
                biased;
                received = old.receive() => Some(heard(received)),
                () = sleep_until(Some(now() + LOOK_EVERY)), if new.is_warming() => {
                    let warm = supervisor.as_ref().is_some_and(|one| one.is_warm(&serving));
                    warm.then_some(HeardByNew::Warm)
                }
                () = sleep_until(new.poll_timeout()), if new.poll_timeout().is_some() => None,
            };
            match heard {
                Some(heard) => new.handle(heard, now()),
                None => new.handle_timeout(now()),
            }
            while let Some(act) = new.poll() {
                match act {
                    NewAct::Bind => {
                        let sockets = old.take_sockets();
                        let Some((config, file)) = parts.take() else { continue };
                        let bound = Self::bind(config, file, registry, process, sockets);
                        let bound = bound.map(|one| supervisor = Some(one));
                        new.handle(
                            HeardByNew::Bound(bound.map_err(|error| error.to_string())),
                            now(),
                        );
                    }
                    NewAct::SendBound => tell(&old, &HandoverMessage::Bound).await,
                    NewAct::Start(state) => {
                        let Some(supervisor) = &mut supervisor else { continue };
                        let started = supervisor.start_with(&state, &mut serving);
                        new.handle(HeardByNew::Started(started), now());
                    }
                    NewAct::SendWarm => tell(&old, &HandoverMessage::Warm).await,
                    NewAct::Accept => supervisor.iter().for_each(Self::accept),
                    NewAct::SendServing => tell(&old, &HandoverMessage::Serving).await,
                    NewAct::Refuse(why) => {
                        tell(&old, &HandoverMessage::Refused(why.clone())).await;
                        return Err(CommandError::Failed(format!("cannot take over: {why}")));
                    }
                }
            }
        }
        info!(event = "taken_over", "serving in place of the former process");
        let mut supervisor =
            supervisor.ok_or_else(|| CommandError::Failed("no routes".to_owned()))?;
        supervisor.see_off(old);
        Ok(supervisor)
    }

    fn start_with(&mut self, state: &State, serving: &mut Vec<String>) -> Result<(), String> {
        serving.clone_from(&state.serving);
        let memory = Store::take_over(self.config.state.as_deref(), state.mark)?;
        let held = state.held.iter().filter_map(|(server, extranonce1)| {
            Some((server.clone(), extranonce1.parse::<Extranonce>().ok()?))
        });
        self.held = Some(memory.hold(held.collect()));
        self.begin(memory).map_err(|error| error.to_string())
    }

    /// Whether a pool of each route serves that has one in the old process.
    fn is_warm(&self, serving: &[String]) -> bool {
        let mut cold = self.routes.iter().filter(|route| route.live_channels() == 0);
        !cold.any(|route| serving.iter().any(|name| name == route.name()))
    }

    /// Waits for the old one's end, beside all else.
    fn see_off(&mut self, mut old: Peer) {
        let held = self.held.take();
        tokio::spawn(async move {
            // Whatever it says is too late.
            while let Ok(Some(_)) = old.receive().await {}
            info!(event = "handover.done", "the former process has ended");
            sleep_until(Some(now() + HOLD_FOR)).await;
            drop(held);
        });
    }
}

fn heard(received: std::io::Result<Option<HandoverMessage>>) -> HeardByNew {
    match received {
        Ok(Some(HandoverMessage::Sockets(_))) => HeardByNew::Sockets,
        Ok(Some(HandoverMessage::State(state))) => HeardByNew::State(state),
        Ok(Some(HandoverMessage::Go)) => HeardByNew::Go,
        Ok(Some(other)) => HeardByNew::Nonsense(format!("the old process said {other:?}")),
        Ok(None) => HeardByNew::Ended,
        Err(error) => HeardByNew::Nonsense(format!("the old process makes no sense: {error}")),
    }
}

/// That the old one has ended is heard elsewhere.
async fn tell(old: &Peer, message: &HandoverMessage) {
    if let Err(error) = old.send(message).await {
        warn!(event = "handover.silent", %error, "the former process does not hear");
    }
}
