//! Handshakes over real sockets, with certificates that are made up here.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::client::{Authorities, PoolTrust};
use super::fingerprint::CertificateFingerprint;
use super::provider;
use super::server::{CertificateSource, ServerTls, ServerTlsError};
use crate::net::connect::{ConnectError, Connector, PoolConnection, Reach, Tcp};
use crate::telemetry::testing::json_lines;

/// A folder for one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orepass-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "An authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, as PEM.
fn signed(
    by: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    change(&mut params);
    [params.signed_by(&key, by).unwrap().pem(), key.serialize_pem()]
}

fn der(certificate: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
}

/// A server with a certificate and a key, even if they do not belong together, that sends all back;
/// gives its port.
async fn echoes([certificate, key]: &[String; 2]) -> u16 {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    let key = CertifiedKey::new(vec![der(certificate)], key);
    let config = rustls::ServerConfig::builder_with_provider(provider());
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_cert_resolver(std::sync::Arc::new(SingleCertAndKey::from(key)));
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
    serves(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let (mut read, mut write) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut read, &mut write).await;
        }
    })
    .await
}

/// Serves each that connects; gives the port.
async fn serves<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

async fn connect(port: u16, trust: PoolTrust) -> Result<PoolConnection, ConnectError> {
    let url = format!("stratum+ssl://127.0.0.1:{port}").parse().unwrap();
    Tcp.connect(&url, &Reach { trust, proxy: None }).await
}

async fn refusal(port: u16, trust: PoolTrust) -> String {
    match connect(port, trust).await {
        Ok(_) => panic!("it was believed"),
        Err(error) => error.to_string(),
    }
}

fn with_ca(folder: &Folder, ca: &CertifiedIssuer<'static, KeyPair>) -> PoolTrust {
    PoolTrust::new(Some(Authorities::read(&folder.write("ca.pem", &ca.pem())).unwrap()), None, None)
}

#[tokio::test]
async fn a_pool_is_believed_by_its_authority_or_by_its_pin() {
    let (folder, ca) = (Folder::new("believed"), authority());
    let pair = signed(&ca, "127.0.0.1", |_| {});
    let (port, pin) = (echoes(&pair).await, CertificateFingerprint::of(&der(&pair[0])));
    for trust in [with_ca(&folder, &ca), PoolTrust::new(None, Some(pin), None)] {
        let PoolConnection { mut reader, mut writer, tls, .. } =
            connect(port, trust).await.unwrap();
        let facts = tls.unwrap();
        assert_eq!((&*facts.version, &*facts.certificate.name()), ("TLS 1.3", "127.0.0.1"));
        assert_eq!(facts.certificate.fingerprint, pin);
        assert!(facts.certificate.issuer.contains("An authority"), "{facts:?}");
        assert!(facts.certificate.days_left > 365, "{facts:?}");
        writer.write_all(b"a line\n").await.unwrap();
        writer.flush().await.unwrap();
        let mut answer = [0; 7];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"a line\n");
    }
}

