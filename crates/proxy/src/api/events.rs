//! What has happened lately, and what happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::{Extension, Json};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tracing::Level;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::page::Page;
use super::problem::{ApiProblem, ProblemKind};
use super::request::QueryOf;
use super::server::{ANSWER_WITHIN, Connected, TokensInForce};
use crate::clock::rfc3339;
use crate::telemetry::events::{EventFilter, KeptEvent, recent, subscribe};

/// How often a stream says that it lives.
const SIGN_EVERY: Duration = Duration::from_secs(15);
/// How many events are read at a time.
const AT_ONCE: usize = 256;

/// The highest number: programs that read JSON may know no higher one.
const MAX_AFTER: u64 = (1 << 53) - 1;

/// Which events are asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Those behind the one of this number.
    #[param(maximum = 9007199254740991_u64)]
    after: Option<u64>,
    /// Those that matter as much, or more.
    level: Option<EventLevel>,
    /// Those of this route.
    route: Option<String>,
    /// Those whose id begins so.
    id: Option<String>,
    /// Those that have this in them, in capitals or not.
    text: Option<String>,
    /// So many at most: the last ones, or with `after` the first; 100 unless given.
    #[param(maximum = 1000)]
    limit: Option<usize>,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventLevel {
    /// It stops the proxy from serving.
    Error,
    /// Somebody should look at it.
    Warn,
    /// It happens.
    Info,
}

impl EventsQuery {
    fn filter(self) -> Result<EventFilter, ApiProblem> {
        if self.after.is_some_and(|after| after > MAX_AFTER) {
            let detail = format!("`after` is {MAX_AFTER} at most");
            return Err(ProblemKind::BadQuery.problem(detail));
        }
        let level = self.level.map(|level| match level {
            EventLevel::Error => Level::ERROR,
            EventLevel::Warn => Level::WARN,
            EventLevel::Info => Level::INFO,
        });
        let Self { after, route, id: id_prefix, text, .. } = self;
        Ok(EventFilter { after, level, id_prefix, route, text })
    }
}

/// Events, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    /// When the process began whose events these are: numbers begin anew with each.
    #[schema(format = DateTime)]
    started_at: String,
    /// Those that fit.
    events: Vec<KeptEvent>,
}

/// What has happened lately.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "events", params(EventsQuery),
    responses((status = 200, description = "The events that fit", body = EventList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Result<Json<EventList>, ApiProblem> {
    let limit = Page::asked(None, query.limit)?.limit;
    let events = recent(&query.filter()?, limit).into_iter().map(Arc::unwrap_or_clone).collect();
    Ok(Json(EventList { started_at: rfc3339(api.0.began_ms), events }))
}

/// What happens, as it happens. Whoever comes back with `Last-Event-ID` misses nothing that is kept still.
#[utoipa::path(
    get, path = "/api/v1/events/stream", tag = "events", operation_id = "event_stream",
    params(EventsQuery),
    responses((
        status = 200, description = "Server-sent events: each has an event of the list as its data",
        body = String, content_type = "text/event-stream"
    ))
)]
pub(super) async fn stream(
    State(api): State<Api>,
    tokens: Option<Extension<TokensInForce>>,
    Extension(connected): Extension<Connected>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiProblem> {
    let place = Arc::clone(&api.0.streams).try_acquire_owned();
    let place = place.map_err(|_| ProblemKind::TooManyStreams.problem("close another first"))?;
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut filter = query.filter()?;
    // Before it is read what there was, so that nothing is missed in between.
    let live = subscribe();
    filter.after = match resumed.and_then(|id| id.split_once('-')) {
        // Numbers of another process say nothing.
        Some((began, number)) if began.parse() == Ok(api.0.began_ms) => number.parse().ok(),
        Some(_) => Some(0),
        None => filter.after,
    };
    let now = filter.after.is_none().then(|| recent(&EventFilter::default(), 1));
    if let Some(last) = now {
        filter.after = Some(last.last().map_or(0, |event| event.sequence));
    }
    let stream = LiveEvents {
        began_ms: api.0.began_ms,
        live,
        filter,
        waiting: VecDeque::new(),
        looks: true,
        tokens: tokens.map(|Extension(tokens)| tokens),
        connected,
        _place: place,
    };
    Ok(Sse::new(unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok(event), stream))
    })))
}

/// One listener's stream.
struct LiveEvents {
    began_ms: u64,
    /// Tells that there is something new.
    live: Receiver<Arc<KeptEvent>>,
    /// What is wanted, behind the last that was looked at.
    filter: EventFilter,
    /// Those that fit and were not told yet, at most [`AT_ONCE`].
    waiting: VecDeque<Arc<KeptEvent>>,
    /// There may be more than were read the last time.
    looks: bool,
    /// None where nobody can take the right to look away.
    tokens: Option<TokensInForce>,
    connected: Connected,
    _place: OwnedSemaphorePermit,
}

impl LiveEvents {
    /// The next that is to be told; none at the end.
    async fn next(&mut self) -> Option<Event> {
        // Whoever does not read is not asked for more, and its time runs out.
        self.connected.extend(ANSWER_WITHIN);
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(self.said(&event));
            }
            if std::mem::take(&mut self.looks) {
                self.look();
                continue;
            }
            tokio::select! {
                news = self.live.recv() => match news {
                    Ok(event) => self.looks = self.filter.after < Some(event.sequence),
                    Err(RecvError::Lagged(_)) => self.looks = true,
                    Err(RecvError::Closed) => return None,
                },
                () = changed(&mut self.tokens) => return None,
                () = tokio::time::sleep(SIGN_EVERY) => return Some(Event::default().comment("")),
            }
        }
    }

    fn look(&mut self) {
        self.waiting.extend(recent(&self.filter, AT_ONCE));
        self.looks = self.waiting.len() == AT_ONCE;
        if let Some(last) = self.waiting.back() {
            self.filter.after = Some(last.sequence);
        }
    }

    fn said(&self, event: &KeptEvent) -> Event {
        let id = format!("{}-{}", self.began_ms, event.sequence);
        let said = Event::default().id(id).json_data(event);
        said.unwrap_or_else(|_| Event::default().comment("an event that cannot be said"))
    }
}

async fn changed(tokens: &mut Option<TokensInForce>) {
    match tokens {
        Some(tokens) => tokens.changed().await,
        None => std::future::pending().await,
    }
}
