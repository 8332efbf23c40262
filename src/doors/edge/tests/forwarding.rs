//! What the panel gets to see, and what the client gets to see of the panel (R5, R7, R8).

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request};

use super::{
    client::{Answer, send},
    panel::Panel,
    rig::{HOST, Rig},
};
use crate::{doors::identity_headers, rules::address::TrustedProxies};

/// Every spelling that some panel could take for an identity header, and other things that are not the client's to say.
const FORGED: [&str; 28] = [
    "Remote-User",
    "REMOTE-USER",
    "Remote_User",
    "Remote.User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Gate-Role",
    "X_Gate_Role",
    "X-Gate_Role",
    "X-Gate-Session",
    "X-Gate-Access",
    "X-Gate-Elevated-Until",
    "X-Gate-Actor",
    "X-Gate-Decision",
    "X-Gate-Assertion",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "Client-IP",
    "X-Forwarded",
    "Forwarded-For",
    "X-Remote-Addr",
    "X-Originating-IP",
    "Proxy",
    "Forwarded",
    "X-Original-URL",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_identity_headers_are_the_gates_whatever_the_client_sends() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut http2 = rig.http2().await;
    for name in FORGED {
        let forge = |mut request: Request<Body>| {
            request
                .headers_mut()
                .append(http::HeaderName::try_from(name).unwrap(), HeaderValue::from_static("mallory"));
            request
        };
        for answer in [
            send(&mut http1, forge(rig.request("GET", "/echo"))).await,
            Answer::of(http2.send_request(forge(rig.request2("GET", "/echo"))).await.unwrap()).await,
        ] {
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert!(!answer.text().contains("mallory"), "{name}: {}", answer.text());
            for identity in &identity_headers::NAMES {
                assert!(
                    answer.echoed(identity.as_str()).is_some(),
                    "{identity} is missing: {}",
                    answer.text()
                );
            }
            assert_eq!(answer.echoed("remote-user"), Some("ada"));
            assert_eq!(answer.echoed("x-gate-role"), Some("admin"));
            assert_eq!(answer.echoed("x-gate-access"), Some("full"));
            assert_eq!(answer.echoed("x-gate-session"), Some(&*rig.sid.public().to_string()));
            assert_eq!(answer.echoed("x-forwarded-for"), Some("127.0.0.1"));
            assert_eq!(answer.echoed("x-forwarded-proto"), Some("https"));
            assert_eq!(answer.echoed("x-forwarded-host"), Some(HOST));
            assert_eq!(answer.echoed("host"), Some(HOST));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_pages_never_carry_an_identity() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut request = rig.request("GET", "/public/health");
    request.headers_mut().remove("cookie");
    request.headers_mut().insert("remote-user", HeaderValue::from_static("mallory"));
    let answer = send(&mut http1, request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.echoed("remote-user"), Some(""));
    assert_eq!(answer.echoed("x-gate-assertion"), Some(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gates_credentials_stay_at_the_edge_and_the_panels_pass() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut request = rig.request("GET", "/echo");
    let headers = request.headers_mut();
    headers.append("cookie", HeaderValue::from_static("panel=1; __Secure-gate_refresh=x; theme=dark"));
    headers.append("cookie", HeaderValue::from_static("__Host-gate_pending=y"));
    headers.append("authorization", HeaderValue::from_static("Basic cGFuZWw6MQ=="));
    headers.append("x-http-method-override", HeaderValue::from_static("DELETE"));
    let answer = send(&mut http1, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.echoed("cookie"), Some("panel=1; theme=dark"));
    assert_eq!(answer.echoed("authorization"), Some("Basic cGFuZWw6MQ=="));
    assert_eq!(answer.echoed("x-http-method-override"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_token_of_the_gate_stays_at_the_edge() {
    let rig = Rig::start().await;
    let token = rig.cookie.split_once('=').unwrap().1;
    let mut request = rig.request("GET", "/echo");
    request.headers_mut().remove("cookie");
    request.headers_mut().insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    let answer = send(&mut rig.http1().await, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.echoed("remote-user"), Some("ada"));
    assert_eq!(answer.echoed("authorization"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_cookie_pieces_reach_the_panel_as_one_field() {
    let rig = Rig::start().await;
    let mut http2 = rig.http2().await;
    let mut request = rig.request2("GET", "/echo");
    request.headers_mut().append("cookie", HeaderValue::from_static("a=1"));
    request.headers_mut().append("cookie", HeaderValue::from_static("b=2"));
    let answer = Answer::of(http2.send_request(request).await.unwrap()).await;
    assert_eq!(answer.echoed("cookie"), Some("a=1; b=2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_the_panel_gets_the_bytes_that_were_judged() {
    let rig = Rig::start().await;
    for target in ["/echo/a%20b?x=%2F..%2f&y", "/echo/%7Euser/", "/echo/*'();", "/echo?", "/echo/%C3%A9"] {
        let answer = rig.get(target).await;
        if answer.status == 200 {
            assert!(answer.text().starts_with(&format!("GET {target}\n")), "{target}: {}", answer.text());
        } else {
            // Ambiguous ones are refused, not normalised.
            assert_eq!(answer.status, 400, "{target}: {answer:?}");
        }
    }
    assert!(rig.panel.seen().contains("GET /echo/a%20b?x=%2F..%2f&y HTTP/1.1\r\n"), "{}", rig.panel.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_forwarded_address_counts_only_from_a_listed_proxy() {
    let forwarded = |rig: &Rig| {
        let mut request = rig.request("GET", "/echo");
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1, 203.0.113.9"));
        request
    };
    let stranger = Rig::start().await;
    let answer = send(&mut stranger.http1().await, forwarded(&stranger)).await;
    assert_eq!(answer.echoed("x-forwarded-for"), Some("127.0.0.1"));
    let listed = Rig::with(Panel::start().await, |settings| {
        settings.trusted_proxies = TrustedProxies(vec!["127.0.0.0/8".parse().unwrap()]);
    })
    .await;
    let answer = send(&mut listed.http1().await, forwarded(&listed)).await;
    assert_eq!(answer.echoed("x-forwarded-for"), Some("203.0.113.9"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_gate_may_say_is_removed_from_the_panels_answer() {
    let rig = Rig::start().await;
    let answer = rig.get("/headers").await;
    assert_eq!(answer.headers.get("x-gate-role"), None);
    assert_eq!(answer.headers.get("alt-svc"), None);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["panel=1; Path=/"]);
    assert_eq!(answer.headers["cache-control"], "private, no-store");
}

const SIZE: usize = 10 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_stream_both_ways_over_both_protocols() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut http2 = rig.http2().await;
    let upload = |mut request: Request<Body>| {
        let pieces = (0..SIZE / 65536).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'u'; 65536])));
        *request.body_mut() = Body::from_stream(futures_util::stream::iter(pieces));
        request
    };
    let answer = send(&mut http1, upload(rig.request("POST", "/upload"))).await;
    assert_eq!(answer.text(), format!("{SIZE} bytes"));
    let answer = Answer::of(http2.send_request(upload(rig.request2("POST", "/upload"))).await.unwrap()).await;
    assert_eq!(answer.text(), format!("{SIZE} bytes"));
    assert_eq!(send(&mut http1, rig.request("GET", "/download")).await.body.len(), SIZE);
    let answer = Answer::of(http2.send_request(rig.request2("GET", "/download")).await.unwrap()).await;
    assert_eq!(answer.body.len(), SIZE);
}
