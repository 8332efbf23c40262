//! Bans and the audit trail, as administrators see them.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::json;
use tower::ServiceExt;

use super::support::{Browser, World};
use crate::{
    gate::RefusalAudience,
    portal::ReadTrail,
    rules::{
        ban,
        reason::Reason,
        trail::{Fields, Link, Query, Record, line, read},
    },
};

const BANS: &str = "/_gate/admin/bans";
const CALL: &str = "/_gate/api/v1/admin/bans";
const AUDIT: &str = "/_gate/admin/audit";
const AUDIT_CALL: &str = "/_gate/api/v1/admin/audit";

/// A trail of sixty records: every third names the site `panel`, the others no site.
pub(super) struct Trail;

impl ReadTrail for Trail {
    fn newest(&self, query: &Query, limit: usize) -> std::io::Result<Vec<Record>> {
        let mut link = Link::default();
        let records = (0..60_u64).map(|n| {
            let mut fields = Fields::new();
            fields.insert("user".into(), format!("user-{n}").into());
            fields.insert("client".into(), format!("203.0.113.{n}").into());
            fields.insert("note".into(), "<b>\u{202e}".into());
            if n % 3 == 0 {
                fields.insert("site".into(), "panel".into());
            }
            let at = super::support::START.plus(Duration::from_secs(n));
            read(
                line(&mut link, at, if n % 2 == 0 { "sign-in-failed" } else { "session-opened" }, &fields)
                    .as_bytes(),
            )
            .unwrap()
        });
        let mut found: Vec<Record> = records.filter(|record| query.matches(record)).collect();
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }
}

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

