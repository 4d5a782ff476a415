//! How a pool is reached: `ca_file`, `pin_sha256`, `server_name` and `proxy`.

use std::path::Path;

use super::secret::SecretRef;
use super::table::TableReader;
use super::value::PoolUrl;
use crate::net::connect::Reach;
use crate::net::socks::SocksProxy;
use crate::net::tls::client::{Authorities, PoolTrust};

/// Reads the keys in a `[[route.pool]]` with this URL.
pub(super) fn read(table: &mut TableReader<'_, '_>, folder: &Path, url: Option<&PoolUrl>) -> Reach {
    let file = table.text("ca_file");
    let ca = file.map(|file| Authorities::read(&folder.join(file)));
    let ca =
        ca.and_then(|read| read.map_err(|error| table.note_at("ca_file", error.to_string())).ok());
    let pin = table.parsed("pin_sha256");
    let server_name = table.parsed("server_name");
    let trust = PoolTrust::new(ca, pin, server_name);
    if trust.ca.is_some() && trust.pin.is_some() {
        let either = "with `pin_sha256` no authority is asked: leave `ca_file` or `pin_sha256` out";
        table.note_at("ca_file", either);
    }
    if trust.is_set() && url.is_some_and(|url| !url.is_tls()) {
        let plain = "this URL is plain, and the pool's `ca_file`, `pin_sha256` and `server_name` \
                     are for TLS: write stratum+ssl:// and the pool's port for that";
        table.note_at("url", plain);
    }
    Reach { trust, proxy: proxy(table, folder) }
}

fn proxy(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<SocksProxy> {
    let text = SecretRef::from(table.text("proxy")?).resolve(folder);
    let text = text.map_err(|error| table.note_at("proxy", error.to_string())).ok()?;
    let parsed = text.reveal().parse();
    parsed
        .map_err(|error: crate::net::socks::SocksProxyError| {
            table.note_at("proxy", error.to_string());
        })
        .ok()
}
