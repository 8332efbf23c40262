use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::support::{Browser, World};
use crate::{rules::site::AtSignIn, store::UserChange};

const CALL: &str = "/_gate/api/v1/sign-in";

fn credentials(name: &str, password: &str) -> String {
    json!({ "username": name, "password": password }).to_string()
}

async fn page_sign_in(
    browser: &mut Browser<'_>,
    rd: &str,
    name: &str,
    password: &str,
) -> super::support::Answer {
    let form = browser.open("/_gate/sign-in").await.form();
    browser
        .submit("/_gate/sign-in", &[("form", &form), ("rd", rd), ("username", name), ("password", password)])
        .await
}

#[tokio::test]
async fn a_form_signs_in_and_goes_back_to_where_one_was() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let answer =
        page_sign_in(&mut browser, "https://panel.example.com/domains?page=2", " ALICE ", "alice-pass").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.location(), "https://panel.example.com/domains?page=2");
    let session = browser.session().await.json();
    assert_eq!(session["user"], "alice");
    assert_eq!(session["elevated_until"], serde_json::Value::Null);
    assert_eq!(session["renew_in_ms"], 600_000, "5 minutes before the end of 15");
}

/// R19: prefixes, attributes, lives and sizes of the cookies.
#[tokio::test]
async fn the_cookies_keep_the_rules_of_their_prefixes() {
    let world = World::new().await;
    let answer = Browser::new(&world).call("POST", CALL, &credentials("alice", "alice-pass")).await;
    let access = answer.set_cookie("__Host-gate_access").unwrap();
    assert!(access.ends_with("; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"), "{access}");
    let refresh = answer.set_cookie("__Secure-gate_refresh").unwrap();
    assert!(
        refresh.ends_with("; Path=/_gate/refresh; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
        "{refresh}"
    );
    assert!(access.len() < 1500 && refresh.len() < 400, "far from 4 KB: {} {}", access.len(), refresh.len());
}

#[tokio::test]
async fn a_domain_is_set_where_the_prefix_allows_it_and_nowhere_else() {
    let world = World::with(
        |site| {
            site.cookies.domain = Some("example.com".into());
            site.cookies.access = "__Secure-gate_access".into();
            site.credentials.access = "__Secure-gate_access".into();
        },
        10,
    )
    .await;
    let answer = Browser::new(&world).call("POST", CALL, &credentials("alice", "alice-pass")).await;
    for cookie in answer.set_cookies() {
        assert_eq!(cookie.contains("; Domain=example.com"), cookie.starts_with("__Secure-"), "{cookie}");
    }
    assert_eq!(answer.set_cookies().len(), 3);
}

/// R31: unknown, wrong, disabled and impossible names get one answer for the same work.
#[tokio::test]
async fn nobody_learns_which_accounts_exist() {
    let world = World::new().await;
    let off = UserChange { disabled: Some(true), ..UserChange::default() };
    let written = world
        .gate
        .store()
        .change_user(super::support::id("alice"), off, super::support::START)
        .await
        .unwrap();
    world.gate.settled(written).await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("nobody", "x"),
        ("root", "wrong"),
        ("alice", "alice-pass"),
        ("no such name!", "x"),
        ("", "x"),
        ("ROOT", ""),
    ] {
        let before = world.checks();
        let answer = Browser::new(&world).call("POST", CALL, &credentials(name, password)).await;
        assert_eq!(world.checks() - before, 1, "{name:?} costs one hash");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.set_cookies().is_empty());
        answers.push((answer.text, answer.headers.len()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].0.contains("That user name and password do not match."));
}

