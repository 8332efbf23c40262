//! The sidecar over real sockets.

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tower::util::BoxCloneSyncService;

use super::{ProxySecret, Vouchers, listen, service::Service};
use crate::{
    clock::SystemClock,
    doors::Sockets,
    entropy::SystemEntropy,
    gate::Gate,
    live::{Live, Quotas, Snapshot},
    rules::{address::TrustedProxies, limit::Quota},
    secret::SecretBytes,
    store::MemoryStore,
};

const ASKS: &str = "GET /api/authz/forward-auth HTTP/1.1\r\nHost: gate\r\nX-Forwarded-Method: GET\r\n\
                    X-Forwarded-Proto: https\r\nX-Forwarded-Host: panel.test\r\nX-Forwarded-Uri: /\r\n\
                    X-Forwarded-For: 192.0.2.1\r\n";

/// A sidecar for no site that trusts this machine and one secret.
fn start(places: usize) -> (SocketAddr, listen::Stop) {
    let plenty = Quota { count: NonZeroU32::new(1000).unwrap(), per: Duration::from_secs(1) };
    let quotas = Quotas::all(plenty);
    let trusted = TrustedProxies(vec!["127.0.0.0/8".parse().unwrap()]);
    let live = Live::new(Snapshot { trusted, ..Snapshot::default() }, quotas);
    let (notes, _) = tokio::sync::mpsc::channel(1);
    let (clock, store) = (Arc::new(SystemClock::new()), Arc::new(MemoryStore::new()));
    let gate = Arc::new(Gate::new(Arc::new(live), store, clock, Arc::new(SystemEntropy), notes));
    let portal = BoxCloneSyncService::new(tower::service_fn(|_| async {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::MISDIRECTED_REQUEST;
        Ok(answer)
    }));
    let secret = ProxySecret { name: "nginx".into(), secret: SecretBytes::new(*b"the right one") };
    let service = Service::new(gate, portal, Arc::new(Vouchers::new(vec![secret], None)));
    let listener = Sockets::default().tcp(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), listen::Stop::default());
    let places = Arc::new(Semaphore::new(places));
    tokio::spawn(listen::serve_tcp(listener, service, places, stop.clone(), TaskTracker::new()));
    (address, stop)
}

/// What comes back: the status line, or nothing where the connection was closed.
async fn ask(connection: &mut TcpStream, more: &str) -> String {
    // A closed connection shows itself at the read.
    let _ = connection.write_all(format!("{ASKS}{more}\r\n").as_bytes()).await;
    let mut answer = [0; 4096];
    let read = timeout(Duration::from_secs(10), connection.read(&mut answer)).await.expect("no answer");
    let text = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

/// R25: whoever can reach the port must not take every descriptor of the process.
#[tokio::test]
async fn connections_beyond_the_cap_are_closed_and_places_come_back() {
    let (address, _stop) = start(2);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut connection, "").await, "HTTP/1.1 421 Misdirected Request");
        open.push(connection);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut third, "").await, "");
    open.clear();
    let back = async {
        loop {
            let mut again = TcpStream::connect(address).await.unwrap();
            if !ask(&mut again, "").await.is_empty() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), back).await.expect("the places did not come back");
}

/// R1: a peer that presents a wrong secret is not believed because of where it is.
#[tokio::test]
async fn a_wrong_secret_is_refused_from_a_trusted_network_too() {
    let (address, _stop) = start(10);
    for (secret, answer) in [
        ("", "HTTP/1.1 421 Misdirected Request"),
        ("X-Gate-Proxy-Secret: the right one\r\n", "HTTP/1.1 421 Misdirected Request"),
        ("X-Gate-Proxy-Secret: the wrong one\r\n", "HTTP/1.1 403 Forbidden"),
        (
            "X-Gate-Proxy-Secret: the right one\r\nX-Gate-Proxy-Secret: the right one\r\n",
            "HTTP/1.1 403 Forbidden",
        ),
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut connection, secret).await, answer, "{secret}");
    }
}

/// R12: a session could end while the body of its request was on the way, and the request still be carried out.
#[tokio::test]
async fn who_asks_the_portal_is_looked_at_only_when_the_whole_body_is_there() {
    let (address, _stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = "POST /_gate/api/v1/keys HTTP/1.1\r\nHost: panel.test\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: panel.test\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 2\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let early = timeout(Duration::from_millis(500), connection.read(&mut answer)).await;
    assert!(early.is_err(), "answered before the body was there");
    connection.write_all(b"{}").await.unwrap();
    let read =
        timeout(Duration::from_secs(10), connection.read(&mut answer)).await.expect("no answer").unwrap();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(text.starts_with("HTTP/1.1 421 "), "{text}");
}
