//! The config as it is written.

use std::path::Path;

use toml::Value;

use super::answers::Answers;

impl Answers {
    /// The config's text, for a file of this name.
    pub(super) fn config(&self, out: &Path) -> String {
        let Self { dialect, url, user, password, bind } = self;
        let text = |text: &str| Value::from(text).to_string();
        let (url, user, password) =
            (text(&url.to_string()), text(&user.to_string()), text(password));
        let name = out.display();
        // A service has a folder for that.
        let state = if out.starts_with("/etc") {
            "# What is learnt is kept in the service's own folder.\n"
        } else {
            "# What is learnt of rigs and pools, and beside it the history, outlast a restart.\n\
             [state]\nfile = \"orepass.db\"\n"
        };
        format!(
            "# Orepass for {dialect}. All keys: docs/config.md.\n\
             #   orepass check -c {name}\n\
             #   orepass run -c {name}\n\n\
             [[route]]\n\
             name = \"{dialect}\"\n\
             dialect = \"{dialect}\"\n\
             listen = [\"{bind}\"]             # where rigs connect\n\n\
             [[route.pool]]\n\
             url = {url}\n\
             user = {user}                # {{rig}} is a rig's own name, {{worker}} all that it calls itself\n\
             password = {password}                # or \"env:NAME\", or \"file:PATH\"\n\n\
             # The next pool is used while the one above is down.\n\
             # [[route.pool]]\n\
             # url = \"stratum+tcp://backup.example:3008\"\n\
             # user = {user}\n\n\
             {state}\n\
             # The page and the API.\n\
             [api]\n\
             listen = \"127.0.0.1:9099\"\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::Registry;

    #[test]
    fn whatever_was_answered_the_config_can_be_read() {
        let answers = Answers {
            dialect: "hstratum",
            url: "stratum+tcp://pool.example:3008".parse().unwrap(),
            user: "account.{rig}".parse().unwrap(),
            password: "a\"b\\c\n#d".into(),
            bind: "[::]:3008".parse().unwrap(),
        };
        for (out, has_state) in [("orepass.toml", true), ("/etc/orepass/orepass.toml", false)] {
            let text = answers.config(Path::new(out));
            let config = Config::parse("t", &text, &Registry::default()).unwrap();
            let pool = &config.routes[0].pools[0];
            assert_eq!(pool.password.reveal(), "a\"b\\c\n#d");
            assert_eq!(
                (pool.user.to_string().as_str(), config.state.is_some()),
                ("account.{rig}", has_state)
            );
        }
    }
}
