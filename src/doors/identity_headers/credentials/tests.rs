//! R7, R19: nothing of ours reaches the panel, and nothing of the panel's is changed.

use http::{HeaderMap, HeaderName, HeaderValue, header::COOKIE};
use proptest::prelude::*;

use super::{for_panel, strip_credentials};
use crate::rules::{api_key::KeyText, facts::CredentialNames};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    map
}

/// What the edge passes on, and what the sidecar answers; they must say the same.
fn passed(fields: &[(&str, &str)]) -> (Option<String>, Option<String>) {
    let mut edge = headers(fields);
    let answered: HeaderMap = for_panel(&edge, &names()).into_iter().collect();
    strip_credentials(&mut edge, &names());
    let [authorization, key] = ["authorization", "x-api-key"].map(|name| {
        let lines: Vec<&str> = edge.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        let kept = (!lines.is_empty()).then(|| lines.join(", "));
        let sent = fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
        let answer = answered.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(answer, sent.then(|| kept.clone().unwrap_or_default()), "{name}: {fields:?}");
        kept
    });
    (authorization, key)
}

fn names() -> CredentialNames {
    CredentialNames {
        access: "__Host-gate_access".into(),
        refresh: "__Secure-gate_refresh".into(),
        pending: "__Host-gate_pending".into(),
        issuers: Vec::new(),
    }
}

fn cookies(lines: &[&str]) -> Option<String> {
    let fields: Vec<(&str, &str)> = lines.iter().map(|line| ("cookie", *line)).collect();
    let mut map = headers(&fields);
    strip_credentials(&mut map, &names());
    assert!(map.get_all("cookie").iter().count() <= 1);
    map.get("cookie").map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_gates_cookies_never_reach_the_panel() {
    let kept =
        |lines: &[&str], expected: &str| assert_eq!(cookies(lines).as_deref(), Some(expected), "{lines:?}");
    kept(&["a=1; b=\"x, y\"; c==z="], "a=1; b=\"x, y\"; c==z=");
    kept(&["a=1; __Host-gate_access=t; b=2"], "a=1; b=2");
    kept(&["__Secure-gate_refresh=t; a=1;__Host-gate_pending=p"], "a=1");
    // HTTP/2 splits the field; the panel gets one (RFC 9113 §8.2.3).
    kept(&["a=1", "__Host-gate_access=t", "b=2"], "a=1; b=2");
    // A sandwich: a panel that honours quotes would see our token inside `a`.
    kept(&["a=\"x; __Host-gate_access=t; y\""], "a=\"x; y\"");
    kept(&["$Version=1; __Host-gate_access = t; a=1"], "$Version=1; a=1");
    kept(&["x__Host-gate_access=mine; flag"], "x__Host-gate_access=mine; flag");
    for gone in
        [&["__Host-gate_access=t"][..], &["__Host-gate_access=t; __Host-gate_access=u"], &[" ; ;"], &[]]
    {
        assert_eq!(cookies(gone), None, "{gone:?}");
    }
}

#[test]
fn the_panels_cookies_are_answered_even_when_there_are_none() {
    let answered = |cookies: &str| for_panel(&headers(&[("cookie", cookies)]), &names());
    assert_eq!(answered("__Host-gate_access=t; a=1"), [(COOKIE, HeaderValue::from_static("a=1"))]);
    assert_eq!(answered("__Host-gate_access=t"), [(COOKIE, HeaderValue::from_static(""))]);
    assert_eq!(for_panel(&HeaderMap::new(), &names()), [(COOKIE, HeaderValue::from_static(""))]);
}

/// `{"alg":"EdDSA","typ":"gate-access+jwt","kid":"1"}` and the same of an issuer's, unsigned: what it says it is counts.
const OURS: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImdhdGUtYWNjZXNzK2p3dCIsImtpZCI6IjEifQ.e30.AA";
const THEIRS: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjEifQ.e30.AA";

#[test]
fn keys_and_tokens_of_ours_stay_at_the_gate() {
    let key = KeyText::generate([5; 32]);
    let key = key.expose();
    for bearer in [
        &format!("Bearer {key}"),
        &format!("bearer {key}"),
        "Bearer gate_mistyped",
        &format!("Bearer {OURS}"),
        &format!("bearer {OURS}"),
    ] {
        assert_eq!(passed(&[("authorization", bearer)]), (None, None), "{bearer}");
        assert_eq!(passed(&[("authorization", bearer), ("x-api-key", "own")]), (None, Some("own".into())));
    }
    for text in [key, "gate_mistyped", &format!("own, {key}")] {
        assert_eq!(passed(&[("x-api-key", text)]), (None, None), "{text}");
        let beside = [("authorization", "Basic cGFuZWw6MQ=="), ("x-api-key", text)];
        assert_eq!(passed(&beside), (Some("Basic cGFuZWw6MQ==".into()), None));
    }
}

#[test]
fn keys_and_tokens_of_the_panel_pass_unchanged() {
    let theirs = format!("Bearer {THEIRS}");
    for own in [&*theirs, "Bearer 7|sanctum", "Basic cGFuZWw6MQ==", "Digest a=\"b\", c=d", "Negotiate", ""] {
        assert_eq!(passed(&[("authorization", own)]), (Some(own.into()), None));
    }
    for own in ["panel-key", "", "a, b", "Gate_x"] {
        assert_eq!(passed(&[("x-api-key", own)]), (None, Some(own.into())));
    }
    assert_eq!(passed(&[("x-api-key", "a"), ("x-api-key", "b")]), (None, Some("a, b".into())));
}

proptest! {
    #[test]
    fn no_mixture_of_cookies_lets_a_token_through(
        pairs in prop::collection::vec(prop_oneof![
            Just("__Host-gate_access=SECRET"), Just(" __Host-gate_access =SECRET"), Just("__Secure-gate_refresh=SECRET"),
            Just("__Host-gate_pending=SECRET"), Just("a=1"), Just("\"q"), Just("$Version=1"), Just(""), Just(" "), Just("b"),
        ], 0..12),
        separators in prop::collection::vec(prop_oneof![Just(";"), Just("; "), Just(" ; "), Just(";\t")], 12),
    ) {
        let line: String = pairs.iter().zip(&separators).flat_map(|(pair, separator)| [*pair, separator]).collect();
        let left = cookies(&[&line]).unwrap_or_default();
        prop_assert!(!left.contains("SECRET"), "{} -> {}", line, left);
        prop_assert_eq!(left.matches("a=1").count(), line.matches("a=1").count());
        prop_assert_eq!(left.matches("\"q").count(), line.matches("\"q").count());
    }
}
