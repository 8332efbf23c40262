//! Listeners, TLS, caps, and an orderly end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use http_body_util::BodyExt;
use rustls::{NamedGroup, sign::CertifiedKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    client::{plain, rest, send, status},
    panel::Panel,
    rig::{HOST, Rig},
};
use crate::{
    doors::edge::Limits,
    rules::{
        address::TrustedProxies,
        ban::{self, Ban},
        place::{Places, Systems},
    },
    store::{Change, Cursor},
};

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_post_quantum_hybrid_is_negotiated_and_tls_1_2_still_works() {
    let rig = Rig::start().await;
    let tls = rig.raw().await;
    let session = tls.get_ref().1;
    assert_eq!(session.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let ends = std::process::Command::new("openssl")
        .args(["s_client", "-tls1_2", "-servername", HOST, "-connect", &rig.address.to_string()])
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(ends) = tokio::task::spawn_blocking(move || ends).await.unwrap() else { return };
    assert!(String::from_utf8_lossy(&ends.stdout).contains("TLSv1.2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_there_is_no_certificate_for_a_name_that_nobody_configured() {
    let rig = Rig::start().await;
    let error = rig.connect("evil.test", &[b"http/1.1"]).await.unwrap_err();
    assert!(error.to_string().contains("alert"), "the client is told: {error}");
    let mut by_address = rig.connect("127.0.0.1", &[b"http/1.1"]).await.unwrap();
    let request = format!(
        "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\nConnection: close\r\n\r\n",
        rig.cookie
    );
    by_address.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(status(&rest(&mut by_address).await), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_handshakes_and_none_fails() {
    let current: Arc<ArcSwapOption<CertifiedKey>> = Arc::default();
    let shown = Arc::clone(&current);
    let rig = Rig::with(Panel::start().await, |settings| {
        let first = Arc::clone(&settings.certificates);
        settings.certificates = Arc::new(move |name, local| shown.load_full().or_else(|| first(name, local)));
    })
    .await;
    let rig = Arc::new(rig);
    let (done, handshakes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (rig, done, handshakes) = (Arc::clone(&rig), Arc::clone(&done), Arc::clone(&handshakes));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    rig.connect(HOST, &[b"h2"]).await.expect("a handshake failed");
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..60 {
        current.store(Some(rig.authority.issue(&[HOST])));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(handshakes.load(Ordering::Relaxed) > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_connections_are_capped_in_all_and_by_network() {
    for (connections, per_address) in [(3, 100), (100, 3)] {
        let rig = Rig::with(Panel::start().await, |settings| {
            settings.limits = Limits { connections, per_address, ..Limits::default() };
        })
        .await;
        let mut kept = Vec::new();
        for _ in 0..3 {
            kept.push(rig.raw().await);
        }
        assert!(rig.connect(HOST, &[b"http/1.1"]).await.is_err(), "the fourth");
        kept.pop();
        let again = async {
            while rig.connect(HOST, &[b"http/1.1"]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), again).await.expect("places are given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e111_the_proxy_protocol_is_believed_from_listed_peers_only() {
    let text = b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\n".to_vec();
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([203, 0, 113, 9, 192, 0, 2, 1, 0x13, 0x88, 0x01, 0xbb]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    let listed = Rig::with(Panel::start().await, |settings| {
        settings.proxy_protocol_from = TrustedProxies(vec!["127.0.0.1/32".parse().unwrap()]);
    })
    .await;
    for (header, client) in [(&text, "203.0.113.9"), (&binary, "203.0.113.9"), (&local, "127.0.0.1")] {
        let answer = through(&listed, header).await.unwrap();
        assert!(answer.contains(&format!("x-forwarded-for: {client}\n")), "{answer}");
    }
    // Listed peers must begin with one, others must not.
    assert!(listed.connect(HOST, &[b"http/1.1"]).await.is_err());
    assert!(through(&listed, b"PROXY TCP4 203.0.113.9\r\n").await.is_err());
    let stranger = Rig::start().await;
    assert!(through(&stranger, &text).await.is_err());
}

/// 81.2.69.142 is in GB, 1.128.0.1 of AS1221. The client is what the PROXY header says; the machine itself is spared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_banned_by_country_or_system_gets_no_handshake() {
    let rig = Rig::with(Panel::start().await, |settings| {
        settings.proxy_protocol_from = TrustedProxies(vec!["127.0.0.1/32".parse().unwrap()]);
    })
    .await;
    let data = |name: &str| {
        std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip").join(name))
            .unwrap()
    };
    let places = Places::parse(data("GeoLite2-City-Test.mmdb")).unwrap();
    let systems = Systems::parse(data("GeoLite2-ASN-Test.mmdb")).unwrap();
    let live = rig.gate.live();
    live.swap(|snapshot| (snapshot.places, snapshot.systems) = (places.clone(), systems.clone()));
    for (whom, cursor) in [("country:GB", 1), ("asn:1221", 2)] {
        let ban = Ban {
            whom: ban::parse(whom).unwrap(),
            reason: String::new(),
            by: "uid 0".into(),
            since: rig.gate.moment().wall,
            until: None,
        };
        live.records.apply(Cursor(cursor), Change::Ban(Arc::new(ban)));
    }
    let header = |client: &str| format!("PROXY TCP4 {client} 192.0.2.1 5000 443\r\n").into_bytes();
    for banned in ["81.2.69.142", "1.128.0.1"] {
        let before = live.records.bans().turned_away();
        let mut socket = plain(rig.address).await;
        socket.write_all(&header(banned)).await.unwrap();
        // Closed, or reset, before a byte of TLS was said on either side.
        let mut byte = [0];
        assert_eq!(socket.read(&mut byte).await.unwrap_or(0), 0, "{banned}");
        assert_eq!(live.records.bans().turned_away(), before + 1, "{banned}");
    }
    for served in ["89.160.20.112", "203.0.113.9", "127.0.0.1"] {
        assert!(through(&rig, &header(served)).await.is_ok_and(|answer| answer.contains(served)), "{served}");
    }
    live.swap(|snapshot| snapshot.spared.allow.0 = vec!["81.2.69.142/32".parse().unwrap()]);
    assert!(through(&rig, &header("81.2.69.142")).await.is_ok(), "`bans.allow` wins");
    assert!(through(&rig, &header("81.2.69.160")).await.is_err(), "for that address alone");
}

async fn through(rig: &Rig, header: &[u8]) -> std::io::Result<String> {
    let mut socket = plain(rig.address).await;
    socket.write_all(header).await?;
    let mut tls = rig.handshake(socket, HOST, &[b"http/1.1"]).await?;
    let request =
        format!("GET /echo HTTP/1.1\r\nHost: {HOST}\r\nCookie: {}\r\nConnection: close\r\n\r\n", rig.cookie);
    tls.write_all(request.as_bytes()).await?;
    Ok(rest(&mut tls).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_listener_only_sends_to_https() {
    let rig = Rig::with(Panel::start().await, |settings| {
        settings.redirect_from = vec![([127, 0, 0, 1], 0).into()];
    })
    .await;
    let address = rig.edge.as_ref().unwrap().redirect_addresses()[0];
    for (request, wanted, location) in [
        ("GET /a?b=c HTTP/1.1\r\nHost: panel.test:80\r\n\r\n", 308, "location: https://panel.test/a?b=c\r\n"),
        (
            "POST / HTTP/1.1\r\nHost: PANEL.test.\r\nContent-Length: 0\r\n\r\n",
            308,
            "location: https://panel.test/\r\n",
        ),
        ("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, ""),
        ("GET / HTTP/1.1\r\n\r\n", 400, ""),
        ("GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, ""),
    ] {
        let mut socket = plain(address).await;
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), wanted, "{request}: {answer}");
        assert!(answer.contains(location), "{request}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_edges_run_in_one_process_and_stop_apart() {
    let (mut first, second) = (Rig::start().await, Rig::start().await);
    assert_ne!(first.address.port(), second.address.port());
    let mut kept = second.http1().await;
    assert_eq!(send(&mut kept, second.request("GET", "/echo")).await.status, 200);
    assert!(first.edge.take().unwrap().stop(Duration::from_secs(5)).await);
    assert!(first.connect(HOST, &[b"http/1.1"]).await.is_err());
    assert_eq!(send(&mut kept, second.request("GET", "/echo")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_finish_and_waits_for_nobody_else() {
    let mut rig = Rig::start().await;
    let (mut idle1, mut idle2) = (rig.http1().await, rig.http2().await);
    assert_eq!(send(&mut idle1, rig.request("GET", "/echo")).await.status, 200);
    assert_eq!(idle2.send_request(rig.request2("GET", "/echo")).await.unwrap().status(), 200);
    let (_silent, _before_tls) = (rig.raw().await, plain(rig.address).await);
    let (mut busy1, mut busy2) = (rig.http1().await, rig.http2().await);
    let late1 = tokio::spawn(busy1.send_request(rig.request("GET", "/late")));
    let late2 = tokio::spawn(busy2.send_request(rig.request2("GET", "/late")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = now();
    assert!(rig.edge.take().unwrap().stop(Duration::from_secs(10)).await, "all finished");
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    for late in [late1, late2] {
        let body = late.await.unwrap().unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "late");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_cuts_at_its_deadline_what_would_never_end() {
    let mut rig = Rig::start().await;
    let mut sender = rig.http1().await;
    let response = sender.send_request(rig.request("GET", "/events")).await.unwrap();
    let begun = now();
    assert!(!rig.edge.take().unwrap().stop(Duration::from_millis(300)).await, "not everything finished");
    assert!(begun.elapsed() < Duration::from_millis(1500));
    let mut body = response.into_body();
    let ended = async { while let Some(Ok(_)) = body.frame().await {} };
    tokio::time::timeout(Duration::from_secs(1), ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_an_upload_that_stands_still_is_ended_over_both_protocols() {
    let rig = Rig::with(Panel::start().await, |settings| {
        settings.limits = Limits { body_idle: Duration::from_millis(600), ..Limits::default() };
    })
    .await;
    for target in ["/upload", "/_gate/api"] {
        let (mut http1, mut http2) = (rig.http1().await, rig.http2().await);
        let stuck = |mut request: http::Request<axum::body::Body>| {
            let never = futures_util::stream::pending::<Result<String, std::io::Error>>();
            *request.body_mut() = axum::body::Body::from_stream(never);
            request
        };
        let end1 = http1.send_request(stuck(rig.request("POST", target)));
        let end2 = http2.send_request(stuck(rig.request2("POST", target)));
        let both = async { tokio::join!(end1, end2) };
        // Sooner than the usual 15 s, however busy the machine is.
        let ended = tokio::time::timeout(Duration::from_secs(12), both).await;
        let (end1, end2) = ended.unwrap_or_else(|_| panic!("{target}: still open"));
        for end in [end1, end2] {
            let status = end.ok().map(|response| response.status().as_u16());
            assert!(matches!(status, None | Some(408)), "{target}: {status:?}");
        }
    }
}
