//! Alerts for whoever takes a JSON text by HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::record::{RecordBody, SinkRecord};
use super::sink::{Sink, SinkError};
use crate::config::WebhookConfig;
use crate::net::tls::client::{Authorities, system_certificates};
use crate::net::tls::provider;
use crate::pool::AGENT;

/// How long one call may take in all.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// The longest sentence that all known receivers take.
const MAX_TEXT: usize = 1900;

/// Calls a receiver on a thread that may wait for it.
pub(super) struct Webhook {
    config: Arc<WebhookConfig>,
    /// Made at the first call, since the system's authorities are read from files.
    agent: Option<Agent>,
}

impl Webhook {
    pub(super) fn new(config: WebhookConfig) -> Self {
        Self { config: Arc::new(config), agent: None }
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
        for (delivered, record) in records.iter().enumerate() {
            let (config, record) = (Arc::clone(&self.config), Arc::clone(record));
            let agent = self.agent.clone();
            let calling = tokio::task::spawn_blocking(move || {
                let agent = agent.unwrap_or_else(|| new_agent(config.ca.as_ref()));
                let called = call(&agent, &config, &record);
                (agent, called)
            });
            let (agent, called) =
                calling.await.map_err(|error| SinkError::unavailable(error.to_string()))?;
            self.agent = Some(agent);
            called.map_err(|error| error.after(delivered))?;
        }
        Ok(())
    }
}

fn new_agent(ca: Option<&Authorities>) -> Agent {
    let ders = ca.map_or_else(system_certificates, |ca| ca.certificates().to_vec());
    let roots = match ders.is_empty() {
        true => RootCerts::WebPki,
        false => ders.iter().map(|der| Certificate::from_der(der).to_owned()).into(),
    };
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider())
        .root_certs(roots)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(CALL_WITHIN))
        .http_status_as_error(false)
        // A call that was sent elsewhere would become another one.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(AGENT)
        .build();
    config.new_agent()
}

fn call(agent: &Agent, config: &WebhookConfig, record: &SinkRecord) -> Result<(), SinkError> {
    let mut request = agent.post(config.url.reveal()).content_type("application/json");
    for (name, value) in &config.headers {
        request = request.header(name, value.reveal());
    }
    let answer = request.send(body(record).to_string());
    match answer.map(|answer| answer.status().as_u16()) {
        Ok(200..=299) => Ok(()),
        // It is busy, or ill.
        Ok(status @ (408 | 425 | 429 | 500..=599)) => {
            Err(SinkError::unavailable(format!("it answers with status {status}")))
        }
        Ok(status @ 300..=399) => Err(SinkError::refused(format!(
            "it sends us elsewhere (status {status}), which is not followed: write that `url`"
        ))),
        Ok(status @ (401 | 403 | 404 | 410)) => Err(SinkError::refused(format!(
            "it answers with status {status}: look at `url` and `headers`"
        ))),
        Ok(status) => Err(SinkError::refused(format!("it answers with status {status}"))),
        Err(ureq::Error::HostNotFound) => {
            Err(SinkError::unavailable("its host's name is not found"))
        }
        // Nothing of the URL, which may hold a token, stands in these.
        Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
            Err(SinkError::refused("`url` or one of `headers` cannot be used"))
        }
        Err(error) => Err(SinkError::unavailable(error.to_string())),
    }
}

/// The record, with the sentence under the keys by which the usual receivers know it: `text` for Slack and
/// Mattermost, `content` for Discord.
fn body(record: &SinkRecord) -> Value {
    let mut body = serde_json::to_value(record).unwrap_or_default();
    let text = match &record.body {
        RecordBody::Alert(alert) => harmless(&alert.text()),
        _ => record.kind().name().to_owned(),
    };
    if let Value::Object(body) = &mut body {
        body.insert("content".to_owned(), text.clone().into());
        body.insert("text".to_owned(), text.into());
        body.insert("username".to_owned(), "orepass".into());
        body.insert("allowed_mentions".to_owned(), json!({"parse": []}));
    }
    body
}

/// A sentence in which nothing calls anybody or is a link: workers' names are what rigs say.
fn harmless(text: &str) -> String {
    let mut harmless = String::new();
    for sign in text.chars() {
        match sign {
            '<' => harmless.push('‹'),
            '>' => harmless.push('›'),
            '&' => harmless.push('+'),
            // What follows is no name of anybody any more.
            '@' => harmless.push_str("@\u{200b}"),
            sign if sign.is_control() => harmless.push(' '),
            sign => harmless.push(sign),
        }
    }
    if harmless.len() > MAX_TEXT {
        harmless.truncate(harmless.floor_char_boundary(MAX_TEXT));
        harmless.push('…');
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::alerts::{Alert, AlertState};
    use crate::sinks::record::RecordId;
    use crate::watch::{Concern, Severity};

    #[test]
    fn the_sentence_stands_where_the_usual_receivers_look_and_calls_nobody() {
        let concern = Concern::WorkersOffline;
        let alert = Alert {
            code: concern.code(),
            state: AlertState::Raised,
            severity: Severity::Warning,
            route: Some("hns".into()),
            subject: String::new(),
            meaning: concern.meaning(),
            detail: "2 workers".into(),
            count: 2,
            named: ["@everyone".into(), "<!channel>\n".into()].into(),
            remedy: concern.remedy(),
            lasted: Duration::from_secs(300),
        };
        let record = SinkRecord {
            id: RecordId { run: 1, number: 2 },
            at_ms: 0,
            body: RecordBody::Alert(alert.into()),
        };
        let body = body(&record);
        assert_eq!(body["text"], body["content"]);
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with("warning on hns: these workers mined"), "{text}");
        assert!(!text.contains("@everyone") && !text.contains("<!"), "{text}");
        assert_eq!((&body["alert"], &body["state"]), (&"workers_offline".into(), &"raised".into()));
        assert_eq!(body["named"][0], "@everyone", "data is as it is");
    }

    #[test]
    fn a_long_sentence_is_cut() {
        assert!(harmless(&"ü".repeat(5000)).len() <= MAX_TEXT + 4);
    }
}
