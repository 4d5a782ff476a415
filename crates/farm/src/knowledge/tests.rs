use std::net::Ipv4Addr;
use std::sync::LazyLock;

use orepass_stratum::firmware::USUAL_EXTRANONCE2;
use orepass_stratum::testing::start;

use super::*;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Knowledge, what it said that is to be remembered, and the time.
struct Story {
    knowledge: Knowledge,
    remembered: Remembered,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        let now = start();
        let knowledge = Knowledge::new(Vec::new(), Remembered::default(), now);
        Self { knowledge, remembered: Remembered::default(), now }
    }

    fn learn(&mut self, worker: &str, diagnosis: Diagnosis) {
        self.knowledge.learn(rig(&worker.into()), diagnosis, self.now);
    }

    fn proven(&mut self, worker: &str, merit: Merit) {
        self.knowledge.proven(rig(&worker.into()), merit, self.now);
    }

    fn needs(&mut self, worker: &str) -> Needs {
        self.login(Some(worker), Firmware::default())
    }

    fn login(&mut self, worker: Option<&str>, by_login: Firmware) -> Needs {
        self.knowledge.needs("asic/1", worker, by_login, self.now)
    }

    fn expected(&mut self, agent: &str) -> Option<Needs> {
        self.knowledge.expected(agent, ADDRESS, self.now)
    }

    /// The proxy is started anew.
    fn restart(&mut self) {
        let remembered = &mut self.remembered;
        while let Some(change) = self.knowledge.poll_change() {
            match change {
                Change::Worker(name, record) => put(&mut remembered.workers, name, record),
                Change::Firmware(name, record) => put(&mut remembered.firmware, name, record),
                Change::Habit { .. } | Change::Ban(..) => {}
            }
        }
        self.knowledge = Knowledge::new(Vec::new(), remembered.clone(), self.now);
    }
}

fn put<V>(list: &mut Vec<(Arc<str>, V)>, name: Arc<str>, value: Option<V>) {
    list.retain(|(known, _)| *known != name);
    if let Some(value) = value {
        list.insert(0, (name, value));
    }
}

fn rig(worker: &Arc<str>) -> NamedRig<'_> {
    static AGENT: LazyLock<Arc<str>> = LazyLock::new(|| "asic/1".into());
    NamedRig { agent: &AGENT, address: ADDRESS, worker, works: true }
}

fn usual() -> Firmware {
    Firmware { extranonce2: Some(USUAL_EXTRANONCE2), ..Firmware::default() }
}

#[test]
fn what_one_rig_does_wrong_is_not_charged_to_the_others_of_its_kind() {
    let mut story = Story::new();
    story.learn("bad", Diagnosis::IGNORES_EXTRANONCE2_SIZE);
    assert!(story.needs("bad").sure.is_particular());
    assert_eq!(story.needs("home"), Needs::default());
    assert_eq!(story.login(None, Firmware::default()), Needs::default());
    for worker in ["worse", "worst"] {
        story.learn(worker, Diagnosis::IGNORES_EXTRANONCE2_SIZE);
    }
    let guess = Needs { firmware: usual(), sure: Firmware::default() };
    assert_eq!(story.needs("home"), guess);
    story.proven("good", Merit::Shares);
    assert_eq!(story.needs("home"), guess, "it may have been told 4 bytes");
    story.proven("good", Merit::Sizes);
    assert_eq!(story.needs("home"), Needs::default(), "one of them has shown the contrary");
    assert!(story.needs("bad").sure.is_particular());
}

#[test]
fn a_rig_that_shared_well_needs_nothing_else_whatever_is_said_of_its_kind() {
    let mut story = Story::new();
    story.proven("home", Merit::Shares);
    let alone = Firmware { dedicated: true, ..Firmware::default() };
    assert_eq!(story.login(Some("home"), alone), Needs::default());
    story.learn("home", Diagnosis::TRUNCATES_EXTRANONCE1);
    assert!(story.needs("home").sure.dedicated, "until it shows otherwise");
    story.proven("home", Merit::Shares);
    assert_eq!(story.needs("home"), Needs::default());
}

#[test]
fn a_rig_that_always_sends_4_bytes_is_known_as_such_after_it_did_well_where_4_are_told() {
    let mut story = Story::new();
    story.learn("home", Diagnosis::IGNORES_EXTRANONCE2_SIZE);
    story.proven("home", Merit::Shares);
    assert_eq!(story.needs("home").sure.extranonce2, Some(USUAL_EXTRANONCE2));
    assert_eq!(story.login(Some("other"), usual()).firmware, usual());
    story.proven("home", Merit::Sizes);
    assert_eq!(story.login(Some("home"), usual()), Needs::default());
}

