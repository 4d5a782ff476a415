//! What a route's listeners expect before stratum: `tls_certificate`, `proxy_protocol` and what goes
//! with them.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::table::TableReader;
use super::value::ListenAddr;
use crate::net::tls::server::CertificateSource;

/// What a route's listeners expect before stratum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontConfig {
    /// Whether balancers say whom they speak for.
    pub proxy_protocol: ProxyProtocol,
    /// Who is believed in that.
    pub proxy_from: Vec<IpNet>,
    /// How many PROXY headers may stand in a row, where balancers stand behind each other.
    pub proxy_headers: u8,
    /// The certificate of the listeners with `tls://`.
    pub certificate: CertificateSource,
}

/// Whether connections begin with a PROXY header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None does.
    #[default]
    Off,
    /// Those of the balancers that are believed may.
    Optional,
    /// All do, and come from a balancer that is believed.
    Required,
}

impl Default for FrontConfig {
    fn default() -> Self {
        let (proxy_protocol, certificate) = Default::default();
        Self { proxy_protocol, proxy_from: Vec::new(), proxy_headers: 1, certificate }
    }
}

impl FrontConfig {
    /// Reads the keys in a `[[route]]` that listens there. Our own certificate is not placed yet.
    pub(super) fn read(
        table: &mut TableReader<'_, '_>,
        folder: &Path,
        listen: &[ListenAddr],
    ) -> Self {
        let words = [
            ("off", ProxyProtocol::Off),
            ("optional", ProxyProtocol::Optional),
            ("required", ProxyProtocol::Required),
        ];
        let given = table.word("proxy_protocol", &words);
        let proxy_protocol = given.unwrap_or_default();
        let proxy_from = networks(table, "proxy_from");
        if proxy_protocol != ProxyProtocol::Off && proxy_from.is_none() {
            let whom = "say in `proxy_from` who is believed, as in proxy_from = [\"10.0.0.5\"]";
            table.note_at("proxy_protocol", whom);
        }
        if given.is_none() && proxy_from.is_some() {
            let how = "write proxy_protocol = \"required\" or \"optional\" as well";
            table.note_at("proxy_from", how);
        }
        Self {
            proxy_protocol,
            proxy_from: proxy_from.unwrap_or_default(),
            proxy_headers: table.whole("proxy_headers", 1..=8).unwrap_or(1),
            certificate: certificate(table, folder, listen),
        }
    }
}

fn certificate(
    table: &mut TableReader<'_, '_>,
    folder: &Path,
    listen: &[ListenAddr],
) -> CertificateSource {
    let (certificate, key) = (table.text("tls_certificate"), table.text("tls_key"));
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (folder.join(certificate), folder.join(key));
            let source = CertificateSource::Files { certificate, key };
            if let Err(error) = source.check() {
                table.note_at("tls_certificate", error.to_string());
            }
            if !listen.iter().any(|address| address.is_tls()) && table.is_clean() {
                let where_to = "no address in `listen` has TLS: write one as \"tls://[::]:3443\"";
                table.note_at("tls_certificate", where_to);
            }
            return source;
        }
        (Some(_), None) => table.note_at("tls_certificate", "its `tls_key` is missing"),
        (None, Some(_)) => table.note_at("tls_key", "its `tls_certificate` is missing"),
        (None, None) => {}
    }
    CertificateSource::default()
}

/// A list of networks and addresses.
fn networks(table: &mut TableReader<'_, '_>, key: &'static str) -> Option<Vec<IpNet>> {
    let texts = table.texts(key, "[\"10.0.0.5\", \"192.168.0.0/16\"]")?;
    let mut networks = Vec::new();
    for (span, text) in texts {
        let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        match address.or_else(|_| text.parse()) {
            Ok(network) => networks.push(network),
            Err(_) => table.note(
                span,
                format!("expected an address or a network such as \"10.0.0.0/8\", found {text:?}"),
            ),
        }
    }
    Some(networks)
}