#[tokio::test]
async fn what_was_expected_and_what_came_is_said() {
    let (folder, ca) = (Folder::new("refused"), authority());
    let pair = signed(&ca, "pool.example", |_| {});
    let (port, print) = (echoes(&pair).await, CertificateFingerprint::of(&der(&pair[0])));

    let stranger = authority();
    let said = refusal(port, with_ca(&folder, &stranger)).await;
    assert!(said.starts_with("the certificate for pool.example is of CN=An authority"), "{said}");
    assert!(said.contains("not among those in `ca_file`"), "{said}");
    assert!(said.contains(&format!("pin_sha256 = \"{print}\"")), "{said}");

    let said = refusal(port, PoolTrust::default()).await;
    assert!(said.contains("not among th"), "{said}");

    let pin: CertificateFingerprint = "ab".repeat(32).parse().unwrap();
    let said = refusal(port, PoolTrust::new(None, Some(pin), None)).await;
    let both =
        format!("expected the certificate {pin} (`pin_sha256`), found {print} for pool.example");
    assert!(said.starts_with(&both), "{said}");

    let said = refusal(port, with_ca(&folder, &ca)).await;
    let both = "expected a certificate for 127.0.0.1, found one for pool.example";
    assert!(said.starts_with(both), "{said}");
    let name = Some("pool.example".parse().unwrap());
    connect(port, PoolTrust::new(with_ca(&folder, &ca).ca, None, name)).await.unwrap();

    let old = signed(&ca, "127.0.0.1", |params| params.not_after = date_time_ymd(2020, 2, 29));
    let said = refusal(echoes(&old).await, with_ca(&folder, &ca)).await;
    assert!(said.starts_with("the certificate for 127.0.0.1 was good until 2020-02-29"), "{said}");
    let early = signed(&ca, "127.0.0.1", |params| params.not_before = date_time_ymd(2999, 1, 1));
    let said = refusal(echoes(&early).await, with_ca(&folder, &ca)).await;
    assert!(said.contains("is not good yet"), "{said}");

    // A server's own word, as self-made certificates are.
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pair = [own.cert.pem(), own.signing_key.serialize_pem()];
    let port = echoes(&pair).await;
    let said = refusal(port, with_ca(&folder, &ca)).await;
    assert!(said.contains("not among those in `ca_file`"), "{said}");
    connect(port, PoolTrust::new(None, Some(CertificateFingerprint::of(own.cert.der())), None))
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_has_the_pinned_certificate_without_its_key_is_not_believed() {
    let ca = authority();
    let [certificate, _] = signed(&ca, "127.0.0.1", |_| {});
    let [_, other_key] = signed(&ca, "127.0.0.1", |_| {});
    let pin = CertificateFingerprint::of(&der(&certificate));
    let port = echoes(&[certificate, other_key]).await;
    let said = refusal(port, PoolTrust::new(None, Some(pin), None)).await;
    assert!(said.contains("BadSignature"), "{said}");
}

#[tokio::test]
async fn a_plain_server_is_recognised() {
    let talks = serves(|mut stream: TcpStream| async move {
        let _ = stream.read(&mut [0; 512]).await;
        let _ = stream.write_all(b"{\"id\":null,\"error\":\"not JSON\"}\n").await;
        let _ = stream.read(&mut [0; 512]).await;
    })
    .await;
    let said = refusal(talks, PoolTrust::default()).await;
    assert!(said.starts_with("expected TLS, and the server speaks something else"), "{said}");
    let closes = serves(|mut stream: TcpStream| async move {
        let _ = stream.read(&mut [0; 512]).await;
    })
    .await;
    let said = refusal(closes, PoolTrust::default()).await;
    assert!(said.starts_with("the server closed the connection in the TLS handshake"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = serves(|mut stream: TcpStream| async move {
        while stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let begun = tokio::time::Instant::now();
    let trust = PoolTrust::new(None, Some("ab".repeat(32).parse().unwrap()), None);
    let said = refusal(silent, trust).await;
    assert!(said.starts_with("the server said nothing in the TLS handshake"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn files_that_are_no_authorities_are_named() {
    let folder = Folder::new("authorities");
    let said = |path: PathBuf| Authorities::read(&path).unwrap_err().to_string();
    assert!(said(folder.0.join("none.pem")).contains("none.pem: No such file"));
    assert!(said(folder.write("empty.pem", "")).contains("no certificate in it"));
    assert!(said(folder.0.clone()).contains("not a regular file"));
    let key = KeyPair::generate().unwrap().serialize_pem();
    assert!(said(folder.write("key.pem", &key)).contains("no certificate in it"));
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_then_on_and_half_of_one_is_not() {
    let (folder, ca) = (Folder::new("renewed"), authority());
    let [old, new] = [0, 1].map(|_| signed(&ca, "127.0.0.1", |_| {}));
    let files = CertificateSource::Files {
        certificate: folder.write("cert.pem", &old[0]),
        key: folder.write("key.pem", &old[1]),
    };
    let tls = ServerTls::start(files);
    let server = std::sync::Arc::clone(&tls);
    let port = serves(move |stream| {
        let server = std::sync::Arc::clone(&server);
        async move { drop(server.accept(stream).await) }
    })
    .await;
    let pinned = |pair: &[String; 2]| {
        PoolTrust::new(None, Some(CertificateFingerprint::of(&der(&pair[0]))), None)
    };
    connect(port, pinned(&old)).await.unwrap();

    folder.write("cert.pem", &new[0]);
    let lines = json_lines(|| {
        tls.read_again();
        tls.read_again();
    });
    let [line] = &lines[..] else { panic!("it is said once: {lines:?}") };
    assert_eq!(line["event"], "tls.certificate_unusable");
    let said = line["message"].as_str().unwrap();
    assert!(said.contains("is not that of the first certificate in"), "{said}");
    connect(port, pinned(&old)).await.unwrap();

    folder.write("key.pem", &new[1]);
    tls.read_again();
    connect(port, pinned(&new)).await.unwrap();
    assert!(connect(port, pinned(&old)).await.is_err());
}

#[test]
fn wrong_pairs_are_told_apart() {
    let (folder, ca) = (Folder::new("pairs"), authority());
    let [certificate, key] = signed(&ca, "rigs.example", |_| {});
    let check = |certificate: &str, key: &str| {
        let certificate = folder.write("cert.pem", certificate);
        let source = CertificateSource::Files { certificate, key: folder.write("key.pem", key) };
        source.check()
    };
    check(&certificate, &key).unwrap();
    assert!(matches!(check(&key, &key), Err(ServerTlsError::NoCertificate(_))));
    assert!(matches!(check(&certificate, &certificate), Err(ServerTlsError::NoKey(_))));
    let other = KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(check(&certificate, &other), Err(ServerTlsError::Mismatch { .. })));
    let none = CertificateSource::Files { certificate: "/none".into(), key: "/none".into() };
    assert!(matches!(none.check(), Err(ServerTlsError::Read { .. })));
}

#[test]
fn our_own_certificate_stays_the_same_and_its_key_is_ours_alone() {
    let folder = Folder::new("own");
    let source = CertificateSource::Own(Some(folder.0.clone()));
    assert_eq!(source.look().unwrap(), None, "nothing is made by looking");
    let shown = || {
        let lines = json_lines(|| drop(ServerTls::start(source.clone())));
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line["event"], "tls.certificate");
        line["fingerprint"].as_str().unwrap().to_owned()
    };
    let first = shown();
    assert_eq!(shown(), first);
    assert_eq!(source.look().unwrap().unwrap().fingerprint.to_string(), first);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = super::own_certificate::file_in(&folder.0);
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Without a folder it is another one each time, and not a new one each minute.
    let fleeting = ServerTls::start(CertificateSource::Own(None));
    assert!(json_lines(|| fleeting.read_again()).is_empty());
}
