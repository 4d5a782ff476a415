use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::alerts::{Alert, AlertState};
use super::queue::SinkQueue;
use super::record::{RecordBody, RecordId, SinkRecord};
use super::task::{SinkOrder, SinkTask};
use super::webhook::Webhook;
use super::{Rotation, Sink, SinkEntry, SinkError, SinkRunner, Sinks, WantedAlerts, Wants};
use crate::clock::now;
use crate::config::{FileSinkConfig, SinksConfig, WebhookConfig};
use crate::history::{HistoryPart, SeriesKey};
use crate::watch::{Concern, Diagnostics, Severity};

fn alert(number: u64) -> Arc<SinkRecord> {
    let concern = Concern::PoolDown;
    let alert = Alert {
        code: concern.code(),
        state: AlertState::Raised,
        severity: Severity::Warning,
        route: Some("hns".into()),
        subject: "pool".into(),
        meaning: concern.meaning(),
        detail: "connection".into(),
        count: 0,
        named: Vec::new(),
        remedy: concern.remedy(),
        lasted: Duration::ZERO,
    };
    let id = RecordId { run: 1, number };
    Arc::new(SinkRecord { id, at_ms: 0, body: RecordBody::Alert(alert.into()) })
}

/// Answers each call with the status of the moment; gives its port and the numbers of the records that it
/// has taken.
fn receiver(status: &Arc<AtomicU16>) -> (u16, Arc<Mutex<Vec<u64>>>, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taken, calls): (Arc<Mutex<Vec<u64>>>, Arc<AtomicU64>) = Default::default();
    let (own, own_calls, status) = (Arc::clone(&taken), Arc::clone(&calls), Arc::clone(status));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut stream = stream;
            'calls: loop {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line).unwrap_or(0) == 0 {
                        break 'calls;
                    }
                    let line = line.trim_end().to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                lines.read_exact(&mut body).unwrap();
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let status = status.load(Ordering::Relaxed);
                own_calls.fetch_add(1, Ordering::Relaxed);
                if status == 200 {
                    let id = body["id"].as_str().unwrap();
                    own.lock().unwrap().push(id.split('-').nth(1).unwrap().parse().unwrap());
                }
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, taken, calls)
}

fn webhook(port: u16) -> WebhookConfig {
    WebhookConfig {
        name: "w".parse().unwrap(),
        url: crate::config::Secret::new(format!("http://127.0.0.1:{port}/x")),
        wants: Wants { alerts: WantedAlerts::All, ..Wants::default() },
        headers: Vec::new(),
        ca: None,
    }
}

