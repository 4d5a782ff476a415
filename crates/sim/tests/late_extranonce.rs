//! A coin of somebody else's, whose pools answer a configure and tell the extranonce after the
//! authorize.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use common::{Client, EASY, config, rig_config, script, start};
use orepass_sim::coin::{
    Allotment, JobOrder, Manners, PoolCoin, PoolJob, RigCoin, RigError, RigJob, Search,
};
use orepass_sim::handshake::{HandshakePool, HandshakeRig, StratumGeneration};
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_sim::rig::{LoginOrder, RigConfig};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Handshake's work, said in another way.
#[derive(Debug)]
struct LatePool(HandshakePool);

impl PoolCoin for LatePool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        self.0.make_job(order, rng)
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        self.0.target(difficulty)
    }

    fn manners(&self) -> Manners {
        Manners { extranonce_after_authorize: true, ..self.0.manners() }
    }

    fn configure(&self, params: &[&RawValue]) -> Option<String> {
        params.first().map(|wish| format!("{{\"granted\":{wish}}}"))
    }

    fn subscribe_result(&self, _extranonce1: &Extranonce) -> String {
        "[true]".into()
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        self.0.set_extranonce_params(extranonce1)
    }

    fn unusable_notify(&self) -> String {
        self.0.unusable_notify()
    }
}

/// Its rigs.
#[derive(Debug, Default)]
struct LateRig {
    handshake: HandshakeRig,
    /// They find nothing, and complain of what they were granted.
    complain: bool,
}

/// A job of which they do.
#[derive(Debug)]
struct Complaint(Box<dyn RigJob>);

impl RigJob for Complaint {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn fingerprint(&self) -> u64 {
        self.0.fingerprint()
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        Err(RigError::field("grant", allotment.granted.as_deref().unwrap_or("nothing")))
    }
}

impl RigCoin for LateRig {
    fn configure_params(&self) -> Option<String> {
        Some("[\"wish\"]".into())
    }

    fn parse_grant(&self, method: &str, said: &RawValue) -> Result<Option<String>, RigError> {
        let said: Value = serde_json::from_str(said.get()).unwrap();
        let granted = match method {
            "mining.configure" => &said["granted"],
            "mining.grant" => &said[0],
            _ => return Ok(None),
        };
        let granted = granted.as_str().ok_or_else(|| RigError::field("grant", &said))?;
        Ok(Some(granted.to_owned()))
    }

    fn subscribe_params(&self, agent: &str, address: &str) -> String {
        self.handshake.subscribe_params(agent, address)
    }

    fn parse_subscribed(&self, _result: &RawValue) -> Result<Option<Allotment>, RigError> {
        Ok(None)
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let job = self.handshake.parse_notify(params)?;
        Ok(if self.complain { Box::new(Complaint(job)) } else { job })
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        self.handshake.target(difficulty)
    }
}

fn late_pool() -> PoolServer {
    let coin = Arc::new(LatePool(HandshakePool::new(StratumGeneration::Deployed)));
    PoolServer::new(PoolConfig { coin, ..config(StratumGeneration::Deployed) })
}

fn late_rig(login: LoginOrder) -> RigConfig {
    let coin = Arc::new(LateRig::default());
    RigConfig { coin, login, ..rig_config(StratumGeneration::Deployed) }
}

#[tokio::test]
async fn an_extranonce_comes_once_both_calls_of_the_login_are_answered() {
    let subscribe = r#"{"id":1,"method":"mining.subscribe","params":["test"]}"#;
    let authorize = r#"{"id":2,"method":"mining.authorize","params":["rig","x"]}"#;
    let pool = late_pool();
    for (one, other) in [(subscribe, authorize), (authorize, subscribe)] {
        let mut client = Client::new(pool.connect());
        client.ask(one).await;
        let answers = [client.ask(other).await["result"].take(), client.line().await];
        assert_eq!(answers[1]["method"], "mining.set_extranonce", "{other}: {answers:?}");
        assert!(answers[1]["params"][0].is_string(), "{answers:?}");
        assert_eq!(client.line().await["method"], "mining.set_difficulty");
        assert_eq!(client.line().await["method"], "mining.notify");
        // Another worker changes nothing.
        assert_eq!(client.ask(&authorize.replace("rig", "rag")).await["result"], true);
        assert_eq!(client.ask(&subscribe.replace(":1,", ":3,")).await["id"], 3);
    }
}

