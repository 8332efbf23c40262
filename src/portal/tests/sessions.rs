use std::time::Duration;

use http::StatusCode;

use super::support::{Browser, World};

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere_even_after_the_token_has_expired() {
    let world = World::new().await;
    for later in [0, 3600] {
        let mut browser = signed_in(&world, "alice").await;
        let thief = browser.clone();
        world.clock.advance(Duration::from_secs(later));
        let page = browser.open("/_gate/sign-out").await;
        assert!(page.text.contains("You are signed in as alice."), "{}", page.text);
        let answer = browser.submit("/_gate/sign-out", &[("form", &page.form())]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("clear-site-data"), "\"cache\", \"cookies\", \"storage\"");
        assert!(browser.jar.is_empty(), "{:?}", browser.jar);
        // Row 69: within the same millisecond.
        assert_eq!(thief.clone().session().await.reason(), "session-ended");
        assert_eq!(thief.clone().refresh().await.reason(), "session-ended");
    }
}

#[tokio::test]
async fn signing_out_needs_the_form_of_this_very_session() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let foreign = signed_in(&world, "root").await.open("/_gate/sign-out").await.form();
    for token in ["", "x", &foreign] {
        let answer = alice.submit("/_gate/sign-out", &[("form", token)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(alice.session().await.status, StatusCode::OK);
    assert_eq!(alice.call("POST", "/_gate/api/v1/sign-out", "{}").await.json()["state"], "signed-out");
    assert_eq!(alice.session().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        alice.call("POST", "/_gate/api/v1/sign-out", "{}").await.status,
        StatusCode::OK,
        "again is fine"
    );
}

#[tokio::test]
async fn the_list_has_ones_own_living_sessions_with_this_one_first() {
    let world = World::new().await;
    signed_in(&world, "root").await;
    world.clock.advance(Duration::from_secs(60));
    let mut here = signed_in(&world, "alice").await;
    world.clock.advance(Duration::from_secs(60));
    let mut there = signed_in(&world, "alice").await;
    let listed = here.call("GET", "/_gate/api/v1/sessions", "").await.json();
    let listed = listed["sessions"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2, "root's is not among them");
    assert_eq!((listed[0]["current"].as_bool(), listed[1]["current"].as_bool()), (Some(true), Some(false)));
    assert_eq!(listed[0]["device"], "curl");
    let id = listed[1]["id"].as_str().unwrap();
    let answer = here.call("DELETE", &format!("/_gate/api/v1/sessions/{id}"), "").await;
    assert_eq!(answer.json()["revoked"], 1);
    assert_eq!(there.session().await.reason(), "session-ended", "on its very next request (R12)");
    let answer = here.call("DELETE", &format!("/_gate/api/v1/sessions/{id}"), "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "it is gone from the list");
}

/// R32, row 83: somebody else's session is as unknown as none.
#[tokio::test]
async fn nobody_ends_another_accounts_session() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let mut alice = signed_in(&world, "alice").await;
    let id = root.session().await.json()["session"].as_str().unwrap().to_owned();
    let theirs = alice.call("DELETE", &format!("/_gate/api/v1/sessions/{id}"), "").await;
    let nobodys = alice.call("DELETE", "/_gate/api/v1/sessions/aaaaaaaaaaaaaaaa", "").await;
    let told = |answer: &super::support::Answer| {
        let mut document = answer.json();
        // Every answer is a decision of its own.
        assert!(document.as_object_mut().unwrap().remove("decision").is_some());
        (answer.status, document)
    };
    assert_eq!(told(&theirs), told(&nobodys));
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    assert_eq!(root.session().await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_others_end_only_when_that_is_what_was_said() {
    let world = World::new().await;
    let mut here = signed_in(&world, "alice").await;
    let mut there = signed_in(&world, "alice").await;
    for target in [
        "/_gate/api/v1/sessions",
        "/_gate/api/v1/sessions?others=yes",
        "/_gate/api/v1/sessions?others=true&others=true",
    ] {
        assert_eq!(
            here.call("DELETE", target, "").await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{target}"
        );
    }
    assert_eq!(there.session().await.status, StatusCode::OK);
    assert_eq!(here.call("DELETE", "/_gate/api/v1/sessions?others=true", "").await.json()["revoked"], 1);
    assert_eq!(there.session().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(here.session().await.status, StatusCode::OK);
}

/// R32: nothing secret is ever in an answer.
#[tokio::test]
async fn answers_hold_no_session_secret() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "root").await;
    let session = world.sessions("root")[0].clone();
    for target in [
        "/_gate/api/v1/session?path=/",
        "/_gate/api/v1/sessions",
        "/_gate/sign-out",
        "/_gate/step-up",
        "/_gate/.well-known/jwks.json",
    ] {
        let answer = browser.call("GET", target, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{target}");
        for secret in [
            session.sid.text(),
            data_encoding::BASE64URL_NOPAD.encode(session.family.seed.expose()),
            "root-pass".into(),
        ] {
            assert!(!answer.text.contains(&secret), "{target}");
        }
        assert!(!answer.text.contains("$2b$") && !answer.text.contains("\"d\""), "{target}");
    }
    let shown = browser.session().await.json()["session"].as_str().unwrap().to_owned();
    assert_eq!(world.session(&shown).sid, session.sid, "the public id leads to it, for operators");
}

#[tokio::test]
async fn two_different_access_cookies_are_no_session() {
    let world = World::new().await;
    let (one, other) = (signed_in(&world, "alice").await, signed_in(&world, "root").await);
    let request = one.request("GET", "/_gate/api/v1/session");
    let second = format!("__Host-gate_access={}", other.jar["__Host-gate_access"]);
    let answer = world.send(request.header("cookie", second).body("".into()).unwrap()).await;
    assert_eq!(answer.reason(), "conflicting-credentials");
}

/// After a start the sessions come little by little: a list, a count or an id must not say that there is none.
#[tokio::test(start_paused = true)]
async fn lists_wait_until_all_sessions_are_in_memory_and_say_so_when_they_are_not() {
    let world = World::new().await;
    let (mut root, mut alice) = (signed_in(&world, "root").await, signed_in(&world, "alice").await);
    let id = alice.session().await.json()["session"].as_str().unwrap().to_owned();
    let records = &world.gate.live().records;
    let waits = [
        ("GET", "/_gate/api/v1/sessions".to_owned()),
        ("GET", "/_gate/account/sessions".to_owned()),
        ("GET", format!("/_gate/account/sessions/{id}/revoke")),
        ("GET", "/_gate/account/sessions/others".to_owned()),
        ("DELETE", format!("/_gate/api/v1/sessions/{id}")),
    ];
    let administration = [
        ("GET", "/_gate/api/v1/admin/sessions".to_owned()),
        ("GET", "/_gate/admin/sessions".to_owned()),
        ("GET", format!("/_gate/admin/sessions/{id}/revoke")),
        ("GET", "/_gate/api/v1/admin/users".to_owned()),
        ("GET", "/_gate/admin/users/alice".to_owned()),
        ("GET", "/_gate/admin/overview".to_owned()),
        ("DELETE", "/_gate/api/v1/admin/users/alice/second-factor".to_owned()),
        ("DELETE", format!("/_gate/api/v1/admin/sessions/{id}")),
    ];
    records.begin(world.gate.store().rest().await.unwrap());
    for (browser, asked) in [(&mut alice, &waits[..]), (&mut root, &administration)] {
        for (method, path) in asked {
            let answer = browser.call(method, path, "").await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}: {}", answer.text);
        }
    }
    assert_eq!(alice.session().await.status, StatusCode::OK, "nobody is signed out meanwhile");
    let listing = tokio::join!(alice.call("GET", "/_gate/api/v1/sessions", ""), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        records.end_loading();
    });
    assert_eq!(listing.0.json()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(
        root.call("DELETE", &format!("/_gate/api/v1/admin/sessions/{id}"), "").await.json()["revoked"],
        1
    );
    assert_eq!(alice.session().await.reason(), "session-ended");
}
