use std::sync::atomic::{AtomicBool, Ordering};

use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::Reply;
use tokio::net::TcpListener;

use super::*;
use crate::config::OptionError;
use crate::process::Process;
use crate::registry::Registry;
use crate::route::Route;
use crate::running;
use crate::store::RouteStore;

static BREAKS: AtomicBool = AtomicBool::new(true);

/// A route that panics when it is changed, or started after the first time.
struct Breaking(Box<dyn PreparedRoute>);

impl PreparedRoute for Breaking {
    fn start(
        self: Box<Self>,
        memory: RouteStore,
        process: Process,
        listeners: Vec<TcpListener>,
    ) -> Arc<dyn RunningRoute> {
        assert!(!BREAKS.load(Ordering::Relaxed), "a fault in the start");
        self.0.start(memory, process, listeners)
    }

    fn change(self: Box<Self>, _: Arc<dyn RunningRoute>) {
        panic!("a fault in the change");
    }
}

fn prepare(route: &RouteConfig) -> Result<Box<dyn PreparedRoute>, OptionError> {
    let prepared = running::prepare::<Hstratum>(route)?;
    let breaks = route.name.as_str().starts_with("bad");
    Ok(if breaks { Box::new(Breaking(prepared)) } else { prepared })
}

fn config(routes: &[&str], more: &str, registry: &Registry) -> Config {
    let text: String = routes
        .iter()
        .map(|name| {
            format!(
                "[[route]]\nname = \"{name}\"\ndialect = \"hstratum\"\nlisten = [\"127.0.0.1:0\"]\n{more}\n\
                 [[route.pool]]\nurl = \"stratum+tcp://127.0.0.1:1\"\nuser = \"account\"\n"
            )
        })
        .collect();
    let text = text + "[api]\nlisten = \"off\"\n";
    Config::parse("orepass.toml", &text, registry).unwrap()
}

fn names(supervisor: &Supervisor<'_>) -> Vec<String> {
    assert!(
        supervisor.routes.iter().map(|route| route.name()).eq(supervisor
            .config
            .routes
            .iter()
            .map(|route| route.name.as_str())),
        "each route has its config"
    );
    supervisor.routes.iter().map(|route| route.name().to_owned()).collect()
}

fn reply(supervisor: &Supervisor<'_>, name: &str) -> Reply {
    let route = supervisor.routes.iter().find(|route| route.name() == name).unwrap();
    let route = Arc::clone(route).as_any().downcast::<Route<Hstratum>>();
    route.ok().unwrap().now().downstream.reply
}

#[tokio::test]
async fn a_panic_in_one_route_is_said_and_the_others_change() {
    let registry = Registry::default().with_prepare(Hstratum::NAME, prepare);
    let process = Process::default();
    BREAKS.store(false, Ordering::Relaxed);
    let before = config(&["bad", "good"], "", &registry);
    let mut supervisor = Supervisor::start(before, None, &registry, &process).unwrap();

    BREAKS.store(true, Ordering::Relaxed);
    let reload = |supervisor: &mut Supervisor<'_>| {
        let wanted = config(&["bad", "bad-new", "good"], "reply = \"local\"", &registry);
        let prepared = supervisor.prepare_all(wanted).unwrap();
        supervisor.apply(prepared)
    };
    let changes = reload(&mut supervisor);
    assert_eq!(
        changes.faults,
        [
            "route bad: a fault in orepass, see `panic` in the log: it may have only a part of its \
             changes; the next reload starts it anew",
            "route bad-new: a fault in orepass, see `panic` in the log: it is not at work; the next \
             reload tries again",
        ]
    );
    assert_eq!(names(&supervisor), ["bad", "good"]);
    assert_eq!(reply(&supervisor, "good"), Reply::Local);
    assert_eq!((reply(&supervisor, "bad"), supervisor.listeners.iter().count()), (Reply::Pool, 2));

    BREAKS.store(false, Ordering::Relaxed);
    let changes = reload(&mut supervisor);
    assert!(changes.faults.is_empty(), "{changes:?}");
    let said = |line: &str| changes.changed.iter().any(|other| other.starts_with(line));
    assert!(said("route bad: starts anew") && said("route bad-new starts"), "{changes:?}");
    assert!(!said("route good"), "{changes:?}");
    assert_eq!(names(&supervisor), ["bad", "bad-new", "good"]);
    assert_eq!(reply(&supervisor, "bad"), Reply::Local);
    assert!(reload(&mut supervisor).changed.is_empty());
}
