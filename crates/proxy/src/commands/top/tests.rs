//! Keys, answers and times in, screens out. The screens are in `snapshots/`; with `OREPASS_SNAPSHOTS=write`
//! in the environment they are written instead of compared.

use std::path::Path;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;
use serde_json::{Value, json};

use super::draw::{Look, draw};
use super::keys::KeyOutcome;
use super::state::{NotAnswered, TopState, TopView};
use super::wants::{Deed, Want};

/// Turns lines round, clears the screen, is not seen, and is wide.
const HOSTILE: &str = "b\u{202e}ad\u{1b}[2J\u{200b}\n矿机<b>";
const PLAIN: Look = Look { colour: false };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rates(rate: f64) -> Value {
    let of = |window: u64| {
        json!({
            "window_s": window, "claimed_hs": rate, "accepted_hs": 0.98 * rate,
            "accepted_error_hs": 0.01 * rate, "credited_hs": 0.97 * rate, "credited_error_hs": 0.02 * rate,
            "kinds_hs": {"accepted_by_pool": 0.5 * rate, "below_pool_target": 0.48 * rate,
                         "stale": 0.015 * rate, "low_difficulty": 0.005 * rate},
        })
    };
    json!([of(60), of(600), of(3600), of(86_400)])
}

fn pool(name: &str, health: &str, rigs: u64) -> Value {
    json!({"name": name, "health": health, "rigs": rigs, "job_age_s": 12.0, "hashrate": rates(1e12)})
}

fn summary() -> Value {
    let route = |name: &str, gate: &str| {
        json!({
            "name": name, "dialect": "hstratum", "gate": gate, "rigs": 38, "rigs_waiting": 0,
            "pools": [pool("eu", "serves", 36), pool("us", "benched", 0)],
            "channels": [{"pool": "eu", "leases_used": 36, "leases_total": 250, "dedicated": false}],
            "hashrate": rates(1.93e12), "preferred_pool": null,
        })
    };
    json!({"version": "0.1.0", "uptime_s": 7500.0, "routes": [route("hns", "open"), route("hns2", "hold")]})
}

fn worker(number: usize, name: &str, state: &str) -> Value {
    json!({
        "route": "hns", "name": name, "state": state, "rigs": 1, "agents": [HOSTILE],
        "last_share_age_s": number as f64, "shares": {"sent": 120, "accepted_by_pool": 60, "stale": 2},
        "hashrate": rates(5e10 + number as f64 * 1e9), "norm_hs": 6e10,
        "against_norm": if number.is_multiple_of(3) { "low" } else { "good" },
    })
}

fn events(count: u64) -> Value {
    let event = |sequence: u64| {
        let level = ["info", "warn", "error"][sequence as usize % 3];
        json!({
            "sequence": sequence, "at": format!("2026-11-21T03:12:{:02}.123Z", sequence % 60),
            "level": level, "id": "rig.first_share",
            "message": format!("first share of {HOSTILE}"), "route": "hns", "rig": HOSTILE,
            "fields": {"agent": HOSTILE},
        })
    };
    json!({"started_at": "a", "events": (1..=count).map(event).collect::<Vec<_>>()})
}

