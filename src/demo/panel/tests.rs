//! The sample panel by itself: what it shows and what its forms change.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::router;
use crate::clock::{ManualClock, Wall};

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

fn panel() -> axum::Router {
    router(Arc::new(ManualClock::at(Wall::from_secs(1_795_554_306))))
}

async fn ask(panel: &axum::Router, request: Request<Body>) -> Answer {
    let (parts, body) = panel.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

fn get(path: &str, access: &str) -> Request<Body> {
    Request::get(path)
        .header("remote-user", "root")
        .header("x-gate-role", "root")
        .header("x-gate-access", access)
        .body(Body::empty())
        .unwrap()
}

fn post(path: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header("remote-user", "root")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn every_page_is_drawn() {
    let panel = panel();
    for path in [
        "/",
        "/identity",
        "/domains",
        "/domains/kaya.example",
        "/users",
        "/users/3",
        "/settings",
        "/system",
        "/assets/harbor.css",
        "/assets/harbor.js",
        "/assets/harbor.svg",
    ] {
        let answer = ask(&panel, get(path, "full")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.len() < 30_000, "{path} has {} bytes", answer.text.len());
        assert!(!answer.text.contains("style="), "{path} has an inline style, which its own CSP refuses");
    }
    assert_eq!(ask(&panel, get("/nowhere", "full")).await.status, 404);
    assert_eq!(ask(&panel, get("/users/99", "full")).await.status, 404);
}

#[tokio::test]
async fn a_form_changes_the_state_and_says_so_once() {
    let panel = panel();
    let answer = ask(&panel, post("/users", "name=Hugo+%3Cb%3E&email=hugo%40example.org&plan=Starter")).await;
    assert_eq!(answer.status, 303);
    let cookie = answer.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    let pair = cookie.split(';').next().unwrap().to_owned();

    let mut again = get("/users", "full");
    again.headers_mut().insert(header::COOKIE, pair.parse().unwrap());
    let list = ask(&panel, again).await;
    assert!(list.text.contains("Added Hugo &#60;b&#62;"), "{}", list.text);
    assert!(list.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap().contains("Max-Age=0"));
    assert!(list.text.contains("hugo@example.org"));

    ask(&panel, post("/users/8/suspend", "")).await;
    assert!(ask(&panel, get("/users", "full")).await.text.contains("suspended"));
    ask(&panel, post("/users/8", "name=Hugo+B&email=h%40example.org&plan=Business")).await;
    assert!(ask(&panel, get("/users/8", "full")).await.text.contains("h@example.org"));
    ask(&panel, post("/users/8/delete", "")).await;
    assert_eq!(ask(&panel, get("/users/8", "full")).await.status, 404);
}

#[tokio::test]
async fn a_form_that_makes_no_sense_changes_nothing() {
    let panel = panel();
    let answer = ask(&panel, post("/users", "name=&email=x&plan=Starter")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(ask(&panel, get("/users/8", "full")).await.status, 404);
    ask(&panel, post("/domains", "name=not+a+domain")).await;
    assert!(!ask(&panel, get("/domains", "full")).await.text.contains("not a domain"));
}

#[tokio::test]
async fn read_access_switches_the_forms_off() {
    let panel = panel();
    for path in ["/users", "/users/3", "/settings", "/system", "/domains"] {
        let full = ask(&panel, get(path, "full")).await.text;
        let read = ask(&panel, get(path, "read")).await.text;
        assert!(!full.contains("<fieldset disabled>") && full.contains("<fieldset>"), "{path}");
        assert!(read.contains("<fieldset disabled>") && !read.contains("<fieldset>"), "{path}");
        assert!(read.contains("read-only"), "{path}");
    }
}

#[tokio::test]
async fn echo_shows_method_target_repeated_headers_and_length() {
    let request = Request::put("/echo/a%20b?x=1&x=2")
        .header("x-twice", "one")
        .header("remote_user", "mallory")
        .header("x-twice", "two")
        .body(Body::from("12345"))
        .unwrap();
    let answer = ask(&panel(), request).await;
    let seen: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["target"], "/echo/a%20b?x=1&x=2");
    assert_eq!(seen["body_bytes"], 5);
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&serde_json::json!(["x-twice", "one"])));
    assert!(headers.contains(&serde_json::json!(["x-twice", "two"])));
    assert!(headers.contains(&serde_json::json!(["remote_user", "mallory"])));
}

#[test]
fn slow_echo_never_waits_longer_than_half_a_minute() {
    assert_eq!(super::echo::pause(20).as_secs(), 20);
    assert_eq!(super::echo::pause(u64::MAX).as_secs(), 30);
}

#[tokio::test]
async fn whoever_comes_without_a_gate_is_told_so() {
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = ask(&panel(), request).await;
    assert!(answer.text.contains("did not come through a gate"));
}
