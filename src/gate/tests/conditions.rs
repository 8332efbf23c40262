//! Conditions and quotas of pages, as they count at the gate.

use super::*;
use crate::{
    feeds::places,
    rules::{
        api_key::{ApiKey, KeyId},
        facts::PresentedKey,
    },
};

const POLICY: &str = r#"
version: 1
roles: [root, user]
elevation: { lasts: 15m }
pages:
  - name: home
    paths: ["/"]
    access: { root: full, user: full }
  - name: office
    paths: ["/office/**"]
    scopes: { read: "office:read" }
    when: { networks: [192.0.2.0/24] }
    access:
      root: { unelevated: none, elevated: full, lasts: 5m }
      user: { unelevated: read, elevated: read, when: { hours: "Mon-Fri 07:00-19:00 Europe/Berlin" } }
  - name: north
    paths: ["/north/**"]
    when: { countries: [SE] }
    access: { root: full, user: full }
  - name: reports
    paths: ["/reports/**"]
    scopes: { read: "reports:read" }
    limit: ["2/min per session", "3/min per user"]
    access: { root: full, user: { unelevated: read, elevated: read, limit: "1/min per address" } }
  - name: status
    paths: ["/status"]
    anonymous: read
    when: { networks: [192.0.2.0/24] }
    limit: "2/min per session"
    access: { root: read }
"#;

async fn world() -> World {
    let world = World::new().await;
    let mut site = Site::sample("panel", &["https://panel.example.com"]);
    site.policy = policy(POLICY);
    let sites = Sites::new(vec![site]).unwrap();
    world.gate.live().swap(|snapshot| snapshot.sites = sites.clone());
    world
}

