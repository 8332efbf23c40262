//! R12, R26: what is kept of a token is never taken for another one, for other keys or another site, and goes with its session.

use std::{sync::Arc, time::Duration};

use super::Tokens;
use crate::{
    clock::Wall,
    live::Records,
    rules::{
        identity::UserId,
        judge::View as _,
        session::{EndReason, Ended, Family, Origin, Session, Sid},
        token::{AccessClaims, AccessKey, BadToken, KeyMaterial, KeySet, RefreshKey},
    },
    secret::SecretBytes,
    store::{Change, Cursor},
};

const SITE: &str = "main";
const USER: UserId = UserId([0xab; 16]);
const SID: Sid = Sid([7; 32]);

fn now() -> Wall {
    Wall::from_secs(1_800_000_000)
}

fn token(keys: &KeySet, jti: u8) -> String {
    let exp = now().plus(Duration::from_secs(900));
    let claims = AccessClaims { sid: SID, generation: 3, aud: SITE.into(), iat: now(), exp };
    keys.issue_access(&claims, [jti; 16], &USER)
}

fn session() -> Session {
    Session {
        sid: SID,
        user: USER,
        site: SITE.into(),
        origin: Origin::Portal,
        opened: now(),
        seen: now(),
        idle_millis: 3_600_000,
        expires: now().plus(Duration::from_secs(86_400)),
        family: Family {
            seed: SecretBytes::new([1; 32]),
            key: "r1".into(),
            generation: 3,
            current_seen: None,
        },
        elevation: None,
        device: String::new(),
        address: [192, 0, 2, 1].into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

/// What is read with a session that lives.
fn read(tokens: &Tokens, keys: &KeySet, text: &str) -> Result<AccessClaims, BadToken> {
    tokens.read(keys, text, SITE, now(), |_| true)
}

#[test]
fn what_is_kept_says_the_same_as_the_token() {
    let (tokens, keys) = (Tokens::default(), KeySet::of_seed(1));
    let text = token(&keys, 9);
    let first = read(&tokens, &keys, &text);
    assert_eq!(first, keys.read_access(&text, SITE, now()));
    assert_eq!(tokens.kept.len(), 1);
    assert_eq!(read(&tokens, &keys, &text), first);
    // An expired one is told by whoever judges, as ever.
    let late = now().plus(Duration::from_secs(7200));
    assert_eq!(tokens.read(&keys, &text, SITE, late, |_| true), keys.read_access(&text, SITE, late));
}

#[test]
fn another_text_is_another_token() {
    let (tokens, keys) = (Tokens::default(), KeySet::of_seed(1));
    let text = token(&keys, 9);
    read(&tokens, &keys, &text).unwrap();
    for at in [0, text.len() / 2, text.len() - 1] {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(read(&tokens, &keys, &changed), Err(BadToken::Invalid), "changed at {at}");
    }
    for other in
        [format!("{text} "), format!(" {text}"), format!("{text}."), text[1..].to_owned(), String::new()]
    {
        assert_eq!(read(&tokens, &keys, &other), Err(BadToken::Invalid), "{other}");
    }
    assert_eq!(read(&tokens, &keys, &"a".repeat(10_000)), Err(BadToken::Invalid));
    assert_eq!(tokens.kept.len(), 1, "only what is good is kept");
}

#[test]
fn it_counts_for_no_other_site_and_no_other_keys() {
    let (tokens, keys) = (Tokens::default(), KeySet::of_seed(1));
    let text = token(&keys, 9);
    read(&tokens, &keys, &text).unwrap();
    assert_eq!(tokens.read(&keys, &text, "other", now(), |_| true), Err(BadToken::Invalid));
    assert_eq!(read(&tokens, &KeySet::of_seed(2), &text), Err(BadToken::Invalid));
    assert_eq!(read(&tokens, &KeySet::default(), &text), Err(BadToken::Invalid));
    // The same keys, read again as on a reload: not the same set, so the signature is checked once more.
    assert_eq!(read(&tokens, &KeySet::of_seed(1), &text), keys.read_access(&text, SITE, now()));
    assert!(read(&tokens, &keys, &text).is_ok());
}

#[test]
fn it_ends_with_the_key_that_signed_it() {
    let until = now().plus(Duration::from_secs(60));
    let old = AccessKey { until, ..AccessKey::from_seed("a1".into(), [1; 32]) };
    let material = KeyMaterial {
        access: vec![AccessKey::from_seed("a2".into(), [2; 32]), old],
        refresh: vec![RefreshKey { id: "r".into(), key: SecretBytes::new([1; 32]) }],
        master: SecretBytes::new([1; 32]),
    };
    let (tokens, keys) = (Tokens::default(), KeySet::new(material).unwrap());
    let text = token(&KeySet::of_seed(1), 9);
    assert!(read(&tokens, &keys, &text).is_ok());
    assert_eq!(tokens.read(&keys, &text, SITE, until, |_| true), Err(BadToken::Invalid));
}

#[test]
fn a_session_has_one_and_one_that_does_not_live_has_none() {
    let (tokens, keys) = (Tokens::default(), KeySet::of_seed(1));
    for jti in 0..5 {
        read(&tokens, &keys, &token(&keys, jti)).unwrap();
        assert_eq!((tokens.kept.len(), tokens.of_session.len()), (1, 1));
    }
    tokens.forget(&SID);
    assert_eq!((tokens.kept.len(), tokens.of_session.len()), (0, 0));
    let text = token(&keys, 9);
    assert!(tokens.read(&keys, &text, SITE, now(), |_| false).is_ok());
    assert!(tokens.kept.is_empty());
}

#[test]
fn the_end_of_a_session_empties_it() {
    let (records, keys) = (Records::default(), KeySet::of_seed(1));
    let session = session();
    records.apply(Cursor(1), Change::Session(Arc::new(session.clone())));
    let text = token(&keys, 9);
    records.access(&keys, &text, SITE, now()).unwrap();
    assert_eq!(records.tokens.kept.len(), 1);
    let ended = Some(Ended { at: now(), why: EndReason::Revoked });
    records.apply(Cursor(2), Change::Session(Arc::new(Session { ended, ..session.clone() })));
    assert!(records.tokens.kept.is_empty());
    records.access(&keys, &text, SITE, now()).unwrap();
    assert!(records.tokens.kept.is_empty(), "an ended session keeps nothing");
    let other = Session { sid: Sid([8; 32]), ..session };
    records.apply(Cursor(3), Change::Session(Arc::new(other)));
    records.apply(Cursor(4), Change::SessionGone(SID));
    assert_eq!(records.tokens.of_session.len(), 0);
}
