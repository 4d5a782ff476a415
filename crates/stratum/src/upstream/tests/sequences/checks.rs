//! What must hold after every step, with the eyes of the pool and of the rigs.

use super::*;

impl<const LATE: bool> Books<LATE> {
    /// Reads what the session wrote, with a pool's eyes.
    pub(super) fn read(&mut self, heard: &str) {
        let now = self.story.now;
        for line in heard.lines() {
            let call: Value = serde_json::from_str(line).unwrap();
            let id = call["id"].as_u64().unwrap();
            assert!(self.ids.insert(id), "an id is used again: {line}");
            let method = call["method"].as_str().unwrap().to_owned();
            if method == "mining.submit" {
                self.read_submit(line, &call["params"]);
            }
            let name = call["params"][0].as_str().filter(|_| method == "mining.authorize");
            let name = name.map(str::to_owned);
            let asks_for = call["params"][1].as_str().map(Into::into);
            let bytes = line.len() + 1;
            self.owed.push(Owed { id, method, name, asks_for, bytes, at: now });
        }
        let Some(pace) = self.pace else { return };
        let recent = |owed: &&Owed| now.saturating_duration_since(owed.at) < seconds(1);
        let paced = |owed: &&Owed| !owed.is_login() && !owed.is_probe();
        let waiting = self.owed.iter().filter(paced).filter(recent);
        let bytes: Vec<usize> = waiting.clone().map(|owed| owed.bytes).collect();
        let submits = waiting.filter(|owed| owed.method == "mining.submit").count();
        assert!(submits <= pace.submits);
        assert!(bytes.len() < 2 || bytes.iter().sum::<usize>() <= pace.bytes);
    }

    fn read_submit(&mut self, line: &str, params: &Value) {
        let name = params[0].as_str().unwrap();
        assert!(name == OWN || self.welcome.contains(name), "{line}: {:?}", self.welcome);
        let extranonce2 = params[2].as_str().unwrap();
        let ticket = u32::from_str_radix(&extranonce2[2..], 16).unwrap();
        let written = self.written.entry(ticket).or_default();
        assert!(written.last().is_none_or(|last| *last < self.connections), "twice: {line}");
        written.push(self.connections);
        assert!(written.len() <= 1 + usize::from(self.resubmits), "once too often: {line}");
        let (frames, extranonce) = &self.frames[self.waiting[&ticket]];
        assert_eq!(*extranonce, self.extranonce, "another extranonce's share: {line}");
        let job = self.open.get(params[1].as_str().unwrap());
        let work = Some((&frames.job.previous, &frames.job.work));
        assert_eq!(job.map(|(previous, work)| (previous, work)), work, "{line}: {:?}", self.open);
    }

    /// Books the verdicts.
    pub(super) fn settle(&mut self) {
        let mut down = 0;
        while let Some(event) = self.story.pool.poll_event() {
            match event {
                UpstreamEvent::Verdict { ticket, .. } => {
                    assert!(self.waiting.remove(&ticket).is_some(), "{ticket} ends twice");
                }
                UpstreamEvent::Down(_) => down += 1,
                _ => {}
            }
        }
        assert!(down <= usize::from(self.connected), "down without a connection");
        if down > 0 {
            self.forget();
        }
        assert_eq!(self.story.pool.in_flight(), self.waiting.len());
        if !self.story.pool.is_live() && !self.resubmits {
            assert!(self.waiting.is_empty(), "shares wait for nothing");
        }
        assert!(self.story.pool.jobs.names() <= 32);
    }

    /// Looks at the work, with the rigs' eyes.
    pub(super) fn look(&mut self) {
        let view = self.story.pool.view();
        if let Some(floor) = view.floor {
            let pool = view.wanted.surely(Habits::default());
            assert!(view.live && floor < pool, "{floor} {pool}");
        }
        let Some(work) = view.work else { return };
        assert_eq!(work.generation, view.generation);
        match self.frames.last() {
            Some((known, _)) if Arc::ptr_eq(known, &work) => {}
            known => {
                if let Some((known, _)) = known {
                    assert!(work.serial > known.serial && work.id.get() > known.id.get());
                    assert!(work.epoch >= known.epoch);
                }
                let repeated = self.frames.iter().filter(|(known, _)| {
                    known.generation == work.generation && known.epoch == work.epoch
                });
                for (known, _) in repeated {
                    let same = (&known.job.previous, &known.job.work);
                    let told_twice = same == (&work.job.previous, &work.job.work);
                    // Past the works that are remembered, a pool may do as it likes.
                    assert!(!told_twice || work.serial.0 - known.serial.0 >= 4);
                }
                let extranonce = view.ground.unwrap().split.extranonce1.to_string();
                self.frames.push((work, extranonce));
            }
        }
    }
}
