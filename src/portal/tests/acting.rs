//! Impersonation, as its operator and the panel see it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::json;

use super::support::{Answer, Browser, World, id, policy_with};
use crate::{
    portal::mark,
    rules::{outcome::Outcome, reason::Reason},
    store::UserChange,
};

const CALL: &str = "/_gate/api/v1/impersonation";

async fn operator<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

async fn act(browser: &mut Browser<'_>, name: &str, write: bool) -> Answer {
    let body = json!({ "username": name, "reason": "ticket 7", "write": write });
    browser.call("POST", CALL, &body.to_string()).await
}

async fn outcome(world: &World, browser: &Browser<'_>, method: &str, target: &str) -> Outcome {
    world.decide(browser.request(method, target).body("".into()).unwrap()).await
}

fn reason(outcome: &Outcome) -> Option<Reason> {
    if let Outcome::Deny(reason) = outcome { Some(*reason) } else { None }
}

#[tokio::test]
async fn an_administrator_acts_as_a_lower_role_by_the_page_and_ends_it_there() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    let page = root.open("/_gate/admin/impersonate?user=alice&rd=/domains/1").await;
    assert!(page.text.contains("value=\"alice\"") && page.text.contains("admin, alice"), "{}", page.text);
    assert!(page.text.contains("after 30 min") && !page.text.contains("<option value=\"root\">"));
    let form = page.form();
    let fields = |reason| {
        [
            ("form", form.as_str()),
            ("rd", "https://panel.example.com/domains/1"),
            ("username", "alice"),
            ("reason", reason),
        ]
    };
    let unsaid = root.submit("/_gate/admin/impersonate", &fields("  ")).await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.text.contains("Say why, in a few words.") && unsaid.text.contains("value=\"alice\""));
    let begun = root.submit("/_gate/admin/impersonate", &fields("ticket 7")).await;
    assert_eq!(
        (begun.status, begun.location()),
        (StatusCode::SEE_OTHER, "https://panel.example.com/domains/1")
    );
    assert_eq!(begun.header("clear-site-data"), "\"cache\"");

    let session = root.call("GET", "/_gate/api/v1/session?path=/domains/1", "").await.json();
    assert_eq!(
        (&session["user"], &session["role"], &session["actor"]),
        (&json!("alice"), &json!("alice"), &json!("root"))
    );
    assert_eq!(session["impersonation"]["text"], "Impersonating: alice");
    assert_eq!(session["page"]["access"], "read");

    let end = root.open("/_gate/acting/end?rd=/domains/1").await;
    assert!(
        end.text.contains("You are impersonating alice") && end.text.contains("because: ticket 7"),
        "{}",
        end.text
    );
    let ended = root.submit("/_gate/acting/end", &[("form", &end.form()), ("rd", "/domains/1")]).await;
    assert_eq!(
        (ended.status, ended.location()),
        (StatusCode::SEE_OTHER, "https://panel.example.com/domains/1")
    );
    assert_eq!(ended.header("clear-site-data"), "\"cache\"");
    let session = root.session().await.json();
    assert_eq!(
        (&session["user"], &session["actor"], &session["impersonation"]),
        (&json!("root"), &json!(null), &json!(null))
    );
    assert!(root.open("/_gate/acting/end").await.text.contains("You are not impersonating anybody"));
}

