//! What the config is made of: given by flags, or asked for.

use std::io::{BufRead, Write};
use std::str::FromStr;

use super::InitError;
use crate::cli::Init;
use crate::config::{Dialects, ListenAddr, PoolUrl, UserTemplate};
use crate::registry::Registry;

/// How often a question is asked before that is given up.
const TRIES: u32 = 5;

/// Whoever can be asked.
pub(super) struct Asking<R, W> {
    answers: R,
    questions: W,
    /// Nobody is there.
    is_alone: bool,
}

/// What a config is made of.
pub(super) struct Answers {
    pub(super) dialect: &'static str,
    pub(super) url: PoolUrl,
    pub(super) user: UserTemplate,
    /// As it was written: it may be the name of a place.
    pub(super) password: String,
    pub(super) bind: ListenAddr,
}

impl Answers {
    /// Takes what the flags give, and asks for the rest.
    pub(super) fn gather<R: BufRead, W: Write>(
        init: Init,
        registry: &Registry,
        asking: &mut Asking<R, W>,
    ) -> Result<Self, InitError> {
        let Init { dialect, url, user, password, bind, .. } = init;
        let given = [
            (dialect.is_some(), "the coin", "--dialect NAME"),
            (url.is_some(), "the pool", "-o URL"),
            (user.is_some(), "the account", "-u USER"),
        ];
        let missing = given.iter().filter(|(is_given, ..)| !is_given);
        if asking.is_alone && missing.clone().next().is_some() {
            return Err(InitError::Missing {
                missing: missing.clone().map(|(_, what, _)| *what).collect(),
                flags: missing.map(|(.., flag)| *flag).collect(),
            });
        }
        let coin = |word: &str| of_word(registry, word);
        let dialect = match dialect {
            Some(word) => {
                coin(&word).map_err(|why| InitError::Unusable { what: "--dialect", why })?
            }
            None => {
                let question = format!("Which coin ({})?", registry.names().join(", "));
                asking.ask(&question, registry.first(), coin)?
            }
        };
        let url = match url {
            Some(url) => url,
            None => asking.ask("Which pool, as in pool.example:3008?", None, pool_url)?,
        };
        let user = match user {
            Some(user) => user,
            None => {
                let question = "Which account at the pool (a wallet or a name)?";
                let account: UserTemplate = asking.ask(question, None, parsed)?;
                let own = account.to_string();
                let named = format!("{own}.{{rig}}");
                let is_plain = own == account.own();
                if is_plain && asking.confirms("Shall the pool see each rig's name behind it?")? {
                    named.parse().unwrap_or(account)
                } else {
                    account
                }
            }
        };
        // What nobody has to think about is not asked for where all else was given.
        let asks = given.iter().any(|(is_given, ..)| !is_given);
        let password = match password {
            Some(password) => password,
            None if asks => asking.ask("Its password?", Some("x"), |text| Ok(text.to_owned()))?,
            None => "x".to_owned(),
        };
        let usual = usual_bind(&url);
        let bind = match bind {
            Some(bind) => bind,
            None if asks => {
                asking.ask("Where shall rigs connect?", Some(&usual.to_string()), parsed)?
            }
            None => usual,
        };
        Ok(Self { dialect, url, user, password, bind })
    }
}

impl<R: BufRead, W: Write> Asking<R, W> {
    pub(super) const fn new(answers: R, questions: W, is_there: bool) -> Self {
        Self { answers, questions, is_alone: !is_there }
    }

    /// Asks until the answer can be used; an empty one stands for `usual`.
    fn ask<T>(
        &mut self,
        question: &str,
        usual: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, InitError> {
        for _ in 0..TRIES {
            let answer = self.answer(question, usual)?;
            let answer = if answer.is_empty() { usual.unwrap_or_default() } else { &answer };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(why) => writeln!(self.questions, "  {why}").map_err(InitError::Ask)?,
            }
        }
        Err(InitError::Unusable {
            what: "the answers",
            why: format!("none of {TRIES} can be used"),
        })
    }