/// On a clock that is wound on where nobody works.
#[tokio::test(start_paused = true)]
async fn a_webhook_that_answers_500_for_a_day_costs_memory_within_its_cap_and_says_what_it_dropped()
{
    const CAP: usize = 100 << 10;
    let status = Arc::new(AtomicU16::new(500));
    let (port, taken, calls) = receiver(&status);
    let queue = Arc::new(SinkQueue::new("w".into(), CAP));
    let (orders, given) = mpsc::channel(4);
    let sink = Box::new(Webhook::new(webhook(port)));
    let task = tokio::spawn(SinkTask::new(Arc::clone(&queue), sink, given, 1).run());
    let (began, mut number) = (now(), 0);
    while now().saturating_duration_since(began) < Duration::from_secs(24 * 3600) {
        tokio::time::sleep(Duration::from_secs(20)).await;
        number += 1;
        queue.put(alert(number));
        let counts = queue.counts();
        assert!(counts.waiting * alert(1).size() <= CAP);
        assert_eq!(counts.delivered, 0);
    }
    let calls = calls.load(Ordering::Relaxed);
    assert!((1400..2500).contains(&calls), "{calls} tries in a day");
    let counts = queue.counts();
    assert_eq!(number, 4320);
    assert!(counts.dropped > 3000, "{counts:?}");
    status.store(200, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    while queue.counts().waiting > 0 || queue.counts().delivered + counts.dropped < number {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let order = orders.send(SinkOrder::Finish(now() + Duration::from_secs(3))).await;
    order.unwrap();
    task.await.unwrap();
    let counts = queue.counts();
    assert_eq!(counts.delivered + counts.dropped, number);
    let taken = taken.lock().unwrap();
    assert_eq!(taken.len() as u64, counts.delivered);
    assert!(taken.is_sorted() && taken.last() == Some(&number), "the newest are there");
}

#[tokio::test]
async fn what_a_receiver_will_never_take_is_dropped_and_the_rest_goes_on() {
    let status = Arc::new(AtomicU16::new(404));
    let (port, ..) = receiver(&status);
    let mut sink = Webhook::new(webhook(port));
    let error = sink.deliver(&[alert(1), alert(2)]).await.unwrap_err();
    assert_eq!((error.delivered, error.failure), (0, super::SinkFailure::Refused));
    assert!(error.reason.contains("look at `url`"), "{error}");
    for (answer, refused) in [(302, true), (400, true), (429, false), (503, false)] {
        status.store(answer, Ordering::Relaxed);
        let error = sink.deliver(&[alert(3)]).await.unwrap_err();
        assert_eq!(error.failure == super::SinkFailure::Refused, refused, "{answer}: {error}");
    }
    status.store(200, Ordering::Relaxed);
    sink.deliver(&[alert(4), alert(5)]).await.unwrap();
}

/// Takes nothing, and never comes back.
struct Stuck;

#[async_trait]
impl Sink for Stuck {
    async fn deliver(&mut self, _: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}

/// Keeps what it is given.
struct Keeper(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Sink for Keeper {
    async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
        self.0.lock().unwrap().extend(records.iter().map(|record| record.to_json(None)));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_programs_own_sink_is_given_minutes_and_a_stuck_one_holds_up_nobody() {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let (sinks, diagnostics, config) =
        (Sinks::default(), Diagnostics::default(), SinksConfig::default());
    let wants = || Wants { minutes: true, ..Wants::default() };
    let own = Arc::clone(&kept);
    let entries = [
        SinkEntry::new("stuck", wants(), || Stuck),
        SinkEntry::new("keeper", wants(), move || Keeper(Arc::clone(&own))),
    ];
    let runner = SinkRunner::start(&sinks, &diagnostics, &config, &entries);
    assert!(!sinks.tap().is_wanted(), "nobody wants shares");
    let minutes = [
        (SeriesKey::worker("hns", "w"), HistoryPart::default()),
        (SeriesKey::route("hns"), HistoryPart::default()),
    ];
    sinks.note_minutes(125, &minutes);
    sinks.note_minutes(185, &minutes);
    let began = now();
    runner.finish().await;
    let took = now().saturating_duration_since(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let kept = kept.lock().unwrap();
    assert_eq!(kept.len(), 2, "those of workers: {kept:?}");
    assert!(kept[0].contains("\"at\":\"1970-01-01T00:02:00.000Z\""), "{}", kept[0]);
    let counts = sinks.counts();
    let of = |name: &str| counts.iter().find(|sink| &*sink.name == name).unwrap();
    assert_eq!((of("stuck").dropped, of("keeper").dropped, of("keeper").delivered), (2, 0, 2));
}

#[tokio::test]
async fn a_sink_that_is_changed_goes_on_with_what_waits() {
    let folder = std::env::temp_dir().join(format!("orepass-sinks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = |path: &str| SinksConfig {
        files: vec![FileSinkConfig {
            name: "f".parse().unwrap(),
            path: folder.join(path),
            wants: Wants { minutes: true, ..Wants::default() },
            rotation: Rotation { max_bytes: 1 << 20, max_age: Duration::from_secs(3600), keep: 1 },
            queue_bytes: 1 << 20,
        }],
        ..SinksConfig::default()
    };
    let (sinks, diagnostics) = (Sinks::default(), Diagnostics::default());
    let mut runner = SinkRunner::start(&sinks, &diagnostics, &config("no/such/folder"), &[]);
    let minutes = [(SeriesKey::worker("hns", "w"), HistoryPart::default())];
    for minute in 0..5 {
        sinks.note_minutes(60 * minute, &minutes);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    runner.change(&config("out"));
    runner.finish().await;
    let text = std::fs::read_to_string(folder.join("out")).unwrap();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!((sinks.counts()[0].delivered, sinks.counts()[0].dropped), (5, 0));
    std::fs::remove_dir_all(folder).unwrap();
}
