//! What a simulated pool makes of the proxy's calls.

use std::time::Duration;

use orepass_sim::pool::PoolFault;
use serde_json::{Value, json};

use super::super::pipe::Mark;
use super::super::setting::{Setting, tell, violation};
use super::super::weather::is_jobless;
use super::{EXTRANONCE2, Pool};

impl Pool {
    /// The proxy says a line, which it wrote at `came`.
    pub(in crate::storm) fn hear(
        &mut self,
        setting: &mut Setting,
        number: u32,
        line: &[u8],
        came: Duration,
    ) {
        let message = serde_json::from_slice::<Value>(line);
        let Some((id, method)) = message.as_ref().ok().and_then(|message| {
            Some((message.get("id")?.as_u64()?, message.get("method")?.as_str()?.to_owned()))
        }) else {
            let line = String::from_utf8_lossy(line);
            return violation!(setting, "pool {}.{number} hears {line:?}", self.index);
        };
        let params =
            message.ok().and_then(|mut message| message.get_mut("params").map(Value::take));
        let params = params.unwrap_or_default();
        match &*method {
            "mining.subscribe" => {
                let extranonce1 = self.extranonce1();
                let Some(conn) = self.conns.get_mut(&number) else { return };
                conn.extranonce1 = extranonce1.clone();
                tell!(setting, "pool {}.{number} gives extranonce1 {extranonce1}", self.index);
                let result = json!([format!("{:x}", number), extranonce1.to_string(), EXTRANONCE2]);
                self.answer(number, id, &result, None);
            }
            "mining.authorize" => {
                let name = params[0].as_str().unwrap_or_default();
                let Some(conn) = self.conns.get_mut(&number) else { return };
                let welcome = conn.names.authorize(self.names, name);
                let again = std::mem::replace(&mut conn.live, true);
                tell!(setting, "pool {}.{number} welcomes {name}: {welcome}", self.index);
                let mark = (!welcome).then_some(Mark::NameRefused);
                self.answer(number, id, &welcome.into(), mark);
                if again {
                    return;
                }
                self.tell_difficulty(setting, number);
                if self.fault == Some(PoolFault::ReconnectAtLogin) {
                    self.call(number, "client.reconnect", &json!([]), None);
                }
                if !self.fault.as_ref().is_some_and(is_jobless) {
                    self.tell_work(setting, number);
                }
            }
            "mining.submit" => self.submit(setting, number, id, &params, came),
            // Asks whether it lives; an answer is due, not a good one.
            "mining.extranonce.subscribe" => self.answer(number, id, &false.into(), None),
            other => violation!(setting, "pool {}.{number} is called {other}", self.index),
        }
    }
}