/// What a proxy with many workers answers.
fn answer(want: &Want, workers: usize) -> Value {
    match want {
        Want::Summary => summary(),
        Want::Needs => json!({"diagnostics": [
            {"severity": "warning", "age_s": 180.0, "route": "hns", "subject": "", "count": 2,
             "meaning": "these workers mined, and no rig of theirs is connected any more",
             "detail": "2 workers", "named": [HOSTILE, "r12"], "remedy": "look at their power and network"},
            {"severity": "error", "age_s": 5.0, "route": null, "subject": "files", "count": 0,
             "meaning": "the process may open too few files", "detail": "1024 of 4096", "named": [],
             "remedy": "raise LimitNOFILE in the service"},
        ]}),
        Want::Count { state, .. } => {
            let total =
                if *state == "online" { workers - 2 } else { usize::from(*state != "silent") };
            json!({"total": total, "offset": 0, "workers": []})
        }
        Want::History { .. } => {
            let point = |minute: u64| {
                json!({
                    "at": format!("2026-11-21T03:{minute:02}:00.000Z"),
                    "work_hashes": {"accepted_by_pool": 6e13 + minute as f64 * 1e12},
                })
            };
            json!({"step_s": 60, "points": (0..60).map(point).collect::<Vec<_>>()})
        }
        Want::Workers { offset, limit, .. } => {
            let state = |number: usize| ["online", "offline", "quarantined"][number.min(2)];
            let of = |number: usize| match number {
                1 => worker(1, HOSTILE, state(1)),
                _ => worker(number, &format!("farm.r{number:05}"), state(number % 7 / 3)),
            };
            let shown: Vec<_> = (*offset..workers.min(offset + limit)).map(of).collect();
            json!({"total": workers, "offset": offset, "workers": shown})
        }
        Want::Worker(id) => worker(1, &id.name, "quarantined"),
        Want::Rigs(_) => json!({"total": 1, "rigs": [{
            "id": "hns-17", "address": "10.0.0.17:52344", "agent": HOSTILE, "state": "quarantined",
            "pool": "eu", "difficulty": 4096.0, "last_share_age_s": 4.0, "hashrate": rates(5e10),
            "diagnosis": "its hashes miss the target", "advice": "look at its algorithm",
        }]}),
        Want::ItsEvents(_) => events(2),
        Want::Events { after, .. } => {
            if after.is_some() {
                events(0)
            } else {
                events(40)
            }
        }
        Want::Done(_) => json!({}),
    }
}

/// Answers all that is wanted now; what that was.
fn serve(state: &mut TopState, workers: usize, now: Duration) -> Vec<Want> {
    let wants = state.ask(now);
    for want in &wants {
        state.take(want.clone(), Ok(answer(want, workers).to_string()), now);
    }
    if !wants.is_empty() {
        state.asked(None, now);
    }
    wants
}

/// As after a while in which nothing was pressed.
fn settled(workers: usize, size: (u16, u16)) -> TopState {
    let mut state = TopState::new("http://10.0.0.2:9099".into());
    state.resize(size.1);
    for second in 0..3 {
        serve(&mut state, workers, at(second));
        serve(&mut state, workers, at(second));
    }
    state
}

fn press(state: &mut TopState, code: KeyCode, now: Duration) -> KeyOutcome {
    state.key(KeyEvent::new(code, KeyModifiers::NONE), now)
}

