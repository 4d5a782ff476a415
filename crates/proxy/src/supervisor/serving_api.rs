//! The API at its TCP address.

use tracing::{info, warn};

use super::Supervisor;
use crate::api::{Api, ApiAccess, ApiServer};
use crate::commands::CommandError;
use crate::config::{ApiConfig, ApiListen};
use crate::listeners::Listeners;

/// Has the API listen where the config wants it. At the usual place, which nobody has asked for, it
/// listens if it can.
///
/// # Errors
/// That the address cannot be listened on.
pub(super) fn bind(listeners: &mut Listeners, listen: ApiListen) -> Result<(), CommandError> {
    let Some(address) = listen.address() else {
        listeners.close_api();
        return Ok(());
    };
    let Err(error) = listeners.open_api(address) else { return Ok(()) };
    if listen != ApiListen::Usual {
        return Err(CommandError::Bind { address, error });
    }
    listeners.close_api();
    warn!(
        event = "api.failed", %address, %error,
        "the API is not served: {address} is not to be had; say in `listen` of [api] where else, or \
         \"off\""
    );
    Ok(())
}

impl Supervisor<'_> {
    /// Answers at the socket that is bound for it, unless it does so already.
    pub(super) fn serve_api(&mut self, api: &Api) {
        if self.api.is_some() {
            return;
        }
        let Some(socket) = self.listeners.api() else { return };
        let address = socket.local_addr().ok();
        match ApiServer::start(socket, ApiAccess::new(&self.config.api), api.router()) {
            Ok(server) => {
                let address = address.map(|address| address.to_string());
                let tokens = self.config.api.tokens.len();
                info!(event = "api.up", listen = address, tokens, "the API answers");
                self.api = Some(server);
            }
            Err(error) => {
                self.listeners.close_api();
                warn!(event = "api.failed", %error, "the API is not served");
            }
        }
    }

    /// Has the API be as this config wants it; its socket is bound.
    pub(super) fn change_api(&mut self, config: &ApiConfig) {
        if self.config.api.listen.address() == config.listen.address() {
            if let Some(api) = &self.api {
                api.set_access(ApiAccess::new(config));
            }
            return;
        }
        // It begins anew at its new address.
        self.api = None;
    }
}
