//! Any text as a config file: it is taken, or what is wrong is shown at its place, and nothing secret.
//!
//! Input: the text. Where it says `hunter2`, that is a secret.

use orepass::config::Config;
use orepass::registry::Registry;

/// Takes an input as the head of this file says, and gives 1 for a config that is taken, else 0.
///
/// # Panics
/// When what is wrong has no place, or a secret is shown.
pub fn config(data: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(data) else { return 0 };
    match Config::parse("t", text, &Registry::default()) {
        Ok(config) => {
            assert!(!config.routes.is_empty(), "a config without a route serves nobody");
            // Elsewhere it may be a name.
            let is_password = text.matches("hunter2").count() == 1
                && config
                    .routes
                    .iter()
                    .flat_map(|route| &route.pools)
                    .any(|pool| pool.password.reveal() == "hunter2");
            assert!(!is_password || !format!("{config:?}").contains("hunter2"));
            1
        }
        Err(error) => {
            assert!(error.to_string().starts_with("t:"), "{error}");
            0
        }
    }
}
