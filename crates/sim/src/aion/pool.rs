//! The pool's half: what the two families of servers say.

use std::fmt::Display;
use std::time::Duration;

use bytes::BytesMut;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Hex, Id, Quoted};
use orepass_stratum::target::{Difficulty, PowHash, Scale, Target};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Bytes32, Family, submit};
use crate::coin::{
    AnnouncementPlace, CheckedShare, JobOrder, Manners, PoolCoin, PoolJob, Reason, TargetTerms,
};

/// What mainnet's difficulty was about, at block 700,000.
const MAINNET_DIFFICULTY: f64 = 11.5e6;

/// An Aion pool's options.
///
/// Its difficulties are on the kernel's scale: a share of difficulty D takes D solutions on
/// average, and at difficulty 1 every solution is a share. Fractions are cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct AionPool {
    /// Which kind of server it is.
    pub family: Family,
    /// Whether jobs that are not the first of their block are told as not clean.
    pub soft_jobs: bool,
    /// Whether the share target is announced by `mining.set_difficulty` with a string of 64
    /// digits, as the public pool of the node family does. Its solo pool has no other target than
    /// the notify's.
    pub string_difficulty: bool,
    /// A node-based server that announces so many times the difficulty that it judges by, and tells
    /// that one in its notifies, as its public pool does.
    pub announce_times: Option<f64>,
    /// Whether a Miningcore fork announces the share target by `mining.set_target`; otherwise by
    /// `mining.set_difficulty` alone, also before the first job.
    pub tells_target: bool,
    /// How hard blocks are.
    pub network_difficulty: f64,
    /// The header hashes of the first jobs; those of all others are random.
    pub headers: Vec<Bytes32>,
}

impl AionPool {
    /// The usual options of a family.
    #[must_use]
    pub const fn new(family: Family) -> Self {
        Self {
            family,
            soft_jobs: false,
            string_difficulty: false,
            announce_times: None,
            tells_target: true,
            network_difficulty: MAINNET_DIFFICULTY,
            headers: Vec::new(),
        }
    }

    /// What a node-based server announces beside its notifies.
    fn announces(&self, terms: &TargetTerms) -> Option<Target> {
        match self.announce_times {
            Some(times) => Difficulty::new(terms.difficulty.get() * times).map(|d| self.target(d)),
            None => self.string_difficulty.then_some(terms.target),
        }
    }

    /// Whether the notify's target is the one that shares are judged by.
    fn notifies_share_target(&self) -> bool {
        self.family == Family::Node && !self.string_difficulty || self.announce_times.is_some()
    }
}

