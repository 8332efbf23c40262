//! High Security Mode, as the mightiest role switches it.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::support::{Browser, World};
use crate::rules::{outcome::Outcome, reason::Reason};

const PAGE: &str = "/_gate/admin/high-security";
const CALL: &str = "/_gate/api/v1/admin/high-security";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

/// Whether a write to a protected page is let through, and why.
async fn writes(world: &World, browser: &Browser<'_>) -> Reason {
    let visit = world.visit(&browser.request("POST", "/users/1").body(()).unwrap().into_parts().0);
    let judgement = world.gate.decide(&visit).await;
    assert_eq!(matches!(judgement.outcome, Outcome::Allow(_)), judgement.reason != Reason::NeedsElevation);
    judgement.reason
}

#[tokio::test]
async fn root_sees_what_is_protected_and_what_a_switch_changes_before_it_is_turned() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let page = root.open(PAGE).await;
    assert!(page.text.contains("It is on."), "{}", page.text);
    assert!(page.text.contains("User management") && page.text.contains("read → full"), "{}", page.text);
    assert!(!page.text.contains("Domains"), "a page that is not protected");
    let question = root.open(&format!("{PAGE}?turn=off")).await;
    assert!(question.text.contains("For the whole installation"));
    assert!(question.text.contains("User management, root: read → full"));
    assert!(question.text.contains("User management, admin: none → full"));
    assert!(!question.text.contains("User management, alice"));
    assert!(world.gate.live().records.is_high_security(), "asking changes nothing");
    let done = root.submit(PAGE, &[("form", &question.form()), ("turn", "off")]).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, PAGE));
    let page = root.open(PAGE).await;
    assert!(page.text.contains("It is off for everybody.") && page.text.contains("turn=on"));
}

#[tokio::test]
async fn off_gives_at_once_what_the_second_factor_would_and_on_takes_it_back() {
    let world = World::new().await;
    let (mut root, admin) = (signed_in(&world, "root").await, signed_in(&world, "admin").await);
    world.clock.advance(Duration::from_secs(6 * 60));
    assert_eq!(writes(&world, &admin).await, Reason::NeedsElevation);
    assert_eq!(root.call("PUT", CALL, r#"{"installation":false}"#).await.json()["installation"], false);
    assert_eq!(writes(&world, &admin).await, Reason::RelaxedAllows);
    assert_eq!(root.call("PUT", CALL, r#"{"installation":true}"#).await.json()["installation"], true);
    assert_eq!(writes(&world, &admin).await, Reason::NeedsElevation);

    let off = root.call("PUT", CALL, r#"{"username":"Admin","on":false}"#).await.json();
    assert_eq!((&off["off_for"], &off["installation"]), (&json!(["admin"]), &json!(true)));
    assert_eq!(off["pages"][0]["roles"]["admin"], json!({ "unelevated": "none", "elevated": "full" }));
    assert_eq!(writes(&world, &admin).await, Reason::RelaxedAllows);
    assert_eq!(writes(&world, &root).await, Reason::NeedsElevation, "one account, and no other");
    let page = root.open(PAGE).await;
    assert!(page.text.contains("Off for admin (admin)"), "{}", page.text);
    let question = root.open(&format!("{PAGE}?turn=on&user=admin")).await;
    assert!(question.text.contains("User management, admin: full → none"), "{}", question.text);
    let fields = [("form", question.form()), ("turn", "on".into()), ("user", "admin".into())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(root.submit(PAGE, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(writes(&world, &admin).await, Reason::NeedsElevation);
}

#[tokio::test]
async fn nobody_but_the_mightiest_role_after_the_second_factor_may_switch() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    for name in ["admin", "alice"] {
        let mut other = signed_in(&world, name).await;
        for (method, body) in [("GET", ""), ("PUT", r#"{"installation":false}"#)] {
            assert_eq!(other.call(method, CALL, body).await.status, StatusCode::FORBIDDEN, "{name} {method}");
        }
        assert_eq!(other.open(PAGE).await.status, StatusCode::FORBIDDEN, "{name}");
    }
    world.clock.advance(Duration::from_secs(15 * 60));
    root.refresh().await;
    assert_eq!(root.call("PUT", CALL, r#"{"installation":false}"#).await.reason(), "needs-elevation");
    assert!(root.open(PAGE).await.location().contains("/_gate/step-up"));
    assert!(world.gate.live().records.is_high_security());
}

#[tokio::test]
async fn what_is_not_a_switch_is_refused() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    for body in [
        "{}",
        r#"{"installation":false,"username":"alice","on":false}"#,
        r#"{"username":"alice"}"#,
        r#"{"on":false}"#,
        r#"{"installation":"no"}"#,
        r#"{"installation":false,"more":1}"#,
    ] {
        assert_eq!(root.call("PUT", CALL, body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let nobody = root.call("PUT", CALL, r#"{"username":"nobody","on":false}"#).await;
    assert_eq!((nobody.status, nobody.reason().as_str()), (StatusCode::NOT_FOUND, "no-such-account"));
    let page = root.open(&format!("{PAGE}?turn=off&user=nobody")).await;
    assert!(page.text.contains("There is no account of that name."), "{}", page.text);
    let stale = root.submit(PAGE, &[("form", "x"), ("turn", "off")]).await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert!(world.gate.live().records.is_high_security());
}
