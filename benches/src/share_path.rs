//! The whole way of a share: from the rig's line to the pool and back.

use std::sync::Arc;
use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_hstratum::share::{self, Share};
use orepass_stratum::channel::Submission;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::habits::Habits;
use orepass_stratum::rpc::{Message, Params};
use orepass_stratum::upstream::UpstreamEvent;
use orepass_stratum::verdict::Verdict;

use crate::drain;
use crate::played::Played;
use crate::vectors::Case;

/// How often the made-up rig sends a share: as often as vardiff wants, so that it stays quiet.
const SHARE_EVERY: Duration = Duration::from_secs(6);

/// A rig, a pool, and the proxy's two sessions between them.
pub struct SharePath {
    played: Played,
    rig: Downstream<Hstratum>,
    nonce: u64,
}

/// A share as the rig sends it, and the answer that the pool will give.
pub struct Trip {
    submit: String,
    answer: String,
}

impl SharePath {
    /// A rig of one byte's prefix at a pool of this difficulty.
    #[must_use]
    pub fn new(case: Case, difficulty: f64) -> Self {
        let played = Played::new(case, difficulty, 1);
        let rig = played.rig("rig1", &Arc::new(DownstreamConfig::default()));
        Self { played, rig, nonce: 0 }
    }

    /// A new job and so many different shares of it, all of which the pool will take.
    pub fn trips(&mut self, count: u64) -> Vec<Trip> {
        self.new_job();
        // One share shows at which id the session is; ids grow by one.
        let submit = self.good_submit();
        let submission = self.rig.handle_line(submit.as_bytes(), self.played.now, &mut ());
        let submission = submission.expect("a good share");
        while self.rig.poll_event().is_some() {}
        let number = submission.number;
        self.played.pool.handle_submission(submission, number, self.played.now);
        let id = self.played.last_id();
        self.played.hears(answer(id).as_bytes());
        self.rig.handle_verdict(number, &Ok(()), self.played.now);
        drain(self.rig.transmit());
        let trip = |next| Trip { submit: self.good_submit(), answer: answer(id + 1 + next) };
        (0..count).map(trip).collect()
    }

    /// A new job and so many different shares of it, which nobody is to take. The rig comes anew
    /// for them: a session that sends nothing but refused shares is over before long.
    pub fn submits(&mut self, count: u64) -> Vec<String> {
        self.rig = self.played.rig("rig1", &Arc::new(DownstreamConfig::default()));
        self.new_job();
        (0..count).map(|_| self.submit()).collect()
    }

    /// Takes a share all the way; whether the pool took it, and how many bytes were written.
    pub fn walk(&mut self, trip: &Trip) -> (bool, usize) {
        let Some(submission) = self.submit_line(trip) else { return (false, 0) };
        let forwarded = self.forward(submission);
        let (taken, answered) = self.answer_line(trip);
        (taken, forwarded + answered)
    }

    /// The rig's line, read and checked.
    pub fn submit_line(&mut self, trip: &Trip) -> Option<Submission<Hstratum>> {
        self.played.now += SHARE_EVERY;
        let line = trip.submit.as_bytes();
        let submission = self.rig.handle_line(line, self.played.now, &mut ());
        while self.rig.poll_event().is_some() {}
        submission
    }

    /// The share on its way to the pool; how many bytes were written.
    pub fn forward(&mut self, submission: Submission<Hstratum>) -> usize {
        let number = submission.number;
        self.played.pool.handle_submission(submission, number, self.played.now);
        drain(self.played.pool.transmit())
    }

    /// The pool's line, and the rig's answer; whether the pool took the share, and how many bytes were
    /// written.
    pub fn answer_line(&mut self, trip: &Trip) -> (bool, usize) {
        let Self { played, rig, .. } = self;
        played.pool.handle_line(trip.answer.as_bytes(), played.now);
        let mut taken = false;
        while let Some(event) = played.pool.poll_event() {
            if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                rig.handle_verdict(ticket, &outcome.told, played.now);
                taken = outcome.told.is_ok();
            }
        }
        (taken, drain(rig.transmit()))
    }

    /// Takes a share that ends in the rig's session, and says how it ended.
    pub fn refuse(&mut self, submit: &str) -> Option<Verdict> {
        let Self { played, rig, .. } = self;
        played.now += SHARE_EVERY;
        rig.handle_line(submit.as_bytes(), played.now, &mut ());
        let mut ended = None;
        while let Some(event) = rig.poll_event() {
            if let Event::Ended { verdict, .. } = event {
                ended = Some(verdict);
            }
        }
        drain(rig.transmit());
        ended
    }

    fn new_job(&mut self) {
        self.played.new_job();
        self.rig.handle_view(&self.played.pool.view(), self.played.now);
        while self.rig.poll_event().is_some() {}
        drain(self.rig.transmit());
    }

    /// A share of the present job with the next nonce that meets the pool's target. On a scale
    /// that rounds to compact form, even the easiest target is missed by every second hash.
    fn good_submit(&mut self) -> String {
        loop {
            let submit = self.submit();
            let work = self.played.pool.view().work.expect("a job");
            let (extranonce1, size) = self.rig.told_extranonce().expect("a seat");
            let share = {
                let message = Message::parse(submit.as_bytes()).expect("a line");
                let params = Params::read(message.params.expect("parameters")).expect("an array");
                Share::parse(&work.job, size, &params).expect("a share")
            };
            let hash = share::hash(&work.job, extranonce1.as_bytes(), &share).expect("a hash");
            if hash.at_or_below(&work.wanted.surely(Habits::default())) {
                return submit;
            }
        }
    }

    /// A share of the present job with the next nonce.
    fn submit(&mut self) -> String {
        self.nonce += 1;
        let work = self.played.pool.view().work.expect("a job");
        let (_, size) = self.rig.told_extranonce().expect("a seat");
        let (extranonce2, digits) = ("7".repeat(2 * size), self.played.case.nonce_digits());
        let (job, nonce, time) = (work.id, self.nonce, self.played.case.time());
        format!(
            "{{\"id\":{nonce},\"method\":\"mining.submit\",\"params\":\
             [\"rig1\",\"{job}\",\"{extranonce2}\",\"{time}\",\"{nonce:0digits$x}\"]}}"
        )
    }
}

fn answer(id: u64) -> String {
    format!("{{\"id\":{id},\"result\":true,\"error\":null}}")
}
