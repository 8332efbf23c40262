//! What follows wrong passwords and codes.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::support::{Answer, Browser, World, id};
use crate::{
    clock::Clock,
    rules::{
        address::NetworkKey,
        failures::{Known, Success},
    },
};

const SIGN_IN: &str = "/_gate/api/v1/sign-in";

async fn guess(world: &World, from: u8, name: &str, password: &str) -> Answer {
    let mut browser = Browser::at(world, "curl/8", &format!("203.0.113.{from}"));
    browser.call("POST", SIGN_IN, &json!({ "username": name, "password": password }).to_string()).await
}

/// Five wrong guesses from five places.
async fn lock(world: &World, name: &str) {
    for from in 1..=5 {
        assert_eq!(guess(world, from, name, "wrong").await.status, StatusCode::UNAUTHORIZED, "{name} {from}");
    }
}

/// R28: nothing is hashed and the store is not asked: it is closed, and nobody notices.
#[tokio::test]
async fn whoever_is_locked_out_costs_no_hash_and_no_look_into_the_store() {
    let world = World::new().await;
    lock(&world, "alice").await;
    lock(&world, "nobody").await;
    let checks = world.checks();
    world.gate.store().close().await.unwrap();
    for name in ["alice", "nobody", " ALICE "] {
        let answer = guess(&world, 9, name, "alice-pass").await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (StatusCode::TOO_MANY_REQUESTS, "30"),
            "{name}"
        );
    }
    assert_eq!(world.checks(), checks);
    let other = guess(&world, 9, "root", "wrong").await;
    assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE, "what cannot be counted is not answered");
}

