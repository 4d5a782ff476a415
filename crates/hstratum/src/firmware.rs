//! Firmware that is known by the way in which it logs in.

use orepass_stratum::firmware::{Firmware, Hello, USUAL_EXTRANONCE2};

/// Calls that HandyMiner makes before all others, and nothing else does: HandyStratum's
/// administration.
pub(crate) const LOGIN_CALLS: &[&str] = &["mining.authorize_admin", "mining.add_user"];

/// How HandyMiner for graphics cards calls itself, and how the one for Goldshell's machines does.
const HANDYMINER_NAMES: [&str; 3] = ["user agent/version", "handyminer", "handy-miner"];

/// What a rig needs by its login. HandyMiner, in all its forms, counts up an extranonce2 of 4 bytes
/// whatever size it is told.
pub(crate) fn known(hello: &Hello<'_>) -> Firmware {
    let calls = (0..LOGIN_CALLS.len()).any(|place| hello.called(place));
    let agent = hello.agent.unwrap_or_default().to_ascii_lowercase();
    let named = HANDYMINER_NAMES.iter().any(|name| agent.starts_with(name));
    if calls || named {
        return Firmware { extranonce2: Some(USUAL_EXTRANONCE2), ..Firmware::default() };
    }
    Firmware::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handyminer_is_known_in_each_of_its_modes() {
        let needs_four =
            |agent, calls| known(&Hello { agent, calls }).extranonce2 == Some(USUAL_EXTRANONCE2);
        assert!(needs_four(None, 0b11), "solo");
        assert!(needs_four(Some("user agent/version"), 0b10), "pool");
        assert!(needs_four(Some("user agent/version"), 0), "pool, without an account of its own");
        assert!(needs_four(Some("handyminer/0.0.5"), 0), "with Goldshell's machines");
        assert!(!needs_four(None, 0), "many rigs have no name");
        assert!(!needs_four(Some("gminer/2.0"), 0));
    }
}
