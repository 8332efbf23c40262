use std::{path::Path, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

use super::{BadUrl, Feed, Source, Watcher, fetch::Client};
use crate::{
    clock::{Clock, ManualClock, Moment, Wall},
    live::{Live, Quotas, Snapshot},
    rules::{
        limit::Quota,
        token::{
            AccessKey, Alg, ClaimNames, Issuer, IssuerKeys, Issuers, KeyMaterial, KeySet, PublicKeys,
            RefreshKey,
        },
    },
    secret::SecretBytes,
};

fn start() -> Moment {
    Moment { wall: Wall::from_secs(1_800_000_000), mono: Duration::from_secs(100) }
}

fn after(seconds: u64) -> Moment {
    Moment { mono: start().mono + Duration::from_secs(seconds), ..start() }
}

/// The key set with one Ed25519 key of this id.
fn set(kid: &str) -> String {
    let material = KeyMaterial {
        access: vec![AccessKey::from_seed(kid.into(), [kid.len().try_into().unwrap(); 32])],
        refresh: vec![RefreshKey { id: "r".into(), key: SecretBytes::new([1; 32]) }],
        master: SecretBytes::new([1; 32]),
    };
    KeySet::new(material).unwrap().jwks().to_string()
}

/// A token that the key of this id signed.
fn token(kid: &str) -> String {
    let key = AccessKey::from_seed(String::new(), [kid.len().try_into().unwrap(); 32]);
    let claims = json!({"iss": "i", "aud": "a", "sub": "alice", "sid": "s", "exp": start().wall.secs() + 60});
    let encode =
        |value: serde_json::Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", encode(json!({"alg": "EdDSA", "kid": kid})), encode(claims));
    let by = EncodingKey::from_ed_der(key.pkcs8.expose());
    format!("{message}.{}", crypto::sign(message.as_bytes(), &by, Algorithm::EdDSA).unwrap())
}

fn issuers() -> Issuers {
    let claims = ClaimNames { user: "sub".into(), session: "sid".into(), role: None, email: None };
    Issuers::new(vec![Issuer {
        name: "panel".into(),
        iss: "i".into(),
        aud: "a".into(),
        algorithms: vec![Alg::EdDsa],
        claims,
        roles: Vec::new(),
        max_lifetime: Duration::from_secs(3600),
        keys: IssuerKeys::Public(PublicKeys::default()),
    }])
    .unwrap()
}

fn live() -> Live {
    let quota = Quota::parse("1/s").unwrap();
    let quotas = Quotas::all(quota);
    Live::new(Snapshot { issuers: issuers(), ..Snapshot::default() }, quotas)
}

fn accepts(live: &Live, kid: &str) -> bool {
    live.snapshot().issuers.verify("panel", &token(kid), start().wall).is_ok()
}

/// A server that gives each connection the next answer and hangs when there are none left.
async fn server(answers: Vec<Vec<u8>>) -> (Source, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::<std::sync::atomic::AtomicUsize>::default();
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut held = Vec::new();
        let mut answers = answers.into_iter();
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _ = socket.read(&mut [0; 4096]).await;
            match answers.next() {
                Some(answer) => drop(socket.write_all(&answer).await),
                None => held.push(socket),
            }
        }
    });
    (Source::url(&format!("http://{address}/jwks.json")).unwrap(), asked)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn watcher(source: Source) -> Watcher {
    Watcher::new("panel".into(), source, Client::new())
}

