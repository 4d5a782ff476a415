//! Records for a stream of NATS JetStream.
//!
//! A batch is published at once, and its acknowledgements are awaited in its order. Where one does not come
//! the connection is given up, so that nothing of ours waits in the client, and the rest of the batch is
//! published again on another one. The server knows it again by its ids: it counts nothing twice.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{
    Context, ContextBuilder, PublishAckFuture, PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use async_trait::async_trait;
use tracing::info;

use super::record::SinkRecord;
use super::sink::{Sink, SinkError};
use crate::config::{NatsAuth, NatsConfig};

/// How long a connection may take to be made, and an acknowledgement to come.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// For how long a stream that is made here knows messages again. Its server holds their ids for so long.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// For how long such a stream keeps messages.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Where there is no route in a subject.
const NO_ROUTE: &str = "_";

/// Publishes on one connection, which it makes when it is needed.
pub(super) struct NatsSink {
    config: NatsConfig,
    connection: Option<Context>,
}

impl NatsSink {
    pub(super) const fn new(config: NatsConfig) -> Self {
        Self { config, connection: None }
    }

    async fn connect(&self) -> Result<Context, SinkError> {
        let NatsConfig { url, auth, trust, .. } = &self.config;
        let options = ConnectOptions::new()
            .name("orepass")
            .connection_timeout(ANSWER_WITHIN)
            .request_timeout(Some(ANSWER_WITHIN))
            .ping_interval(2 * ANSWER_WITHIN)
            // When it is made anew is decided for all sinks in one place.
            .max_reconnects(1);
        let options = match auth {
            NatsAuth::None => options,
            NatsAuth::User(user, password) => {
                options.user_and_password(user.clone(), password.reveal().to_owned())
            }
            NatsAuth::Token(token) => options.token(token.reveal().to_owned()),
            NatsAuth::Credentials(file) => {
                options.credentials_file(file).await.map_err(|error| {
                    SinkError::unavailable(format!("cannot use {}: {error}", file.display()))
                })?
            }
        };
        let options = match trust {
            None => options,
            Some(trust) => {
                let client = trust.client().await;
                let client = client.map_err(|error| SinkError::unavailable(error.to_string()))?;
                options.require_tls(true).tls_client_config((*client).clone())
            }
        };
        let connecting = tokio::time::timeout(ANSWER_WITHIN, options.connect(url.as_str())).await;
        let client = connecting.map_err(|_| {
            SinkError::unavailable(format!("no connection to {url} within {ANSWER_WITHIN:?}"))
        })?;
        let client = client.map_err(|error| {
            SinkError::unavailable(format!("no connection to {url}: {}", whole(&error)))
        })?;
        Ok(ContextBuilder::new().timeout(ANSWER_WITHIN).build(client))
    }

    /// Publishes all of them; gives how many were taken, up to the first that was not.
    async fn publish(
        &self,
        context: &Context,
        records: &[Arc<SinkRecord>],
    ) -> (usize, Option<PublishError>) {
        let mut acks: Vec<PublishAckFuture> = Vec::with_capacity(records.len());
        let mut failed = None;
        for record in records {
            let site = self.config.site.as_str();
            let message = PublishMessage::build()
                .payload(record.to_json(Some(site)).into())
                .message_id(format!("{site}/{}", record.id));
            match context.send_publish(subject(site, record), message).await {
                Ok(ack) => acks.push(ack),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let mut taken = 0;
        for ack in acks {
            match ack.await {
                Ok(_) => taken += 1,
                Err(error) => return (taken, Some(error)),
            }
        }
        (taken, failed)
    }

    /// Makes a stream for the subjects, where nobody has made one.
    async fn make_stream(&self, context: &Context) -> Result<(), SinkError> {
        let name = self.config.stream.as_str();
        let wanted = stream::Config {
            name: name.to_owned(),
            subjects: vec!["orepass.v1.>".to_owned()],
            max_age: KEPT_FOR,
            duplicate_window: KNOWN_FOR,
            ..stream::Config::default()
        };
        let made = context.create_stream(wanted).await;
        made.map_err(|error| {
            let why = whole(&error);
            SinkError::unavailable(format!(
                "no stream takes orepass.v1.>, and {name} cannot be made: {why}"
            ))
        })?;
        info!(event = "sink.stream_made", stream = name, "made the stream {name} for orepass.v1.>");
        Ok(())
    }
}

#[async_trait]
impl Sink for NatsSink {
    async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
        let context = match self.connection.take() {
            Some(context) => context,
            None => self.connect().await?,
        };
        let (mut taken, mut failed) = self.publish(&context, records).await;
        if failed.as_ref().is_some_and(|error| error.kind() == PublishErrorKind::StreamNotFound) {
            self.make_stream(&context).await.map_err(|error| error.after(taken))?;
            let more;
            (more, failed) = self.publish(&context, &records[taken..]).await;
            taken += more;
        }
        let Some(error) = failed else {
            self.connection = Some(context);
            return Ok(());
        };
        if error.kind() == PublishErrorKind::MaxPayloadExceeded {
            self.connection = Some(context);
            return Err(SinkError::refused(whole(&error)).after(taken));
        }
        Err(SinkError::unavailable(whole(&error)).after(taken))
    }
}

/// Where a record is published: `orepass.v1.{site}.{route}.{kind}`.
fn subject(site: &str, record: &SinkRecord) -> String {
    let route = record.route().map_or_else(|| NO_ROUTE.to_owned(), token);
    format!("orepass.v1.{}.{route}.{}", token(site), record.kind().name())
}

/// A name as one part of a subject.
fn token(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// What an error says, with what it comes of.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::record::stale_share;

    #[test]
    fn a_subject_has_five_parts_whatever_names_are() {
        let share = |route: &str| stale_share(route, 1);
        assert_eq!(subject("north", &share("hns")), "orepass.v1.north.hns.share");
        assert_eq!(subject("a.b", &share("h*s >.x")), "orepass.v1.a_b.h_s___x.share");
    }
}