#[tokio::test]
async fn the_panel_is_told_the_account_and_the_operator_and_writes_only_when_asked_for() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    for write in [false, true] {
        let begun = act(&mut root, "alice", write).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
        assert_eq!(begun.json()["actor"], "root");
        let Outcome::Allow(grant) = outcome(&world, &root, "GET", "/domains/1").await else {
            panic!("not let in")
        };
        let bearer = grant.bearer().unwrap();
        assert_eq!((bearer.user.name.as_str(), &*bearer.role), ("alice", "alice"));
        assert_eq!(bearer.actor.as_ref().unwrap().user.name.as_str(), "root");
        let visit = world.visit(&root.request("GET", "/domains/1").body(()).unwrap().into_parts().0);
        let claims = world.gate.assertion(&visit, &grant);
        let payload = claims.to_str().unwrap().split('.').nth(1).unwrap();
        let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (&payload["sub"], &payload["act"]),
            (&json!("alice"), &json!({ "sub": "root" })),
            "RFC 8693 §4.1"
        );
        let written = outcome(&world, &root, "POST", "/domains/1").await;
        if write {
            assert!(matches!(written, Outcome::Allow(_)), "{written:?}");
        } else {
            assert_eq!(reason(&written), Some(Reason::ImpersonationReadOnly));
        }
        // Alice's role, and no more: the operator's own pages are closed.
        assert_eq!(reason(&outcome(&world, &root, "GET", "/users/1").await), Some(Reason::RoleLacksAccess));
        assert_eq!(root.call("DELETE", CALL, "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn nobody_acts_as_an_equal_a_higher_or_a_disabled_account_or_twice() {
    let world = World::new().await;
    let mut admin = operator(&world, "admin").await;
    for name in ["root", "admin", "nobody", "  ", "a b"] {
        let answer = act(&mut admin, name, false).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "no-such-account"),
            "{name}"
        );
    }
    let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
    change(&world, "alice", disabled).await;
    assert_eq!(act(&mut admin, "alice", false).await.reason(), "no-such-account");
    change(&world, "alice", UserChange { disabled: Some(false), ..UserChange::default() }).await;
    let long = json!({ "username": "alice", "reason": "x".repeat(201) }).to_string();
    assert_eq!(admin.call("POST", CALL, &long).await.reason(), "reason-too-long");
    let most = json!({ "username": "alice", "reason": "ü".repeat(200) }).to_string();
    assert_eq!(admin.call("POST", CALL, &most).await.status, StatusCode::OK);
    // One level: an operator who acts has no administration.
    assert_eq!(act(&mut admin, "alice", true).await.status, StatusCode::FORBIDDEN);
    let alice = operator(&world, "alice").await.call("POST", CALL, &most).await;
    assert_eq!(alice.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_operator_needs_a_second_factor_that_was_proved_lately() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    world.clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(root.refresh().await.status, StatusCode::OK);
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    assert_eq!(root.call("DELETE", CALL, "").await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    let late = act(&mut root, "alice", false).await;
    assert_eq!((late.status, late.reason().as_str()), (StatusCode::FORBIDDEN, "needs-elevation"));
    assert!(root.open("/_gate/admin/impersonate").await.location().contains("/_gate/step-up"));
}

#[tokio::test]
async fn an_impersonation_ends_with_its_time_its_session_its_account_or_the_right_to_it() {
    for how in ["time", "disabled", "promoted", "demoted", "factor"] {
        let world = World::new().await;
        let mut root = operator(&world, "admin").await;
        assert_eq!(act(&mut root, "alice", true).await.status, StatusCode::OK);
        let Outcome::Allow(grant) = outcome(&world, &root, "POST", "/domains/1").await else {
            panic!("not let in")
        };
        let visit = world.visit(&root.request("POST", "/domains/1").body(()).unwrap().into_parts().0);
        assert!(world.gate.still_holds(&visit, &grant));
        let role = |role: &str| UserChange { role: Some(role.into()), ..UserChange::default() };
        match how {
            "time" => world.clock.advance(Duration::from_secs(30 * 60)),
            "disabled" => {
                change(&world, "alice", UserChange { disabled: Some(true), ..UserChange::default() }).await;
            }
            "promoted" => change(&world, "alice", role("root")).await,
            "demoted" => change(&world, "admin", role("alice")).await,
            _ => change(&world, "admin", UserChange { totp: Some(None), ..UserChange::default() }).await,
        }
        assert!(!world.gate.still_holds(&visit, &grant), "{how}: a live connection goes on");
        root.refresh().await;
        // Nothing that was meant for alice happens in the operator's own name.
        let after = outcome(&world, &root, "GET", "/domains/1").await;
        assert_eq!(reason(&after), Some(Reason::ImpersonationOver), "{how}");
        let session = root.session().await.json();
        assert_eq!(
            (&session["user"], &session["impersonation"]["over"]),
            (&json!("admin"), &json!(true)),
            "{how}"
        );
        let page = root.open("/_gate/acting/end").await;
        assert!(page.text.contains("The impersonation of alice is over"), "{how}: {}", page.text);
        assert_eq!(
            root.submit("/_gate/acting/end", &[("form", &page.form())]).await.status,
            StatusCode::SEE_OTHER
        );
        assert!(matches!(outcome(&world, &root, "GET", "/domains/1").await, Outcome::Allow(_)), "{how}");
    }
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    assert_eq!(act(&mut root, "alice", true).await.status, StatusCode::OK);
    root.call("POST", "/_gate/api/v1/sign-out", "{}").await;
    assert!(world.sessions("root").iter().all(|session| session.impersonation.is_none()));
}

/// The way out stays open to an operator whose role needs a second factor and who has lost it meanwhile.
#[tokio::test]
async fn who_has_to_set_a_factor_up_first_can_still_leave() {
    let policy = Arc::new(policy_with("require_2fa", json!(["root"])));
    let world = World::with(|site| site.policy = policy, 100).await;
    let mut root = operator(&world, "root").await;
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    change(&world, "root", UserChange { totp: Some(None), ..UserChange::default() }).await;
    assert!(!matches!(outcome(&world, &root, "GET", "/domains/1").await, Outcome::Allow(_)));
    let set_up = root.open("/_gate/account/two-factor").await;
    assert!(set_up.text.contains("/_gate/acting/end"), "{}", set_up.text);
    let page = root.open("/_gate/acting/end").await;
    assert!(page.text.contains("The impersonation of alice is over"), "{}", page.text);
    assert_eq!(
        root.submit("/_gate/acting/end", &[("form", &page.form())]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(root.open("/_gate/account/two-factor").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_mark_names_the_account_and_leads_to_the_end_in_ascii() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    let marked = async |browser: &Browser<'_>, target: &str, language: &str| {
        let request = browser.request("GET", target).header("accept-language", language).body(()).unwrap();
        let parts = request.into_parts().0;
        let visit = world.visit(&parts);
        let Outcome::Allow(grant) = world.gate.decide(&visit).await.outcome else { panic!("not let in") };
        mark(&parts.headers, &visit, &grant)
    };
    assert_eq!(marked(&root, "/domains/1", "en").await, None, "not a protected page");
    let verified = marked(&root, "/users/1", "en").await.unwrap();
    assert!(!verified.always && verified.html.contains("Verified until"), "{}", verified.html);
    world.clock.advance(Duration::from_secs(6 * 60));
    let reads = marked(&root, "/users/1", "de").await.unwrap();
    assert!(reads.html.contains("/_gate/step-up?rd=") && reads.html.is_ascii(), "{}", reads.html);
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    let acting = marked(&root, "/domains/1?a=1&b", "en").await.unwrap();
    assert!(acting.always && acting.html.is_ascii());
    assert!(
        acting.html.contains("<b>Impersonating: alice</b>") && acting.html.contains(">End impersonation<")
    );
    assert!(
        acting.html.contains("/_gate/acting/end?rd=https%3A%2F%2Fpanel.example.com%2Fdomains%2F1"),
        "{}",
        acting.html
    );
    // No content security policy governs what is in it.
    assert!(
        !acting.html.contains("style=")
            && !acting.html.contains("<script")
            && !acting.html.contains("<style")
    );
}

/// The page of the policy switches its own bar off; the mark of an impersonation is not its to switch.
#[tokio::test]
async fn a_page_that_wants_no_bar_has_none_but_the_mark_of_an_impersonation() {
    let access = json!({ "root": { "unelevated": "read", "elevated": "full" }, "alice": "read" });
    let quiet = json!([{ "name": "quiet", "paths": ["/users/**"], "bar": false, "access": access }]);
    let policy = Arc::new(policy_with("pages", quiet));
    let world = World::with(|site| site.policy = policy, 100).await;
    let mut root = operator(&world, "root").await;
    let marked = async |browser: &Browser<'_>| {
        let parts = browser.request("GET", "/users/1").body(()).unwrap().into_parts().0;
        let visit = world.visit(&parts);
        let Outcome::Allow(grant) = world.gate.decide(&visit).await.outcome else { panic!("not let in") };
        mark(&parts.headers, &visit, &grant)
    };
    assert_eq!(marked(&root).await, None);
    let page = root.call("GET", "/_gate/api/v1/session?path=/users/1", "").await.json()["page"].clone();
    assert_eq!((&page["bar"], &page["protected"]), (&json!(false), &json!(true)));
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    assert!(marked(&root).await.is_some_and(|mark| mark.always));
}

#[tokio::test]
async fn credentials_are_nobodys_to_change_meanwhile() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    assert_eq!(act(&mut root, "alice", true).await.status, StatusCode::OK);
    for page in ["/_gate/admin/impersonate", "/_gate/admin/high-security"] {
        assert_eq!(root.open(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    let put = root.call("PUT", "/_gate/api/v1/admin/high-security", r#"{"installation":false}"#).await;
    assert_eq!((put.status, world.gate.live().records.is_high_security()), (StatusCode::FORBIDDEN, true));
}

#[tokio::test]
async fn a_refused_write_says_how_to_go_on() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    let request =
        root.request("POST", "/domains/1").header("sec-fetch-mode", "navigate").body("".into()).unwrap();
    let page = world.refused(request).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(
        page.text.contains("for looking only") && page.text.contains("/_gate/acting/end"),
        "{}",
        page.text
    );
    world.clock.advance(Duration::from_secs(30 * 60));
    root.refresh().await;
    let request =
        root.request("GET", "/domains/1").header("sec-fetch-mode", "navigate").body("".into()).unwrap();
    assert!(world.refused(request).await.location().contains("/_gate/acting/end?rd="));
}

pub(super) async fn change(world: &World, name: &str, change: UserChange) {
    let written = world.gate.store().change_user(id(name), change, world.gate.moment().wall).await.unwrap();
    assert!(world.gate.settled(written).await);
}

/// A refusal says whose access it was that counted, and leads out.
#[tokio::test]
async fn what_the_other_account_does_not_have_is_refused_in_its_name() {
    let world = World::new().await;
    let mut root = operator(&world, "root").await;
    assert_eq!(act(&mut root, "alice", false).await.status, StatusCode::OK);
    let person = root.request("GET", "/users/1").header("sec-fetch-mode", "navigate");
    let page = world.refused(person.body("".into()).unwrap()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("You are acting as alice") && page.text.contains("/_gate/acting/end?rd="));
    let script = root.request("GET", "/users/1").header("sec-fetch-mode", "cors");
    let document = world.refused(script.body("".into()).unwrap()).await.json();
    assert_eq!(
        (&document["acting_for"], &document["reason"]),
        (&json!("alice"), &json!("role-lacks-access"))
    );
}