#[tokio::test]
async fn rigs_mine_with_an_extranonce_that_comes_late_and_is_replaced() {
    for login in [LoginOrder::SubscribeFirst, LoginOrder::AuthorizeFirst] {
        let pool = late_pool();
        let rig = start(&pool, late_rig(login));
        rig.wait_for(|stats| stats.accepted >= 3).await.unwrap();
        pool.fault(PoolFault::SetExtranonce);
        let before = rig.wait_for(|stats| stats.set_extranonces == 2).await.unwrap().accepted;
        let stats = rig.wait_for(|stats| stats.accepted >= before + 3).await.unwrap();
        assert_eq!((stats.rejected, stats.malformed_lines, stats.logged_in), (0, 0, 1));
        assert_eq!(pool.stats().unknown_methods.len(), 0);
    }
}

#[tokio::test]
async fn a_job_that_comes_before_the_extranonce_is_mined_with_it() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (_, _, notify) = Client::login(&pool).await;
    let (mut pool, rig) = script(RigConfig {
        share_limit: Some(1),
        ignores_set_extranonce: true,
        ..late_rig(LoginOrder::SubscribeFirst)
    });
    for (method, result) in [
        ("mining.configure", json!({"granted": "much"})),
        ("mining.subscribe", json!([true])),
        ("mining.authorize", json!(true)),
    ] {
        let call = pool.line().await;
        assert_eq!(call["method"], method);
        pool.send(&json!({"id": call["id"], "result": result, "error": null}).to_string()).await;
    }
    for (method, params) in
        [("mining.set_difficulty", json!([EASY])), ("mining.notify", notify.clone())]
    {
        pool.send(&json!({"id": null, "method": method, "params": params}).to_string()).await;
    }
    let stats = rig.wait_for(|stats| stats.jobs == 1 && stats.logged_in == 1).await.unwrap();
    assert_eq!((stats.mining, stats.extranonce1), (0, None));
    pool.send(r#"{"id":null,"method":"mining.set_extranonce","params":["00000001",4]}"#).await;
    assert_eq!(pool.line().await["method"], "mining.submit");
    let stats = rig.stats();
    assert_eq!((stats.extranonce1.as_deref(), stats.shares_sent), (Some("00000001"), 1));
}

#[tokio::test]
async fn a_login_goes_on_whatever_comes_of_its_configure() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let mut client = Client::new(pool.connect());
    let configure = r#"{"id":1,"method":"mining.configure","params":["wish"]}"#;
    assert_eq!(client.ask(configure).await["error"], true);
    assert_eq!(pool.stats().unknown_methods["mining.configure"], 1);
    let mut client = Client::new(late_pool().connect());
    assert_eq!(client.ask(configure).await["result"], json!({"granted": "wish"}));

    for (answer, unread) in [
        (json!({"result": null, "error": [20, "unknown", null]}), 0),
        (json!({"result": {"granted": 1}, "error": null}), 1),
    ] {
        let (mut pool, rig) = script(late_rig(LoginOrder::SubscribeFirst));
        let mut answer = answer;
        answer["id"] = pool.line().await["id"].take();
        pool.send(&answer.to_string()).await;
        assert_eq!(pool.line().await["method"], "mining.subscribe");
        assert_eq!(rig.stats().malformed_lines, unread);
    }
}

#[tokio::test]
async fn what_is_granted_applies_to_the_next_search() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (_, _, notify) = Client::login(&pool).await;
    let complain = LateRig { complain: true, ..LateRig::default() };
    let (mut pool, rig) =
        script(RigConfig { coin: Arc::new(complain), ..late_rig(LoginOrder::SubscribeFirst) });
    for result in [json!({"granted": "much"}), json!([true]), json!(true)] {
        let id = pool.line().await["id"].take();
        pool.send(&json!({"id": id, "result": result, "error": null}).to_string()).await;
    }
    let calls = [
        ("mining.set_extranonce", json!(["00000001", 4]), None),
        ("mining.notify", notify.clone(), Some("much")),
        ("mining.grant", json!(["less"]), Some("much")),
        ("mining.notify", notify.clone(), Some("less")),
        ("mining.set_extranonce", json!(["00000002", 4]), Some("less")),
        ("mining.notify", notify, Some("less")),
    ];
    let mut jobs = 0;
    for (method, params, granted) in calls {
        pool.send(&json!({"id": null, "method": method, "params": params}).to_string()).await;
        jobs += u64::from(method == "mining.notify");
        let stats = rig.wait_for(|stats| stats.jobs_unusable == jobs).await.unwrap();
        let error = granted.map(|granted| format!("grant is not what it must be: {granted}"));
        assert_eq!(stats.last_error, error, "{method}");
    }
}
