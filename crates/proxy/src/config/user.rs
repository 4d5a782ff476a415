//! The account at a pool, and the names under which workers appear there.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// The longest value of a placeholder, in bytes.
const MAX_VALUE: usize = 64;
/// The longest name of a worker, in bytes.
const MAX_NAME: usize = 128;
/// What joins the parts of a name, and goes with a placeholder that is left out.
const JOINTS: [char; 8] = ['.', '_', '-', '/', '+', ':', '#', '@'];
/// What a rig's software is called that does not say.
const NO_AGENT: &str = "unknown";

/// The account at a pool: fixed, or with placeholders for what is known of a rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTemplate {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Placeholder(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Worker,
    User,
    Rig,
    Ip,
    Agent,
    Port,
}

impl Placeholder {
    const ALL: [(&str, Self); 6] = [
        ("worker", Self::Worker),
        ("user", Self::User),
        ("rig", Self::Rig),
        ("ip", Self::Ip),
        ("agent", Self::Agent),
        ("port", Self::Port),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder)
    }
}

/// What is known of a rig's worker, for the placeholders.
#[derive(Debug, Clone, Copy)]
pub struct RigFacts<'a> {
    /// The name that it authorized with.
    pub worker: &'a str,
    /// Where it comes from.
    pub ip: IpAddr,
    /// What its software calls itself.
    pub agent: Option<&'a str>,
    /// The local port that it came to.
    pub port: u16,
}

/// The name of a worker at a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The name.
    pub name: String,
    /// Whether what the rig said of itself was changed to be fit for a name.
    pub changed: bool,
}

impl UserTemplate {
    /// Whether workers get names of their own.
    #[must_use]
    pub fn names_workers(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder(_)))
    }

    /// The name of a rig's worker at the pool. In the placeholders' values only letters, digits
    /// and `. _ -` are kept, as pools refuse others; each other character becomes `_`.
    #[must_use]
    pub fn render(&self, rig: &RigFacts<'_>) -> Rendered {
        let mut name = String::new();
        let mut changed = false;
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Placeholder(placeholder) => {
                    changed |= !push_fit(&placeholder.value(rig), &mut name);
                }
            }
        }
        while name.len() > MAX_NAME {
            changed = true;
            name.pop();
        }
        Rendered { name, changed }
    }

    /// Whether a name that was rendered has the account twice, since the rig's own name begins with it.
    #[must_use]
    pub fn repeats_account(&self, name: &str) -> bool {
        let own = self.own();
        let rest =
            name.strip_prefix(&*own).filter(|rest| !own.is_empty() && rest.starts_with(JOINTS));
        let rest = rest.map(|rest| rest.trim_start_matches(JOINTS));
        let after = rest.and_then(|rest| rest.strip_prefix(&*own));
        after.is_some_and(|after| after.is_empty() || after.starts_with(JOINTS))
    }

    /// The account itself, as which the proxy authorizes: without the placeholders and what joins
    /// them to the rest. Between two texts that remain, one joint stays: the dot, if there is one,
    /// since that is where pools divide account and worker.
    #[must_use]
    pub fn own(&self) -> String {
        let mut own = String::new();
        let mut in_gap = false;
        let mut joint: Option<char> = None;
        for part in &self.parts {
            match part {
                Part::Placeholder(_) => {
                    let kept = own.trim_end_matches(JOINTS).len();
                    joint = stronger(joint, &own[kept..]);
                    own.truncate(kept);
                    in_gap = true;
                }
                Part::Text(text) if in_gap => {
                    let rest = text.trim_start_matches(JOINTS);
                    joint = stronger(joint, &text[..text.len() - rest.len()]);
                    if !rest.is_empty() {
                        own.extend(joint.take().filter(|_| !own.is_empty()));
                        own.push_str(rest);
                        in_gap = false;
                    }
                }
                Part::Text(text) => own.push_str(text),
            }
        }
        own
    }
}

/// The joint that stays of one that stood before and of some more.
fn stronger(before: Option<char>, more: &str) -> Option<char> {
    if more.contains('.') { Some('.') } else { before.or_else(|| more.chars().next()) }
}

