//! `client.js` in the panel's pages.

use axum::body::Body;
use http::{HeaderValue, Request};

use super::{
    client::{Answer, send},
    panel::{PAGE, Panel},
    rig::Rig,
};

const SCRIPT: &str = r#"<script src="/_gate/client.js" defer></script>"#;

fn navigation(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("accept", HeaderValue::from_static("text/html"));
    request
}

fn with_script() -> String {
    PAGE.replace("<head>", &format!("<head>{SCRIPT}"))
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
async fn a_browser_that_reads_gzip_gets_the_rewritten_page_compressed() {
    let rig = Rig::start().await;
    let mut request = navigation(rig.request("GET", "/page"));
    request.headers_mut().insert("accept-encoding", HeaderValue::from_static("gzip"));
    let answer = send(&mut rig.http1().await, request).await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert!(!rig.panel.seen().to_ascii_lowercase().contains("accept-encoding"), "{}", rig.panel.seen());
    assert_eq!(gunzip(&answer.body), with_script());
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
    use std::{
        io::Write,
        process::{Command, Stdio},
    };
    let mut child =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