impl PoolCoin for AionPool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        let number = order.serial + 1;
        let mut header = [0; 32];
        rng.fill(&mut header);
        let told = usize::try_from(order.serial).ok().and_then(|serial| self.headers.get(serial));
        let network = Difficulty::new(self.network_difficulty).unwrap_or(Difficulty::ONE);
        Box::new(AionPoolJob {
            id: match self.family {
                Family::Node => format!("{number:x}"),
                Family::Miningcore => format!("{number:08x}"),
            },
            clean: order.new_block || !self.soft_jobs,
            header: told.copied().unwrap_or(header),
            network: self.target(network),
            notifies_share_target: self.notifies_share_target(),
            family: self.family,
        })
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        let whole = Difficulty::new(difficulty.get().floor()).unwrap_or(Difficulty::ONE);
        Scale::from_power_of_two(256).target(whole)
    }

    fn meets(&self, hash: &PowHash, target: &Target) -> bool {
        match self.family {
            Family::Node => hash.at_or_below(target),
            Family::Miningcore => hash.below(target),
        }
    }

    fn manners(&self) -> Manners {
        let common =
            Manners { checks_workers: false, tells_transactions: false, ..Manners::default() };
        match self.family {
            // One read gives up to 64 KiB, and more than 10 KiB of whole and broken lines end the
            // connection before any is looked at.
            Family::Node => Manners { read: 64 * 1024, flood: Some(10_240), ..common },
            Family::Miningcore => Manners { max_line: 32_768, ..common },
        }
    }

    fn refuse_subscribe(&self, params: usize) -> Option<Reason> {
        (self.family == Family::Miningcore && params < 2).then_some(Reason::InvalidParams)
    }

    fn subscribe_result(&self, extranonce1: &Extranonce) -> String {
        match self.family {
            Family::Node => format!("[null,\"{extranonce1}\"]"),
            Family::Miningcore => {
                let connection = format!("0HLFI5QCB{extranonce1}");
                format!(
                    "[[\"mining.notify\",{connection:?},\"AionStratum/1.0.0\"],\"{extranonce1}\"]"
                )
            }
        }
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        format!("[\"{extranonce1}\"]")
    }

    fn unusable_notify(&self) -> String {
        json!(["unusable", true, "zz", 7, null]).to_string()
    }

    fn put_terms(&self, terms: &TargetTerms, out: &mut BytesMut) {
        match (self.family, terms.place) {
            (Family::Node, AnnouncementPlace::BeforeNotify)
                if terms.changed
                    && let Some(target) = self.announces(terms) =>
            {
                let params = format_args!("[\"{target}\"]");
                self.put_call("mining.set_difficulty", &params, out);
            }
            (Family::Miningcore, AnnouncementPlace::BeforeNotify)
                if terms.changed && !(terms.first && self.tells_target) =>
            {
                let params = format_args!("[{}]", terms.difficulty);
                self.put_call("mining.set_difficulty", &params, out);
            }
            (Family::Miningcore, AnnouncementPlace::AfterNotify) if self.tells_target => {
                // The target of difficulty 1 would be 2²⁵⁶, of which these servers write the end.
                let easiest = terms.target == Target::MAX;
                let told = if easiest { Target::ZERO } else { terms.target };
                let params = format_args!("[\"{told}\"]");
                self.put_call("mining.set_target", &params, out);
            }
            _ => {}
        }
    }

    fn put_call(&self, method: &str, params: &dyn Display, out: &mut BytesMut) {
        let head = match self.family {
            Family::Node => "\"id\":null",
            Family::Miningcore => "\"jsonrpc\":\"2.0\"",
        };
        rpc::put(out, format_args!("{{{head},\"method\":\"{method}\",\"params\":{params}}}\n"));
    }

    fn put_result(&self, id: &Id, result: &dyn Display, out: &mut BytesMut) {
        match self.family {
            Family::Node => rpc::put_result(out, id, result),
            Family::Miningcore => {
                let text = format_args!("{{\"result\":{result},\"error\":null,\"id\":{id}}}\n");
                rpc::put(out, text);
            }
        }
    }

    fn error(&self, reason: Reason) -> (i64, &'static str) {
        let node = self.family == Family::Node;
        match reason {
            Reason::InvalidParams if node => (20, "invalid params"),
            Reason::InvalidParams => (-1, "invalid request"),
            Reason::Unauthorized => (24, "unauthorized worker"),
            Reason::UnknownJob | Reason::Stale if !node => (-1, "stale share"),
            Reason::Duplicate | Reason::SecondSolution if node => (22, "duplicate share"),
            Reason::Duplicate | Reason::SecondSolution => (-1, "duplicate share"),
            Reason::HighHash if node => (20, "Header hash larger than target"),
            Reason::HighHash => (23, "low difficulty share"),
            Reason::Form(text @ submit::MALFORMED) => (-1, text),
            other => other.common(),
        }
    }

    fn put_error(&self, id: &Id, reason: Reason, out: &mut BytesMut) {
        let (code, text) = self.error(reason);
        let text = Quoted(text);
        match (self.family, reason) {
            // The two that belong to the login have a third element.
            (Family::Node, Reason::Unauthorized | Reason::NotSubscribed) => {
                let error = format_args!("[{code},{text},null]");
                rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
            }
            (Family::Node, _) => {
                let error = format_args!("[{code},{text}]");
                rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
            }
            (Family::Miningcore, _) => put_error_object(id, code, text, out),
        }
    }

    fn put_unknown(&self, id: &Id, method: &str, out: &mut BytesMut) {
        match self.family {
            Family::Node => {
                let error = format_args!("[20,\"Not supported.\",null]");
                rpc::put(out, format_args!("{{\"id\":{id},\"result\":false,\"error\":{error}}}\n"));
            }
            Family::Miningcore => {
                let text = format!("Unsupported request {method}");
                put_error_object(id, 20, Quoted(&text), out);
            }
        }
    }
}

fn put_error_object(id: &Id, code: i64, text: Quoted<'_>, out: &mut BytesMut) {
    let error = format_args!("{{\"code\":{code},\"message\":{text},\"data\":null}}");
    rpc::put(out, format_args!("{{\"result\":false,\"error\":{error},\"id\":{id}}}\n"));
}

#[derive(Debug)]
struct AionPoolJob {
    id: String,
    clean: bool,
    header: Bytes32,
    /// Below this a share is a block.
    network: Target,
    notifies_share_target: bool,
    family: Family,
}

impl PoolJob for AionPoolJob {
    fn id(&self) -> &str {
        &self.id
    }

    /// Whoever has no job yet is told a clean one.
    fn notify_params(&self, target: &Target, first: bool) -> String {
        let target = if self.notifies_share_target { target } else { &self.network };
        let clean = self.clean || first;
        format!("[\"{}\",{clean},\"{target}\",\"{}\"]", self.id, Hex(&self.header))
    }

    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        _job_age: Duration,
    ) -> Result<CheckedShare, Reason> {
        submit::check(self.family, &self.header, &self.network, extranonce1, params)
    }
}
