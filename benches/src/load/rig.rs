//! One rig: what it says, and what it makes of what it hears.

use std::io::Write;

use serde_json::Value;

use super::ledger::job_of;
use super::roll::{Roll, ShareName};

/// What a rig that may choose takes, as firmware does.
const USUAL_EXTRANONCE2: usize = 4;
/// More than any extranonce2 has that is announced for itself.
const MAX_EXTRANONCE2: usize = 8;
const SUBSCRIBE: u64 = 1;
const AUTHORIZE: u64 = 2;
/// Ids of shares begin here.
const FIRST_SHARE: u64 = 16;
/// How much of an answer is shown.
const SHOWN: usize = 160;

/// A rig's session, without its connection.
#[derive(Debug)]
pub struct Rig {
    number: u16,
    extranonce2: usize,
    authorized: bool,
    ready: bool,
    job: Option<Job>,
    made: u32,
    /// Shares that wait for their answer.
    pub in_flight: u32,
}

/// The parts of a submit that stay the same for a job.
#[derive(Debug)]
struct Job {
    number: u32,
    before_tail: Vec<u8>,
    before_nonce: Vec<u8>,
}

/// What a line meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that matters here, or a step of the login.
    Nothing,
    /// A job that was not told before; its number.
    Job(u32),
    /// A share was accepted; how long it took, in nanoseconds.
    Accepted(u64),
    /// A share was refused; the answer.
    Refused(String),
    /// The login was refused; the answer.
    NoLogin(String),
}

impl Rig {
    /// A rig that has not logged in.
    #[must_use]
    pub fn new(number: u16) -> Self {
        Self {
            number,
            extranonce2: USUAL_EXTRANONCE2,
            authorized: false,
            ready: false,
            job: None,
            made: 0,
            in_flight: 0,
        }
    }

    /// The first line of the login.
    pub fn log_in(&self, out: &mut Vec<u8>) {
        put(out, format_args!("{{\"id\":{SUBSCRIBE},\"method\":\"mining.subscribe\","));
        out.extend_from_slice(b"\"params\":[\"load/1\"]}\n");
    }

    /// Makes a share of the present job, if there is one.
    pub fn submit(&mut self, roll: &Roll, out: &mut Vec<u8>) -> bool {
        let Some(job) = &self.job else { return false };
        let name = ShareName { rig: self.number, number: self.made };
        self.made += 1;
        self.in_flight += 1;
        put(out, format_args!("{{\"id\":{}", FIRST_SHARE + u64::from(name.number)));
        out.extend_from_slice(&job.before_tail);
        put(out, format_args!("{:04x}", name.tail()));
        out.extend_from_slice(&job.before_nonce);
        put(out, format_args!("{:08x}\"]}}\n", name.nonce()));
        roll.send(name, roll.now());
        true
    }

    /// Takes in a line. What it makes the rig say goes to `out`.
    pub fn hear(&mut self, line: &[u8], roll: &Roll, out: &mut Vec<u8>) -> Heard {
        // Answers to shares are the many, and begin with their id.
        match id(line) {
            Some(id) if id >= FIRST_SHARE => self.hear_verdict(id, line, roll),
            Some(SUBSCRIBE) => self.hear_subscribed(line, roll, out),
            Some(AUTHORIZE) if has(line, b"\"result\":true") => {
                self.authorized = true;
                Heard::Nothing
            }
            Some(AUTHORIZE) => Heard::NoLogin(shown(line)),
            _ if has(line, b"\"mining.notify\"") => self.hear_job(line),
            _ => Heard::Nothing,
        }
    }

    /// Whether it is, for the first time, logged in and has a job.
    pub fn becomes_ready(&mut self) -> bool {
        let ready = self.authorized && self.job.is_some();
        ready && !std::mem::replace(&mut self.ready, ready)
    }

