use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use http::Method;
use proptest::prelude::*;
use tokio::{
    io::{AsyncWriteExt as _, duplex},
    time::{sleep, timeout},
};

use super::{Deadlines, Heads, Next, Question, read};
use crate::doors::dialect::Dialect;

const DEADLINES: Deadlines = Deadlines { head: Duration::from_secs(10), idle: Duration::from_secs(180) };
const PLAIN: &str =
    "GET /api/authz/auth-request HTTP/1.1\r\nHost: gate\r\nX-Original-URL: https://a.test/b\r\n\r\n";

fn head(line: &str, fields: &[&str]) -> Bytes {
    let lines = [&[line, "Host: gate"], fields, &["", ""]].concat();
    Bytes::from(lines.join("\r\n"))
}

#[test]
fn a_plain_question_is_read_as_it_was_sent() {
    let fields =
        ["X-Original-URL: https://a.test/b?c", "Cookie: a=1", "Cookie: b=\u{e4}", "Content-Length: 0"];
    let question = read(&head("HEAD /api/authz/ext-authz/x?y=1 HTTP/1.1", &fields)).unwrap();
    let Question { dialect, parts, last } = question;
    assert_eq!((dialect, last), (Dialect::ExtAuthz, false));
    assert_eq!(parts.method, Method::HEAD);
    assert_eq!(parts.uri, "/api/authz/ext-authz/x?y=1");
    assert_eq!(parts.headers["x-original-url"], "https://a.test/b?c");
    let cookies: Vec<_> = parts.headers.get_all("cookie").iter().map(http::HeaderValue::as_bytes).collect();
    assert_eq!(cookies, ["a=1".as_bytes(), "b=\u{e4}".as_bytes()]);
}

/// R22: what could be read in two ways, or has a body, is not read here.
#[test]
fn what_is_not_plain_is_left_to_the_engine() {
    const LINE: &str = "GET /api/authz/auth-request HTTP/1.1";
    for (connection, last) in [("Keep-Alive", false), ("close", true)] {
        let question = read(&head(LINE, &[&format!("Connection: {connection}")])).unwrap();
        assert_eq!(question.last, last, "{connection}");
    }
    for line in [
        "GET /_gate/ HTTP/1.1",
        "GET /nothing HTTP/1.1",
        "GET /api/authz/auth-request HTTP/1.0",
        "GET /api/authz/auth-request HTTP/2.0",
        "GET /api/authz/auth-request",
        "GET http://gate/api/authz/auth-request HTTP/1.1",
        "CONNECT /api/authz/auth-request HTTP/1.1",
        "G(T /api/authz/auth-request HTTP/1.1",
        "GET /api/authz/auth-request#x HTTP/1.1 x",
    ] {
        assert!(read(&head(line, &[])).is_none(), "{line}");
    }
    for fields in [
        &["Content-Length: 1"][..],
        &["Content-Length: +0"],
        &["Content-Length: 0, 0"],
        &["Content-Length: 0", "Content-Length: 0"],
        &["Content-Length: 0", "content-length: 5"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: identity"],
        &["Expect: 100-continue"],
        &["Upgrade: websocket"],
        &["Connection: upgrade"],
        &["Connection: keep-alive, x-original-url"],
        &["Connection: keep-alive", "Connection: close"],
        &["X Y: 1"],
        &["X-Y : 1"],
        &[": 1"],
        &["X-Y: 1", " folded"],
        &["X-Y: \u{1}"],
    ] {
        assert!(read(&head(LINE, fields)).is_none(), "{fields:?}");
    }
    let many: Vec<_> = (0..100).map(|at| format!("X-{at}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(read(&head(LINE, &many[..99])).is_some());
    assert!(read(&head(LINE, &many)).is_none(), "101 fields");
}

/// Everything that is read here, the engine reads in the same way.
async fn as_the_engine_reads(head: &Bytes) -> Option<http::request::Parts> {
    let (ours, mut theirs) = duplex(1 << 20);
    theirs.write_all(head).await.unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (parts, body) = request.into_parts();
        told.send((parts, hyper::body::Body::is_end_stream(&body))).unwrap();
        async { Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty())) }
    });
    let engine = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(hyper_util::rt::TokioIo::new(ours), service);
    let _ = engine.await;
    heard.try_recv().ok().filter(|(_, bodiless)| *bodiless).map(|(parts, _)| parts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_engine_reads_the_same(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), "[A-Z!a-z ]{1,6}"],
        target in prop_oneof![
            Just("/api/authz/auth-request".to_owned()),
            "/api/authz/(forward-auth|ext-authz/)[ -~\u{e4}]{0,12}",
        ],
        fields in prop::collection::vec(
            (
                prop_oneof![
                    Just("Content-Length".to_owned()),
                    Just("Connection".to_owned()),
                    Just("Transfer-Encoding".to_owned()),
                    "[!-~ ]{1,8}",
                    "X-[A-Za-z]{1,4}",
                ],
                prop_oneof![Just("0".to_owned()), Just("keep-alive".to_owned()), "[\t -~\u{e4}\u{0}-\u{1f}]{0,12}"],
            ),
            0..5,
        ),
    ) {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("{method} {target} HTTP/1.1\r\n{}\r\n", fields.concat());
        // What is given to be read is always one head.
        let Ok(super::Scan::Complete(end)) = super::scan(text.as_bytes(), 0) else { return Ok(()) };
        let head = Bytes::from(text).slice(..end);
        if let Some(Question { parts: ours, .. }) = read(&head) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let theirs = runtime.block_on(as_the_engine_reads(&head)).expect("the engine does not read it");
            prop_assert_eq!(ours.method, theirs.method);
            prop_assert_eq!(ours.uri, theirs.uri);
            prop_assert_eq!(ours.version, theirs.version);
            prop_assert_eq!(ours.headers, theirs.headers);
        }
    }
}