    /// Whether somebody says yes; nobody does where nobody is there.
    pub(super) fn confirms(&mut self, question: &str) -> Result<bool, InitError> {
        if self.is_alone {
            return Ok(false);
        }
        let answer = self.answer(question, Some("yes"))?;
        Ok(answer.is_empty() || answer.to_ascii_lowercase().starts_with('y'))
    }

    fn answer(&mut self, question: &str, usual: Option<&str>) -> Result<String, InitError> {
        let usual = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        let mut answer = String::new();
        write!(self.questions, "{question}{usual} ")
            .and_then(|()| self.questions.flush())
            .and_then(|()| self.answers.read_line(&mut answer))
            .and_then(|read| {
                if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
            })
            .map_err(InitError::Ask)?;
        Ok(answer.trim().to_owned())
    }
}

/// A dialect by its name, or by another that an operator may have for it.
fn of_word(registry: &Registry, word: &str) -> Result<&'static str, String> {
    let word = word.trim();
    let entry = registry.by_any_name(word).map_or_else(|| registry.get(word), Ok);
    entry.map(|entry| entry.name).map_err(|unknown| unknown.to_string())
}

/// People write pools without what stands before the host.
fn pool_url(text: &str) -> Result<PoolUrl, String> {
    let text = text.trim();
    if text.contains("://") { parsed(text) } else { parsed(&format!("stratum+tcp://{text}")) }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// The pool's own port: in rigs that have mined there, only the host must be changed.
fn usual_bind(url: &PoolUrl) -> ListenAddr {
    const OTHER: u16 = 3333;
    const PRIVILEGED: u16 = 1024;
    let port = if url.port() < PRIVILEGED { OTHER } else { url.port() };
    ListenAddr::from(std::net::SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Init {
        Init {
            dialect: None,
            url: None,
            user: None,
            password: None,
            bind: None,
            out: "orepass.toml".into(),
            force: false,
            untried: false,
        }
    }

    fn asked(init: Init, answers: &str) -> (Result<Answers, InitError>, String) {
        let mut questions = Vec::new();
        let mut asking = Asking::new(answers.as_bytes(), &mut questions, true);
        let gathered = Answers::gather(init, &Registry::default(), &mut asking);
        (gathered, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn what_is_missing_is_asked_for_and_asked_again_where_it_cannot_be_used() {
        let typed = "handshake\nnot a pool\npool.example:3008\nhs1wallet\ny\n\n\n";
        let (answers, questions) = asked(nothing(), typed);
        let answers = answers.unwrap();
        assert_eq!(answers.dialect, "hstratum");
        assert_eq!(answers.url.to_string(), "stratum+tcp://pool.example:3008");
        assert_eq!(answers.user.to_string(), "hs1wallet.{rig}");
        assert_eq!((&*answers.password, answers.bind.get().port()), ("x", 3008));
        assert_eq!(questions.matches("Which pool").count(), 2, "{questions}");
    }

    #[test]
    fn flags_are_not_asked_for_and_without_a_terminal_nothing_is() {
        let init = Init {
            dialect: Some("hns".into()),
            url: Some("stratum+ssl://pool.example:443".parse().unwrap()),
            user: Some("account".parse().unwrap()),
            ..nothing()
        };
        let (answers, questions) = asked(init, "");
        let answers = answers.unwrap();
        assert_eq!((answers.user.to_string(), answers.bind.get().port()), ("account".into(), 3333));
        assert_eq!(questions, "");

        let mut asking = Asking::new(&b""[..], Vec::new(), false);
        let error = Answers::gather(nothing(), &Registry::default(), &mut asking).err().unwrap();
        let error = error.to_string();
        assert!(error.ends_with("give --dialect NAME -o URL -u USER"), "{error}");
        assert!(!asking.confirms("Really?").unwrap());
    }

    #[test]
    fn a_closed_terminal_and_answers_without_end_end_it() {
        assert!(matches!(asked(nothing(), "").0, Err(InitError::Ask(_))));
        let (answers, questions) = asked(nothing(), &"dogecoin\n".repeat(9));
        assert!(matches!(answers, Err(InitError::Unusable { .. })));
        assert!(questions.contains("unknown dialect `dogecoin`"), "{questions}");
    }
}
