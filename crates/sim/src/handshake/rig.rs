//! The rig's half: everything it knows comes off the wire.

mod deployed;
mod search;
mod seed;

use std::hash::{DefaultHasher, Hash, Hasher};

use clap::ValueEnum;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::deployed::DeployedNotify;
use self::seed::SeedNotify;
use super::PoolScale;
use crate::coin::{Allotment, RigCoin, RigError, RigJob};

/// What a firmware makes of the announced extranonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExtranoncePolicy {
    /// It hashes all of extranonce1 and uses an extranonce2 of the announced size. Where the two
    /// do not fit the header's field, the announced size is the field's and 4 bytes are used.
    #[default]
    Respect,
    /// It hashes all of extranonce1, and its extranonce2 always has 4 bytes.
    #[value(name = "always4")]
    AlwaysFour,
    /// It hashes only the first 4 bytes of extranonce1, and its extranonce2 always has 4 bytes.
    Truncate,
}

/// A Handshake rig's habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeRig {
    /// What it makes of the announced extranonce.
    pub policy: ExtranoncePolicy,
    /// How it reads difficulties.
    pub scale: PoolScale,
    /// Whether it sends a sixth parameter, a mask of zeros.
    pub six_params: bool,
    /// Whether it sends nonces of 16 digits, the first 8 of them zeros.
    pub long_nonces: bool,
    /// How many nonces it tries under one extranonce2.
    pub nonces_per_extranonce2: u32,
}

impl Default for HandshakeRig {
    fn default() -> Self {
        Self {
            policy: ExtranoncePolicy::Respect,
            scale: PoolScale::Bitcoin,
            six_params: false,
            long_nonces: false,
            nonces_per_extranonce2: 4096,
        }
    }
}

impl HandshakeRig {
    /// The bytes of extranonce1 that it hashes, and the size of its extranonce2, in a field of
    /// `room` bytes.
    fn divide(&self, allotment: &Allotment, room: usize) -> Result<(Extranonce, usize), RigError> {
        let given = &allotment.extranonce1;
        let four = || (given.clone(), 4);
        let (extranonce1, extranonce2) = match (self.policy, allotment.size) {
            (ExtranoncePolicy::AlwaysFour, _) | (ExtranoncePolicy::Respect, None) => four(),
            (ExtranoncePolicy::Respect, Some(size)) if given.len() + size > room => four(),
            (ExtranoncePolicy::Respect, Some(size)) => (given.clone(), size),
            (ExtranoncePolicy::Truncate, _) => {
                (given.split(4).map_or_else(|| given.clone(), |(head, _)| head), 4)
            }
        };
        if extranonce1.len() + extranonce2 > room {
            return Err(RigError::NoRoom { extranonce1: extranonce1.len(), extranonce2 });
        }
        Ok((extranonce1, extranonce2))
    }
}