    /// Whether it has been logged in with a job.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    fn hear_verdict(&mut self, id: u64, line: &[u8], roll: &Roll) -> Heard {
        self.in_flight = self.in_flight.saturating_sub(1);
        if !has(line, b"\"result\":true") {
            return Heard::Refused(shown(line));
        }
        let number = u32::try_from(id - FIRST_SHARE).unwrap_or(u32::MAX);
        let sent = roll.sent_at(ShareName { rig: self.number, number });
        sent.map_or(Heard::Nothing, |sent| Heard::Accepted(roll.now().saturating_sub(sent)))
    }

    fn hear_subscribed(&mut self, line: &[u8], roll: &Roll, out: &mut Vec<u8>) -> Heard {
        let given = || {
            let answer: Value = serde_json::from_slice(line).ok()?;
            let extranonce1 = const_hex::decode(answer["result"][1].as_str()?).ok()?;
            let size = usize::try_from(answer["result"][2].as_u64()?).ok()?;
            (size >= 2).then_some((extranonce1, size))
        };
        let Some((extranonce1, size)) = given() else { return Heard::NoLogin(shown(line)) };
        // Some pools announce the size of the whole field.
        self.extranonce2 = if size > MAX_EXTRANONCE2 { USUAL_EXTRANONCE2 } else { size };
        roll.seat(self.number, &extranonce1);
        let number = self.number;
        put(out, format_args!("{{\"id\":{AUTHORIZE},\"method\":\"mining.authorize\","));
        put(out, format_args!("\"params\":[\"rig{number}\",\"x\"]}}\n"));
        Heard::Nothing
    }

    fn hear_job(&mut self, line: &[u8]) -> Heard {
        // The relay tells jobs before the rig has subscribed.
        let told = || {
            let call: Value = serde_json::from_slice(line).ok()?;
            let params = &call["params"];
            // The last text, behind which there may be a flag.
            let time = params[8].as_str().or_else(|| params[7].as_str())?;
            let id = params[0].as_str()?;
            let number = job_of(u32::from_str_radix(time, 16).ok()?);
            Some((number, id.to_owned(), time.to_owned()))
        };
        let Some((number, id, time)) = told() else { return Heard::Nothing };
        let new = self.job.as_ref().is_none_or(|job| job.number != number);
        let (rig, zeros) = (self.number, "00".repeat(self.extranonce2 - 2));
        let before_tail =
            format!(",\"method\":\"mining.submit\",\"params\":[\"rig{rig}\",\"{id}\",\"{zeros}");
        let before_nonce = format!("\",\"{time}\",\"");
        let (before_tail, before_nonce) = (before_tail.into_bytes(), before_nonce.into_bytes());
        self.job = Some(Job { number, before_tail, before_nonce });
        if new { Heard::Job(number) } else { Heard::Nothing }
    }
}

/// The number after `{"id":`, which all that is measured here begin their answers with.
fn id(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"id\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn has(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(SHOWN).collect()
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "memory takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ledger::Ledger;

    fn text(out: &mut Vec<u8>) -> String {
        String::from_utf8(std::mem::take(out)).unwrap()
    }

    #[test]
    fn a_rig_logs_in_mines_and_reads_its_verdicts() {
        let (roll, mut out, mut rig) = (Roll::new(2), Vec::new(), Rig::new(1));
        let mut ledger = Ledger::default();
        ledger.new_job(true);
        rig.log_in(&mut out);
        assert!(text(&mut out).contains("mining.subscribe"));
        let answer = b"{\"id\":1,\"result\":[[],\"0000000107\",3],\"error\":null}";
        assert_eq!(rig.hear(answer, &roll, &mut out), Heard::Nothing);
        assert!(text(&mut out).contains("[\"rig1\",\"x\"]"));
        let answer = b"{\"id\":2,\"result\":true,\"error\":null}";
        rig.hear(answer, &roll, &mut out);
        assert!(!rig.becomes_ready() && !rig.submit(&roll, &mut out));
        assert_eq!(rig.hear(ledger.notify().as_bytes(), &roll, &mut out), Heard::Job(1));
        assert_eq!(rig.hear(ledger.notify().as_bytes(), &roll, &mut out), Heard::Nothing);
        assert!(rig.becomes_ready() && !rig.becomes_ready());

        assert!(rig.submit(&roll, &mut out));
        let share: Value = serde_json::from_str(&text(&mut out)).unwrap();
        let [worker, job, extranonce2, time, nonce] =
            [0, 1, 2, 3, 4].map(|field| share["params"][field].as_str().unwrap());
        assert_eq!(extranonce2, "000000");
        let whole = format!("07{extranonce2}");
        let judged = ledger.judge(&roll, [0, 0, 0, 1], [worker, job, &whole, time, nonce]);
        assert_eq!(judged, Ok(ShareName { rig: 1, number: 0 }));

        let answer = format!("{{\"id\":{},\"result\":true,\"error\":null}}", share["id"]);
        let heard = rig.hear(answer.as_bytes(), &roll, &mut out);
        assert!(matches!(heard, Heard::Accepted(_)) && rig.in_flight == 0);
        let answer = format!("{{\"id\":{},\"result\":null,\"error\":[20,\"no\"]}}", share["id"]);
        let heard = rig.hear(answer.as_bytes(), &roll, &mut out);
        assert_eq!(heard, Heard::Refused(answer));
    }

    #[test]
    fn a_refused_login_is_told() {
        let (roll, mut out, mut rig) = (Roll::new(1), Vec::new(), Rig::new(0));
        for answer in [
            "{\"id\":1,\"result\":null,\"error\":[20,\"full\",null]}",
            "{\"id\":1,\"result\":[[],\"00\",1],\"error\":null}",
            "{\"id\":2,\"result\":false,\"error\":null}",
        ] {
            let heard = rig.hear(answer.as_bytes(), &roll, &mut out);
            assert_eq!(heard, Heard::NoLogin(answer.to_owned()));
        }
    }
}
