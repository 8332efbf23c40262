//! API keys: made by page and by call, shown once, used, deleted.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, Browser, World, id};
use crate::{
    rules::{
        outcome::Outcome,
        session::{Impersonation, SessionChange},
    },
    store::UserChange,
};

const NEW: &str = "/_gate/account/keys/new";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

/// Signed in, with a second factor that counts no more.
async fn lapsed<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = signed_in(world, name).await;
    world.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(browser.refresh().await.status, StatusCode::OK);
    browser
}

async fn fill_in(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Answer {
    let form = browser.open(NEW).await.form();
    let all: Vec<(&str, &str)> = [("form", &*form)].into_iter().chain(fields.iter().copied()).collect();
    browser.submit(NEW, &all).await
}

async fn make(browser: &mut Browser<'_>, name: &str, scopes: &[&str]) -> Answer {
    let body = json!({ "name": name, "scopes": scopes }).to_string();
    browser.call("POST", "/_gate/api/v1/keys", &body).await
}

/// The key on the page or in the answer.
fn shown(answer: &Answer) -> String {
    let (_, rest) = answer.text.split_once("gate_").unwrap_or_else(|| panic!("no key: {}", answer.text));
    format!("gate_{}", rest.chars().take(49).collect::<String>())
}

async fn outcome(world: &World, key: &str, method: &str, target: &str) -> String {
    let request = Request::builder().method(method).uri(target).header("x-api-key", key);
    match world.decide(request.body(Body::empty()).unwrap()).await {
        Outcome::Allow(grant) => format!("{} as {}", grant.access(), grant.bearer().unwrap().user.name),
        Outcome::SignIn(reason) | Outcome::Deny(reason) => reason.code().to_owned(),
        other @ (Outcome::StepUp { .. }
        | Outcome::Throttle { .. }
        | Outcome::Unavailable(_)
        | Outcome::BadRequest(_)) => format!("{other:?}"),
    }
}

fn ids(list: &Value) -> Vec<String> {
    list["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_made_by_form_shown_once_used_and_deleted() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let list = browser.open("/_gate/account/keys").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.text.contains("You have no API keys.") && list.text.contains(NEW), "{}", list.text);

    let fields = [("name", "ci <b>"), ("scope.domains:read", "on"), ("expires", "60"), ("date", "")];
    let made = fill_in(&mut browser, &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert_eq!(made.header("cache-control"), "no-store");
    assert!(made.text.contains("ci &#60;b&#62;"), "{}", made.text);
    let key = shown(&made);

    let list = browser.open("/_gate/account/keys").await;
    assert!(list.text.contains("ci &#60;b&#62;") && list.text.contains("never used"), "{}", list.text);
    assert!(!list.text.contains(key.trim_start_matches("gate_")), "a key is shown once");
    assert_eq!(outcome(&world, &key, "GET", "/domains/1").await, "read as alice");
    assert_eq!(outcome(&world, &key, "POST", "/domains/1").await, "key-lacks-scope");
    assert_eq!(outcome(&world, &key, "GET", "/users/1").await, "role-lacks-access");
    let list = browser.open("/_gate/account/keys").await;
    assert!(list.text.contains("192.0.2.7") && !list.text.contains("never used"), "{}", list.text);

    let public = browser.call("GET", "/_gate/api/v1/keys", "").await.json()["keys"][0]["id"].to_string();
    let page = format!("/_gate/account/keys/{}/delete", public.trim_matches('"'));
    let confirm = browser.open(&page).await;
    assert!(
        confirm.text.contains("ci &#60;b&#62;") && confirm.text.contains("192.0.2.7"),
        "{}",
        confirm.text
    );
    assert_eq!(browser.submit(&page, &[("form", "forged")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(outcome(&world, &key, "GET", "/domains/1").await, "read as alice");
    let done = browser.submit(&page, &[("form", &confirm.form())]).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/_gate/account/keys?deleted=1"));
    assert!(browser.open(done.location()).await.text.contains("The key is deleted."));
    assert_eq!(outcome(&world, &key, "GET", "/domains/1").await, "bad-credential");
    assert_eq!(browser.open(&page).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_typed_survives_and_each_mistake_stands_beside_its_field() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let fields = [("name", ""), ("scope.domains:write", "on"), ("expires", "date"), ("date", "2020-01-01")];
    let answer = fill_in(&mut browser, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in [
        "id=\"name-error\">Give the key a name.",
        "id=\"expiry-error\">That date is over.",
        "name=\"scope.domains:write\" checked",
        "value=\"date\" checked",
        "value=\"2020-01-01\"",
    ] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
    // What the role cannot give is not in the form, and not taken from it either.
    let foreign =
        fill_in(&mut browser, &[("name", "x"), ("scope.users:read", "on"), ("expires", "30")]).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);
    let forged = [("form", "forged"), ("name", "x"), ("scope.domains:read", "on"), ("expires", "30")];
    assert_eq!(browser.submit(NEW, &forged).await.status, StatusCode::FORBIDDEN);
    assert!(world.gate.live().records.keys_of(&id("alice")).is_empty());
}

/// Design §3: more than the owner has at once needs the second factor.
#[tokio::test]
async fn more_than_the_owner_has_at_once_needs_the_second_factor() {
    let world = World::new().await;
    let mut admin = lapsed(&world, "admin").await;
    let fields = [("name", "users & more"), ("scope.users:read", "on"), ("expires", "90"), ("date", "")];
    let asked = fill_in(&mut admin, &fields).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text);
    assert!(
        asked.location().starts_with("https://panel.example.com/_gate/step-up?rd="),
        "{}",
        asked.location()
    );
    let call = make(&mut admin, "users", &["users:read"]).await;
    assert_eq!((call.status, call.reason().as_str()), (StatusCode::FORBIDDEN, "needs-elevation"));
    assert!(call.json()["step_up_url"].as_str().unwrap().contains("/_gate/step-up"));
    assert_eq!(make(&mut admin, "domains", &["domains:write"]).await.status, StatusCode::CREATED);

    // Back from the second factor, the form is as it was.
    let step_up = asked.location().trim_start_matches("https://panel.example.com").to_owned();
    let page = admin.open(&step_up).await;
    let code = world.code();
    let rd = url::form_urlencoded::parse(step_up.split_once('?').unwrap().1.as_bytes())
        .next()
        .unwrap()
        .1
        .into_owned();
    let back = admin.submit("/_gate/step-up", &[("form", &page.form()), ("rd", &rd), ("code", &code)]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text);
    let form = admin.open(back.location().trim_start_matches("https://panel.example.com")).await;
    for part in ["value=\"users &#38; more\"", "name=\"scope.users:read\" checked", "value=\"90\" checked"] {
        assert!(form.text.contains(part), "{part}: {}", form.text);
    }
    let made = fill_in(&mut admin, &fields).await;
    let key = shown(&made);
    assert_eq!(
        outcome(&world, &key, "GET", "/users/1").await,
        "read as admin",
        "though nothing is elevated for long"
    );
}

#[tokio::test]
async fn without_a_second_factor_of_ones_own_there_is_nothing_to_step_up_with() {
    let world = World::new().await;
    world.add_as("bare", "root", false).await;
    let mut bare = signed_in(&world, "bare").await;
    let call = make(&mut bare, "x", &["users:write"]).await;
    assert_eq!((call.status, call.reason().as_str()), (StatusCode::FORBIDDEN, "needs-enrolment"));
    assert_eq!(
        make(&mut bare, "x", &["users:read"]).await.status,
        StatusCode::CREATED,
        "which root has at once"
    );
}

#[tokio::test]
async fn what_the_role_does_not_have_is_refused() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    for scopes in [&["users:read"][..], &["domains:read", "users:write"], &["no-such-scope"]] {
        let call = make(&mut alice, "x", scopes).await;
        assert_eq!((call.status.as_u16(), call.reason().as_str()), (422, "scope-not-yours"), "{scopes:?}");
    }
    for (body, reason) in [
        (json!({ "name": "", "scopes": ["domains:read"] }), "name-missing"),
        (json!({ "name": "x", "scopes": [] }), "scope-missing"),
        (json!({ "name": "x", "scopes": ["domains:read"], "expires": 1 }), "expiry-past"),
        (json!({ "name": "x" }), "bad-body"),
        (json!({ "name": "x", "scopes": ["domains:read"], "user": "root" }), "bad-body"),
    ] {
        let call = alice.call("POST", "/_gate/api/v1/keys", &body.to_string()).await;
        assert_eq!((call.status.as_u16(), call.reason().as_str()), (422, reason), "{body}");
    }
    assert!(world.gate.live().records.keys_of(&id("alice")).is_empty());
}

#[tokio::test]
async fn the_call_lists_makes_and_deletes_only_ones_own() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let body = json!({ "name": "ci", "scopes": ["domains:write", "domains:read"], "expires": 1_900_000_000 });
    let made = alice.call("POST", "/_gate/api/v1/keys", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (made, key) = (made.json(), shown(&made));
    assert_eq!((&made["key"], &made["scopes"]), (&json!(key), &json!(["domains:read", "domains:write"])));
    assert_eq!(outcome(&world, &key, "POST", "/domains/1").await, "full as alice");
    let list = alice.call("GET", "/_gate/api/v1/keys", "").await;
    assert!(!list.text.contains(key.trim_start_matches("gate_")), "{}", list.text);
    let list = list.json();
    assert_eq!(list["keys"][0]["used"]["address"], "192.0.2.7");
    assert_eq!(list["keys"][0]["expires"], 1_900_000_000);
    assert_eq!(list["scopes"].as_array().unwrap().len(), 2, "{list}");

    let twice = alice.call("POST", "/_gate/api/v1/keys", &body.to_string()).await;
    assert_eq!((twice.status, twice.reason().as_str()), (StatusCode::CONFLICT, "name-taken"));
    let path = format!("/_gate/api/v1/keys/{}", made["id"].as_str().unwrap());
    let mut admin = signed_in(&world, "admin").await;
    assert_eq!(admin.call("DELETE", &path, "{}").await.status, StatusCode::NOT_FOUND, "somebody else's");
    assert_eq!(alice.call("DELETE", &path, "{}").await.json(), json!({ "deleted": 1 }));
    assert_eq!(alice.call("DELETE", &path, "{}").await.status, StatusCode::NOT_FOUND);
    assert_eq!(outcome(&world, &key, "POST", "/domains/1").await, "bad-credential");
    assert!(ids(&alice.call("GET", "/_gate/api/v1/keys", "").await.json()).is_empty());
}

#[tokio::test]
async fn nothing_is_made_or_deleted_while_somebody_is_impersonated() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let made = make(&mut root, "mine", &["domains:read"]).await.json();
    let now = world.gate.moment().wall;
    let acting = Impersonation {
        user: id("alice"),
        reason: "support".into(),
        write: true,
        since: now,
        until: now.plus(Duration::from_secs(600)),
    };
    let change = SessionChange { impersonation: Some(Some(acting)), ..SessionChange::default() };
    let sid = world.sessions("root")[0].sid;
    let written = world.gate.store().change_session(sid, change, now).await.unwrap();
    assert!(world.gate.settled(written).await);

    assert_eq!(make(&mut root, "x", &["domains:read"]).await.reason(), "impersonating");
    let path = format!("/_gate/api/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(root.call("DELETE", &path, "{}").await.reason(), "impersonating");
    assert_eq!(root.open(NEW).await.status, StatusCode::FORBIDDEN);
    let list = root.open("/_gate/account/keys").await;
    assert!(list.text.contains("mine") && !list.text.contains(NEW), "one's own, to look at: {}", list.text);
    assert_eq!(world.gate.live().records.keys_of(&id("root")).len(), 1);
}

#[tokio::test]
async fn a_key_survives_a_new_password_and_stops_with_its_account() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let key = shown(&make(&mut alice, "ci", &["domains:read"]).await);
    let change = |change: UserChange| async {
        let now = world.gate.moment().wall;
        let written = world.gate.store().change_user(id("alice"), change, now).await.unwrap();
        assert!(world.gate.settled(written).await);
    };
    change(UserChange { password: Some("$2b$04$x".into()), ..UserChange::default() }).await;
    assert_eq!(alice.session().await.reason(), "session-ended");
    assert_eq!(outcome(&world, &key, "GET", "/domains/1").await, "read as alice");
    change(UserChange { disabled: Some(true), ..UserChange::default() }).await;
    assert_eq!(outcome(&world, &key, "GET", "/domains/1").await, "account-disabled");
}

#[tokio::test]
async fn a_key_never_opens_the_portal() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let key = shown(&make(&mut admin, "all", &["domains:read", "users:write", "users:read"]).await);
    for (name, value) in [("x-api-key", key.clone()), ("authorization", format!("Bearer {key}"))] {
        for path in ["/_gate/api/v1/keys", "/_gate/api/v1/session", "/_gate/api/v1/sessions"] {
            let request = Browser::new(&world).request("GET", path).header(name, &value);
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (StatusCode::UNAUTHORIZED, "no-credential"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn an_account_can_have_fifty_keys() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    for number in 0..50 {
        assert_eq!(
            make(&mut alice, &number.to_string(), &["domains:read"]).await.status,
            StatusCode::CREATED
        );
    }
    let one_more = make(&mut alice, "one more", &["domains:read"]).await;
    assert_eq!((one_more.status, one_more.reason().as_str()), (StatusCode::CONFLICT, "too-many-keys"));
    let by_form =
        fill_in(&mut alice, &[("name", "one more"), ("scope.domains:read", "on"), ("expires", "never")])
            .await;
    assert_eq!(by_form.status, StatusCode::CONFLICT);
    assert!(by_form.text.contains("You have 50 keys"), "{}", by_form.text);
}

/// A key outlives the time in which High Security Mode was off.
#[tokio::test]
async fn while_high_security_is_off_a_key_still_needs_the_second_factor() {
    let world = World::new().await;
    world.gate.settled(world.gate.store().set_high_security(false).await.unwrap()).await;
    let mut admin = lapsed(&world, "admin").await;
    let asked = admin.request("GET", "/users/1").body(Body::empty()).unwrap();
    assert!(matches!(world.decide(asked).await, Outcome::Allow(_)), "to the session itself it is open");
    let call = make(&mut admin, "users", &["users:read"]).await;
    assert_eq!((call.status, call.reason().as_str()), (StatusCode::FORBIDDEN, "needs-elevation"));
    let code = world.code();
    assert_eq!(admin.code(&code).await.status, StatusCode::OK);
    assert_eq!(make(&mut admin, "users", &["users:read"]).await.status, StatusCode::CREATED);
}
