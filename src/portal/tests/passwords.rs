//! Changing the password, and the meter.

use http::StatusCode;
use serde_json::{Value, json};

use super::support::{Browser, World};
use crate::rules::site::AtSignIn;

const PAGE: &str = "/_gate/account/password";
const CALL: &str = "/_gate/api/v1/password";
const NEW: &str = "n4Xq-7fLp-02Zd";

async fn change(browser: &mut Browser<'_>, current: &str, new: &str) -> super::support::Answer {
    browser.call("POST", CALL, &json!({ "current": current, "new": new }).to_string()).await
}

async fn verdict(browser: &mut Browser<'_>, password: &str) -> Value {
    let body = json!({ "password": password }).to_string();
    let answer = browser.call("POST", "/_gate/api/v1/password/strength", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    browser.sign_in(name).await;
    browser
}

/// R12, R15: every other session is out at its next request; this browser goes on in a fresh one.
#[tokio::test]
async fn a_new_password_ends_every_session_and_this_browser_goes_on_in_a_fresh_one() {
    let world = World::new().await;
    let (mut here, mut there) = (signed_in(&world, "alice").await, signed_in(&world, "alice").await);
    let before = here.jar.clone();
    let form = here.open(PAGE).await.form();
    let fields = [("form", &*form), ("current", "alice-pass"), ("new", NEW)];
    let answer = here.submit(PAGE, &fields).await;
    assert_eq!(answer.location(), "/_gate/account/security?done=password", "{}", answer.text);
    let page = here.open(answer.location()).await.text;
    assert!(page.contains("Your password is changed") && page.contains("Last changed"), "{page}");
    assert_eq!(there.session().await.reason(), "session-ended");
    assert_eq!(there.refresh().await.status, StatusCode::UNAUTHORIZED);
    let mut old = here.clone();
    old.jar = before;
    assert_eq!(old.session().await.status, StatusCode::UNAUTHORIZED, "not even with its old cookies");
    let alive: Vec<_> = world.sessions("alice").into_iter().filter(|s| s.ended.is_none()).collect();
    assert_eq!(alive.len(), 1);
    let sign_in = |password: &str| json!({ "username": "alice", "password": password }).to_string();
    let mut stranger = Browser::new(&world);
    let answer = stranger.call("POST", "/_gate/api/v1/sign-in", &sign_in("alice-pass")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the old password");
    let answer = stranger.call("POST", "/_gate/api/v1/sign-in", &sign_in(NEW)).await;
    assert_eq!(answer.json()["state"], "signed-in");
}

/// What was proved stays proved, and nothing becomes so.
#[tokio::test]
async fn the_fresh_session_is_as_verified_as_the_old_one_was() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 10).await;
    let mut browser = signed_in(&world, "root").await;
    assert_eq!(change(&mut browser, "root-pass", NEW).await.json()["state"], "changed");
    assert_eq!(browser.session().await.json()["elevated_until"], Value::Null);
    browser.code(&world.code()).await;
    let until = browser.session().await.json()["elevated_until"].clone();
    assert_eq!(change(&mut browser, NEW, "k8Wz-1tRv-66Jh").await.json()["state"], "changed");
    assert!(until.is_number());
    assert_eq!(browser.session().await.json()["elevated_until"], until);
}

#[tokio::test]
async fn the_current_password_is_needed() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    for wrong in ["", "nope", "root-pass"] {
        let answer = change(&mut browser, wrong, NEW).await;
        assert_eq!((answer.status, answer.reason().as_str()), (StatusCode::UNAUTHORIZED, "wrong-password"));
    }
    let form = browser.open(PAGE).await.form();
    let answer = browser.submit(PAGE, &[("form", &form), ("current", "nope"), ("new", NEW)]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer.text.contains("aria-describedby=\"wrong\"") && !answer.text.contains(NEW),
        "{}",
        answer.text
    );
    assert!(browser.session().await.status.is_success(), "nothing ended");
}

/// The meter and the change say the same, word by word.
#[tokio::test]
async fn the_meter_and_the_server_are_of_one_mind() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let long = format!("{NEW}{}", "y9#Kw".repeat(12));
    for (password, strength, code) in [
        ("", "weak", "empty"),
        ("password1234", "weak", "common"),
        ("Password2024!", "weak", "common"),
        ("alice-alice-99", "weak", "name-like"),
        ("n4Xq-7fLp", "weak", "too-short"),
        ("aaaaaaaaaaaaaa", "weak", "repeats"),
        (&long, "weak", "too-long"),
    ] {
        let meter = verdict(&mut browser, password).await;
        assert_eq!(
            (&meter["strength"], &meter["accepted"]),
            (&json!(strength), &json!(false)),
            "{password}: {meter}"
        );
        let codes: Vec<_> =
            meter["reasons"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
        assert!(codes.contains(&json!(code)), "{password}: {meter}");
        let answer = change(&mut browser, "alice-pass", password).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        for member in ["strength", "accepted", "reasons", "text"] {
            assert_eq!(answer.json()[member], meter[member], "{password}");
        }
        let form = browser.open(PAGE).await.form();
        let fields = [("form", &*form), ("current", "alice-pass"), ("new", password)];
        let page = browser.submit(PAGE, &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        assert!(page.text.contains(meter["text"].as_str().unwrap()), "{password}: {}", page.text);
    }
    for (password, strength) in [(NEW, "strong"), ("letmein-dragon", "medium")] {
        let meter = verdict(&mut browser, password).await;
        assert_eq!((&meter["strength"], &meter["accepted"]), (&json!(strength), &json!(true)), "{meter}");
    }
    assert_eq!(verdict(&mut browser, NEW).await["text"], "Strong.");
    assert_eq!(change(&mut browser, "alice-pass", NEW).await.status, StatusCode::OK);
    let same = change(&mut browser, NEW, NEW).await;
    assert_eq!(same.json()["reasons"][0]["code"], "same", "{}", same.text);
}

#[tokio::test]
async fn a_role_may_need_a_longer_one_and_the_page_says_so() {
    let world = World::with(|site| site.passwords.min_length_by_role = vec![("alice".into(), 15)], 10).await;
    let mut browser = signed_in(&world, "alice").await;
    assert!(browser.open(PAGE).await.text.contains("At least 15 characters"));
    assert_eq!(change(&mut browser, "alice-pass", NEW).await.json()["reasons"][0]["code"], "too-short");
    assert_eq!(change(&mut browser, "alice-pass", &format!("{NEW}x")).await.status, StatusCode::OK);
}

/// Only for those who are signed in, and not without end.
#[tokio::test]
async fn the_meter_is_not_for_strangers() {
    let world = World::new().await;
    let body = json!({ "password": NEW }).to_string();
    let answer = Browser::new(&world).call("POST", "/_gate/api/v1/password/strength", &body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}
