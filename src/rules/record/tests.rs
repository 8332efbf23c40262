use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    portal::tests::support::rules,
    rules::{policy::RuleSet, session::Factor},
};

const NOON: Wall = Wall::from_secs(1_795_608_000); // 2026-11-25 12:00 UTC, a Wednesday

pub(crate) fn sample(method: &str, path: &str) -> Record {
    let ip: IpAddr = "203.0.113.77".parse().unwrap();
    Record {
        decision: DecisionId([1, 2, 3, 4, 5]),
        at: NOON,
        site: Some("panel".into()),
        policy: "0123456789ab".into(),
        generation: 3,
        asked: Asked {
            door: Door::Sidecar,
            dialect: "forward-auth".into(),
            scheme: Some(Scheme::Https),
            host: "panel.example.com".into(),
            method: method.into(),
            path: Kept::of(&Target::parse(path.as_bytes()).unwrap()),
            upgrade: false,
            method_override: false,
        },
        client: Client {
            peer: "127.0.0.1".parse().unwrap(),
            hops: vec!["203.0.113.77".into(), "unknown".into()],
            ip,
            from: AddrSource::Forwarded,
            country: Country::parse("SE"),
        },
        shown: vec![Shown::Cookie],
        who: Some(person("admin", None)),
        reply: Reply {
            said: Said::Deny,
            reason: Reason::RoleLacksAccess,
            detail: None,
            page: None,
            needs: Some(Access::Read),
            have: None,
            levels: None,
            until: None,
            ways: vec![],
        },
        shortened: None,
    }
}

pub(crate) fn person(role: &str, proof: Option<Elevation>) -> Person {
    let held = Held::Session { id: PublicId("abcdefghijklmnop".into()), opened: NOON, proof, ended: None };
    Person {
        user: "bob".into(),
        role: role.into(),
        enrolled: true,
        relaxed: false,
        held,
        acting: None,
        accepted: true,
    }
}

fn policy() -> RuleSet {
    rules(&json!({
        "version": 1,
        "roles": ["root", "admin", "user"],
        "elevation": { "lasts": "15m" },
        "pages": [
            { "name": "users", "paths": ["/users/**"], "scopes": { "read": "users:read", "write": "users:write" },
              "access": { "root": "full", "admin": { "unelevated": "none", "elevated": "full" }, "user": "none" } },
            { "name": "office", "paths": ["/office/**"],
              "when": { "networks": ["10.0.0.0/8", "192.0.2.0/24"], "hours": "Mon-Fri 13:00-14:00 UTC" },
              "access": { "root": "full", "admin": { "unelevated": "read", "elevated": "full" }, "user": "none" } },
            { "name": "abroad", "paths": ["/abroad/**"], "when": { "countries": ["DE", "FR"] }, "access": { "admin": "read" } },
            { "name": "nobody", "paths": ["/nobody/**"], "access": {} },
        ],
    }))
}

fn ways_of(record: &Record) -> Vec<Way> {
    record.ways(&policy())
}

