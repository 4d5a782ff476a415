//! `[[webhook]]`: who is told of alerts.

use std::path::Path;

use url::Url;

use super::super::nearest;
use super::super::secret::{Secret, SecretRef};
use super::super::table::TableReader;
use super::super::value::Name;
use crate::net::tls::client::Authorities;
use crate::sinks::{WantedAlerts, Wants, alert_codes, usual_alerts};

/// The word for all alerts.
const ALL: &str = "all";

/// `[[webhook]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookConfig {
    /// What metrics and the log call it.
    pub name: Name,
    /// Where, looked up; as a rule it has a token in it.
    pub url: Secret,
    /// Which alerts.
    pub wants: Wants,
    /// What else is said with each call.
    pub headers: Vec<(String, Secret)>,
    /// Who must have signed its certificate; the system's authorities when absent.
    pub ca: Option<Authorities>,
}

/// Reads one of a config in `folder`.
pub(super) fn read(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<WebhookConfig> {
    table.needs(&[("url", "\"env:WEBHOOK_URL\"")]);
    let url = table.text("url").and_then(|text| {
        let url = SecretRef::from(text).resolve(folder);
        url.map_err(|error| table.note_at("url", error.to_string())).ok()
    });
    let url = url.and_then(|url| match host_of(&url) {
        Some(host) => Some((url, host)),
        None => {
            // Not what stands there: it may hold a token.
            let form = "a webhook's URL starts with https:// or http://, and has a host";
            table.note_at("url", form);
            None
        }
    });
    let name: Option<Name> = table.parsed("name");
    let alerts = on(table).unwrap_or_else(|| WantedAlerts::Of(usual_alerts()));
    let headers = headers(table, folder);
    let file = table.text("ca_file");
    let ca = file.map(|file| Authorities::read(&folder.join(file)));
    let ca =
        ca.and_then(|read| read.map_err(|error| table.note_at("ca_file", error.to_string())).ok());
    let (url, host) = url?;
    let Some(name) = name.or_else(|| host.parse().ok()) else {
        table.note_at("url", "the sink needs a name: write name = \"chat\" beside it");
        return None;
    };
    let wants = Wants { alerts, ..Wants::default() };
    Some(WebhookConfig { name, url, wants, headers, ca })
}

/// The host of a URL that can be called.
fn host_of(url: &Secret) -> Option<String> {
    let url = Url::parse(url.reveal()).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
    matches!(url.scheme(), "http" | "https").then_some(host)
}

fn on(table: &mut TableReader<'_, '_>) -> Option<WantedAlerts> {
    let words = table.texts("on", "[\"pool_down\", \"block_found\"]")?;
    let mut known = alert_codes();
    known.push(ALL);
    if words.is_empty() {
        table.note_at("on", "expected one code at least, as in on = [\"pool_down\"]");
    }
    let mut codes = std::collections::BTreeSet::new();
    for (span, word) in words {
        match known.iter().find(|known| **known == word) {
            Some(code) => _ = codes.insert(*code),
            None => table.note(span, nearest::unknown("value", word, &known)),
        }
    }
    Some(if codes.contains(ALL) { WantedAlerts::All } else { WantedAlerts::Of(codes) })
}

fn headers(table: &mut TableReader<'_, '_>, folder: &Path) -> Vec<(String, Secret)> {
    const EXAMPLE: &str = "[\"Authorization: env:WEBHOOK_TOKEN\"]";
    let mut headers = Vec::new();
    for (span, text) in table.texts("headers", EXAMPLE).unwrap_or_default() {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let parts = text.split_once(':').filter(|(name, _)| is_name(name));
        let Some((name, value)) = parts else {
            table
                .note(span, "expected \"Name: value\", as in \"Authorization: env:WEBHOOK_TOKEN\"");
            continue;
        };
        match SecretRef::from(value.trim()).resolve(folder) {
            Ok(value) if value.reveal().bytes().all(|b| b.is_ascii_graphic() || b == b' ') => {
                headers.push((name.to_owned(), value));
            }
            Ok(_) => {
                table.note(span, "a header's value has letters, digits and signs of ASCII alone");
            }
            Err(error) => table.note(span, error.to_string()),
        }
    }
    headers
}