impl Placeholder {
    fn value(self, rig: &RigFacts<'_>) -> String {
        let (user, number) = rig.worker.split_once('.').unwrap_or((rig.worker, rig.worker));
        // A name that begins or ends with its dot has no such part.
        let part = |part: &str| if part.is_empty() { rig.worker } else { part }.to_owned();
        match self {
            Self::Worker => rig.worker.to_owned(),
            Self::User => part(user),
            Self::Rig => part(number),
            Self::Ip => rig.ip.to_string().replace(['.', ':'], "x"),
            Self::Agent => {
                let name = rig.agent.unwrap_or_default().trim_start();
                let name = name.split(['/', ' ']).next().unwrap_or_default();
                if name.is_empty() { NO_AGENT } else { name }.to_owned()
            }
            Self::Port => rig.port.to_string(),
        }
    }
}

/// Appends a value made fit for a name; `false` when it had to be changed.
fn push_fit(value: &str, name: &mut String) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let replaced = value.chars().map(|c| if fit(c) { c } else { '_' });
    name.extend(replaced.take(MAX_VALUE));
    value.chars().all(fit) && value.len() <= MAX_VALUE
}

impl fmt::Display for UserTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for UserTemplate {
    type Err = UserTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UserTemplateError::Space);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let close = rest[at..].find('}').map_or(rest.len(), |close| at + close + 1);
            let braces = &rest[at..close];
            let name = braces.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            let Some(placeholder) = name.and_then(Placeholder::named) else {
                return Err(UserTemplateError::Placeholder(braces.to_owned()));
            };
            if at > 0 {
                parts.push(Part::Text(rest[..at].into()));
            }
            parts.push(Part::Placeholder(placeholder));
            rest = &rest[close..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        let template = Self { text: text.into(), parts };
        if template.own().is_empty() {
            return Err(UserTemplateError::NoAccount);
        }
        if template.names_workers() && template.fixed_bytes() >= MAX_NAME {
            return Err(UserTemplateError::NoRoom);
        }
        Ok(template)
    }
}

impl UserTemplate {
    fn fixed_bytes(&self) -> usize {
        let text = |part: &Part| if let Part::Text(text) = part { text.len() } else { 0 };
        self.parts.iter().map(text).sum()
    }
}

/// Why a text is no account at a pool.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserTemplateError {
    /// Nothing beside what is known of rigs.
    #[error("`user` must name an account, as in \"account.{{rig}}\"")]
    NoAccount,
    /// Braces around anything else.
    #[error("{0} is not known in a user; known are {known}", known = known())]
    Placeholder(String),
    /// White space, which pools cut names at.
    #[error("a user has no spaces")]
    Space,
    /// The fixed part leaves no room for what is known of rigs.
    #[error("a worker's name has at most {MAX_NAME} bytes, and the account takes them all")]
    NoRoom,
}