#[test]
fn kinds_are_known_again_after_a_restart() {
    let mut story = Story::new();
    for worker in ["a", "b", "c"] {
        story.learn(worker, Diagnosis::IGNORES_SET_EXTRANONCE);
    }
    story.restart();
    assert_eq!(story.needs("d").firmware.set_extranonce, Some(false));
    story.proven("d", Merit::Follows);
    story.restart();
    assert_eq!(story.needs("e").firmware.set_extranonce, None);
}

#[test]
fn rigs_that_need_a_connection_of_their_own_are_expected_after_a_restart() {
    let mut story = Story::new();
    story.learn("a", Diagnosis::TRUNCATES_EXTRANONCE1);
    story.learn("b", Diagnosis::TRUNCATES_EXTRANONCE1);
    story.restart();
    assert_eq!(story.expected("asic/2"), None);
    for _ in ["a", "b"] {
        let needs = story.expected("asic/1").unwrap();
        assert!(needs.firmware.dedicated && !needs.sure.is_particular());
    }
    assert_eq!(story.expected("asic/1"), None, "no more than there were");
    story.restart();
    story.now += expected::EXPECTED_AT_START;
    assert_eq!(story.expected("asic/1"), None, "no longer than for a while");
    // One that shares well is taken for no other, and none for it.
    story.proven("c", Merit::Shares);
    story.restart();
    assert_eq!(story.expected("asic/1"), None);
}

#[test]
fn a_rig_that_was_closed_is_expected_for_two_minutes() {
    let mut story = Story::new();
    let needs = Needs { firmware: usual(), sure: usual() };
    story.knowledge.expect(rig(&"a".into()), needs, story.now);
    assert_eq!(story.expected("asic/1"), Some(needs));
    assert_eq!(story.expected("asic/1"), None);
    story.knowledge.expect(rig(&"a".into()), needs, story.now);
    story.now += expected::EXPECTED_FOR;
    assert_eq!(story.expected("asic/1"), None);
}

#[test]
fn what_a_worker_had_stays_as_it_was_where_nothing_else_is_given() {
    let mut story = Story::new();
    let worker: Arc<str> = "home".into();
    let eight = Difficulty::new(8.0);
    story.knowledge.remember(rig(&worker), eight, Some(3), story.now);
    story.knowledge.remember(rig(&worker), None, None, story.now);
    story.restart();
    assert_eq!(
        (story.knowledge.difficulty("home"), story.knowledge.slot("home")),
        (eight, Some(3))
    );
    story.knowledge.remember(rig(&worker), None, Some(4), story.now);
    assert_eq!(
        (story.knowledge.difficulty("home"), story.knowledge.slot("home")),
        (eight, Some(4))
    );
}

#[test]
fn names_that_never_worked_push_out_none_that_did() {
    let mut story = Story::new();
    let (worker, eight) = (Arc::from("home"), Difficulty::new(8.0));
    story.knowledge.remember(rig(&worker), eight, Some(3), story.now);
    for number in 0..2 * MAX_ENTRIES {
        let bot = Arc::from(format!("bot{number}"));
        let bot = NamedRig { works: false, ..rig(&bot) };
        story.knowledge.remember(bot, None, Some(4), story.now);
    }
    let back = NamedRig { works: false, ..rig(&worker) };
    story.knowledge.remember(back, None, Some(5), story.now);
    let known = story.knowledge.export(Vec::new(), story.now).workers;
    let [(name, record)] = &known[..] else { panic!("{} are known", known.len()) };
    assert_eq!((&**name, record.difficulty, record.slot), ("home", eight, Some(5)));
}

#[test]
fn a_profile_goes_before_what_was_learnt_and_one_by_worker_needs_the_worker() {
    let mut story = Story::new();
    let profile = |agent: Option<&str>, worker: Option<&str>, firmware| Profile {
        agent: agent.map(wildmatch::WildMatch::new),
        worker: worker.map(wildmatch::WildMatch::new),
        firmware,
        hashrate: None,
    };
    let takes = Firmware { set_extranonce: Some(true), ..Firmware::default() };
    let alone = Firmware { dedicated: true, ..Firmware::default() };
    let profiles = vec![profile(Some("asic/*"), None, takes), profile(None, Some("x*"), alone)];
    story.knowledge = Knowledge::new(profiles, Remembered::default(), story.now);
    story.learn("x1", Diagnosis::IGNORES_SET_EXTRANONCE);
    assert_eq!(story.needs("x1").sure, takes.or(alone));
    assert_eq!(story.login(None, Firmware::default()).sure, takes);
    assert_eq!(story.knowledge.needs("gpu", None, usual(), story.now).firmware, usual());
}
