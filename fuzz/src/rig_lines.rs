//! Whatever a rig sends: no panic, no growth, and every submit gets exactly one answer and one end.
//!
//! Input: options, the size of reads, then the stream of a rig that is logged in as `w` and has a
//! job, `6b000001`, for which any hash is good.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::downstream::{
    Downstream, DownstreamConfig, Event, MAX_IN_FLIGHT, Reply, Verify,
};
use orepass_stratum::error::Reject;
use orepass_stratum::line::{LineError, LineReader, MAX_RIG_LINE};
use orepass_stratum::rpc::Message;
use orepass_stratum::testing::seated_rig;
use orepass_stratum::time::Instant;

use crate::coin::Coin;
use crate::{is_call, mining, start, take, text};

/// Takes an input as the head of this file says, and gives the good shares in it.
///
/// # Panics
/// When a share has not just one answer and one end.
pub fn rig_lines<D: Coin>(data: &[u8]) -> usize {
    let [options, step, stream @ ..] = data else { return 0 };
    let mut story = Story::<D>::new(*options);
    let mut reader = LineReader::new(MAX_RIG_LINE);
    for read in stream.chunks(usize::from(*step) + 1) {
        reader.buffer().extend_from_slice(read);
        while let Some(line) = reader.next_line() {
            match line {
                Ok(line) => story.line(line),
                Err(error) => story.no_line(error),
            }
        }
        assert!(reader.buffer().len() <= MAX_RIG_LINE);
        story.time_goes_on();
    }
    story.end()
}

struct Story<D: Coin> {
    rig: Downstream<D>,
    scratch: D::Scratch,
    now: Instant,
    /// The pool's verdict comes after the next line, not at once.
    late: bool,
    reply: Reply,
    /// Shares that wait for the pool, by number, with the id of their line.
    forwarded: VecDeque<(u64, String)>,
    sent: u64,
    ended: u64,
    closed: bool,
    good: usize,
}

impl<D: Coin> Story<D> {
    fn new(options: u8) -> Self {
        let flag = |bit: u8| options & (1 << bit) != 0;
        let reply = if flag(0) { Reply::Local } else { Reply::Pool };
        let verify = if flag(1) { Verify::Off } else { Verify::Full };
        let notify = D::NOTIFIES[usize::from(options >> 6).min(D::NOTIFIES.len() - 1)];
        let dialect = Arc::new(D::default());
        let mut scratch = D::Scratch::default();
        let (pool, now) = mining(&dialect, notify, start());
        let config = Arc::new(DownstreamConfig::default().with_verify(verify).with_reply(reply));
        let mut rig = seated_rig(&dialect, &config, "w", &pool.view(), now, &mut scratch);
        assert!(rig.difficulty().is_some(), "the rig has a job");
        while rig.poll_event().is_some() {}
        let _ = take(rig.transmit());
        let late = flag(2);
        let forwarded = VecDeque::new();
        Self {
            rig,
            scratch,
            now,
            late,
            reply,
            forwarded,
            sent: 0,
            ended: 0,
            closed: false,
            good: 0,
        }
    }

    fn line(&mut self, line: &[u8]) {
        let submission = self.rig.handle_line(line, self.now, &mut self.scratch);
        let (sent, ended) = (self.sent, self.ended);
        self.take_events();
        let (sent, ended) = (self.sent - sent, self.ended - ended);
        assert!(sent <= 1);
        assert_eq!(sent, ended + u64::from(submission.is_some()), "a share has just one end");

        let answers = take(self.rig.transmit());
        let answers: Vec<_> = answers.into_iter().filter(|a| !is_call(a)).collect();
        let waits = submission.is_some() && self.reply == Reply::Pool;
        if sent == 1 {
            assert_eq!(answers.len(), usize::from(!waits), "a submit has one answer: {answers:?}");
            let message = Message::parse(line).expect("it was read");
            let id = message.id.map_or("null", |id| id.get()).to_owned();
            assert!(answers.iter().all(|answer| text(answer, "id") == id), "{answers:?} to {id}");
            if let Some(submission) = submission {
                self.good += 1;
                self.forwarded.push_back((submission.number, id));
            }
        }
        assert!(answers.len() <= 1, "a line has at most one answer: {answers:?}");
        while self.forwarded.len() > if self.late { MAX_IN_FLIGHT - 1 } else { 0 } {
            self.verdict();
        }
        assert!(self.rig.in_flight() <= MAX_IN_FLIGHT);
    }

    /// It is told why it is closed, if it speaks stratum at all.
    fn no_line(&mut self, error: LineError) {
        let is_told = matches!(error, LineError::TooLong { .. }) && !self.rig.is_closed();
        self.rig.handle_line_error(error);
        assert!(self.rig.is_closed());
        assert_eq!(take(self.rig.transmit()).len(), usize::from(is_told), "the reason, once");
    }

    /// The pool judges the share that has waited longest: the odd ones well.
    fn verdict(&mut self) {
        let Some((number, id)) = self.forwarded.pop_front() else { return };
        let verdict = if number % 2 == 1 { Ok(()) } else { Err(Reject::lost()) };
        let was_in_flight = self.rig.in_flight();
        self.rig.handle_verdict(number, &verdict, self.now);
        let answers = take(self.rig.transmit());
        if self.reply == Reply::Local {
            assert!(answers.is_empty(), "the rig has its answer already");
            return;
        }
        assert_eq!(self.rig.in_flight(), was_in_flight - 1);
        assert_eq!(answers.len(), 1);
        assert_eq!(text(&answers[0], "id"), id);
        assert_eq!(text(&answers[0], "result") == "true", verdict.is_ok());
        self.rig.handle_verdict(number, &verdict, self.now);
        assert!(self.rig.transmit().is_empty(), "a second verdict is not told");
    }

    fn take_events(&mut self) {
        while let Some(event) = self.rig.poll_event() {
            match event {
                Event::Sent => self.sent += 1,
                Event::Ended { hashes, .. } => {
                    self.ended += 1;
                    assert!(hashes.is_finite() && hashes >= 0.0);
                }
                Event::Closed(_) => {
                    assert!(!self.closed, "closed twice");
                    self.closed = true;
                }
                _ => {}
            }
        }
    }

    fn time_goes_on(&mut self) {
        self.now += Duration::from_millis(200);
        if let Some(at) = self.rig.poll_timeout()
            && at <= self.now
        {
            self.rig.handle_timeout(self.now);
            let said = take(self.rig.transmit());
            assert!(said.iter().all(is_call), "an answer to nothing: {said:?}");
            let next = self.rig.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the driver would spin");
        }
    }

    fn end(mut self) -> usize {
        while !self.forwarded.is_empty() {
            self.verdict();
        }
        assert_eq!(self.rig.in_flight(), 0);
        self.take_events();
        assert_eq!(self.rig.is_closed(), self.closed);
        if self.closed {
            let submit = br#"{"id":9,"method":"mining.submit","params":[]}"#;
            self.rig.handle_line(submit, self.now, &mut self.scratch);
            assert!(self.rig.poll_event().is_none() && self.rig.transmit().is_empty());
        }
        self.good
    }
}