fn count(asked: &std::sync::atomic::AtomicUsize) -> usize {
    asked.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_set_is_fetched_and_fetched_again_after_ten_minutes() {
    let (source, asked) = server(vec![http("200 OK", &set("one")), http("200 OK", &set("four"))]).await;
    let (live, mut watcher) = (live(), watcher(source));
    assert!(!accepts(&live, "one"), "nothing verifies before a set came");
    watcher.unknown = live.snapshot().issuers.unknown_keys("panel");
    watcher.tick(&live, start()).await;
    assert!(accepts(&live, "one"));
    watcher.tick(&live, after(599)).await;
    assert_eq!(count(&asked), 1);
    watcher.tick(&live, after(600)).await;
    assert_eq!(count(&asked), 2);
    assert!(accepts(&live, "four") && !accepts(&live, "one"), "a key that the issuer withdrew is gone");
}

#[tokio::test]
async fn a_token_with_an_unknown_key_is_a_reason_to_ask_but_not_more_than_twice_a_minute() {
    let (source, asked) = server(vec![http("200 OK", &set("one")), http("200 OK", &set("four"))]).await;
    let (live, mut watcher) = (live(), watcher(source));
    watcher.tick(&live, start()).await;
    for _ in 0..1000 {
        assert!(!accepts(&live, "four"));
    }
    watcher.tick(&live, after(29)).await;
    assert_eq!(count(&asked), 1, "a flood of made-up key ids is no flood of questions");
    watcher.tick(&live, after(30)).await;
    assert_eq!(count(&asked), 2);
    assert!(accepts(&live, "four"));
    watcher.tick(&live, after(60)).await;
    assert_eq!(count(&asked), 2, "no new unknown key, no new question");
}

#[tokio::test]
async fn the_last_good_set_stays_whatever_comes_after_it() {
    let secret = r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
    let large = format!(r#"{{"keys":[],"pad":"{}"}}"#, "x".repeat(64 * 1024));
    let bad = [
        http("500 Internal Server Error", &set("four")),
        http("302 Found\r\nlocation: http://127.0.0.1/", &set("four")),
        http("200 OK", "<html>"),
        http("200 OK", r#"{"keys":[]}"#),
        http("200 OK", secret),
        http("200 OK", &large),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_vec(),
        b"\x16\x03\x01".to_vec(),
    ];
    let mut answers = vec![http("200 OK", &set("one"))];
    answers.extend(bad.clone());
    answers.push(http("200 OK", &set("four")));
    let (source, _) = server(answers).await;
    let (live, mut watcher) = (live(), watcher(source));
    watcher.tick(&live, start()).await;
    for index in 0..bad.len() {
        let at = after(600 + 30 * u64::try_from(index).unwrap());
        watcher.tick(&live, at).await;
        assert!(accepts(&live, "one"), "answer {index}");
        assert_eq!(watcher.health.failures(), u64::try_from(index).unwrap() + 1);
    }
    assert_eq!(watcher.health.good_at(), start().wall.secs());
    watcher.tick(&live, after(3600)).await;
    assert!(accepts(&live, "four"));
}

#[tokio::test]
async fn a_server_that_never_answers_costs_five_seconds() {
    let (source, _) = server(Vec::new()).await;
    let (live, mut watcher) = (live(), watcher(source));
    let ticking = tokio::time::timeout(Duration::from_secs(8), watcher.tick(&live, start()));
    ticking.await.expect("bounded in time");
    assert_eq!(watcher.health.failures(), 1);
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_64_kib() {
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b' '; 200_000]].concat();
    let (source, _) = server(vec![endless]).await;
    let Source::Url(uri) = &source else { panic!("an address") };
    let error = Client::new().get(uri).await.unwrap_err().to_string();
    assert!(error.contains("more than 65536 bytes"), "{error}");
}

/// A certificate that nobody vouches for is no certificate.
#[tokio::test]
async fn https_needs_a_trusted_certificate() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut tls = acceptor.accept(socket).await?;
        tls.write_all(&http("200 OK", &set("one"))).await
    });
    let Source::Url(uri) = Source::url(&format!("https://localhost:{port}/")).unwrap() else {
        panic!("an address")
    };
    let error = Client::new().get(&uri).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn addresses_that_anybody_on_the_way_could_answer_for_are_refused() {
    for good in
        ["https://id.example.com/jwks", "http://127.0.0.1:8080/", "http://[::1]/x", "http://localhost/jwks"]
    {
        assert!(Source::url(good).is_ok(), "{good}");
    }
    for bad in [
        "http://id.example.com/jwks",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "https://user:secret@id.example.com/",
        "file:///etc/passwd",
        "ftp://localhost/",
        "localhost",
        "",
    ] {
        assert_eq!(Source::url(bad), Err(BadUrl(bad.into())));
    }
}

fn write(path: &Path, text: &str) {
    // Renamed into place, as a configuration manager does: the inode changes even within one tick of the clock.
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes_and_not_before() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("jwks.json");
    let (live, mut watcher) = (live(), watcher(Source::File(path.clone())));
    watcher.tick(&live, start()).await;
    assert_eq!(watcher.health.failures(), 1, "not there yet");
    watcher.tick(&live, start()).await;
    assert_eq!(watcher.health.failures(), 1, "and still not there is no news");
    write(&path, &set("one"));
    watcher.tick(&live, start()).await;
    assert!(accepts(&live, "one"));
    let generation = live.snapshot().generation;
    watcher.tick(&live, start()).await;
    assert_eq!(live.snapshot().generation, generation, "the same file publishes nothing");
    write(&path, "half a f");
    watcher.tick(&live, start()).await;
    assert!(accepts(&live, "one"));
    write(&path, &set("four"));
    watcher.tick(&live, start()).await;
    assert!(accepts(&live, "four"));
    write(&path, &"x".repeat(65 * 1024));
    watcher.tick(&live, start()).await;
    assert!(accepts(&live, "four"));
}

#[tokio::test]
async fn a_feed_prepares_then_runs_until_it_is_stopped() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("jwks.json");
    write(&path, &set("one"));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(start().wall));
    let mut feed = Feed::new(vec![("panel".into(), Source::File(path.clone()))], clock);
    let health = feed.health();
    let live = Arc::new(live());
    let prepared = feed.prepare(issuers()).await;
    assert!(prepared.verify("panel", &token("one"), start().wall).is_ok());
    live.swap(|snapshot| snapshot.issuers = prepared.clone());

    let stop = CancellationToken::new();
    let running = tokio::spawn(feed.run(Arc::clone(&live), stop.clone()));
    write(&path, &set("four"));
    for _ in 0..100 {
        if accepts(&live, "four") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(accepts(&live, "four"));
    assert_eq!(health[0].failures(), 0);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
}
