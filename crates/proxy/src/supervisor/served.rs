//! What is served where, in one block for whoever starts the program.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::{Config, ListenAddr, RouteConfig};
use crate::limits::OpenFiles;

/// The block for a config. `bound` tells at which address a socket is, `control` where `orepass ctl`
/// may ask.
pub(super) fn block(
    config: &Config,
    bound: impl Fn(&RouteConfig, ListenAddr) -> SocketAddr,
    control: Option<&Path>,
    files: Option<OpenFiles>,
) -> String {
    let mut block = String::new();
    for route in &config.routes {
        // Writing to a string cannot fail.
        let _ = writeln!(block, "route      {} ({})", route.name, route.dialect);
        for (at, &address) in route.listen.iter().enumerate() {
            let label = if at == 0 { "listen" } else { "" };
            let address = address.at(bound(route, address));
            let _ = writeln!(block, "  {label:<9}{address}");
        }
        pools(&mut block, route);
    }
    let state = config.state.as_deref().map_or_else(
        || "none: what is learnt of rigs is forgotten at the end".to_owned(),
        |file| file.display().to_string(),
    );
    let control = control.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let files = files.map_or_else(|| "open files unknown".to_owned(), |files| files.to_string());
    let capacity = config.capacity();
    let _ = writeln!(block, "state      {state}");
    let _ = writeln!(block, "control    {control}");
    let _ = writeln!(block, "limits     {files}; the config allows {capacity} rigs");
    block
}

/// A route's pools in their order, each with its rank, and its weight where it shares that.
fn pools(block: &mut String, route: &RouteConfig) {
    let width = route.pools.iter().map(|pool| pool.name.as_str().len()).max().unwrap_or_default();
    for (at, pool) in route.pools.iter().enumerate() {
        let label = if at == 0 { "pools" } else { "" };
        let (rank, name) = (pool.standing.rank + 1, pool.name.as_str());
        let _ = write!(block, "  {label:<9}{rank}  {name:<width$}  {}", pool.url);
        let of_rank = |rank| route.pools.iter().filter(move |other| other.standing.rank == rank);
        if of_rank(pool.standing.rank).count() > 1 {
            let _ = write!(block, "  weight {}", pool.standing.weight);
        }
        block.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn it_says_all_that_an_operator_looks_for() {
        let config = r#"
            [state]
            file = "/var/lib/orepass/orepass.db"
            [control]
            socket = "/run/orepass/ctl.sock"
            [[route]]
            name = "hns"
            dialect = "hstratum"
            listen = ["127.0.0.1:0", "tls://127.0.0.1:3334"]
            [[route.pool]]
            name = "a"
            url = "stratum+tcp://a.example:3008"
            user = "me"
            password = "hidden"
            weight = 2
            [[route.pool]]
            name = "second"
            url = "stratum+ssl://b.example:3008"
            user = "me"
            weight = 1
            [[route.pool]]
            name = "last"
            url = "stratum+tcp://c.example:3008"
            user = "me"
        "#;
        let config = Config::parse("test", config, &Registry::default()).unwrap();
        let bound = |_: &RouteConfig, address: ListenAddr| match address.get() {
            any if any.port() == 0 => SocketAddr::new(any.ip(), 4567),
            address => address,
        };
        let said = block(&config, bound, config.control.as_deref(), None);
        let expected = "\
route      hns (hstratum)
  listen   127.0.0.1:4567
           tls://127.0.0.1:3334
  pools    1  a       stratum+tcp://a.example:3008  weight 2
           1  second  stratum+ssl://b.example:3008  weight 1
           2  last    stratum+tcp://c.example:3008
state      /var/lib/orepass/orepass.db
control    /run/orepass/ctl.sock
limits     open files unknown; the config allows 4000 rigs
";
        assert_eq!(said, expected);
    }
}
