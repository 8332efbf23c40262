//! Roles that the policy's `require_2fa` names reach nothing but the set-up until it is done.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::support::{Browser, World, example, policy_with};
use crate::{
    portal::routes,
    rules::{outcome::Outcome, reason::Reason},
};

async fn demanding() -> World {
    let policy = Arc::new(policy_with("require_2fa", json!(["root", "alice"])));
    World::with(|site| site.policy = policy, 1000).await
}

/// From the route table: whatever there is, now and later.
#[tokio::test]
async fn until_then_nothing_else_opens() {
    let world = demanding().await;
    let open = [
        "/_gate/sign-in",
        "/_gate/sign-out",
        "/_gate/step-up",
        "/_gate/second-factor",
        "/_gate/refresh",
        "/_gate/client.js",
        "/_gate/portal.js",
        "/_gate/style.css",
        "/_gate/.well-known/jwks.json",
        "/_gate/api/v1/openapi.json",
        "/_gate/api/v1/sign-in",
        "/_gate/api/v1/sign-out",
        "/_gate/api/v1/session",
        "/_gate/api/v1/second-factor",
        "/_gate/account/two-factor",
        "/_gate/account/two-factor/confirm",
        "/_gate/api/v1/totp",
        "/_gate/api/v1/totp/confirm",
        // Opened by a link that was sent to its owner, by nobody's session.
        "/_gate/not-me",
    ];
    let mut tried = 0;
    for route in routes::guarded().iter().filter(|route| !open.contains(&route.path)) {
        for method in route.methods {
            let mut browser = Browser::new(&world);
            browser.sign_in("alice").await;
            let answer = browser.call(method, &example(route.path), "{}").await;
            let led = answer.location().contains("/_gate/account/two-factor")
                || answer.text.contains("/_gate/account/two-factor");
            let refused = answer.status == StatusCode::FOUND || answer.status == StatusCode::FORBIDDEN;
            assert!(led && refused, "{method} {}: {} {}", route.path, answer.status, answer.text);
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried}");
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    for target in ["/domains/", "/users/", "/nowhere"] {
        let request = browser.request("GET", target).body("".into()).unwrap();
        let outcome = world.decide(request).await;
        assert!(matches!(outcome, Outcome::Deny(Reason::NeedsEnrolment)), "{target}: {outcome:?}");
    }
    let removed = browser.call("DELETE", "/_gate/api/v1/totp", "{\"code\":\"000000\"}").await;
    assert_eq!(removed.status, StatusCode::FORBIDDEN, "{}", removed.text);
}

/// The way there and back: what was wanted opens at the end.
#[tokio::test]
async fn the_browser_is_led_to_the_set_up_and_back() {
    let world = demanding().await;
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    let page = browser.open("/_gate/account/security").await;
    let onward = "https://panel.example.com/_gate/account/two-factor?rd=https%3A%2F%2Fpanel.example.com%2F_gate%2Faccount%2Fsecurity";
    assert_eq!((page.status, page.location()), (StatusCode::FOUND, onward));
    let target = onward.strip_prefix("https://panel.example.com").unwrap();
    let page = browser.open(target).await;
    assert!(page.text.contains("Your role needs a second factor") && page.text.contains("/_gate/sign-out"));
    let back = "https://panel.example.com/_gate/account/security";
    let fields = [("form", &*page.form()), ("rd", back), ("password", "alice-pass")];
    let picture = browser.submit("/_gate/account/two-factor", &fields).await;
    assert!(picture.location().ends_with("account%2Fsecurity"), "{}", picture.location());
    let page = browser.open(picture.location()).await;
    let key = page.text.split("id=\"key\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let fields = [("form", &*page.form()), ("rd", back), ("code", &world.code_of(&key, 0))];
    let codes = browser.submit("/_gate/account/two-factor/confirm", &fields).await;
    assert!(codes.text.contains(&format!("data-keep href=\"{back}\"")), "{}", codes.text);
    assert_eq!(browser.open("/_gate/account/security").await.status, StatusCode::OK);
    let request = browser.request("GET", "/domains/").body("".into()).unwrap();
    assert!(matches!(world.decide(request).await, Outcome::Allow(_)));
}

/// Removing it is allowed, and said to close everything again.
#[tokio::test]
async fn whoever_removes_it_is_told_and_closed_out() {
    let world = demanding().await;
    let mut browser = Browser::new(&world);
    browser.sign_in("root").await;
    world.clock.advance(std::time::Duration::from_secs(60));
    let page = browser.open("/_gate/account/two-factor/remove").await;
    assert!(page.text.contains("nothing opens until you have set one up again"), "{}", page.text);
    let fields = [("form", &*page.form()), ("rd", ""), ("code", &world.code())];
    let answer = browser.submit("/_gate/account/two-factor/remove", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let page = browser.open(answer.location()).await;
    assert!(page.location().contains("/_gate/account/two-factor"), "{}", page.text);
}
