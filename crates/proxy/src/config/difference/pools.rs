//! What is different about the pools of a route.

use super::{difficulty, word};
use crate::config::{Name, PoolAccount};

/// Says which come, leave and change, and in which order they are.
pub(super) fn pools(old: &[PoolAccount], new: &[PoolAccount], say: &mut impl FnMut(String)) {
    let find =
        |pools: &[PoolAccount], name: &Name| pools.iter().position(|pool| pool.name == *name);
    for pool in old.iter().filter(|pool| find(new, &pool.name).is_none()) {
        say(format!("pool {} leaves: its rigs go to the others", pool.name));
    }
    for pool in new {
        let name = &pool.name;
        let Some(before) = find(old, name).map(|at| &old[at]) else {
            say(format!("pool {name} comes: {} as {}", pool.url, pool.user));
            continue;
        };
        if !before.is_same(pool) {
            let what = changed(before, pool).join(", ");
            say(format!("pool {name}: {what}; a new connection takes over"));
        }
        let (was, is) = (before.standing.weight, pool.standing.weight);
        if was.total_cmp(&is).is_ne() {
            say(format!("pool {name}: weight {was} \u{2192} {is}"));
        }
    }
    // Those that both have, in their order; with equals beside each other.
    let order = |pools: &[PoolAccount], others: &[PoolAccount]| {
        let kept = pools.iter().filter(|pool| find(others, &pool.name).is_some());
        let mut text = String::new();
        let mut last = None;
        for pool in kept {
            let rank = pool.standing.rank;
            if let Some(last) = last.replace(rank) {
                text += if last == rank { " + " } else { ", " };
            }
            text += pool.name.as_str();
        }
        text
    };
    let (before, after) = (order(old, new), order(new, old));
    if before != after {
        say(format!("pools {before} \u{2192} {after}"));
    }
}

/// What is different about a pool, without its secrets.
fn changed(old: &PoolAccount, new: &PoolAccount) -> Vec<String> {
    // Whoever adds a key says it here.
    let PoolAccount {
        name: _,
        url,
        user,
        password,
        pass_password,
        start_difficulty,
        standing: _,
        resubmit,
        options,
        habits,
        reach,
    } = new;
    let mut found = Vec::new();
    let mut say = |key: &str, before: String, after: String| {
        if before != after {
            found.push(format!("{key} {before} \u{2192} {after}"));
        }
    };
    say("url", old.url.to_string(), url.to_string());
    say("user", old.user.to_string(), user.to_string());
    say("pass_password", word(old.pass_password), word(pass_password));
    say("start_difficulty", difficulty(old.start_difficulty), difficulty(*start_difficulty));
    say("resubmit", word(old.resubmit), word(resubmit));
    if old.password != *password {
        found.push("password changed".into());
    }
    if old.reach.trust != reach.trust {
        found.push("whom to believe over TLS".into());
    }
    if old.reach.proxy != reach.proxy {
        found.push("proxy changed".into());
    }
    if !old.options.is_same(options) || old.habits != *habits {
        found.push("[route.pool.options]".into());
    }
    found
}
