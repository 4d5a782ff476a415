//! Firmware that is known by the way in which it logs in.

use orepass_stratum::dialect::RigNeeds;
use orepass_stratum::firmware::{Firmware, USUAL_EXTRANONCE2};
use orepass_stratum::rpc::RpcCall;
use orepass_stratum::sv1;

/// Calls that HandyMiner makes before all others, and nothing else does: HandyStratum's
/// administration. They are answered as unknown ones are.
const HANDYMINER_CALLS: [&str; 2] = ["mining.authorize_admin", "mining.add_user"];

/// How HandyMiner for graphics cards calls itself, and how the one for Goldshell's machines does.
const HANDYMINER_NAMES: [&str; 3] = ["user agent/version", "handyminer", "handy-miner"];

/// What a rig has shown of itself as it logged in. HandyMiner, in all its forms, counts up an
/// extranonce2 of 4 bytes whatever size it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RigLogin {
    calls_as_handyminer: bool,
    is_named_handyminer: bool,
    has_subscribed: bool,
}

impl RigLogin {
    /// It makes a call.
    pub(crate) fn note(&mut self, call: RpcCall<'_>) {
        match call.method {
            sv1::SUBSCRIBE => {
                let agent = sv1::agent(call.params).unwrap_or_default().to_ascii_lowercase();
                self.is_named_handyminer =
                    HANDYMINER_NAMES.iter().any(|name| agent.starts_with(name));
                self.has_subscribed = true;
            }
            method if HANDYMINER_CALLS.contains(&method) => {
                self.calls_as_handyminer |= !self.has_subscribed;
            }
            _ => {}
        }
    }
}

impl RigNeeds for RigLogin {
    fn flavour(&self) -> u8 {
        0
    }

    fn firmware(&self) -> Firmware {
        let is_handyminer = self.calls_as_handyminer || self.is_named_handyminer;
        Firmware { extranonce2: is_handyminer.then_some(USUAL_EXTRANONCE2), ..Firmware::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn handyminer_is_known_in_each_of_its_modes() {
        let needs_four = |agent: Option<&str>, calls: &[&str]| {
            let mut login = RigLogin::default();
            for method in calls {
                login.note(RpcCall { method, params: None });
            }
            let params = agent.map_or_else(|| "[]".to_owned(), |agent| format!("[\"{agent}\"]"));
            let params = RawValue::from_string(params).unwrap();
            login.note(RpcCall { method: sv1::SUBSCRIBE, params: Some(&params) });
            login.firmware().extranonce2 == Some(USUAL_EXTRANONCE2)
        };
        assert!(needs_four(None, &HANDYMINER_CALLS), "solo");
        assert!(needs_four(Some("user agent/version"), &HANDYMINER_CALLS[1..]), "pool");
        assert!(needs_four(Some("user agent/version"), &[]), "pool, without an account of its own");
        assert!(needs_four(Some("handyminer/0.0.5"), &[]), "with Goldshell's machines");
        assert!(!needs_four(None, &[]), "many rigs have no name");
        assert!(!needs_four(Some("gminer/2.0"), &[]));
    }
}
