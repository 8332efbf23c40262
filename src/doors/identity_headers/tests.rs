//! R7, R8, R19, R21: nothing a client sends can be taken for the gate's word, and the gate's word is always whole.

use std::sync::Arc;

use super::{NAMES, is_forbidden, is_hop_by_hop, stamps, tell_each};
use crate::{
    clock::Wall,
    rules::{
        identity::{User, UserId, UserName, UserSource},
        outcome::{Access, Actor, Bearer, Holder},
        session::Sid,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue};

fn bearer(display: &str, email: &str) -> Bearer {
    let user = User {
        id: UserId([1; 16]),
        name: UserName::parse("alice").unwrap(),
        display: display.into(),
        email: email.into(),
        role: "user".into(),
        source: UserSource::Embedded,
        password: None,
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: Wall::from_secs(0),
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    };
    let sid = Sid([7; 32]);
    Bearer {
        user: Arc::new(user),
        role: "admin".into(),
        public: sid.public(),
        holder: Holder::Session(sid),
        actor: None,
        elevated_until: Some(Wall::from_millis(1_800_000_000_999)),
    }
}

fn stamped(bearer: Option<&Bearer>) -> Vec<(String, String)> {
    let assertion = HeaderValue::from_static("a.b.c");
    let (access, decision) = (Access::Read, "7K3F-92QD");
    let mut told = Vec::new();
    tell_each(bearer, access, decision, &assertion, |name, value| {
        told.push((name.to_string(), String::from_utf8(value.to_vec()).unwrap()));
    });
    let stamps = stamps(bearer, access, decision, assertion);
    let stamps: Vec<_> =
        stamps.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    assert_eq!(told, stamps, "whoever writes them himself and whoever has them written tell the same");
    stamps
}

fn without(headers: &mut HeaderMap, condition: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| condition(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    map
}

#[test]
fn an_impersonated_account_is_named_with_the_operator_beside_it() {
    let mut alice = bearer("Alice Example", "alice@example.com");
    let mut operator = User::clone(&alice.user);
    operator.name = UserName::parse("root").unwrap();
    alice.actor = Some(Actor { user: Arc::new(operator), role: "root".into() });
    let stamps = stamped(Some(&alice));
    let of = |name: &str| stamps.iter().find(|(known, _)| known == name).unwrap().1.as_str();
    assert_eq!(
        (of("remote-user"), of("x-gate-role"), of("x-gate-actor")),
        (alice.user.name.as_str(), "admin", "root")
    );
}

#[test]
fn the_panel_is_told_everything() {
    let alice = bearer("Alice Example", "alice@example.com");
    let public = alice.public.to_string();
    let expected = [
        ("remote-user", "alice"),
        ("remote-groups", "admin"),
        ("remote-email", "alice@example.com"),
        ("remote-name", "Alice Example"),
        ("x-gate-role", "admin"),
        ("x-gate-session", &public),
        ("x-gate-access", "read"),
        ("x-gate-elevated-until", "1800000000"),
        ("x-gate-actor", ""),
        ("x-gate-decision", "7K3F-92QD"),
        ("x-gate-assertion", "a.b.c"),
    ];
    assert_eq!(stamped(Some(&alice)), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

/// Rows 41, 48: a header without a value is sent empty, never left out.
#[test]
fn every_header_is_there_for_everybody() {
    for bearer in [None, Some(bearer("", ""))] {
        let sent = stamped(bearer.as_ref());
        let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, NAMES.each_ref().map(HeaderName::as_str));
    }
    let anonymous = stamped(None);
    let told: Vec<&str> =
        anonymous.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        told,
        ["x-gate-access", "x-gate-decision", "x-gate-assertion"],
        "no identity on anonymous pages"
    );
}

/// R21.
#[test]
fn values_that_a_header_cannot_carry_are_not_sent() {
    for hostile in ["a\r\nRemote-User: root", "a\0b", "a\u{7f}", "Jörg", "\u{202e}toor"] {
        let sent = stamped(Some(&bearer(hostile, hostile)));
        assert_eq!(sent[2].1, "", "e-mail {hostile:?}");
        assert_eq!(sent[3].1, "alice", "name {hostile:?}: the account name instead");
    }
}

/// Every spelling of `name` in which each dash is one of `-`, `_`, `.`, with the case of letters varied.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for letter in name.chars() {
        let choices: &[char] = if letter == '-' { &['-', '_', '.'] } else { &[letter] };
        all = all.iter().flat_map(|start| choices.iter().map(move |next| format!("{start}{next}"))).collect();
    }
    let shouted: Vec<String> = all.iter().map(|name| name.to_uppercase()).collect();
    let mixed: Vec<String> = all
        .iter()
        .map(|name| {
            name.chars()
                .enumerate()
                .map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c })
                .collect()
        })
        .collect();
    [all, shouted, mixed].concat()
}

/// Rows 42–47: 3^k spellings of every identity header, in three cases.
#[test]
fn every_spelling_of_an_identity_header_is_stripped() {
    let mut count = 0;
    for name in &NAMES {
        let forged = spellings(name.as_str());
        count += forged.len();
        for spelling in &forged {
            assert!(is_forbidden(spelling), "{spelling}");
        }
        let mut map = HeaderMap::new();
        for spelling in &forged {
            map.append(spelling.parse::<HeaderName>().unwrap(), HeaderValue::from_static("root"));
            map.append(spelling.parse::<HeaderName>().unwrap(), HeaderValue::from_static("admin"));
        }
        without(&mut map, is_forbidden);
        assert!(map.is_empty(), "{map:?}");
    }
    assert_eq!(count, 3 * (4 * 3 + 6 * 9 + 27), "three dialect characters per dash, three cases");
}

#[test]
fn names_that_a_backend_could_fold_are_stripped() {
    for name in [
        "X_Auth_User",
        "x.y",
        "x-http-method-override",
        "X-HTTP-Method",
        "X-Method-Override",
        "remote-anything",
        "x-gate-anything",
        "x-gate-outcome",
        "content_length",
        "a~b",
        "a|b",
        "a!b",
        "a'b",
        "a*b",
        "a%20b",
    ] {
        assert!(is_forbidden(name), "{name}");
    }
    for name in [
        "accept",
        "cookie",
        "authorization",
        "x-requested-with",
        "sec-fetch-mode",
        "content-type",
        "x-api-key",
        "if-none-match",
        "x-remote-user",
        "premote-user",
        "x-gates",
    ] {
        assert!(!is_forbidden(name), "{name}");
    }
}

/// Rows 49, 50, 115.

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let mut map = headers(&[
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "x"),
        ("proxy-authorization", "x"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("upgrade", "websocket"),
        ("accept", "*/*"),
        ("transfer-encoding", "chunked"),
    ]);
    without(&mut map, is_hop_by_hop);
    assert_eq!(map, headers(&[("accept", "*/*"), ("transfer-encoding", "chunked")]));
    assert!(is_hop_by_hop("Keep-Alive") && !is_hop_by_hop("Host"));
}