impl RigCoin for HandshakeRig {
    fn subscribe_params(&self, agent: &str, _address: &str) -> String {
        json!([agent]).to_string()
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Option<Allotment>, RigError> {
        let wrong = || RigError::field("subscribe result", result.get());
        let value: Value = serde_json::from_str(result.get()).map_err(|_| wrong())?;
        let extranonce1 = value.get(1).and_then(Value::as_str).ok_or_else(wrong)?;
        let size = value.get(2).and_then(Value::as_u64).ok_or_else(wrong)?;
        Ok(Some(Allotment {
            extranonce1: extranonce1.parse().map_err(|_| wrong())?,
            size: usize::try_from(size).ok(),
            granted: None,
        }))
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let wrong = || RigError::field("notify", params.get());
        let fields: Vec<Value> = serde_json::from_str(params.get()).map_err(|_| wrong())?;
        match fields.len() {
            9 | 10 => Ok(Box::new(DeployedNotify::read(self, &fields)?)),
            12 | 13 => Ok(Box::new(SeedNotify::read(self, &fields)?)),
            _ => Err(wrong()),
        }
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        self.scale.target(difficulty)
    }
}

/// A hash of all fields but the job's id.
fn fingerprint(fields: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for field in &fields[1..] {
        field.to_string().hash(&mut hasher);
    }
    hasher.finish()
}

fn string<'a>(field: &'static str, value: &'a Value) -> Result<&'a str, RigError> {
    value.as_str().ok_or_else(|| RigError::field(field, value))
}

/// A number of eight hex digits.
fn number(field: &'static str, value: &Value) -> Result<u32, RigError> {
    let text = string(field, value)?;
    Some(text)
        .filter(|text| text.len() == 8)
        .and_then(|text| u32::from_str_radix(text, 16).ok())
        .ok_or_else(|| RigError::field(field, text))
}

/// A hash of 64 hex digits.
fn hash(field: &'static str, value: &Value) -> Result<[u8; 32], RigError> {
    let text = string(field, value)?;
    let mut hash = [0; 32];
    if text.len() != 64 || const_hex::decode_to_slice(text, &mut hash).is_err() {
        return Err(RigError::field(field, text));
    }
    Ok(hash)
}

/// A list of hashes.
fn hashes(field: &'static str, value: &Value) -> Result<Vec<[u8; 32]>, RigError> {
    let list = value.as_array().ok_or_else(|| RigError::field(field, value))?;
    list.iter().map(|item| hash(field, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{self, bytes, text};
    use super::search::Counter;
    use super::*;
    use crate::coin::Search;

    /// Puts the search of a recorded job where the recorded share was found: it is found again.
    #[test]
    fn recorded_shares_are_found() {
        let all = vectors::all();
        let options = HandshakeRig::default();
        let extranonces = |vector| ["extranonce1", "extranonce2"].map(|name| text(vector, name));
        for vector in all["stratum"].as_array().unwrap() {
            let job = DeployedNotify::read(&options, vector["notify_params"].as_array().unwrap());
            let [extranonce1, extranonce2] = extranonces(vector);
            let counter = Counter {
                nonce: u32::from_str_radix(text(vector, "nonce"), 16).unwrap(),
                extranonce2: const_hex::decode(extranonce2).unwrap(),
                time: u32::from_str_radix(text(vector, "ntime"), 16).unwrap(),
                ..Counter::new(0, 0, u32::MAX)
            };
            let mut search = job.unwrap().search_at(&extranonce1.parse().unwrap(), counter);
            finds(
                &mut search,
                text(vector, "shareHash"),
                ["extranonce2", "ntime", "nonce"],
                vector,
            );
        }
        for vector in all["seed_generation"].as_array().unwrap() {
            let job = SeedNotify::read(&options, vector["params"].as_array().unwrap());
            let mut job = job.unwrap();
            if job.wants_transactions() {
                job.learn_transactions(&raw(&vector["transactions"])).unwrap();
            }
            let [extranonce1, extranonce2] = extranonces(vector);
            let counter = Counter {
                nonce: u32::from(bytes::<32>(&vector["nonce"])[0]),
                extranonce2: const_hex::decode(extranonce2).unwrap(),
                time: u32::from_str_radix(text(vector, "ntime"), 16).unwrap(),
                ..Counter::new(0, 0, u32::MAX)
            };
            let mut search = job.search_at(&extranonce1.parse().unwrap(), counter).unwrap();
            finds(&mut search, text(vector, "powHash"), ["extranonce2", "ntime", "nonce"], vector);
        }
    }

    fn finds(search: &mut dyn Search, hash: &str, fields: [&str; 3], vector: &Value) {
        let found = search.step(1, &Target::from_hex(hash).unwrap()).found;
        let fields = fields.map(|field| text(vector, field));
        assert_eq!(found.unwrap().fields, fields, "{}", vector["name"]);
    }

    fn raw(value: &Value) -> Box<RawValue> {
        RawValue::from_string(value.to_string()).unwrap()
    }

    #[test]
    fn firmwares_divide_the_field_in_their_own_ways() {
        let allotment = |extranonce1: &str, size| Allotment {
            extranonce1: extranonce1.parse().unwrap(),
            size: Some(size),
            granted: None,
        };
        let divide = |policy, allotment: &Allotment| {
            let rig = HandshakeRig { policy, ..HandshakeRig::default() };
            rig.divide(allotment, 24).map(|(head, size)| (head.to_string(), size)).ok()
        };
        let split = allotment("0011223344", 3);
        let whole = allotment("00112233", 24);
        let at = |text: &str, size| Some((text.to_owned(), size));
        assert_eq!(divide(ExtranoncePolicy::Respect, &split), at("0011223344", 3));
        assert_eq!(divide(ExtranoncePolicy::Respect, &whole), at("00112233", 4));
        assert_eq!(divide(ExtranoncePolicy::AlwaysFour, &split), at("0011223344", 4));
        assert_eq!(divide(ExtranoncePolicy::Truncate, &split), at("00112233", 4));
        assert_eq!(divide(ExtranoncePolicy::Respect, &allotment(&"00".repeat(22), 4)), None);
    }
}