async fn add(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> super::support::Answer {
    let form = browser.open(BANS).await.form();
    let fields: Vec<_> = std::iter::once(("form", form.as_str())).chain(fields.iter().copied()).collect();
    browser.submit(BANS, &fields).await
}

#[tokio::test]
async fn a_ban_is_made_shown_and_lifted_on_plain_pages() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    assert!(admin.open(BANS).await.text.contains("Nobody is banned."));
    let made = [("whom", "203.0.113.9/24"), ("reason", "tries <passwords>"), ("lasts", "2h")];
    let done = add(&mut admin, &made).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/_gate/admin/bans?done=added"));
    let page = admin.open(&format!("{BANS}?done=added")).await;
    assert!(
        page.text.contains("203.0.113.0/24") && page.text.contains("tries &#60;passwords&#62;"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Banned by admin") && page.text.contains("It counts from now on."));
    assert!(world.gate.live().banned("203.0.113.77".parse().unwrap(), world.gate.moment().wall).is_some());

    let lift = format!("{BANS}/lift?whom=203.0.113.0%2F24");
    let question = admin.open(&lift).await;
    assert!(question.text.contains("Lift the ban of 203.0.113.0/24?"), "{}", question.text);
    let form = question.form();
    assert_eq!(admin.submit(&lift, &[("form", &form)]).await.location(), "/_gate/admin/bans?done=lifted");
    assert!(world.gate.live().banned("203.0.113.77".parse().unwrap(), world.gate.moment().wall).is_none());
    assert_eq!(admin.open(&lift).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_ban_that_is_over_is_shown_as_such_for_a_day() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    add(&mut admin, &[("whom", "203.0.113.9"), ("lasts", "1m")]).await;
    world.clock.advance(Duration::from_secs(61));
    let page = admin.open(BANS).await;
    assert!(
        page.text.contains("Over within the last day") && page.text.contains("Nobody is banned."),
        "{}",
        page.text
    );
    assert!(!page.text.contains("bans/lift"), "there is nothing to lift");
}

#[tokio::test]
async fn mistakes_are_told_at_their_field_and_nothing_is_banned() {
    let world = World::new().await;
    world.gate.live().swap(|snapshot| snapshot.spared.proxies.0 = vec!["10.0.0.5/32".parse().unwrap()]);
    let mut admin = signed_in(&world, "admin").await;
    for (network, lasts, text) in [
        ("nonsense", "", "neither an address nor a network"),
        ("0.0.0.0/0", "", "too wide"),
        ("127.0.0.1", "", "the server itself"),
        ("10.0.0.5", "", "a proxy that the configuration trusts"),
        ("203.0.113.9", "soon", "a duration such as 2h"),
    ] {
        let answer = add(&mut admin, &[("whom", network), ("lasts", lasts)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{network}");
        assert!(
            answer.text.contains(text) && answer.text.contains("aria-invalid"),
            "{network}: {}",
            answer.text
        );
    }
    assert_eq!(world.gate.live().records.bans().all(), []);
}

#[tokio::test]
async fn whoever_would_shut_himself_out_is_asked_again() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let warned = add(&mut admin, &[("whom", "192.0.2.0/24")]).await;
    assert_eq!(warned.status, StatusCode::CONFLICT);
    assert!(warned.text.contains("You are at 192.0.2.7, which is in 192.0.2.0/24"), "{}", warned.text);
    assert!(warned.text.contains(r#"name="sure" value="192.0.2.0/24""#));
    let other = add(&mut admin, &[("whom", "192.0.2.7"), ("sure", "192.0.2.0/24")]).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "sure of another network");
    let call = admin.call("POST", CALL, r#"{"network":"192.0.2.7"}"#).await;
    assert_eq!((call.status, call.json()["reason"].clone()), (StatusCode::CONFLICT, json!("own-address")));
    assert_eq!(world.gate.live().records.bans().all(), []);
    let sure = add(&mut admin, &[("whom", "192.0.2.0/24"), ("sure", "192.0.2.0/24")]).await;
    assert_eq!(sure.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_same_by_calls() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let made = admin.call("POST", CALL, r#"{"network":"2001:db8::9","reason":"x","lasts":"1h"}"#).await;
    assert_eq!((made.status, made.json()["network"].clone()), (StatusCode::OK, json!("2001:db8::/64")));
    let list = admin.call("GET", CALL, "").await.json();
    assert_eq!((&list["bans"][0]["by"], &list["bans"][0]["over"]), (&json!("admin"), &json!(false)));
    let bad = admin.call("POST", CALL, r#"{"network":"::1"}"#).await;
    assert_eq!(
        (bad.status, bad.json()["reason"].clone()),
        (StatusCode::UNPROCESSABLE_ENTITY, json!("spared"))
    );
    let lift = format!("{CALL}?network=2001%3Adb8%3A%3A%2F64");
    assert_eq!(admin.call("DELETE", &lift, "{}").await.json()["bans"], json!([]));
    assert_eq!(admin.call("DELETE", &lift, "{}").await.status, StatusCode::NOT_FOUND);
}

/// Whoever is banned is refused before anything is looked at, at whatever address, and nobody else is.
#[tokio::test]
async fn a_banned_client_is_refused_everywhere_and_one_that_is_spared_nowhere() {
    let world = World::new().await;
    let alice = signed_in(&world, "alice").await;
    let parts = alice.request("GET", "/domains/1").body(()).unwrap().into_parts().0;
    let visit = world.visit(&parts);
    let ban = ban::Ban {
        whom: ban::parse("192.0.2.7").unwrap(),
        reason: String::new(),
        by: "uid 0".into(),
        since: world.gate.moment().wall,
        until: None,
    };
    let written = world.gate.store().ban(ban).await.unwrap();
    world.gate.settled(written).await;
    assert!(world.gate.turns_away("::ffff:192.0.2.7".parse().unwrap()), "before the handshake");
    for path in ["/domains/1", "/_gate/sign-in", "/_gate/style.css", "/%2f"] {
        let parts = alice.request("GET", path).body(()).unwrap().into_parts().0;
        let refusal = world.describe(&parts).err().unwrap_or_else(|| panic!("{path} was described"));
        assert_eq!(refusal.reason, Reason::Banned, "{path}");
    }
    assert_eq!(world.gate.live().records.bans().turned_away(), 5);
    // What was granted before does not hold any more, so that open connections are cut.
    let outcome = {
        world.gate.live().swap(|snapshot| snapshot.spared.allow.0 = vec!["192.0.2.0/24".parse().unwrap()]);
        world.gate.decide(&visit).await.outcome
    };
    let crate::rules::outcome::Outcome::Allow(grant) = outcome else { panic!("{outcome:?}") };
    assert!(world.gate.still_holds(&visit, &grant), "`bans.allow` wins");
    world.gate.live().swap(|snapshot| snapshot.spared.allow.0.clear());
    assert!(!world.gate.still_holds(&visit, &grant));
}

#[tokio::test]
async fn a_refusal_of_the_banned_is_a_page_that_says_so() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    let ban = ban::Ban {
        whom: ban::parse("192.0.2.7").unwrap(),
        reason: String::new(),
        by: "uid 0".into(),
        since: world.gate.moment().wall,
        until: None,
    };
    let written = world.gate.store().ban(ban).await.unwrap();
    world.gate.settled(written).await;
    let request = browser.request("GET", "/domains/1").header("accept", "text/html");
    let refusal = world.describe(&request.body(()).unwrap().into_parts().0).err().unwrap();
    let mut request = http::Request::builder().uri("/_gate/refused").body(axum::body::Body::empty()).unwrap();
    request
        .extensions_mut()
        .insert(crate::gate::Refusal { audience: RefusalAudience::Navigation, ..*refusal });
    let answer = crate::portal::serve(Arc::clone(&world.portal)).oneshot(request).await.unwrap();
    let status = answer.status();
    let text = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("No service from here"), "{text}");
}

#[tokio::test]
async fn the_audit_trail_is_searched_paged_and_bounded_to_the_site() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let first = root.call("GET", AUDIT_CALL, "").await.json();
    assert_eq!((first["records"].as_array().unwrap().len(), &first["before"]), (50, &json!(11)));
    let rest = root.call("GET", &format!("{AUDIT_CALL}?before=11"), "").await.json();
    assert_eq!((rest["records"].as_array().unwrap().len(), &rest["before"]), (10, &json!(null)));
    let found = root.call("GET", &format!("{AUDIT_CALL}?user=user-7&event=session-*"), "").await.json();
    assert_eq!(found["records"][0]["client"], "203.0.113.7");
    assert_eq!(found["records"].as_array().unwrap().len(), 1);
    let bad = root.call("GET", &format!("{AUDIT_CALL}?since=yesterday"), "").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);

    let page = root.open(AUDIT).await;
    assert!(page.text.contains("?before=11") && page.text.contains("session-opened"), "{}", page.text);
    assert!(page.text.contains("note=&#60;b&#62;") && !page.text.contains("<b>"));
    let page = root.open(&format!("{AUDIT}?client=nowhere")).await;
    assert!(page.text.contains("neither an address nor a network") && page.text.contains("aria-invalid"));

    let mut admin = signed_in(&world, "admin").await;
    let own = admin.call("GET", AUDIT_CALL, "").await.json();
    assert_eq!(
        own["records"].as_array().unwrap().len(),
        20,
        "of the installation only the mightiest role reads"
    );
    assert!(own["records"].as_array().unwrap().iter().all(|record| record["site"] == "panel"));
}