fn known() -> String {
    Placeholder::ALL.map(|(name, _)| format!("{{{name}}}")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> UserTemplate {
        text.parse().unwrap()
    }

    const RIG: RigFacts<'_> = RigFacts {
        worker: "farm.r12",
        ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 3, 12)),
        agent: Some("HS5-miner/2.1 (beta)"),
        port: 3008,
    };

    fn name(text: &str, rig: &RigFacts<'_>) -> String {
        template(text).render(rig).name
    }

    #[test]
    fn each_placeholder_stands_for_something_known_of_the_rig() {
        for (text, rendered) in [
            ("acct.{worker}", "acct.farm.r12"),
            ("acct.{user}", "acct.farm"),
            ("acct.{rig}", "acct.r12"),
            ("acct.{ip}", "acct.10x0x3x12"),
            ("acct.{agent}", "acct.HS5-miner"),
            ("acct.{port}", "acct.3008"),
            ("acct+{user}.{rig}-{port}{ip}x", "acct+farm.r12-300810x0x3x12x"),
            ("acct.farm", "acct.farm"),
            ("a/b@c.{rig}", "a/b@c.r12"),
        ] {
            assert_eq!(
                template(text).render(&RIG),
                Rendered { name: rendered.into(), changed: false }
            );
            assert_eq!(template(text).to_string(), text);
        }
    }

    #[test]
    fn what_a_rig_does_not_say_is_made_up_for() {
        let rig = |worker| RigFacts { worker, ..RIG };
        for (worker, user, number) in [
            ("r12", "r12", "r12"),
            ("farm.", "farm", "farm."),
            (".r12", ".r12", "r12"),
            ("farm.a.b", "farm", "a.b"),
            (".", ".", "."),
        ] {
            assert_eq!(name("a+{user}", &rig(worker)), format!("a+{user}"), "{worker}");
            assert_eq!(name("a+{rig}", &rig(worker)), format!("a+{number}"), "{worker}");
        }
        for (agent, shown) in [
            (None, "unknown"),
            (Some(""), "unknown"),
            (Some("/1"), "unknown"),
            (Some(" cgminer 4"), "cgminer"),
        ] {
            assert_eq!(name("a.{agent}", &RigFacts { agent, ..RIG }), format!("a.{shown}"));
        }
        let ip = "fe80::1".parse().unwrap();
        assert_eq!(name("a.{ip}", &RigFacts { ip, ..RIG }), "a.fe80xx1");
    }

    #[test]
    fn values_are_made_fit_and_it_is_said() {
        for (worker, rendered) in [
            ("rig 1", "acct.rig_1"),
            ("rig/1+2", "acct.rig_1_2"),
            ("ríg\"1\\\n", "acct.r_g_1__"),
            ("{ip}", "acct._ip_"),
        ] {
            let made = template("acct.{worker}").render(&RigFacts { worker, ..RIG });
            assert_eq!(made, Rendered { name: rendered.into(), changed: true });
        }
        let long = "x".repeat(65);
        let made = template("acct.{worker}").render(&RigFacts { worker: &long, ..RIG });
        assert_eq!(made, Rendered { name: format!("acct.{}", "x".repeat(64)), changed: true });
        let made = template("acct.{worker}").render(&RigFacts { worker: &long[1..], ..RIG });
        assert!(!made.changed);
        let whole = format!("{}é.{{worker}}{{worker}}", "a".repeat(40));
        let made = template(&whole).render(&RigFacts { worker: &long[1..], ..RIG });
        assert_eq!((made.name.len(), made.changed), (MAX_NAME, true));
    }

    #[test]
    fn the_own_account_is_what_is_left_without_placeholders_and_their_joints() {
        for (text, own) in [
            ("acct", "acct"),
            ("acct.farm", "acct.farm"),
            ("acct.", "acct."),
            ("acct.{rig}", "acct"),
            ("acct_{rig}", "acct"),
            ("acct{rig}", "acct"),
            ("{ip}.acct", "acct"),
            ("{user}.acct.{rig}", "acct"),
            ("-acct.{rig}", "-acct"),
            ("acct.{ip}.farm", "acct.farm"),
            ("acct.{ip}-farm", "acct.farm"),
            ("acct-{ip}.farm", "acct.farm"),
            ("acct_{ip}-farm", "acct_farm"),
            ("acct{ip}-farm", "acct-farm"),
            ("acct{ip}farm", "acctfarm"),
            ("acct.{rig}-{ip}", "acct"),
            ("acct-{rig}.{ip}_farm", "acct.farm"),
            ("acct.{rig}{ip}", "acct"),
            ("acct.rig-{rig}", "acct.rig"),
            ("acct.-{rig}-.farm", "acct.farm"),
        ] {
            assert_eq!(template(text).own(), own, "{text}");
            assert_eq!(template(text).names_workers(), text.contains('{'), "{text}");
        }
    }

    #[test]
    fn wrong_templates_are_refused() {
        use UserTemplateError::{NoAccount, NoRoom, Placeholder, Space};
        let long = "a".repeat(MAX_NAME);
        for (text, error) in [
            ("", NoAccount),
            (".{worker}", NoAccount),
            ("{user}.{rig}", NoAccount),
            ("a b", Space),
            ("a\t", Space),
            ("a.{wrker}", Placeholder("{wrker}".into())),
            ("a.{WORKER}", Placeholder("{WORKER}".into())),
            ("a.{}", Placeholder("{}".into())),
            ("a{", Placeholder("{".into())),
            ("a}", Placeholder("}".into())),
            ("a{{rig}}", Placeholder("{{rig}".into())),
            (&format!("{long}{{rig}}"), NoRoom),
        ] {
            assert_eq!(text.parse::<UserTemplate>(), Err(error), "{text}");
        }
        assert!(long.parse::<UserTemplate>().is_ok());
        assert_eq!(
            Placeholder("{wrker}".into()).to_string(),
            "{wrker} is not known in a user; known are {worker}, {user}, {rig}, {ip}, {agent}, {port}"
        );
    }

    #[test]
    fn a_name_that_has_the_account_twice_is_known_and_no_other() {
        for (template, name, twice) in [
            ("farm.{worker}", "farm.farm.rig1", true),
            ("farm_{worker}", "farm_farm", true),
            ("farm.{worker}", "farm.rig1", false),
            ("farm.{worker}", "farm.farmhand", false),
            ("farm.{worker}", "farmfarm", false),
        ] {
            let template: UserTemplate = template.parse().unwrap();
            assert_eq!(template.repeats_account(name), twice, "{template} {name}");
        }
    }
}
