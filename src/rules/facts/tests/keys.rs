//! R3, R19: an API key is read exactly, from the two fields that it may share with the panel's own.

use super::{Sent, headers};
use crate::rules::{
    api_key::KeyText,
    facts::{Presented, PresentedKey},
    reason::Reason,
};

fn presented(fields: &[(&str, &[u8])]) -> Result<Presented, Reason> {
    let sent = Sent { headers: headers(fields), ..Sent::default() };
    sent.describe().map(|(facts, _)| facts.presented).map_err(|bad| bad.reason)
}

fn key(fields: &[(&str, &[u8])]) -> Result<Option<PresentedKey>, Reason> {
    presented(fields).map(|presented| presented.api_key)
}

fn made(seed: u8) -> (String, PresentedKey) {
    let key = KeyText::generate([seed; 32]);
    (key.expose().to_owned(), PresentedKey::Key(key.id()))
}

#[test]
fn a_key_is_read_from_either_field() {
    let (text, id) = made(1);
    let bearer = format!("Bearer {text}");
    assert_eq!(key(&[("x-api-key", text.as_bytes())]), Ok(Some(id)));
    assert_eq!(key(&[("authorization", bearer.as_bytes())]), Ok(Some(id)));
    let lower = format!("bearer {text}");
    assert_eq!(key(&[("authorization", lower.as_bytes())]), Ok(Some(id)));
    let both: [(&str, &[u8]); 2] = [("authorization", bearer.as_bytes()), ("x-api-key", text.as_bytes())];
    assert_eq!(key(&both), Ok(Some(id)), "the same key twice is one");
}

/// A token of the panel's own in `Authorization` beside a key in `X-Api-Key` is how panels with an API are used.
#[test]
fn the_panels_own_fields_are_none_of_our_business() {
    let (text, id) = made(1);
    for own in [&b"panel-key"[..], b"", b"Gate_x", b"my-gate_key", b"a, b", b"gate"] {
        assert_eq!(key(&[("x-api-key", own)]), Ok(None), "{}", String::from_utf8_lossy(own));
        let fields = headers(&[("x-api-key", own), ("x-api-key", b"another")]);
        // A site that has no issuer which reads the field.
        let twice = Sent { authority: b"other.example.com", headers: fields, ..Sent::default() };
        assert_eq!(twice.describe().map(|(facts, _)| facts.presented.api_key), Ok(None));
    }
    for own in [&b"Bearer abc"[..], b"Basic Z2F0ZV8=", b"Token abc", b"Bearer x-gate_y"] {
        assert_eq!(key(&[("authorization", own)]), Ok(None), "{}", String::from_utf8_lossy(own));
        let both = presented(&[("authorization", own), ("x-api-key", text.as_bytes())]).unwrap();
        assert_eq!(both.api_key, Some(id));
    }
}

/// R3: what begins like a key of ours and is none was still presented.
#[test]
fn a_mistyped_key_is_a_bad_credential_and_not_absent() {
    let (text, _) = made(1);
    let cut = &text.as_bytes()[..50];
    for bad in [cut, b"gate_", b"gate_live_abc", b"gate_\xff\xfe", &[text.as_bytes(), b"x"].concat()] {
        let shown = String::from_utf8_lossy(bad).into_owned();
        assert_eq!(key(&[("x-api-key", bad)]), Ok(Some(PresentedKey::Malformed)), "{shown}");
        let bearer = [b"Bearer ", bad].concat();
        match key(&[("authorization", &bearer)]) {
            Ok(found) => assert_eq!(found, Some(PresentedKey::Malformed), "{shown}"),
            Err(reason) => assert_eq!(reason, Reason::Malformed, "{shown}"),
        }
    }
}

/// R19.
#[test]
fn two_keys_are_a_conflict() {
    let ((one, _), (other, _)) = (made(1), made(2));
    let bearer = format!("Bearer {one}");
    let conflicts: [&[(&str, &[u8])]; 6] = [
        &[("authorization", bearer.as_bytes()), ("x-api-key", other.as_bytes())],
        &[("authorization", bearer.as_bytes()), ("x-api-key", b"gate_mistyped")],
        &[("x-api-key", one.as_bytes()), ("x-api-key", other.as_bytes())],
        &[("x-api-key", one.as_bytes()), ("x-api-key", one.as_bytes())],
        &[("x-api-key", b"panel-key"), ("x-api-key", one.as_bytes())],
        &[("authorization", bearer.as_bytes()), ("authorization", bearer.as_bytes())],
    ];
    for fields in conflicts {
        assert_eq!(key(fields), Err(Reason::ConflictingCredentials), "{fields:?}");
    }
    let joined = format!("panel-key, {one}");
    assert_eq!(key(&[("x-api-key", joined.as_bytes())]), Err(Reason::ConflictingCredentials));
}

/// Under any other spelling it would be passed on to the panel.
#[test]
fn a_key_under_another_scheme_is_refused() {
    let (text, _) = made(1);
    for start in ["", "Token ", "ApiKey ", "Bearer x,", "Bearer:", "Bearer  ", "Basic ", "Bearer a "] {
        let value = format!("{start}{text}");
        assert_eq!(key(&[("authorization", value.as_bytes())]), Err(Reason::Malformed), "{start}");
    }
}

#[test]
fn a_key_is_nobody_elses_token() {
    let (text, _) = made(1);
    let bearer = format!("Bearer {text}");
    let presented =
        presented(&[("authorization", bearer.as_bytes()), ("x-api-key", text.as_bytes())]).unwrap();
    assert!(presented.bearer.is_none() && presented.external.is_empty(), "{presented:?}");
}