fn screen(state: &TopState, (width, height): (u16, u16), now: Duration) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, PLAIN, now)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for line in buffer.content().chunks(usize::from(width)) {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[track_caller]
fn assert_screen(name: &str, text: &str) {
    let unseen = |c: char| c != '\n' && orepass_stratum::error::is_unseen(c);
    assert!(!text.chars().any(unseen), "{text:?}");
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/top/snapshots"));
    let file = folder.join(format!("{name}.txt"));
    if std::env::var_os("OREPASS_SNAPSHOTS").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(known == text, "{} is not what is drawn now:\n{text}", file.display());
}

#[test]
fn screens_are_as_they_were_looked_at() {
    for size @ (width, height) in [(80, 24), (120, 40)] {
        let name = |view: &str| format!("{view}-{width}x{height}");
        let mut state = settled(38, size);
        assert_screen(&name("now"), &screen(&state, size, at(3)));
        press(&mut state, KeyCode::Char('2'), at(3));
        serve(&mut state, 38, at(3));
        press(&mut state, KeyCode::Down, at(3));
        assert_screen(&name("workers"), &screen(&state, size, at(3)));
        press(&mut state, KeyCode::Enter, at(3));
        serve(&mut state, 38, at(3));
        assert_screen(&name("worker"), &screen(&state, size, at(3)));
        press(&mut state, KeyCode::Char('3'), at(4));
        serve(&mut state, 38, at(4));
        press(&mut state, KeyCode::Down, at(4));
        assert_screen(&name("events"), &screen(&state, size, at(4)));
        press(&mut state, KeyCode::Char('?'), at(4));
        assert_screen(&name("help"), &screen(&state, size, at(4)));
    }
}

#[test]
fn small_and_odd_screens_hold_what_fits() {
    for size in [(1, 1), (20, 3), (40, 10), (79, 23), (300, 100)] {
        let mut state = settled(38, size);
        for key in ['1', '2', '3', '?'] {
            press(&mut state, KeyCode::Char(key), at(3));
            serve(&mut state, 38, at(3));
            screen(&state, size, at(3));
        }
    }
}

#[test]
fn ten_thousand_workers_are_asked_for_as_far_as_they_are_seen() {
    let size = (80, 24);
    let mut state = settled(10_000, size);
    press(&mut state, KeyCode::Char('2'), at(3));
    let most = |wants: &[Want]| {
        let limits = wants.iter().filter_map(|want| match want {
            Want::Workers { limit, .. } => Some(*limit),
            _ => None,
        });
        limits.max().unwrap_or(0)
    };
    assert_eq!(most(&serve(&mut state, 10_000, at(3))), 3 * 19);
    press(&mut state, KeyCode::PageDown, at(3));
    assert!(!state.list.lacks_rows(), "the next page was asked for before");
    press(&mut state, KeyCode::End, at(3));
    assert!(state.list.lacks_rows());
    assert!(screen(&state, size, at(3)).contains("9,982 – 10,000 of 10,000"));
    assert!(most(&serve(&mut state, 10_000, at(3))) <= 57);
    assert!(screen(&state, size, at(3)).contains("farm.r09999"));
    press(&mut state, KeyCode::Home, at(4));
    serve(&mut state, 10_000, at(4));
    assert!(screen(&state, size, at(4)).contains("farm.r00000"));
    // Workers leave while somebody is at the end of the list.
    press(&mut state, KeyCode::End, at(5));
    serve(&mut state, 10_000, at(5));
    serve(&mut state, 3, at(7));
    assert!(screen(&state, size, at(7)).contains("1 – 3 of 3"), "{}", screen(&state, size, at(7)));
}

#[test]
fn what_is_typed_narrows_the_list_at_once() {
    let mut state = settled(38, (80, 24));
    press(&mut state, KeyCode::Char('2'), at(3));
    serve(&mut state, 38, at(3));
    press(&mut state, KeyCode::Char('/'), at(3));
    for c in "q&2\u{1b}".chars() {
        press(&mut state, KeyCode::Char(c), at(3));
    }
    assert_eq!(state.list.search, "q&2", "no control characters");
    let wants = serve(&mut state, 38, at(3));
    let request = format!("{:?}", wants[0].request());
    assert!(request.contains("search=q%262"), "{request}");
    press(&mut state, KeyCode::Enter, at(3));
    press(&mut state, KeyCode::Char('f'), at(3));
    press(&mut state, KeyCode::Char('s'), at(3));
    let request = format!("{:?}", state.list.want().request());
    assert!(
        request.contains("state=online") && request.contains("sort=-accepted_10m_hs"),
        "{request}"
    );
    press(&mut state, KeyCode::Esc, at(3));
    assert!(state.list.is_default());
    press(&mut state, KeyCode::Esc, at(3));
    assert_eq!(state.view, TopView::Now);
}

#[test]
fn who_is_lost_is_said_and_asked_more_and_more_seldom_until_it_answers() {
    let size = (80, 24);
    let mut state = settled(38, size);
    let mut asked = Vec::new();
    for second in 10..60 {
        for want in state.ask(at(second)).into_iter().take(1) {
            asked.push(second);
            state.take(want, Err(NotAnswered::Lost("refused".into())), at(second));
            state.asked(Some("refused\u{1b}[2J".into()), at(second));
        }
    }
    assert_eq!(asked, [10, 11, 13, 17, 25, 40, 55]);
    let lost = screen(&state, size, at(60));
    assert!(lost.contains("✕ Lost for 50 s, asked again in 10 s"), "{lost}");
    assert!(lost.contains("36 of 38 workers earn"), "what was known stays: {lost}");
    press(&mut state, KeyCode::Char('r'), at(60));
    assert!(!serve(&mut state, 38, at(60)).is_empty());
    assert!(screen(&state, size, at(60)).contains("answers again."));
}

#[test]
fn what_changes_something_is_asked_back_and_its_refusal_is_told() {
    let mut state = settled(38, (80, 24));
    press(&mut state, KeyCode::Char('2'), at(3));
    serve(&mut state, 38, at(3));
    press(&mut state, KeyCode::Enter, at(3));
    serve(&mut state, 38, at(3));
    press(&mut state, KeyCode::Char('b'), at(3));
    assert!(screen(&state, (80, 24), at(3)).contains("Ban farm.r00000 for 10 minutes"));
    press(&mut state, KeyCode::Enter, at(3));
    assert!(!state.ask(at(4)).iter().any(|want| matches!(want, Want::Done(_))));
    state.asked(None, at(4));
    press(&mut state, KeyCode::Char('x'), at(5));
    press(&mut state, KeyCode::Char('y'), at(5));
    let wants = state.ask(at(5));
    let kick = Want::Done(Deed::Kick { rig: "hns-17".into() });
    assert_eq!(wants[0], kick);
    state.take(kick, Err(NotAnswered::Refused("this needs a token".into())), at(5));
    state.asked(None, at(5));
    assert!(screen(&state, (80, 24), at(5)).contains("Not done: this needs a token"));
}

#[test]
fn who_sees_some_workers_alone_sees_those() {
    let size = (80, 24);
    let mut state = TopState::new("x".into());
    state.resize(size.1);
    let refused = || Err(NotAnswered::Refused("the token is for some workers".into()));
    for want in state.ask(at(0)) {
        state.take(want, refused(), at(0));
    }
    state.asked(None, at(0));
    assert!(screen(&state, size, at(0)).contains("✕ the token is for some workers"));
    press(&mut state, KeyCode::Char('2'), at(1));
    for want in state.ask(at(1)) {
        let told = match want {
            Want::Workers { .. } => Ok(answer(&want, 38).to_string()),
            _ => refused(),
        };
        state.take(want, told, at(1));
    }
    state.asked(None, at(1));
    assert!(screen(&state, size, at(1)).contains("farm.r00000"));
}

#[test]
fn events_of_another_run_are_asked_for_anew() {
    let mut state = settled(38, (80, 24));
    press(&mut state, KeyCode::Char('3'), at(3));
    serve(&mut state, 38, at(3));
    let again = state.ask(at(5));
    let want = again[0].clone();
    assert!(matches!(want, Want::Events { after: Some(40), .. }), "{want:?}");
    let other = json!({"started_at": "b", "events": []}).to_string();
    state.take(want, Ok(other), at(5));
    assert!(matches!(state.feed.want(), Want::Events { after: None, .. }));
}

#[test]
fn keys_that_quit_do_so_from_anywhere_but_a_text() {
    let mut state = settled(38, (80, 24));
    assert_eq!(press(&mut state, KeyCode::Char('q'), at(3)), KeyOutcome::Quit);
    press(&mut state, KeyCode::Char('2'), at(3));
    press(&mut state, KeyCode::Char('/'), at(3));
    assert_eq!(press(&mut state, KeyCode::Char('q'), at(3)), KeyOutcome::Stay);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.key(interrupt, at(3)), KeyOutcome::Quit);
}

#[test]
fn without_colour_nothing_is_coloured() {
    let state = settled(38, (80, 24));
    let is_coloured = |look: Look| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &state, look, at(3))).unwrap();
        terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset)
    };
    assert!(!is_coloured(PLAIN));
    assert!(is_coloured(Look { colour: true }));
}