/// R28: the limit comes before the work.
#[tokio::test]
async fn too_many_tries_are_refused_before_any_hash() {
    let world = World::new().await;
    for _ in 0..1000 {
        world
            .gate
            .live()
            .counters
            .charge(
                crate::rules::address::NetworkKey::of([192, 0, 2, 7].into()),
                crate::live::Class::SignIn,
                world.gate.moment(),
            )
            .unwrap();
    }
    let mut browser = Browser::new(&world);
    let answer = page_sign_in(&mut browser, "", "root", "root-pass").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert!(answer.text.contains("Too many tries. Try again in 1 s"), "{}", answer.text);
    assert!(answer.text.contains("value=\"root\""), "what was typed survives");
    assert!(!answer.text.contains("root-pass"), "a secret does not");
    let answer = browser.call("POST", CALL, &credentials("root", "root-pass")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    assert_eq!(world.checks(), 0);
}

/// Row 58: what is empty, null, an array, doubled or not asked for never advances a step.
#[tokio::test]
async fn bodies_that_are_not_exactly_right_advance_nothing() {
    let world = World::new().await;
    for (body, status) in [
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        ("null", StatusCode::UNPROCESSABLE_ENTITY),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY),
        (r#"["alice","alice-pass"]"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("{}", StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"username":"alice"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"username":"alice","password":null}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"username":"alice","password":"alice-pass","role":"root"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"username":"x","username":"alice","password":"alice-pass"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"username":"alice","password":"alice-pass"} x"#, StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = Browser::new(&world).call("POST", CALL, body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.set_cookies().is_empty(), "{body}");
    }
    let large = credentials("alice", &"x".repeat(9000));
    let answer = Browser::new(&world).call("POST", CALL, &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.checks(), 0, "R28: nothing of this is worth a hash");
}

/// R25: behind a proxy that passes bodies on as they come, a slow one would hold its connection for ever.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let world = World::new().await;
    let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = http::Request::post(CALL)
        .header("host", super::support::HOST)
        .header("origin", "https://panel.example.com")
        .header("content-type", "application/json")
        .body(axum::body::Body::from_stream(endless))
        .unwrap();
    let answer =
        tokio::time::timeout(Duration::from_secs(20), world.send(request)).await.expect("still waiting");
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn whether_a_code_is_asked_for_is_the_sites_choice() {
    for (asks, expected) in [
        (AtSignIn::Always, "second-factor"),
        (AtSignIn::NewDevice, "second-factor"),
        (AtSignIn::Never, "signed-in"),
    ] {
        let world = World::with(|site| site.second_factor.at_sign_in = asks, 10).await;
        let answer = Browser::new(&world).call("POST", CALL, &credentials("root", "root-pass")).await;
        assert_eq!(answer.json()["state"], expected, "{asks:?}");
        let answer = Browser::new(&world).call("POST", CALL, &credentials("alice", "alice-pass")).await;
        assert_eq!(answer.json()["state"], "signed-in", "there is no code to ask alice for");
    }
}

#[tokio::test]
async fn a_device_is_new_until_this_account_was_signed_in_on_it() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::NewDevice, 10).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("root").await;
    let again = browser.call("POST", CALL, &credentials("root", "root-pass")).await;
    assert_eq!(again.json()["state"], "signed-in");
    let other = browser.clone().call("POST", CALL, &credentials("admin", "admin-pass")).await;
    assert_eq!(other.json()["state"], "second-factor", "another account");
    let living = world.sessions("root").into_iter().find(|session| session.ended.is_none());
    let sid = living.unwrap().sid;
    let revoked = crate::store::Which::One(sid);
    let why = crate::rules::session::EndReason::Revoked;
    let written = world.gate.store().end(revoked, why, super::support::START).await.unwrap();
    world.gate.settled(written).await;
    let after = browser.call("POST", CALL, &credentials("root", "root-pass")).await;
    assert_eq!(after.json()["state"], "second-factor", "a device that was thrown out is new again");
}

/// R15, row 68: signing in gives a fresh session and ends the one this browser had.
#[tokio::test]
async fn signing_in_again_ends_the_old_session() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    let old = browser.clone();
    browser.sign_in("alice").await;
    assert_eq!(old.clone().session().await.reason(), "session-ended");
    assert_eq!(browser.session().await.status, StatusCode::OK);
    let alive = world.sessions("alice").iter().filter(|session| session.ended.is_none()).count();
    assert_eq!(alive, 1);
}

#[tokio::test]
async fn somebody_who_is_signed_in_is_told_so_and_not_sent_in_circles() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    let answer = browser.open("/_gate/sign-in?rd=https://panel.example.com/x").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.text.contains("You are signed in as alice.")
            && answer.text.contains("https://panel.example.com/x")
    );
}

/// R28: beyond the queue there is a plain no, and nobody waits without end.
#[tokio::test]
async fn a_flood_of_passwords_is_turned_away_at_the_door() {
    let hasher = crate::portal::Hasher::new(
        1,
        std::sync::Arc::default(),
        std::sync::Arc::new(crate::clock::SystemClock::new()),
    );
    let answers =
        futures_util::future::join_all((0..40).map(|_| hasher.verify("x".to_owned().into(), None, 12)));
    let answers = tokio::time::timeout(Duration::from_secs(60), answers).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 40 - 17);
    assert!(answers.iter().all(|answer| *answer != Ok(true)), "no hash, no match");
}
