//! Real solutions of the reference miner, behind extranonces of every length that it was given:
//! how its rig is served, and what becomes of a pool that gives too much.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::collections::HashSet;
use std::sync::Arc;

use dialect_support::{dialect, file, notify, text};
use orepass_aion::{Aion, Options};
use orepass_equihash::Scratch;
use orepass_stratum::channel::{ChannelView, Ground};
use orepass_stratum::time::Instant;

use orepass_stratum::dialect::{Split, Wanted, Work};
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::{Epoch, Frames, Generation, JobFrames, JobId, JobIds, Serial};
use orepass_stratum::space::Wish;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{start, written};
use orepass_stratum::upstream::{DownReason, Notice, Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use serde_json::Value;

/// A recorded session's lines in order: the pool's subscribe answer and first notify, and the
/// miner's lines with the recorder's judgement.
struct Recorded {
    subscribed: Value,
    notify: Value,
    miner: Vec<(String, Option<String>)>,
}

fn recorded(scenario: &str) -> Recorded {
    let rows: Vec<Value> = file("aion.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|row| row["scenario"] == scenario && row["conn"] == 1)
        .collect();
    let of = |dir: &'static str| rows.iter().filter(move |row| row["dir"] == dir);
    let pool: Vec<Value> =
        of("pool->miner").map(|row| serde_json::from_str(text(row, "line")).unwrap()).collect();
    let mut judged = of("note").map(|row| text(row, "verdict").to_owned());
    let miner = of("miner->pool").map(|row| {
        let line = text(row, "line").to_owned();
        let verdict = line.contains("mining.submit").then(|| judged.next().unwrap());
        (line, verdict)
    });
    let miner = miner.collect();
    let first =
        |what: &dyn Fn(&Value) -> bool| pool.iter().find(|line| what(line)).unwrap().clone();
    Recorded {
        subscribed: first(&|line| line["id"] == 1),
        notify: first(&|line| line["method"] == "mining.notify"),
        miner,
    }
}

/// A rig on a channel of one lease without a prefix, made by hand and so without regard to what
/// the dialect would split.
struct Seated {
    rig: Downstream<Aion>,
    now: Instant,
}

impl Seated {
    fn new(given: &Value, job: &Value) -> (Self, ChannelView<Aion>) {
        Self::with(dialect(), given, job)
    }

    fn with(dialect: Aion, given: &Value, job: &Value) -> (Self, ChannelView<Aion>) {
        let (now, dialect) = (start(), Arc::new(dialect));
        let extranonce1: Extranonce = given["result"][1].as_str().unwrap().parse().unwrap();
        let split = Split {
            rig_extranonce2: 32 - extranonce1.len(),
            extranonce1,
            prefix_bytes: 0,
            needs: None,
            probe: None,
            remark: None,
        };
        let ground = Ground::new(split, 1, Arc::new(JobIds::new(1)));
        let job = notify(&job["params"]).unwrap();
        let wanted = Wanted::sure(Target::MAX);
        let view = ChannelView {
            live: true,
            generation: Generation(1),
            work: Some(Arc::new(JobFrames {
                id: JobId::new(0),
                serial: Serial(1),
                work: ground.space.number(job.key()),
                epoch: Epoch(0),
                generation: Generation(1),
                terms: (),
                wanted,
                block: None,
                arrived: now,
                frames: Frames::default(),
                job: Arc::new(job),
                dialect: Arc::clone(&dialect),
            })),
            ground: Some(ground),
            wanted: Arc::new(wanted),
            floor: None,
        };
        let config = Arc::new(DownstreamConfig::default());
        let rig = Downstream::new(dialect, config, "0000002a".into(), now);
        (Self { rig, now }, view)
    }

    fn says(&mut self, line: &str) -> String {
        let submission = self.rig.handle_line(line.as_bytes(), self.now, &mut Scratch::default());
        // The pool takes whatever is forwarded.
        if let Some(submission) = submission {
            self.rig.handle_verdict(submission.number, &Ok(()), self.now);
        }
        self.hears()
    }

    fn hears(&mut self) -> String {
        written(self.rig.transmit())
    }

    fn verdict(&mut self) -> Option<Verdict> {
        let events = std::iter::from_fn(|| self.rig.poll_event());
        let ended = |event| match event {
            Event::Ended { verdict, .. } => Some(verdict),
            _ => None,
        };
        events.filter_map(ended).last()
    }
}

/// Tells a miner's session again; gives how many shares were accepted, second solutions, invalid.
fn judged(scenario: &str) -> (usize, usize, usize) {
    judged_by(Options::default(), scenario)
}

/// The same with a pool of these options.
fn judged_by(options: Options, scenario: &str) -> (usize, usize, usize) {
    let recorded = recorded(scenario);
    let dialect = Aion::new(options);
    let (mut seated, view) = Seated::with(dialect, &recorded.subscribed, &recorded.notify);
    let (mut nonces, mut shares, mut counts) = (HashSet::new(), HashSet::new(), (0, 0, 0));
    for (line, verdict) in &recorded.miner {
        let Some(verdict) = verdict else {
            let mut heard = seated.says(line);
            if line.contains("mining.subscribe") {
                seated.rig.handle_seat(view.seat(&Wish::default()).unwrap(), &view, seated.now);
                heard += &seated.hears();
                let extranonce1 = recorded.subscribed["result"][1].as_str().unwrap();
                assert_eq!(
                    heard,
                    format!(
                        "{{\"id\":1,\"result\":[\"0000002a\",\"{extranonce1}\"],\"error\":null}}\n"
                    )
                );
            }
            assert!(heard.contains("\"error\":null}\n") && !heard.contains('\r'), "{heard}");
            continue;
        };
        let mut message: Value = serde_json::from_str(line).unwrap();
        let (id, params) = (message["id"].clone(), &message["params"]);
        if params[1] != recorded.notify["params"][0] {
            continue;
        }
        let nonce = params[3].clone().to_string();
        shares.insert(params.to_string());
        message["params"][1] = "00000001".into();
        let line = message.to_string();
        let heard = seated.says(&line);
        if verdict != "ok" {
            let start = format!("{{\"id\":{id},\"result\":null,\"error\":[20,\"invalid solution: ");
            assert!(heard.starts_with(&start) && heard.ends_with("\",null]}\n"), "{heard}");
            assert_eq!(seated.verdict(), Some(Verdict::Invalid));
            counts.2 += 1;
            continue;
        }
        if nonces.insert(nonce) || options.second_solutions {
            assert_eq!(heard, format!("{{\"id\":{id},\"result\":true,\"error\":null}}\n"));
            assert_eq!(seated.verdict(), None, "it ends with the pool's verdict");
            counts.0 += 1;
        } else {
            let expected = format!(
                "{{\"id\":{id},\"result\":null,\
                 \"error\":[22,\"this pool counts one solution per nonce\",null]}}\n"
            );
            assert_eq!(heard, expected);
            assert_eq!(seated.verdict(), Some(Verdict::SecondSolution));
            counts.1 += 1;
        }
        let heard = seated.says(&line);
        assert_eq!(
            heard,
            format!("{{\"id\":{id},\"result\":null,\"error\":[22,\"duplicate\",null]}}\n")
        );
        assert_eq!(seated.verdict(), Some(Verdict::Duplicate));
    }
    assert_eq!(shares.len(), counts.0 + counts.1 + counts.2);
    counts
}

#[test]
fn real_solutions_behind_every_length() {
    assert_eq!(judged("len4"), (4, 5, 0));
    assert_eq!(judged("len18"), (6, 4, 0));
    assert_eq!(judged("len19"), (0, 0, 0), "the miner was silent");
    assert_eq!(judged("pool2"), (4, 7, 0));
    assert_eq!(judged("solo"), (4, 2, 0));
    assert_eq!(judged("strclean"), (1, 0, 0));
    assert_eq!(judged("reconnect"), (1, 0, 0));
    let (accepted, second, invalid) = judged("len20");
    assert!(invalid > accepted + second, "its threads write into extranonce1");
}

#[test]
fn a_pool_that_counts_each_solution_gets_them_all() {
    let options = Options::default().with_second_solutions(true);
    for (scenario, solutions) in [("len4", 9), ("len18", 10), ("pool2", 11), ("solo", 6)] {
        assert_eq!(judged_by(options, scenario), (solutions, 0, 0), "{scenario}");
    }
}

/// The pool's side of the sessions whose extranonce1 is too long.
#[test]
fn a_pool_that_leaves_too_little_is_refused_unless_nothing_is_to_be_split_off() {
    for (scenario, length, remark) in [
        ("len18", 18, "a thread would run out of nonces"),
        ("len19", 19, "thread's number into byte 19"),
        ("len20", 20, "thread's number into byte 19"),
    ] {
        for prefix_bytes in [None, Some(0)] {
            let config =
                UpstreamConfig::new("0xa0", "x", "orepass/1").with_prefix_bytes(prefix_bytes);
            let ids = Arc::new(JobIds::new(1));
            let mut pool: Upstream<Aion, u32> = Upstream::new(Arc::new(dialect()), config, ids);
            let now = start();
            pool.handle_connected(now);
            let recorded = recorded(scenario);
            pool.handle_line(recorded.subscribed.to_string().as_bytes(), now);
            pool.handle_line(recorded.notify.to_string().as_bytes(), now);
            let events = std::iter::from_fn(|| pool.poll_event());
            let mut ends = events.filter_map(|event| match event {
                UpstreamEvent::Down(DownReason::NoRoom(error)) => Some(Err(error)),
                UpstreamEvent::Notice(Notice::Ground { split, .. }) => Some(Ok(split)),
                _ => None,
            });
            match (prefix_bytes, ends.next()) {
                (None, Some(Err(error))) => {
                    assert_eq!((error.extranonce1, error.extranonce2), (length, 32 - length));
                    assert!(error.to_string().contains("use another server"), "{error}");
                }
                (Some(0), Some(Ok(split))) => {
                    assert_eq!((split.prefix_bytes, split.rig_extranonce2), (0, 32 - length));
                    assert!(split.remark.as_ref().unwrap().contains(remark), "{split:?}");
                }
                other => panic!("{scenario}: {other:?}"),
            }
        }
    }
}

/// A pool whose extranonce1 is shorter than the recorded one, which begins with zeros. The first
/// lease has the prefix of zeros, so the miner's real share comes out whole on the pool's side.
#[test]
fn a_real_share_under_a_prefix() {
    let recorded = recorded("reconnect");
    let now = start();
    let config = UpstreamConfig::new("0xa0", "x", "orepass/1");
    let mut pool: Upstream<Aion, u32> =
        Upstream::new(Arc::new(dialect()), config, Arc::new(JobIds::new(0x6b00_0000)));
    pool.handle_connected(now);
    let share: Value = serde_json::from_str(
        recorded.miner.iter().find_map(|(line, verdict)| verdict.as_ref().map(|_| line)).unwrap(),
    )
    .unwrap();
    let nonce = format!("0000000000000002{}", share["params"][3].as_str().unwrap());
    let (pool_part, own) = (&nonce[..4], &nonce[8..]);
    pool.handle_line(format!("{{\"id\":1,\"result\":[null,\"{pool_part}\"]}}").as_bytes(), now);
    pool.handle_line(recorded.notify.to_string().as_bytes(), now);
    pool.handle_line(b"{\"id\":2,\"result\":true,\"error\":null}", now);
    pool.handle_timeout(pool.poll_timeout().unwrap());
    let view = pool.view();
    pool.transmit().clear();

    let (mut seated, _) = Seated::new(&recorded.subscribed, &recorded.notify);
    let say = |seated: &mut Seated, line: &str| {
        seated.rig.handle_line(line.as_bytes(), now, &mut Scratch::default())
    };
    for (line, _) in &recorded.miner[..2] {
        say(&mut seated, line);
    }
    seated.rig.handle_seat(view.seat(&Wish::default()).unwrap(), &view, now);
    let heard = seated.hears();
    assert!(heard.contains("[\"0000002a\",\"00000000\"]"), "{heard}");
    assert!(heard.contains("\"params\":[\"6b000001\",true,\"ffff"), "{heard}");

    let mut line = share.clone();
    line["params"][1] = "6b000001".into();
    line["params"][3] = own.into();
    let submission = say(&mut seated, &line.to_string()).unwrap();
    pool.handle_submission(submission, 7, now);
    let sent: Value = serde_json::from_str(&written(pool.transmit())).unwrap();
    let mut expected = share["params"].clone();
    expected[0] = "0xa0".into();
    expected[3] = nonce[4..].into();
    assert_eq!(sent["params"], expected);
}