/// R31: accounts, disabled accounts and names of nobody go through the same answers.
#[tokio::test]
async fn r31_a_lock_says_nothing_about_whether_there_is_such_an_account() {
    let world = World::new().await;
    world.change("admin", crate::store::UserChange { disabled: Some(true), ..Default::default() }).await;
    let mut stories = Vec::new();
    for name in ["alice", "admin", "nobody"] {
        let mut story = Vec::new();
        for round in 0..9 {
            let answer = guess(&world, round, name, "wrong").await;
            let mut said = answer.json();
            // Every refusal has a name of its own.
            said.as_object_mut().unwrap().remove("decision");
            story.push((answer.status, answer.header("retry-after").to_owned(), said.to_string()));
            if round == 6 {
                world.clock.advance(Duration::from_secs(30));
            }
        }
        stories.push(story.iter().map(|(status, wait, _)| (*status, wait.clone())).collect::<Vec<_>>());
        assert!(story.iter().all(|(_, _, said)| !said.contains(name)), "{story:?}");
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(stories[0], stories[2]);
    let waits: Vec<_> = stories[0].iter().map(|(_, wait)| wait.as_str()).collect();
    assert_eq!(waits, ["", "", "", "", "", "30", "30", "", "300"]);
}

#[tokio::test]
async fn the_owner_signs_in_where_he_did_before_whatever_others_do() {
    let world = World::new().await;
    Browser::new(&world).sign_in("alice").await;
    lock(&world, "alice").await;
    assert_eq!(guess(&world, 9, "alice", "alice-pass").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(Browser::new(&world).sign_in("alice").await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(
        guess(&world, 9, "alice", "alice-pass").await.status,
        StatusCode::OK,
        "and elsewhere after a while"
    );
    assert_eq!(guess(&world, 8, "alice", "wrong").await.status, StatusCode::UNAUTHORIZED);
    let locked = guess(&world, 8, "alice", "wrong").await;
    assert_eq!(locked.header("retry-after"), "300", "his success has taken nothing back that is not his");
}

/// R14: neither a fresh sign-in nor a live session gives new guesses; a right code takes none.
#[tokio::test]
async fn codes_are_guessed_per_account_and_right_ones_cost_nothing() {
    let world = World::new().await;
    let mut owner = Browser::new(&world);
    for _ in 0..10 {
        assert_eq!(owner.sign_in("root").await.status, StatusCode::OK);
        world.clock.advance(Duration::from_secs(30));
    }
    for from in 1..=6_u8 {
        let mut thief = Browser::at(&world, "curl/8", &format!("203.0.113.{from}"));
        let body = json!({ "username": "root", "password": "root-pass" }).to_string();
        assert_eq!(thief.call("POST", SIGN_IN, &body).await.json()["state"], "second-factor");
        let answer = thief.code("000000").await;
        let expected = if from < 6 { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(answer.status, expected, "{from}: {}", answer.text);
    }
    assert_eq!(owner.code(&world.code()).await.status, StatusCode::OK, "where he has proved it before");
}

#[tokio::test]
async fn after_a_hundred_the_page_says_that_waiting_does_not_help_and_an_administrator_unlocks() {
    let world = World::new().await;
    let mut root = Browser::new(&world);
    root.sign_in("root").await;
    let mut stopped = false;
    for _ in 0..110 {
        let answer = guess(&world, 1, "alice", "wrong").await;
        let wait = answer.header("retry-after").to_owned();
        if wait == "86400" {
            stopped = true;
            break;
        }
        world.clock.advance(Duration::from_secs(wait.parse().unwrap_or(0)));
        if answer.status == StatusCode::UNAUTHORIZED {
            // Another failure does not fit into the quota of the network otherwise.
            world.clock.advance(Duration::from_secs(3600));
        }
    }
    assert!(stopped);
    let mut alice = Browser::at(&world, "curl/8", "203.0.113.77");
    let form = alice.open("/_gate/sign-in").await.form();
    let fields = [("form", form.as_str()), ("rd", ""), ("username", "alice"), ("password", "alice-pass")];
    let page = alice.submit("/_gate/sign-in", &fields).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text.contains("waiting does not help any more"), "{}", page.text);

    root = Browser::new(&world);
    root.sign_in("root").await;
    let shown = root.call("GET", "/_gate/api/v1/admin/users/alice", "").await.json();
    assert_eq!((&shown["stopped"], &shown["locked_until"]), (&json!(true), &json!(null)));
    let page = root.open("/_gate/admin/users/alice").await;
    assert!(
        page.text.contains("Locked until it is unlocked") && page.text.contains("/alice/unlock\""),
        "{}",
        page.text
    );
    let asked = root.open("/_gate/admin/users/alice/unlock").await;
    assert!(asked.text.contains("Unlock alice?"), "{}", asked.text);
    let form = asked.form();
    let done = root.submit("/_gate/admin/users/alice/unlock", &[("form", &form)]).await;
    assert_eq!(done.location(), "/_gate/admin/users/alice?done=unlock");
    assert_eq!(guess(&world, 1, "alice", "alice-pass").await.status, StatusCode::OK);
    let page = root.open("/_gate/admin/users/alice").await;
    assert!(!page.text.contains("/alice/unlock\""), "there is nothing to unlock: {}", page.text);

    lock(&world, "alice").await;
    let unlocked = root.call("PATCH", "/_gate/api/v1/admin/users/alice", "{\"locked\":false}").await;
    assert_eq!((unlocked.status, &unlocked.json()["locked_until"]), (StatusCode::OK, &json!(null)));
    let locking = root.call("PATCH", "/_gate/api/v1/admin/users/alice", "{\"locked\":true}").await;
    assert_eq!(locking.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// The password is asked for in a live session as well.
#[tokio::test]
async fn a_stolen_session_gives_no_other_guesses_at_the_password() {
    let world = World::new().await;
    let mut thief = Browser::at(&world, "curl/8", "203.0.113.1");
    thief.sign_in("alice").await;
    let body = json!({ "current": "wrong", "new": "a new and very long one" }).to_string();
    for left in (0..5).rev() {
        let answer = thief.call("POST", "/_gate/api/v1/password", &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{left} left: {}", answer.text);
    }
    let answer = thief.call("POST", "/_gate/api/v1/password", &body).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
}

#[tokio::test]
async fn fifty_failures_of_one_network_are_a_ban_of_that_network_for_a_while() {
    let world = World::new().await;
    for n in 0..50 {
        assert_eq!(guess(&world, 1, &format!("user-{n}"), "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let bans = world.gate.live().records.bans().all();
    assert_eq!(bans.len(), 1);
    assert_eq!((&*bans[0].by, bans[0].whom.to_string().as_str()), ("panelgate", "203.0.113.1/32"));
    assert!(world.gate.turns_away("203.0.113.1".parse().unwrap()));
    assert!(!world.gate.turns_away("203.0.113.2".parse().unwrap()));
    world.clock.advance(Duration::from_secs(900));
    assert!(!world.gate.turns_away("203.0.113.1".parse().unwrap()));
}

/// A success of somebody who is removed at that moment is no fault.
#[tokio::test]
async fn a_success_of_nobody_is_nothing() {
    let world = World::new().await;
    let success = Success {
        user: id("gone"),
        network: NetworkKey::of("203.0.113.1".parse().unwrap()),
        password: Some(Known::Yes),
        factor: None,
        at: world.clock.wall(),
    };
    world.gate.store().succeed(success, std::sync::Arc::default()).await.unwrap();
    assert!(world.gate.store().everything().await.unwrap().failures.is_empty());
}

#[tokio::test]
async fn calls_of_the_api_have_a_quota_and_pages_another() {
    let world = World::new().await;
    let quota = |count| crate::rules::limit::Quota {
        count: std::num::NonZeroU32::new(count).unwrap(),
        per: Duration::from_secs(60),
    };
    let quotas =
        crate::live::Quotas { portal: quota(2), request: quota(4), ..crate::live::Quotas::all(quota(100)) };
    world.gate.live().counters.set_quotas(quotas);
    let mut browser = Browser::new(&world);
    for _ in 0..2 {
        assert_eq!(browser.session().await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = browser.session().await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert_eq!(answer.reason(), "rate-limited");
    assert_eq!(browser.open("/_gate/sign-in").await.status, StatusCode::OK);
    let page = browser.open("/_gate/sign-in").await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "15"));
    assert_eq!(Browser::at(&world, "curl/8", "203.0.113.1").session().await.status, StatusCode::UNAUTHORIZED);
}
