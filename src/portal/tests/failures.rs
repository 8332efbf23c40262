//! Failed attempts as administrators see them, and what they do about them: bans of networks, countries and autonomous
//! systems.

use http::StatusCode;
use serde_json::{Value, json};

use super::support::{Browser, World};
use crate::{
    clock::Wall,
    rules::{
        ban::{self, Ban},
        place::Systems,
        reason::Reason,
    },
};

const AT: &str = "/_gate/admin/failures";
const CALL: &str = "/_gate/api/v1/admin/failures";
const SIGN_IN: &str = "/_gate/api/v1/sign-in";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

async fn guess(world: &World, from: &str, name: &str) -> StatusCode {
    let mut browser = Browser::at(world, "curl/8", from);
    let body = json!({ "username": name, "password": "wrong" }).to_string();
    browser.call("POST", SIGN_IN, &body).await.status
}

fn systems(world: &World) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/geoip/GeoLite2-ASN-Test.mmdb");
    let systems = Systems::parse(std::fs::read(file).unwrap()).unwrap();
    world.gate.live().swap(|snapshot| snapshot.systems = systems.clone());
}

/// Two guesses at alice from GB, one at nobody from SE (AS29518), one from nowhere.
async fn attacked(world: &World) {
    systems(world);
    for from in ["81.2.69.142", "81.2.69.142", "203.0.113.9"] {
        assert_eq!(guess(world, from, "alice").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(guess(world, "89.160.20.112", "hunter2-is-my-password").await, StatusCode::UNAUTHORIZED);
}

async fn list(browser: &mut Browser<'_>, by: &str) -> Vec<Value> {
    let answer = browser.open(&format!("{CALL}?by={by}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["failures"].as_array().unwrap().clone()
}

#[tokio::test]
async fn attempts_are_added_up_by_network_account_country_and_system() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    assert!(admin.open(AT).await.text.contains("Nothing has failed."));
    attacked(&world).await;

    let networks = list(&mut admin, "network").await;
    let of = |network: &str| networks.iter().find(|one| one["network"] == network).unwrap();
    let british = of("81.2.69.142/32");
    assert_eq!(
        (&british["counts"]["passwords"], &british["country"], &british["towards_ban"], &british["banned"]),
        (&json!(2), &json!("GB"), &json!(2), &Value::Null)
    );
    assert_eq!(
        (&of("89.160.20.112/32")["asn"], &of("203.0.113.9/32")["country"]),
        (&json!(29518), &Value::Null)
    );

    let accounts = list(&mut admin, "account").await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!((&accounts[0]["name"], &accounts[0]["counts"]["passwords"]), (&json!("alice"), &json!(3)));
    assert_eq!(accounts[0]["networks"].as_array().unwrap().len(), 2);
    let others = admin.open(&format!("{CALL}?by=account")).await;
    assert_eq!(others.json()["others"], json!({ "names": 1, "failures": 1 }));
    assert!(!others.text.contains("hunter2"), "R29: it may be a password");

    let countries = list(&mut admin, "country").await;
    let named: Vec<_> =
        countries.iter().map(|one| (one["country"].as_str(), one["networks"].as_u64())).collect();
    assert_eq!((named[0], named.len()), ((Some("GB"), Some(1)), 3), "the most failures first: {named:?}");
    let systems = list(&mut admin, "asn").await;
    assert!(systems.iter().any(|one| one["asn"] == 29518), "{systems:?}");
}

#[tokio::test]
async fn a_ban_a_lift_and_an_unlock_are_at_hand_without_a_script() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    attacked(&world).await;
    for from in ["198.51.100.1", "198.51.100.2"] {
        guess(&world, from, "alice").await;
    }
    let page = admin.open(AT).await;
    assert!(page.text.contains("/_gate/admin/bans?whom=81.2.69.142%2F32"), "{}", page.text);
    assert!(page.text.contains("2 wrong passwords") && page.text.contains("2 of 50 before it is banned"));

    let form = admin.open("/_gate/admin/bans?whom=81.2.69.142%2F32").await;
    assert!(form.text.contains("value=\"81.2.69.142/32\""), "the form is filled in");
    let fields = [
        ("form", form.form()),
        ("whom", "81.2.69.142/32".into()),
        ("reason", "guesses".into()),
        ("lasts", "1h".into()),
    ];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(admin.submit("/_gate/admin/bans", &fields).await.status, StatusCode::SEE_OTHER);
    let page = admin.open(AT).await;
    assert!(page.text.contains("81.2.69.142/32 is banned until"), "{}", page.text);
    assert!(page.text.contains("/_gate/admin/bans/lift?whom=81.2.69.142%2F32"), "{}", page.text);

    let page = admin.open(&format!("{AT}?by=account")).await;
    assert!(page.text.contains("/_gate/admin/users/alice/unlock"), "{}", page.text);
    assert!(
        page.text.contains("5 wrong passwords") && page.text.contains("1 attempts at 1 names"),
        "{}",
        page.text
    );
    let unlock = "/_gate/admin/users/alice/unlock";
    let form = admin.open(unlock).await.form();
    assert_eq!(admin.submit(unlock, &[("form", &form)]).await.status, StatusCode::SEE_OTHER);
    assert!(!admin.open(&format!("{AT}?by=account")).await.text.contains("alice"), "forgiven is forgotten");

    let page = admin.open(&format!("{AT}?by=country")).await;
    assert!(page.text.contains("/_gate/admin/bans?whom=country%3AGB"), "{}", page.text);
    let page = admin.open(&format!("{AT}?by=asn")).await;
    assert!(page.text.contains("/_gate/admin/bans?whom=asn%3A29518"), "{}", page.text);
}

#[tokio::test]
async fn accounts_above_ones_own_are_not_named_and_nobody_else_gets_in() {
    let world = World::new().await;
    assert_eq!(guess(&world, "203.0.113.9", "root").await, StatusCode::UNAUTHORIZED);
    let mut admin = signed_in(&world, "admin").await;
    assert!(list(&mut admin, "account").await.is_empty(), "R32");
    let mut root = signed_in(&world, "root").await;
    assert_eq!(list(&mut root, "account").await[0]["name"], "root");
    let mut alice = signed_in(&world, "alice").await;
    for target in [AT, CALL] {
        assert_eq!(alice.open(target).await.status, StatusCode::FORBIDDEN, "{target}");
    }
}

#[tokio::test]
async fn without_databases_places_are_unknown_and_the_page_says_why() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    guess(&world, "81.2.69.142", "alice").await;
    let page = admin.open(&format!("{AT}?by=asn")).await;
    assert!(page.text.contains("`geoip.asn` names one") && page.text.contains("Unknown"), "{}", page.text);
    assert!(!page.text.contains("bans?whom=asn"), "nobody bans what is not known");
}

async fn ban(world: &World, whom: &str) {
    let ban = Ban {
        whom: ban::parse(whom).unwrap(),
        reason: String::new(),
        by: "uid 0".into(),
        since: Wall::from_secs(0),
        until: None,
    };
    let written = world.gate.store().ban(ban).await.unwrap();
    world.gate.settled(written).await;
}

/// Nothing is hashed, and the store is not asked: it is closed, and nobody notices.
#[tokio::test]
async fn a_banned_country_costs_no_hash_and_no_look_into_the_store() {
    let world = World::new().await;
    ban(&world, "country:GB").await;
    let checks = world.checks();
    world.gate.store().close().await.unwrap();
    let british = Browser::at(&world, "curl/8", "81.2.69.142");
    let (parts, ()) = british.request("POST", SIGN_IN).body(()).unwrap().into_parts();
    assert_eq!(world.describe(&parts).err().map(|refusal| refusal.reason), Some(Reason::Banned));
    assert!(world.gate.turns_away("81.2.69.142".parse().unwrap()), "and no handshake at the edge");
    assert_eq!(world.checks(), checks);
    assert!(!world.gate.turns_away("203.0.113.9".parse().unwrap()), "unknown is not banned");
}

/// A proxy in a banned country goes on speaking for those behind it, who are looked at one by one.
#[tokio::test]
async fn a_banned_country_shuts_out_no_proxy_and_nobody_who_is_allowed() {
    let world = World::new().await;
    ban(&world, "country:GB").await;
    let turned_away = |text: &str| world.gate.turns_away(text.parse().unwrap());
    world.gate.live().swap(|snapshot| {
        snapshot.spared.proxies.0 = vec!["81.2.69.142/32".parse().unwrap()];
        snapshot.spared.allow.0 = vec!["81.2.69.160/32".parse().unwrap()];
    });
    assert!(!turned_away("81.2.69.142") && !turned_away("81.2.69.160") && !turned_away("127.0.0.1"));
    assert!(turned_away("81.2.69.144"), "somebody behind that proxy");
}

#[tokio::test]
async fn who_bans_his_own_country_is_asked_twice() {
    let world = World::new().await;
    let mut admin = Browser::at(&world, "Firefox", "81.2.69.142");
    assert_eq!(admin.sign_in("admin").await.status, StatusCode::OK);
    let call = "/_gate/api/v1/admin/bans";
    let asked = admin.call("POST", call, r#"{"whom":"country:GB"}"#).await;
    assert_eq!((asked.status, asked.json()["reason"].clone()), (StatusCode::CONFLICT, json!("own-address")));
    let other = admin.call("POST", call, r#"{"whom":"country:SE"}"#).await;
    assert_eq!((other.status, other.json()["whom"].clone()), (StatusCode::OK, json!("country:SE")));
    let blind = admin.call("POST", call, r#"{"whom":"asn:64500"}"#).await;
    assert_eq!(blind.json()["blind"], json!(true), "no database says who that is");
    for (whom, code) in [("country:XX", "bad-country"), ("asn:x", "bad-asn")] {
        let answer = admin.call("POST", call, &json!({ "whom": whom }).to_string()).await;
        assert_eq!(
            (answer.status, answer.json()["reason"].clone()),
            (StatusCode::UNPROCESSABLE_ENTITY, json!(code))
        );
    }
    let page = admin.open("/_gate/admin/bans").await;
    assert!(page.text.contains("country:SE") && page.text.contains("Reaches nobody"), "{}", page.text);
}

#[tokio::test]
async fn many_bans_come_page_by_page_and_are_found_by_address() {
    let world = World::new().await;
    for n in 0..60 {
        ban(&world, &format!("198.51.100.{n}")).await;
    }
    ban(&world, "country:GB").await;
    let mut admin = signed_in(&world, "admin").await;
    let first = admin.open("/_gate/admin/bans").await;
    assert!(first.text.contains("1 / 3") && first.text.len() < 30 * 1024, "{}", first.text.len());
    let found = admin.open("/_gate/admin/bans?q=198.51.100.7").await;
    assert_eq!(found.text.matches("bans/lift?").count(), 1, "{}", found.text);
    let found = admin.open("/_gate/api/v1/admin/bans?q=81.2.69.142").await.json();
    assert_eq!((&found["total"], &found["bans"][0]["whom"]), (&json!(1), &json!("country:GB")));
}
