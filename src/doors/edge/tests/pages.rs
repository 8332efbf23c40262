//! `client.js` and the mark in the panel's pages.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Request, header::HeaderName};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{
    client::{Answer, send},
    panel::{PAGE, Panel},
    rig::Rig,
};
use crate::doors::edge::{Mark, Marks};

const SCRIPT: &str = r#"<script src="/_gate/client.js" defer></script>"#;
const MARK: &str = "<table bgcolor=\"#ff8a1f\"><tr><td>Impersonating: ada</table>";

fn navigation(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("accept", HeaderValue::from_static("text/html"));
    request
}

fn with(mut request: Request<Body>, name: &'static str, value: &'static str) -> Request<Body> {
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    request
}

fn with_script() -> String {
    PAGE.replace("<head>", &format!("<head>{SCRIPT}"))
}

fn marked(page: &str) -> String {
    page.replace("<body>", &format!("<body>{MARK}"))
}

/// Whoever comes is impersonating.
const ACTING: Marks = |_, _, _| Some(Mark { html: MARK.to_owned(), always: true });

async fn acting_rig() -> Rig {
    Rig::with(Panel::start().await, |settings| settings.marks = ACTING).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_is_put_into_pages_once_over_both_protocols() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    let mut http2 = rig.http2().await;
    for target in ["/page", "/page-in-pieces"] {
        for answer in [
            send(&mut http1, navigation(rig.request("GET", target))).await,
            Answer::of(http2.send_request(navigation(rig.request2("GET", target))).await.unwrap()).await,
        ] {
            assert_eq!(answer.text(), with_script(), "{target}");
            assert_eq!(answer.headers.get("etag"), None);
            assert_eq!(answer.headers["cache-control"], "private, no-store");
        }
    }
    let answer = send(&mut http1, navigation(rig.request("GET", "/headers"))).await;
    assert_eq!(answer.text(), format!("<p>{SCRIPT}"), "a page without head and body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_marked_while_somebody_is_impersonated() {
    let rig = acting_rig().await;
    let mut http1 = rig.http1().await;
    let mut http2 = rig.http2().await;
    let whole = marked(&with_script());
    for (method, target, status) in [
        ("GET", "/page", 200),
        ("GET", "/page-in-pieces", 200),
        ("POST", "/page", 200),
        ("GET", "/page-404", 404),
    ] {
        for answer in [
            send(&mut http1, navigation(rig.request(method, target))).await,
            Answer::of(http2.send_request(navigation(rig.request2(method, target))).await.unwrap()).await,
        ] {
            assert_eq!(
                (answer.status.as_u16(), answer.text()),
                (status, whole.as_str()),
                "{method} {target}"
            );
            assert_eq!(
                answer.headers.get("content-length"),
                None,
                "the panel's own length is not the page's"
            );
        }
    }
    // No part of a page, and no page that the browser would take from its cache.
    let request = with(navigation(rig.request("GET", "/page")), "range", "bytes=0-9");
    assert_eq!(send(&mut http1, with(request, "if-none-match", "\"1\"")).await.text(), whole);
    let seen = rig.panel.seen().to_ascii_lowercase();
    assert!(!seen.contains("\r\nrange:") && !seen.contains("\r\nif-none-match:"), "{seen}");
    // What stands inside another page, and what is no page.
    let frame = |kind| with(navigation(rig.request("GET", "/page")), "sec-fetch-dest", kind);
    assert_eq!(send(&mut http1, frame("iframe")).await.text(), with_script());
    assert_eq!(send(&mut http1, frame("frame")).await.text(), whole);
    assert_eq!(send(&mut http1, rig.request("GET", "/page")).await.text(), PAGE);
    assert!(!send(&mut http1, navigation(rig.request("GET", "/echo"))).await.text().contains(MARK));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_stays_where_the_script_may_not_be() {
    let rig = acting_rig().await;
    let mut http1 = rig.http1().await;
    let mut page = async |policy: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        send(&mut http1, navigation(rig.request("GET", &format!("/page-policy?{encoded}")))).await
    };
    for policy in
        ["default-src 'none'", "script-src 'nonce-old' 'strict-dynamic', script-src 'none'", "sandbox"]
    {
        assert_eq!(page(policy).await.text(), marked(PAGE), "{policy}");
    }
    let answer = page("default-src 'none'; connect-src 'self'; script-src 'nonce-r4nd'").await;
    let tag = SCRIPT.replace(" defer", " nonce=\"r4nd\" defer");
    assert_eq!(answer.text(), marked(&PAGE.replace("<head>", &format!("<head>{tag}"))));
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("'nonce-r4nd'"));
    // Switched off, the script; the mark is not to be switched off.
    let rig = Rig::with(Panel::start().await, |settings| {
        settings.client_script = false;
        settings.marks = ACTING;
    })
    .await;
    let answer = send(&mut rig.http1().await, navigation(rig.request("GET", "/page"))).await;
    assert_eq!(answer.text(), marked(PAGE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_reads_gzip_gets_the_rewritten_page_compressed() {
    let rig = Rig::start().await;
    for target in ["/page", "/page-in-pieces"] {
        let request = with(navigation(rig.request("GET", target)), "accept-encoding", "gzip, br");
        let answer = send(&mut rig.http1().await, request).await;
        assert_eq!(answer.headers["content-encoding"], "gzip");
        assert_eq!(answer.headers["vary"], "Accept-Encoding");
        assert_eq!(gunzip(&answer.body), with_script());
    }
    let seen = rig.panel.seen().to_ascii_lowercase();
    assert!(seen.contains("accept-encoding: identity") && !seen.contains("gzip"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_that_compresses_all_the_same_is_read_and_one_that_nobody_can_read_is_left_alone() {
    let rig = acting_rig().await;
    let mut http1 = rig.http1().await;
    for reads in ["gzip", "identity"] {
        let request = with(navigation(rig.request("GET", "/page-gzip")), "accept-encoding", reads);
        let answer = send(&mut http1, request).await;
        let text = if reads == "gzip" { gunzip(&answer.body) } else { answer.text().to_owned() };
        assert_eq!(text, marked(&with_script()), "{reads}");
    }
    let answer = send(&mut http1, navigation(rig.request("GET", "/page-identity"))).await;
    assert_eq!(answer.text(), marked(&with_script()), "a page that says that it is not compressed");
    // Nobody is shown a page of somebody else's without the mark.
    let answer = send(&mut http1, navigation(rig.request("GET", "/page-odd"))).await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().starts_with("refused: page-unmarkable "), "{}", answer.text());
    let mut http2 = rig.http2().await;
    let answer =
        Answer::of(http2.send_request(navigation(rig.request2("GET", "/page-odd"))).await.unwrap()).await;
    assert_eq!(answer.status, 502);
    // Not impersonating: the page passes as it came.
    let rig = Rig::start().await;
    let answer = send(&mut rig.http1().await, navigation(rig.request("GET", "/page-odd"))).await;
    assert_eq!((answer.text(), answer.headers["content-encoding"].as_bytes()), ("odd", &b"x-odd"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_slow_to_come_is_shown_as_it_comes() {
    let rig = acting_rig().await;
    let mut http1 = rig.http1().await;
    for reads in ["identity", "gzip"] {
        let request = with(navigation(rig.request("GET", "/page-slow")), "accept-encoding", reads);
        let mut body = http1.send_request(request).await.unwrap().into_body();
        // The panel never sends the second half.
        let mut came = Vec::new();
        let begun = |came: &[u8]| {
            if reads == "gzip" { partly_gunzip(came) } else { String::from_utf8_lossy(came).into_owned() }
        };
        while !begun(&came).contains("<p>working") {
            let piece = timeout(Duration::from_secs(5), body.frame()).await.expect("the page is held back");
            came.extend(piece.unwrap().unwrap().into_data().unwrap());
        }
        assert!(begun(&came).contains(MARK), "{reads}");
        http1 = rig.http1().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_touched() {
    let rig = Rig::start().await;
    let mut http1 = rig.http1().await;
    // Fetched by a script, not navigated to.
    let answer = send(&mut http1, rig.request("GET", "/page")).await;
    assert_eq!((answer.text(), &answer.headers["etag"]), (PAGE, &HeaderValue::from_static("\"1\"")));
    // Not HTML.
    let answer = send(&mut http1, navigation(rig.request("GET", "/echo"))).await;
    assert!(!answer.text().contains("<script"));
    // The head of a page.
    let answer = send(&mut http1, navigation(rig.request("HEAD", "/page"))).await;
    assert_eq!(answer.headers["etag"], "\"1\"");
    // Nobody is signed in.
    let mut anonymous = navigation(rig.request("GET", "/public/page"));
    anonymous.headers_mut().remove("cookie");
    assert!(!send(&mut http1, anonymous).await.text().contains("<script"));
    // Switched off.
    let rig = Rig::with(Panel::start().await, |settings| settings.client_script = false).await;
    let answer = send(&mut rig.http1().await, navigation(rig.request("GET", "/page"))).await;
    assert_eq!(answer.text(), PAGE);
}

/// By the system's own gzip, so that another program than ours says what came.
fn gunzip(bytes: &[u8]) -> String {
    let (text, whole) = run_gzip(bytes);
    assert!(whole, "the compressed page is not whole");
    text
}

fn partly_gunzip(bytes: &[u8]) -> String {
    run_gzip(bytes).0
}

fn run_gzip(bytes: &[u8]) -> (String, bool) {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };
    let mut command = Command::new("gzip");
    let mut child = command
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}
