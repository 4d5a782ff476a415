//! Whatever a pool sends: no panic, no growth, and every share gets exactly one verdict.
//!
//! Input: options, the size of reads, then the stream of a pool. A rig sends a share after each
//! line, if it has a job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::line::{LineError, LineReader, MAX_POOL_LINE};
use orepass_stratum::space::Wish;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamEvent};

use crate::coin::Coin;
use crate::{connected, mining, start, take};

/// The most shares that the session may hold: those queued and those without an answer.
const MAX_HELD: usize = 256 + 1024;

/// Takes an input as the head of this file says, and gives the shares that the pool took.
///
/// # Panics
/// When a share has not just one verdict, or something is written or asked for that must not.
pub fn pool_lines<D: Coin>(data: &[u8]) -> usize {
    let [options, step, stream @ ..] = data else { return 0 };
    let mut story = Story::<D>::new(*options);
    let mut reader = LineReader::new(MAX_POOL_LINE);
    for read in stream.chunks(usize::from(*step) + 1) {
        reader.buffer().extend_from_slice(read);
        while let Some(line) = reader.next_line() {
            match line {
                Ok(line) => story.pool.handle_line(line, story.now),
                Err(LineError::TooLong { cap }) => story.pool.handle_overlong(cap, story.now),
                Err(_) => return story.end(),
            }
            story.settle();
            story.mine();
        }
        assert!(reader.buffer().len() <= MAX_POOL_LINE);
        story.time_goes_on();
    }
    story.end()
}

struct Story<D: Coin> {
    dialect: Arc<D>,
    pool: Upstream<D, u32>,
    rig: Option<Downstream<D>>,
    scratch: D::Scratch,
    now: Instant,
    tick: Duration,
    nonce: u64,
    tickets: u32,
    /// Tickets that have no verdict yet, and the number of their share.
    open: BTreeSet<(u32, u64)>,
    down: bool,
    /// Shares that the pool took.
    good: usize,
}

impl<D: Coin> Story<D> {
    fn new(options: u8) -> Self {
        let dialect = Arc::new(D::default());
        let (pool, now) = match D::NOTIFIES.get(usize::from(options >> 6)) {
            Some(notify) => mining(&dialect, notify, start()),
            None => (connected(&dialect, start()), start()),
        };
        let tick = Duration::from_millis(u64::from(options & 0x3f) * 100);
        let open = BTreeSet::new();
        let scratch = D::Scratch::default();
        let (rig, nonce, tickets, down, good) = (None, 0, 0, false, 0);
        let mut story =
            Self { dialect, pool, rig, scratch, now, tick, nonce, tickets, open, down, good };
        story.settle();
        story
    }

    /// Does what a driver does after each input.
    fn settle(&mut self) {
        while let Some(event) = self.pool.poll_event() {
            match event {
                UpstreamEvent::Verdict { ticket, outcome, .. } => {
                    let number = self.take_ticket(ticket);
                    self.good += usize::from(outcome.told.is_ok());
                    if let Some(rig) = &mut self.rig {
                        rig.handle_verdict(number, &outcome.told, self.now);
                    }
                }
                UpstreamEvent::Down(_) => {
                    assert!(!self.down, "down twice");
                    self.down = true;
                }
                _ => {}
            }
        }
        let written = take(self.pool.transmit());
        assert!(!self.down || written.is_empty(), "written after the end: {written:?}");
        assert_eq!(self.pool.in_flight(), self.open.len());
        assert!(self.pool.in_flight() <= MAX_HELD);
        let view = self.pool.view();
        assert_eq!(view.live, self.pool.is_live());
        if let Some(work) = &view.work {
            assert_eq!(work.generation, view.generation);
            assert!(view.ground.is_some(), "work without a ground");
        }
        self.look();
    }

    fn take_ticket(&mut self, ticket: u32) -> u64 {
        let held = self.open.range((ticket, 0)..).next().copied();
        let (_, number) = held.filter(|held| held.0 == ticket).expect("one verdict per share");
        self.open.remove(&(ticket, number));
        number
    }

    /// The rig sees what the pool's session shows.
    fn look(&mut self) {
        let view = self.pool.view();
        let (dialect, scratch, now) = (&self.dialect, &mut self.scratch, self.now);
        let rig = self.rig.get_or_insert_with(|| {
            let config = Arc::new(DownstreamConfig::default().with_verify(D::PLAYED));
            let mut rig = Downstream::new(Arc::clone(dialect), config, "01".into(), now);
            for line in [
                r#"{"id":1,"method":"mining.extranonce.subscribe","params":[]}"#,
                r#"{"id":1,"method":"mining.subscribe","params":["rig/1"]}"#,
                r#"{"id":2,"method":"mining.authorize","params":["w","x"]}"#,
            ] {
                rig.handle_line(line.as_bytes(), now, scratch);
            }
            rig
        });
        rig.handle_view(&view, now);
        let mut wants_seat = rig.told_extranonce().is_none();
        while let Some(event) = rig.poll_event() {
            wants_seat |= matches!(event, Event::WantsSeat | Event::LostSeat);
        }
        if wants_seat && let Ok(seat) = view.seat(&Wish::default()) {
            rig.handle_seat(seat, &view, now);
        }
        while rig.poll_event().is_some() {}
        let _ = take(rig.transmit());
        if rig.is_closed() {
            // Its verdicts find nobody, and another rig comes.
            self.rig = None;
        }
    }

    /// The rig sends a share for the present job.
    fn mine(&mut self) {
        let (Some(rig), Some(work)) = (&mut self.rig, self.pool.view().work) else { return };
        let Some((_, size)) = rig.told_extranonce() else { return };
        self.nonce += 1;
        let params = D::submit(work.id, &work.job, size, self.nonce);
        let line = format!(
            "{{\"id\":{},\"method\":\"mining.submit\",\"params\":[\"w\",{params}]}}",
            self.nonce
        );
        let submission = rig.handle_line(line.as_bytes(), self.now, &mut self.scratch);
        while rig.poll_event().is_some() {}
        if let Some(submission) = submission {
            let (ticket, number) = (self.tickets, submission.number);
            self.tickets += 1;
            self.open.insert((ticket, number));
            self.pool.handle_submission(submission, ticket, self.now);
        }
        self.settle();
    }

    fn time_goes_on(&mut self) {
        self.now += self.tick;
        if let Some(at) = self.pool.poll_timeout()
            && at <= self.now
        {
            self.pool.handle_timeout(self.now);
            let next = self.pool.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the driver would spin");
            self.settle();
        }
    }

    fn end(mut self) -> usize {
        self.down = false;
        self.pool.handle_disconnected(self.now);
        self.settle();
        assert!(self.open.is_empty(), "shares without a verdict: {:?}", self.open);
        assert_eq!(self.pool.poll_timeout(), None);
        self.good
    }
}
