//! Everyday requests: both protocols, the portal, refusals, and panels that are away or slow.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, sync::Arc, time::Duration};

use axum::body::Body;
use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    client::{Answer, rest, send, status},
    panel::Panel,
    rig::{Authority, HOST, Rig, upstream},
};
use crate::doors::edge::{Limits, UpstreamAddress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_in_request_reaches_the_panel_over_both_protocols() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    for _ in 0..3 {
        let answer = send(&mut http1, rig.request("GET", "/echo/a?b=c")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text().starts_with("GET /echo/a?b=c\n"), "{}", answer.text());
        assert_eq!(answer.echoed("remote-user"), Some("ada"));
    }
    let mut http2 = rig.http2().await;
    for _ in 0..3 {
        let answer = Answer::of(http2.send_request(rig.request2("GET", "/echo/a")).await.unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.echoed("remote-user"), Some("ada"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_keep_the_connection_and_never_reach_the_panel() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut anonymous = rig.request("GET", "/echo");
    anonymous.headers_mut().remove("cookie");
    let answer = send(&mut http1, anonymous).await;
    assert_eq!((answer.status.as_u16(), answer.text().split(' ').nth(1)), (401, Some("no-credential")));
    let answer = send(&mut http1, rig.request("GET", "/vault/x")).await;
    assert_eq!((answer.status.as_u16(), answer.text().split(' ').nth(1)), (403, Some("needs-elevation")));
    rig.elevate().await;
    assert_eq!(send(&mut http1, rig.request("GET", "/vault/x")).await.status, 200);
    rig.revoke().await;
    let answer = send(&mut http1, rig.request("GET", "/echo")).await;
    assert_eq!((answer.status.as_u16(), answer.text().split(' ').nth(1)), (401, Some("session-ended")));
    assert!(!rig.panel.seen().contains("GET /echo"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_portal_answers_under_its_prefix_and_keeps_the_connection() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    for _ in 0..2 {
        let answer = send(&mut http1, rig.request("GET", "/_gate/sign-in?rd=x")).await;
        assert_eq!(answer.text(), "portal: visit true, 0 bytes, /_gate/sign-in?rd=x");
        let mut post = rig.request("POST", "/_gate/api");
        *post.body_mut() = Body::from("x".repeat(60_000));
        assert_eq!(send(&mut http1, post).await.text(), "portal: visit true, 60000 bytes, /_gate/api");
        let answer = send(&mut http1, rig.request("GET", "/_gate/stream")).await;
        assert_eq!(answer.text(), "piece 0\npiece 1\npiece 2\n");
        let answer = send(&mut http1, rig.request("HEAD", "/_gate/sign-in")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(send(&mut http1, rig.request("GET", "/echo")).await.status, 200);
    }
    let mut http2 = rig.http2().await;
    for target in ["/_gate/stream", "/_gate/sign-in"] {
        let answer = Answer::of(http2.send_request(rig.request2("GET", target)).await.unwrap()).await;
        assert_eq!(answer.status, 200);
        let answer = Answer::of(http2.send_request(rig.request2("HEAD", target)).await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    }
    assert!(!rig.panel.seen().contains("_gate"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_the_portals_body_is_capped_by_its_stated_and_by_its_real_length() {
    let rig = Rig::start().await;
    let mut stated = rig.request("POST", "/_gate/api");
    *stated.body_mut() = Body::from("x".repeat(70_000));
    assert_eq!(send(&mut rig.http1().await, stated).await.status, 413);
    let chunked = |mut request: http::Request<Body>| {
        let pieces = (0..70).map(|_| Ok::<_, std::io::Error>("x".repeat(1000)));
        *request.body_mut() = Body::from_stream(futures_util::stream::iter(pieces));
        request
    };
    assert_eq!(send(&mut rig.http1().await, chunked(rig.request("POST", "/_gate/api"))).await.status, 413);
    let mut http2 = rig.http2().await;
    let request = chunked(rig.request2("POST", "/_gate/api"));
    assert_eq!(Answer::of(http2.send_request(request).await.unwrap()).await.status, 413);
    let answer = Answer::of(http2.send_request(rig.request2("GET", "/_gate/x")).await.unwrap()).await;
    assert_eq!(answer.status, 200, "the connection goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expect_100_continue_is_answered_and_the_connection_kept() {
    let rig = Rig::start().await;
    for target in ["/_gate/api", "/upload"] {
        let mut tls = rig.raw().await;
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            rig.cookie
        );
        tls.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        let read = tls.read(&mut answer).await.unwrap();
        assert_eq!(status(&String::from_utf8_lossy(&answer[..read])), 100, "{target}");
        tls.write_all(b"hello").await.unwrap();
        let read = tls.read(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert_eq!(status(&text), 200, "{target}: {text}");
        assert!(text.to_ascii_lowercase().contains("connection: keep-alive"), "{target}: {text}");
        let next = format!("GET /echo HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        tls.write_all(next.as_bytes()).await.unwrap();
        assert!(rest(&mut tls).await.contains("HTTP/1.1 401"), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_that_is_away_is_a_502_with_a_decision() {
    let rig = Rig::with(Panel::away().await, |_| {}).await;
    let answer = rig.get("/echo").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().starts_with("refused: upstream-unreachable "), "{}", answer.text());
    assert!(!format!("{:?}", answer.headers).to_ascii_lowercase().contains("pingora"));
    let mut http2 = rig.http2().await;
    for _ in 0..2 {
        let answer = Answer::of(http2.send_request(rig.request2("GET", "/echo")).await.unwrap()).await;
        assert_eq!(answer.status, 502);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_that_is_slow_is_a_504() {
    let rig = Rig::with(Panel::start().await, |settings| {
        settings.limits = Limits { upstream_read: Duration::from_millis(300), ..Limits::default() };
    })
    .await;
    let answer = rig.get("/slow").await;
    assert_eq!(answer.status, 504);
    assert!(answer.text().starts_with("refused: upstream-timeout "), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_behind_a_unix_socket_or_tls_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let panel = Panel::start_unix(&folder.path().join("panel.sock"));
    let rig = Rig::with(panel, |_| {}).await;
    assert_eq!(rig.get("/echo").await.echoed("remote-user"), Some("ada"));

    let authority = Authority::new();
    let panel = Panel::start_tls(authority.issue(&["127.0.0.1"])).await;
    let address = panel.address.clone();
    let trusted = upstream(address.clone(), vec![authority.der()]);
    let rig = Rig::with(panel, |settings| {
        settings.upstreams.insert(Arc::from("panel"), trusted);
    })
    .await;
    assert_eq!(rig.get("/echo").await.echoed("remote-user"), Some("ada"));
    // The same address under an authority that did not sign its certificate.
    let foreign = upstream(address, vec![Authority::new().der()]);
    let edge = rig.edge.as_ref().unwrap();
    let switch = edge.switch();
    let path = OsString::from_vec(vec![b'/', 0xff]).into();
    let lost = upstream(UpstreamAddress::Unix(path), vec![]);
    assert!(switch.prepare([(Arc::from("panel"), lost)].into()).await.is_err(), "a path that cannot be used");
    assert_eq!(rig.get("/echo").await.echoed("remote-user"), Some("ada"), "nothing has changed");
    let foreign = switch.prepare([(Arc::from("panel"), foreign)].into()).await.unwrap();
    assert_eq!(rig.get("/echo").await.echoed("remote-user"), Some("ada"), "prepared is not switched");
    switch.turn(foreign);
    let answer = rig.get("/echo").await;
    assert_eq!(answer.status, 502, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_connection_for_one_site_does_not_serve_another() {
    let rig = Rig::start().await;
    let mut tls = rig.connect("other.test", &[b"http/1.1"]).await.unwrap();
    let request =
        format!("GET /echo HTTP/1.1\r\nHost: {HOST}\r\nCookie: {}\r\nConnection: close\r\n\r\n", rig.cookie);
    tls.write_all(request.as_bytes()).await.unwrap();
    let answer = rest(&mut tls).await;
    assert_eq!(status(&answer), 421, "{answer}");
    assert_eq!(rig.panel.seen(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_refuses_what_http1_refuses() {
    let rig = Rig::start().await;
    let mut http2 = rig.http2().await;
    let mut expecting = rig.request2("POST", "/echo");
    expecting.headers_mut().insert("expect", HeaderValue::from_static("y 100-continue"));
    assert_eq!(Answer::of(http2.send_request(expecting).await.unwrap()).await.status, 417);
    let mut many = rig.request2("GET", "/echo");
    for n in 0..120 {
        let name = http::HeaderName::try_from(format!("a{n}")).unwrap();
        many.headers_mut().insert(name, HeaderValue::from_static("b"));
    }
    assert_eq!(Answer::of(http2.send_request(many).await.unwrap()).await.status, 431);
    assert_eq!(
        Answer::of(http2.send_request(rig.request2("TRACE", "/echo")).await.unwrap()).await.status,
        405
    );
    let connect =
        http::Request::builder().method("CONNECT").uri(format!("{HOST}:443")).body(Body::empty()).unwrap();
    let answer = http2.send_request(connect).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 405));
    for target in ["//other.test/", "/public/../echo", "/public/..%2fecho"] {
        let answer = Answer::of(http2.send_request(rig.request2("GET", target)).await.unwrap()).await;
        assert_eq!(answer.status, 400, "{target}");
    }
    assert_eq!(rig.panel.seen(), "");
}