#[test]
fn the_name_of_a_decision_is_read_however_it_is_typed() {
    for bytes in [[0, 0, 0, 0, 0], [255; 5], [1, 2, 3, 4, 5], [0x84, 0x21, 0x08, 0x42, 0x10]] {
        let id = DecisionId(bytes);
        let text = id.to_string();
        let bare = text.replace('-', "");
        let misread = bare.replace('0', "o").replace('1', "l").to_lowercase();
        let spellings = [
            text.clone(),
            text.to_lowercase(),
            bare,
            misread.clone(),
            misread.replace('l', "I"),
            format!(" {text} "),
        ];
        for spelling in spellings {
            assert_eq!(DecisionId::parse(&spelling), Some(id), "{spelling}");
        }
    }
    for wrong in ["", "7K3F", "7K3F-92Q", "7K3F-92QDX", "7K3F-92QU", "7K3F/92QD", "…"] {
        assert_eq!(DecisionId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn no_query_and_no_credential_is_kept_of_a_path_r29() {
    let key = format!("gate_{}", "k3Y".repeat(17));
    let kept = |target: &str| Kept::of(&Target::parse(target.as_bytes()).unwrap());
    for target in [format!("/a/{key}/b?token={key}"), format!("/a/x={key}?b"), format!("/api/{key}")] {
        let shown = kept(&target).shown();
        assert!(!shown.contains("k3Yk3Y") && !shown.contains('?'), "{shown}");
        assert!(shown.contains("gate_…"), "{shown}");
    }
    assert_eq!(kept("/a/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/b").shown(), "/a/eyJ…/b");
    assert_eq!(kept("/gate_access/eyJ/").shown(), "/gate_access/eyJ/", "what only looks like one");
    let text = Kept::text(format!("/%zz/{key}?{key}").as_bytes()).shown();
    assert!(text.starts_with("/%zz/gate_…") && !text.contains("k3Yk3Y"), "{text}");
    let long = kept(&format!("/{}", "a".repeat(4000)));
    assert!(long.target().is_none() && long.shown().len() <= 1024);
}

#[test]
fn after_a_day_addresses_are_networks_and_nothing_else_is_lost() {
    let whole = sample("GET", "/users");
    let mut short = whole.clone();
    assert!(!whole.is_due(NOON.plus(Duration::from_secs(86_399))));
    assert!(whole.is_due(NOON.plus(Duration::from_secs(86_400))));
    short.shorten(NOON.plus(WHOLE_ADDRESSES));
    assert_eq!(short.client.ip, "203.0.113.0".parse::<IpAddr>().unwrap());
    assert_eq!(short.client.hops, ["203.0.113.0", "…"]);
    assert!(!short.is_due(Wall::NEVER));
    let restored = Record { client: whole.client.clone(), shortened: None, ..short };
    assert_eq!(restored, whole);
    assert_eq!(shorten("2001:db8:aaaa:bbbb::1".parse().unwrap()).to_string(), "2001:db8:aaaa::");
    assert_eq!(shorten("::1".parse().unwrap()).to_string(), "::1");
}

#[test]
fn a_record_comes_back_as_it_was_and_is_judged_as_the_request_was() {
    let record = sample("POST", "/users/7/");
    let back: Record = postcard::from_bytes(&postcard::to_stdvec(&record).unwrap()).unwrap();
    assert_eq!(back, record);
    let decided = policy();
    let decided = decided.decide(&back.case().unwrap());
    assert_eq!(decided.answer, Answer::StepUp { readable: false });
    for (said, judged) in [
        (Said::Throttle { millis: 5 }, false),
        (Said::Unavailable, false),
        (Said::BadGateway, false),
        (Said::SignIn, true),
        (Said::StepUp { readable: true }, true),
    ] {
        let mut other = record.clone();
        other.reply.said = said;
        assert_eq!(other.case().is_some(), judged, "{said:?}");
    }
}

#[test]
fn what_would_have_allowed_it_is_found_by_trying() {
    let role = |names: &[&str]| Change::Role(names.iter().map(|name| Role::from(*name)).collect());
    let users = sample("GET", "/users/7");
    assert_eq!(ways_of(&users), [vec![Change::SecondFactor], vec![role(&["root"])]]);

    let mut stranger = users.clone();
    stranger.who = None;
    stranger.reply.said = Said::SignIn;
    assert_eq!(ways_of(&stranger), [vec![Change::SignIn(vec!["root".into()])]]);

    let mut nobody_enrolled = users.clone();
    nobody_enrolled.who.as_mut().unwrap().enrolled = false;
    assert_eq!(ways_of(&nobody_enrolled), [vec![Change::Enrol, Change::SecondFactor], vec![role(&["root"])]]);

    // A network and an hour, and for a change the second factor as well.
    let networks = Change::From(vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.0/24".parse().unwrap()]);
    let one = Change::At(NOON.plus(Duration::from_secs(3600)));
    let look = sample("GET", "/office/");
    assert_eq!(ways_of(&look).first(), Some(&vec![networks.clone(), one.clone()]));
    let change = sample("POST", "/office/");
    assert_eq!(ways_of(&change).first(), Some(&vec![Change::SecondFactor, networks, one]));

    let germany = Change::In(vec![Country::parse("DE").unwrap(), Country::parse("FR").unwrap()]);
    assert_eq!(ways_of(&sample("GET", "/abroad/")), [vec![germany]]);
    assert_eq!(ways_of(&sample("GET", "/nobody/")), Vec::<Way>::new());
    assert_eq!(ways_of(&sample("GET", "/elsewhere")), Vec::<Way>::new());
}

#[test]
fn what_an_api_key_or_an_impersonation_lacks_is_named() {
    let mut key = sample("POST", "/users/7");
    let held = Held::Key { id: PublicId("k".into()), scopes: vec!["users:read".into()] };
    key.who.as_mut().unwrap().held = held;
    assert_eq!(ways_of(&key), [vec![Change::Scope(vec!["users:write".into()])]]);

    let proof = Elevation { at: NOON, by: Factor::Totp };
    let mut acting = sample("POST", "/users/7");
    let person = acting.who.as_mut().unwrap();
    *person = tests::person("root", Some(proof));
    person.acting =
        Some(Acted::For { user: "eve".into(), role: "admin".into(), write: false, until: Wall::NEVER });
    let ways = ways_of(&acting);
    assert_eq!(ways, [vec![Change::EndActing], vec![Change::WriteActing]]);
    acting.who.as_mut().unwrap().acting = Some(Acted::Over);
    assert_eq!(ways_of(&acting), [vec![Change::EndActing]]);
}

#[test]
fn the_walk_to_the_client_can_be_told_afterwards() {
    use Taken::{Beyond, Client as Found, Proxy, StandIn, Unbelieved, Unreadable};
    let told = |from, ip: &str, hops: &[&str]| {
        let hops = hops.iter().map(|hop| (*hop).into()).collect();
        let peer = "10.0.0.1".parse().unwrap();
        let client = Client { peer, hops, ip: ip.parse().unwrap(), from, country: None };
        client.steps().into_iter().map(|step| step.taken).collect::<Vec<_>>()
    };
    assert_eq!(told(AddrSource::Peer, "10.0.0.1", &["1.1.1.1"]), [Found, Unbelieved]);
    assert_eq!(told(AddrSource::Unforwarded, "10.0.0.1", &[]), [StandIn]);
    assert_eq!(told(AddrSource::ProxyProtocol, "9.9.9.9", &["1.1.1.1"]), [Proxy, Found, Unbelieved]);
    let hops = ["1.1.1.1", "9.9.9.9:4000", "10.0.0.2"];
    assert_eq!(told(AddrSource::Forwarded, "9.9.9.9", &hops), [Proxy, Proxy, Found, Beyond]);
    let hops = ["9.9.9.9", "unknown", "10.0.0.2"];
    assert_eq!(told(AddrSource::Stopped, "10.0.0.2", &hops), [Proxy, StandIn, Unreadable, Beyond]);
    assert_eq!(told(AddrSource::Stopped, "10.0.0.1", &["9.9.9.9", "x"]), [StandIn, Unreadable, Beyond]);
}

proptest! {
    /// Whatever is advised leads to a yes, and whatever is allowed needs no advice.
    #[test]
    fn advice_is_for_refusals_alone(
        role in prop::sample::select(vec!["root", "admin", "user", "other"]),
        path in prop::sample::select(vec!["/users/1", "/office/", "/abroad/x", "/nobody/", "/none"]),
        method in prop::sample::select(vec!["GET", "POST", "DELETE"]),
        elevated in any::<bool>(),
        enrolled in any::<bool>(),
    ) {
        let mut record = sample(method, path);
        let proof = elevated.then_some(Elevation { at: NOON, by: Factor::Totp });
        record.who = Some(person(role, proof));
        record.who.as_mut().unwrap().enrolled = enrolled;
        let rules = policy();
        let case = record.case().unwrap();
        let allowed = matches!(rules.decide(&case).answer, Answer::Allow { .. });
        let found = ways(&rules, &case);
        prop_assert!(!allowed || found.is_empty());
        prop_assert!(found.iter().all(|way| !way.is_empty() && way.len() <= 4));
    }

    #[test]
    fn no_text_makes_the_reader_of_names_fail(text in ".{0,20}") {
        if let Some(id) = DecisionId::parse(&text) {
            prop_assert_eq!(DecisionId::parse(&id.to_string()), Some(id));
        }
    }
}
