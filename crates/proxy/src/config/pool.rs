//! `[[route.pool]]`: a server and the account there.

use std::collections::HashSet;
use std::path::Path;

use orepass_farm::pools::Standing;
use orepass_stratum::habits::Habits;
use orepass_stratum::target::Difficulty;

use super::options::OptionTable;
use super::reach;
use super::secret::{Secret, SecretRef};
use super::table::TableReader;
use super::user::UserTemplate;
use super::value::{Name, PoolUrl};
use crate::net::connect::Reach;

/// What pools take that have no passwords.
pub(super) const NO_PASSWORD: &str = "x";

/// A pool of a route, as it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolAccount {
    /// Its label; `host:port` unless configured.
    pub name: Name,
    /// Where it is.
    pub url: PoolUrl,
    /// How it is reached.
    pub reach: Reach,
    /// The account, and the names of workers.
    pub user: UserTemplate,
    /// The account's password, looked up.
    pub password: Secret,
    /// Whether a worker authorizes with the password that its rig gave.
    pub pass_password: bool,
    /// The difficulty that it is asked for, on its own scale.
    pub start_difficulty: Option<Difficulty>,
    /// Its rank and weight among the route's pools.
    pub standing: Standing,
    /// Whether shares that a connection is lost with are sent once more on the next.
    pub resubmit: bool,
    /// The dialect's options of this pool.
    pub options: OptionTable,
    /// What the operator says of its habits, as the dialect reads it from the options.
    pub habits: Habits,
}

impl PoolAccount {
    /// A pool that stands alone, with the usual password for none.
    #[must_use]
    pub fn new(name: Name, url: PoolUrl, user: UserTemplate) -> Self {
        Self {
            name,
            url,
            reach: Reach::default(),
            user,
            password: Secret::new(NO_PASSWORD),
            pass_password: false,
            start_difficulty: None,
            standing: Standing { rank: 0, weight: 1.0 },
            resubmit: false,
            options: OptionTable::default(),
            habits: Habits::default(),
        }
    }
}

impl PoolAccount {
    /// Whether the other one is the same pool, wherever the two stand: connections to the one serve
    /// for the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let here = Self { standing: self.standing, options: self.options.clone(), ..other.clone() };
        self.options.is_same(&other.options) && *self == here
    }
}

/// Reads the pools of a route in order of preference. Those that follow each other with a weight
/// share a rank. `habits` reads and notes what a pool's options say; it is called even if there is
/// no pool, for the route's own.
pub(super) fn read_all<'s>(
    table: &mut TableReader<'_, 's>,
    folder: &Path,
    habits: impl Fn(&mut TableReader<'_, 's>, &OptionTable) -> Option<Habits>,
) -> Vec<PoolAccount> {
    let mut names = HashSet::new();
    let mut former: Option<(usize, bool)> = None;
    let pools = table.tables("[[route.pool]]", |table| {
        let options = table.options("[route.pool.options]");
        let habits = habits(table, &options);
        let pool = read(table, folder, &mut names);
        let weight = table.positive("weight");
        let rank = match former {
            None => 0,
            Some((rank, true)) if weight.is_some() => rank,
            Some((rank, _)) => rank + 1,
        };
        former = Some((rank, weight.is_some()));
        let standing = Standing { rank, weight: weight.unwrap_or(1.0) };
        Some(PoolAccount { standing, options, habits: habits?, ..pool? })
    });
    if table.is_absent("pool") {
        table.lacks("pool", "this route has no pool: add a [[route.pool]] with url and user");
    }
    pools.into_iter().flatten().collect()
}

/// Reads a `[[route.pool]]`, as if it stood alone; `None` when it lacks what it cannot do without.
fn read(
    table: &mut TableReader<'_, '_>,
    folder: &Path,
    names: &mut HashSet<Name>,
) -> Option<PoolAccount> {
    table.needs(&[("url", "\"stratum+tcp://pool.example:3008\""), ("user", "\"account.{rig}\"")]);
    let name: Option<Name> = table.parsed("name");
    let url: Option<PoolUrl> = table.parsed("url");
    let reach = reach::read(table, folder, url.as_ref());
    let user: Option<UserTemplate> = table.parsed("user");
    let password = password(table, folder);
    let pass_password = table.flag("pass_password").unwrap_or(false);
    let start_difficulty = table.difficulty("start_difficulty");
    let resubmit = table.flag("resubmit").unwrap_or(false);

    let key = if name.is_some() { "name" } else { "url" };
    let name = name.or_else(|| url.as_ref().map(Name::of_pool))?;
    if !names.insert(name.clone()) {
        let message =
            format!("two pools of this route are named `{name}`: give them a `name` each");
        table.note_at(key, message);
    }
    let pool = PoolAccount::new(name, url?, user?);
    Some(PoolAccount { reach, password, pass_password, start_difficulty, resubmit, ..pool })
}

fn password(table: &mut TableReader<'_, '_>, folder: &Path) -> Secret {
    let text = table.text("password").unwrap_or(NO_PASSWORD);
    match SecretRef::from(text).resolve(folder) {
        Ok(password) => password,
        Err(error) => {
            table.note_at("password", error.to_string());
            Secret::new("")
        }
    }
}
