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

const PORTAL: &str = "GET /_gate/ HTTP/1.1\r\nHost: panel.test\r\nX-Forwarded-Proto: https\r\n\
                      X-Forwarded-Host: panel.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";

/// Everything that comes until the connection is closed.
async fn all(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), connection.read_to_end(&mut answer))
        .await
        .expect("it stays open")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

fn statuses(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect()
}

/// Questions are read here, everything else by the engine, whose answer is the last: neither may lose or repeat what
/// came with the other.
#[tokio::test]
async fn questions_and_pages_on_one_connection_are_answered_in_their_order() {
    let (address, _stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let question = format!("{ASKS}\r\n");
    connection.write_all([&question, &question, PORTAL].concat().as_bytes()).await.unwrap();
    let answers = all(&mut connection).await;
    assert_eq!(statuses(&answers), ["HTTP/1.1 421 Misdirected Request"; 3], "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
}

/// What is no plain question is answered as ever: by the engine.
#[tokio::test]
async fn odd_questions_are_answered_by_the_engine() {
    let (address, _stop) = start(10);
    for (odd, answer) in [
        (format!("{ASKS}Connection: upgrade\r\n\r\n"), "HTTP/1.1 421 Misdirected Request"),
        (format!("{ASKS}Content-Length: 2\r\n\r\n{{}}"), "HTTP/1.1 421 Misdirected Request"),
        (format!("{ASKS}Cookie: {}\r\n\r\n", "x".repeat(40_000)), "HTTP/1.1 421 Misdirected Request"),
        (format!("\r\n{ASKS}\r\n"), "HTTP/1.1 421 Misdirected Request"),
        (
            format!("{ASKS}Cookie: {}\r\n\r\n", "x".repeat(200_000)),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
        (format!("{ASKS}Content-Length: +0\r\n\r\n"), "HTTP/1.1 400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: gate\r\n\r\n".to_owned(), "HTTP/1.1 404 Not Found"),
        ("nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400 Bad Request"),
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        // Whoever is refused early may not get rid of all.
        let _ = connection.write_all(odd.as_bytes()).await;
        let mut read = [0; 100];
        let read_bytes = timeout(Duration::from_secs(10), connection.read(&mut read)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&read[..read_bytes]).into_owned();
        assert!(text.starts_with(answer), "{text}: {}", odd.get(..400).unwrap_or(&odd));
    }
}

/// A proxy that is told nothing sends its next question into a connection that is about to be closed.
#[tokio::test]
async fn a_sidecar_that_ends_says_so_with_the_next_answer_of_each_connection() {
    let (address, stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut connection, "").await, "HTTP/1.1 421 Misdirected Request");
    stop.accepting.cancel();
    connection.write_all(format!("{ASKS}\r\n").as_bytes()).await.unwrap();
    let answer = all(&mut connection).await;
    assert_eq!(statuses(&answer), ["HTTP/1.1 421 Misdirected Request"]);
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

/// An idle connection would hold up a stop until its time is over.
#[tokio::test]
async fn connections_on_which_nothing_is_asked_are_closed_at_a_stop() {
    let (address, stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut connection, "").await, "HTTP/1.1 421 Misdirected Request");
    stop.serving.cancel();
    assert_eq!(all(&mut connection).await, "");
}

/// R25: four thousand strangers who had been refused kept their places for three minutes, and the proxies got none.
#[tokio::test]
async fn whoever_is_not_trusted_is_refused_and_has_to_leave() {
    let (address, _stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let question = format!("{ASKS}X-Gate-Proxy-Secret: the wrong one\r\n\r\n");
    connection.write_all(question.as_bytes()).await.unwrap();
    let answer = all(&mut connection).await;
    assert!(
        answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && answer.contains("connection: close\r\n"),
        "{answer}"
    );
}

/// A question whose first half had come was cut off at a stop.
#[tokio::test]
async fn a_question_that_has_begun_is_answered_at_a_stop() {
    let (address, stop) = start(10);
    let mut connection = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut connection, "").await, "HTTP/1.1 421 Misdirected Request");
    let (half, rest) = ASKS.split_at(60);
    connection.write_all(half.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.accepting.cancel();
    stop.serving.cancel();
    tokio::time::sleep(Duration::from_millis(300)).await;
    connection.write_all(format!("{rest}\r\n").as_bytes()).await.unwrap();
    assert_eq!(statuses(&all(&mut connection).await), ["HTTP/1.1 421 Misdirected Request"]);
}

/// Whoever does not read held his connection, and a stop, for as long as he liked.
#[tokio::test]
async fn a_peer_that_reads_no_answers_is_let_go_of() {
    let (address, _stop) = start(1);
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let questions = format!("{ASKS}\r\n").repeat(1000);
    let talking = async {
        loop {
            deaf.write_all(questions.as_bytes()).await?;
        }
    };
    // It ends with the connection, not with us.
    let ended: Result<std::io::Result<()>, _> = timeout(Duration::from_secs(30), talking).await;
    assert!(ended.expect("it is held").is_err());
}