async fn next(heads: &mut Heads, stream: &mut tokio::io::DuplexStream) -> Next {
    poll_fn(|cx| heads.poll(stream, cx)).await
}

#[tokio::test]
async fn heads_come_whole_however_they_are_cut_and_glued() {
    let twice = [PLAIN, PLAIN].concat();
    for cut in 0..twice.len() {
        let (mut ours, mut theirs) = duplex(1 << 16);
        let (first, second) = twice.split_at(cut);
        let (first, second) = (first.to_owned(), second.to_owned());
        tokio::spawn(async move {
            theirs.write_all(first.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
            theirs.write_all(second.as_bytes()).await.unwrap();
        });
        let mut heads = Heads::new(DEADLINES);
        for _ in 0..2 {
            assert_eq!(
                next(&mut heads, &mut ours).await,
                Next::Head(Bytes::from_static(PLAIN.as_bytes())),
                "{cut}"
            );
        }
        assert_eq!(next(&mut heads, &mut ours).await, Next::Over);
    }
}

#[tokio::test]
async fn what_is_odd_is_given_back_whole() {
    for odd in ["\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", &"x".repeat(40_000)] {
        let (mut ours, mut theirs) = duplex(1 << 20);
        theirs.write_all([PLAIN, odd].concat().as_bytes()).await.unwrap();
        let mut heads = Heads::new(DEADLINES);
        assert!(matches!(next(&mut heads, &mut ours).await, Next::Head(_)));
        assert_eq!(next(&mut heads, &mut ours).await, Next::Odd);
        let held = heads.into_held(b"before: ");
        assert!(held.starts_with(b"before: "));
        assert!(odd.as_bytes().starts_with(&held[8..]), "nothing is lost, nothing comes twice");
        assert!(held.len() - 8 > 32_000 || held.len() - 8 == odd.len());
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Whether a connection on which nothing comes is waited for so many seconds and no longer.
async fn lasts(heads: &mut Heads, stream: &mut tokio::io::DuplexStream, seconds: u32) {
    let early = timeout(Duration::from_millis(u64::from(seconds) * 1000 - 500), next(heads, stream)).await;
    assert!(early.is_err(), "{early:?} before {seconds} s");
    assert_eq!(timeout(SECOND, next(heads, stream)).await, Ok(Next::Over), "after {seconds} s");
}

/// R25: a head has ten seconds from its first byte on, the first one from the beginning, and no byte gives it more.
#[tokio::test(start_paused = true)]
async fn slow_heads_and_idle_connections_have_their_time() {
    let (mut ours, mut theirs) = duplex(1 << 16);
    lasts(&mut Heads::new(DEADLINES), &mut ours, 10).await;

    let mut heads = Heads::new(DEADLINES);
    theirs.write_all(PLAIN.as_bytes()).await.unwrap();
    assert!(matches!(next(&mut heads, &mut ours).await, Next::Head(_)));
    lasts(&mut heads, &mut ours, 180).await;

    let mut heads = Heads::new(DEADLINES);
    theirs.write_all(PLAIN.as_bytes()).await.unwrap();
    assert!(matches!(next(&mut heads, &mut ours).await, Next::Head(_)));
    assert!(timeout(60 * SECOND, next(&mut heads, &mut ours)).await.is_err(), "it may be idle for so long");
    let dripping = async {
        for byte in PLAIN.as_bytes() {
            let _ = theirs.write_all(&[*byte]).await;
            sleep(SECOND).await;
        }
    };
    tokio::select! {
        () = lasts(&mut heads, &mut ours, 10) => {}
        () = dripping => panic!("a head that drips in is waited for"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_to_hurry_does_not_wait_for_the_idle() {
    let (mut ours, mut theirs) = duplex(1 << 16);
    let mut heads = Heads::new(DEADLINES);
    theirs.write_all(PLAIN.as_bytes()).await.unwrap();
    assert!(matches!(next(&mut heads, &mut ours).await, Next::Head(_)));
    assert!(timeout(30 * SECOND, next(&mut heads, &mut ours)).await.is_err(), "it is idle");
    heads.hurry();
    lasts(&mut heads, &mut ours, 10).await;
}