impl World {
    async fn asks_from(&self, client: ClientAddr, token: &str, target: &str) -> Judgement {
        let cookie = format!("{COOKIE}={token}");
        let headers: &[(&'static str, &str)] = if token.is_empty() { &[] } else { &[("cookie", &cookie)] };
        let mut visit = self.visit("GET", target, headers);
        Arc::make_mut(&mut visit.facts).client = client;
        self.gate.decide(&visit).await
    }
}

fn peer(ip: &str) -> ClientAddr {
    ClientAddr { ip: ip.parse().unwrap(), from: AddrSource::Peer }
}

#[tokio::test]
async fn a_page_for_some_networks_asks_nobody_else_for_a_second_factor() {
    let world = world().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    let inside = world.asks(&token, "GET", "/office").await;
    assert!(matches!(inside.outcome, Outcome::StepUp { .. }));
    let outside = world.asks_from(peer("198.51.100.1"), &token, "/office").await;
    assert!(matches!(outside.outcome, Outcome::Deny(Reason::OutsideNetworks)));
    world.elevate(sid).await;
    assert_eq!(world.asks(&token, "GET", "/office").await.reason, Reason::ElevatedAllows);
    let outside = world.asks_from(peer("198.51.100.1"), &token, "/office").await;
    assert_eq!(outside.reason, Reason::OutsideNetworks);
    world.clock.advance(Duration::from_secs(301));
    let lapsed = world.asks(&token, "GET", "/office").await;
    assert!(matches!(lapsed.outcome, Outcome::StepUp { .. }), "the role's own time counts there");
}

#[tokio::test]
async fn an_address_that_is_not_certain_meets_no_condition_r17() {
    let world = world().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.elevate(sid).await;
    for from in [AddrSource::Stopped, AddrSource::Unforwarded] {
        let client = ClientAddr { from, ..peer("192.0.2.1") };
        assert_eq!(world.asks_from(client, &token, "/office").await.reason, Reason::OutsideNetworks);
        assert_eq!(world.asks_from(client, "", "/status").await.reason, Reason::NoCredential);
    }
    assert_eq!(world.asks_from(peer("192.0.2.1"), "", "/status").await.reason, Reason::Anonymous);
    assert_eq!(world.asks_from(peer("198.51.100.1"), "", "/status").await.reason, Reason::NoCredential);
}

#[tokio::test]
async fn without_a_database_of_places_every_country_is_foreign_r17() {
    let world = world().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    let sweden = peer("89.160.20.112");
    assert_eq!(world.asks_from(sweden, &token, "/north").await.reason, Reason::OutsideCountries);
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip/GeoLite2-City-Test.mmdb");
    let places: crate::rules::place::Places = places::load(&file).unwrap();
    world.gate.live().swap(|snapshot| snapshot.places = places.clone());
    assert_eq!(world.asks_from(sweden, &token, "/north").await.reason, Reason::RoleAllows);
    assert_eq!(world.asks_from(peer("81.2.69.142"), &token, "/north").await.reason, Reason::OutsideCountries);
}

#[tokio::test]
async fn a_connection_that_stays_open_ends_with_the_hours_of_its_page() {
    let world = world().await;
    // The world begins on a Monday in November, at 17:00 in Berlin.
    world.clock.advance(Duration::from_secs(2 * 3600 - 60));
    let (_, fresh) = world.session(world.account("user", false).await, 1).await;
    let visit = world.visit("GET", "/office/live", &[("cookie", &format!("{COOKIE}={fresh}"))]);
    let Outcome::Allow(grant) = world.gate.decide(&visit).await.outcome else { panic!("closed too early") };
    assert!(world.gate.still_holds(&visit, &grant));
    world.clock.advance(Duration::from_secs(61));
    assert!(!world.gate.still_holds(&visit, &grant));
    assert_eq!(world.asks(&fresh, "GET", "/office").await.reason, Reason::OutsideHours);
}

#[tokio::test]
async fn a_key_is_held_to_the_conditions_of_the_page_as_well() {
    let world = world().await;
    let root = world.account("root", true).await;
    let id = KeyId::of("gate_a key");
    let key = ApiKey {
        id,
        user: root,
        site: "panel".into(),
        name: "script".into(),
        scopes: vec!["office:read".into()],
        created: START,
        expires: None,
        used: None,
    };
    let written = world.gate.store().add_key(key).await.unwrap();
    assert!(world.gate.settled(written).await);
    let ask = async |client| {
        let mut visit = world.visit("GET", "/office", &[]);
        let facts = Arc::make_mut(&mut visit.facts);
        facts.presented.api_key = Some(PresentedKey::Key(id));
        facts.client = client;
        world.gate.decide(&visit).await.reason
    };
    assert_eq!(ask(peer("192.0.2.9")).await, Reason::KeyAllows);
    assert_eq!(ask(peer("198.51.100.1")).await, Reason::OutsideNetworks);
}

#[tokio::test]
async fn a_page_is_used_no_more_often_than_its_quotas_say() {
    let world = world().await;
    let root = world.account("root", true).await;
    let (_, one) = world.session(root, 1).await;
    let (_, other) = world.session(root, 2).await;
    assert!(allowed(&world.asks(&one, "GET", "/reports/1").await));
    assert!(allowed(&world.asks(&one, "POST", "/reports/2").await));
    let third = world.asks(&one, "GET", "/reports/1").await;
    assert!(
        matches!(third.outcome, Outcome::Throttle { retry_after } if retry_after <= Duration::from_secs(30))
    );
    assert_eq!((third.reason, third.page.as_deref()), (Reason::PageLimit, Some("reports")));
    assert!(allowed(&world.asks(&other, "GET", "/reports").await), "a session of its own");
    assert_eq!(
        world.asks(&other, "GET", "/reports").await.reason,
        Reason::PageLimit,
        "the account's is used up"
    );
    assert!(allowed(&world.asks(&other, "GET", "/").await), "other pages are not in it");
    world.clock.advance(Duration::from_secs(60));
    assert!(allowed(&world.asks(&other, "GET", "/reports").await));
}

#[tokio::test]
async fn a_role_can_have_a_quota_of_its_own_and_strangers_count_by_network() {
    let world = world().await;
    let (_, token) = world.session(world.account("user", false).await, 1).await;
    assert!(allowed(&world.asks_from(peer("198.51.100.1"), &token, "/reports").await));
    let again = world.asks_from(peer("198.51.100.1"), &token, "/reports").await;
    assert_eq!(again.reason, Reason::PageLimit);
    for last in [Reason::Anonymous, Reason::Anonymous, Reason::PageLimit] {
        assert_eq!(world.asks_from(peer("192.0.2.1"), "", "/status").await.reason, last);
    }
    assert_eq!(world.asks_from(peer("192.0.2.2"), "", "/status").await.reason, Reason::Anonymous);
}

#[tokio::test]
async fn a_refused_request_uses_up_no_quota_and_a_changed_quota_starts_anew() {
    let world = world().await;
    let root = world.account("root", true).await;
    let (_, token) = world.session(root, 1).await;
    for _ in 0..2 {
        assert!(allowed(&world.asks(&token, "GET", "/reports").await));
    }
    assert_eq!(world.asks(&token, "GET", "/reports").await.reason, Reason::PageLimit);
    world.gate.live().swap(|_| {});
    assert_eq!(world.asks(&token, "GET", "/reports").await.reason, Reason::PageLimit, "the same policy");
    let mut site = Site::sample("panel", &["https://panel.example.com"]);
    site.policy = policy(&POLICY.replace("2/min per session", "5/min per session").replace("3/min", "9/min"));
    let sites = Sites::new(vec![site]).unwrap();
    world.gate.live().swap(|snapshot| snapshot.sites = sites.clone());
    assert!(allowed(&world.asks(&token, "GET", "/reports").await));
}
