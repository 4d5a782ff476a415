//! The parts that the kit plays with a dialect: a pool, a rig, and whoever hears them.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;

use super::Kit;
use crate::dialect::{
    BasisOf, Checked, Dialect, NotifyForm, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, RigCall,
    RigSay, RigSpace, Work,
};
use crate::error::Reject;
use crate::job::JobId;
use crate::rpc::{Message, RpcCall};
use crate::target::{PowHash, Target};

impl<D: Dialect> Kit<D> {
    /// The rig as it is after its login.
    pub(super) fn rig(&self) -> D::Rig {
        let mut rig = D::Rig::default();
        for line in &self.login {
            let _ = self.hear_rig(line, &mut rig);
        }
        rig
    }

    pub(super) fn space(&self) -> RigSpace<'_> {
        RigSpace { extranonce1: &self.extranonce1, extranonce2: self.extranonce2 }
    }

    pub(super) fn basis<'a>(&'a self, job: &'a D::Job, rig: &'a D::Rig) -> BasisOf<'a, D> {
        let (terms, extranonce1) = (&self.terms, &self.extranonce1);
        let (pool_extranonce1, extranonce2) = (extranonce1.len() - 1, self.extranonce2);
        BasisOf::<D> { job, terms, rig, extranonce1, pool_extranonce1, extranonce2 }
    }

    pub(super) fn heard_jobs(&self) -> Vec<D::Job> {
        assert!(!self.jobs.is_empty(), "no job to look at");
        self.jobs.iter().map(|line| self.heard_job(line)).collect()
    }

    pub(super) fn first_job(&self) -> D::Job {
        self.heard_job(self.jobs.first().expect("a job to look at"))
    }

    pub(super) fn heard_job(&self, line: &str) -> D::Job {
        match self.hear(line) {
            PoolEvent::Job(job) => job.unwrap_or_else(|error| panic!("{error}: {line}")),
            other => panic!("a job is heard as {other:?}: {line}"),
        }
    }

    pub(super) fn shares(&self, job: &D::Job) -> Vec<D::Share> {
        assert!(!self.submits.is_empty(), "no share to look at");
        let read = |line: &String| {
            self.read(job, line).unwrap_or_else(|reject| panic!("{reject}: {line}"))
        };
        self.submits.iter().map(read).collect()
    }

    pub(super) fn read(&self, job: &D::Job, line: &str) -> Result<D::Share, Reject> {
        let mut rig = self.rig();
        match self.hear_rig(line, &mut rig) {
            RigCall::Submit(submit) => {
                self.dialect.read_share(&self.basis(job, &rig), &submit?.fields)
            }
            other => panic!("a submit is heard as {other:?}: {line}"),
        }
    }

    pub(super) fn proven(&self, job: &D::Job, share: &D::Share) -> PowHash {
        assert!(job.is_complete(), "a job that cannot be checked");
        match self.judged(job, share, &Target::MAX) {
            Ok(Checked::Proven(hash)) => hash,
            other => panic!("no proof: {other:?}"),
        }
    }

    pub(super) fn judged(
        &self,
        job: &D::Job,
        share: &D::Share,
        target: &Target,
    ) -> Result<Checked, Reject> {
        let (rig, mut scratch) = (self.rig(), D::Scratch::default());
        self.dialect.check(&self.basis(job, &rig), share, target, Duration::ZERO, &mut scratch)
    }

    /// The line by which a rig is told a job.
    pub(super) fn told(
        &self,
        id: JobId,
        job: &D::Job,
        target: Target,
        clean: bool,
        flavour: u8,
    ) -> String {
        let form = NotifyForm { clean, flavour };
        text(|out| self.dialect.notify(id, job, &target, form, out))
    }

    /// The line by which a rig is told something else.
    pub(super) fn say(&self, say: RigSay<'_, D::Job, D::Terms>) -> String {
        let rig = self.rig();
        let line = text(|out| self.dialect.tell_rig(say, &rig, out));
        if !line.is_empty() {
            Self::is_a_line(&line);
        }
        line
    }

    /// The line by which a pool is told something.
    pub(super) fn ask(&self, call: PoolCall<'_, D::Job, D::Share>) -> String {
        let line = text(|out| self.dialect.tell_pool(call, out));
        if !line.is_empty() {
            Self::is_a_line(&line);
        }
        line
    }

    /// What a call of a pool means; of several lines, the last.
    pub(super) fn hear(&self, line: &str) -> PoolEvent<D::Job> {
        let message = message(line);
        let method = message.method.as_deref().unwrap_or_else(|| panic!("no call: {line}"));
        let call = RpcCall { method, params: message.params };
        self.dialect.hear_pool(call, &mut self.terms.clone())
    }

    pub(super) fn said_and_heard(
        &self,
        to: PoolQuestion<'_, D::Job>,
        say: RigSay<'_, D::Job, D::Terms>,
    ) -> (PoolAnswer, String) {
        let line = self.say(say);
        (self.answer(to, &line), line)
    }

    pub(super) fn answer(&self, to: PoolQuestion<'_, D::Job>, line: &str) -> PoolAnswer {
        let message = message(line);
        self.dialect.hear_answer(to, &message.reply(line.as_bytes()), &mut self.terms.clone())
    }

    pub(super) fn hear_rig<'a>(&self, line: &'a str, rig: &mut D::Rig) -> RigCall<'a> {
        let message: Message<'a> = message(line);
        let Some(Cow::Borrowed(method)) = message.method else { panic!("no call: {line}") };
        self.dialect.hear_rig(RpcCall { method, params: message.params }, rig)
    }

    pub(super) fn is_a_line(line: &str) {
        let name = D::NAME;
        assert!(line.ends_with('\n'), "{name} writes no whole line: {line:?}");
        assert_eq!(line.matches('\n').count(), 1, "{name} writes several lines: {line:?}");
        message(line);
    }
}

fn text(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.into()).expect("a line of text")
}

fn message(line: &str) -> Message<'_> {
    Message::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}
