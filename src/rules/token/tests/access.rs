use std::time::Duration;

use data_encoding::BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{AccessKey, BadToken, KeyMaterial, KeySet, RefreshKey},
    SITE, USER, WRONG, access_token, claims, encode, forge, keys, now, public, with_member,
};
use crate::{clock::Wall, rules::identity::UserId, secret::SecretBytes};

const HEADER: &str = r#"{"alg":"EdDSA","typ":"gate-access+jwt","kid":"a1"}"#;

fn payload() -> serde_json::Value {
    let claims = claims();
    json!({
        "iss": "panelgate", "aud": SITE, "sub": USER.to_string(), "sid": claims.sid.text(), "gen": 3,
        "jti": encode([9; 16]), "iat": claims.iat.secs(), "exp": claims.exp.secs(),
    })
}

fn verdict(text: &str) -> Result<(), BadToken> {
    keys().verify_access(text, SITE, now()).map(drop)
}

fn parts() -> [String; 3] {
    let token = access_token();
    let mut parts = token.split('.').map(str::to_owned);
    [parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap()]
}

#[test]
fn what_was_issued_is_accepted_and_says_what_was_signed() {
    assert_eq!(keys().verify_access(&access_token(), SITE, now()), Ok(claims()));
    assert!(access_token().len() < 700, "well under the 4 KB of a cookie: {}", access_token().len());
}

/// The same header and claims, put together by hand, are accepted: so the refusals below are for what they change.
#[test]
fn the_forgers_of_these_tests_can_forge_with_the_key() {
    assert_eq!(verdict(&forge(HEADER, &payload().to_string(), 1)), Ok(()));
}

#[test]
fn a_token_is_good_until_the_second_it_expires() {
    let exp = claims().exp;
    let at = |now| keys().verify_access(&access_token(), SITE, now).map(drop);
    assert_eq!(at(Wall::from_millis(exp.millis() - 1)), Ok(()));
    assert_eq!(at(exp), Err(BadToken::Expired));
    assert_eq!(at(exp.plus(Duration::from_secs(1))), Err(BadToken::Expired));
    assert_eq!(at(Wall::NEVER), Err(BadToken::Invalid), "the key has an end as well");
}

/// c80: a token of one site is nothing at another. R3: expired and wrong is wrong.
#[test]
fn expired_is_said_only_of_tokens_that_are_otherwise_good() {
    let late = claims().exp.plus(Duration::from_secs(1));
    let at = |text: &str, site: &str| keys().verify_access(text, site, late).map(drop);
    assert_eq!(at(&access_token(), SITE), Err(BadToken::Expired));
    assert_eq!(at(&access_token(), "other"), Err(BadToken::Invalid));
    assert_eq!(at(&forge(HEADER, &payload().to_string(), 2), SITE), Err(BadToken::Invalid));
    let [header, payload, _] = parts();
    assert_eq!(at(&format!("{header}.{payload}."), SITE), Err(BadToken::Invalid));
}

/// h138: each claim × wrong types, and absent (CVE-2026-25537, CVE-2020-26160).
#[test]
fn every_claim_must_be_there_with_its_type() {
    for name in ["iss", "aud", "sub", "sid", "gen", "jti", "iat", "exp"] {
        assert_eq!(
            verdict(&forge(HEADER, &with_member(&payload(), name, None), 1)),
            Err(BadToken::Invalid),
            "{name}"
        );
        for wrong in WRONG {
            // Any whole number is a generation.
            if name == "gen" && wrong == "9223372036854775808" {
                continue;
            }
            let token = forge(HEADER, &with_member(&payload(), name, Some(wrong)), 1);
            assert_eq!(verdict(&token), Err(BadToken::Invalid), "{name}: {wrong}");
        }
    }
}

#[test]
fn right_types_with_wrong_values_are_refused() {
    let sid = claims().sid.text();
    let long = format!(r#""{sid}A""#);
    for (name, value) in [
        ("iss", r#""Panelgate""#),
        ("iss", r#""https://panelgate""#),
        ("aud", r#"["main"]"#),
        ("aud", r#""main ""#),
        ("sub", r#""root""#),
        ("sub", r#""ABABABABABABABABABABABABABABABAB""#),
        ("sid", long.as_str()),
        ("jti", r#""AAAA""#),
        ("iat", "1900000000"),
        ("exp", "253402300800"),
    ] {
        let token = forge(HEADER, &with_member(&payload(), name, Some(value)), 1);
        assert_eq!(verdict(&token), Err(BadToken::Invalid), "{name}: {value}");
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused_in_header_and_payload() {
    let twice = payload().to_string().replacen('{', r#"{"aud":"main","#, 1);
    assert_eq!(verdict(&forge(HEADER, &twice, 1)), Err(BadToken::Invalid));
    let nested = payload().to_string().replacen('{', r#"{"x":[{"a":1,"a":1}],"#, 1);
    assert_eq!(verdict(&forge(HEADER, &nested, 1)), Err(BadToken::Invalid));
    let header = HEADER.replacen('{', r#"{"kid":"a1","#, 1);
    assert_eq!(verdict(&forge(&header, &payload().to_string(), 1)), Err(BadToken::Invalid));
    let escaped = payload().to_string().replacen('{', r#"{"\u0061ud":"other","#, 1);
    assert_eq!(verdict(&forge(HEADER, &escaped, 1)), Err(BadToken::Invalid));
}

/// RFC 8725 §3.11, CVE-2018-0114: the header says nothing but algorithm, type and which of our keys.
#[test]
fn nothing_in_the_header_chooses_key_meaning_or_form() {
    let x = encode(public(66));
    for member in [
        format!(r#""jwk":{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
        r#""jku":"https://evil.example/jwks.json""#.into(),
        r#""x5u":"https://evil.example/cert.pem""#.into(),
        r#""x5c":["MIIB"]"#.into(),
        r#""crit":[]"#.into(),
        r#""crit":["exp"],"exp":1"#.into(),
        r#""b64":false"#.into(),
        r#""zip":"DEF""#.into(),
        r#""enc":"A256GCM""#.into(),
        r#""cty":"JWT""#.into(),
        r#""future":1"#.into(),
    ] {
        let header = HEADER.replacen('{', &format!("{{{member},"), 1);
        for seed in [1, 66] {
            assert_eq!(
                verdict(&forge(&header, &payload().to_string(), seed)),
                Err(BadToken::Invalid),
                "{member}"
            );
        }
    }
}

/// CVE-2015-2951, and jwt_tool `-X a`.
#[test]
fn no_spelling_of_none_is_an_algorithm() {
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", "EDDSA", "eddsa", "Ed25519"] {
        let header = HEADER.replace("EdDSA", alg);
        assert_eq!(verdict(&forge(&header, &payload().to_string(), 1)), Err(BadToken::Invalid), "{alg}");
        for signature in ["", "AA"] {
            let text = format!("{}.{}.{signature}", encode(&header), encode(payload().to_string()));
            assert_eq!(verdict(&text), Err(BadToken::Invalid), "{alg}");
        }
    }
}

/// CVE-2016-10555, jwt_tool `-X k`: HMAC with what everybody knows.
#[test]
fn the_public_key_is_no_shared_secret() {
    let raw = public(1);
    let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &raw].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&spki));
    for secret in [raw.clone(), spki, pem.into_bytes(), encode(&raw).into_bytes(), Vec::new()] {
        for alg in ["HS256", "HS512", "EdDSA"] {
            let message =
                format!("{}.{}", encode(HEADER.replace("EdDSA", alg)), encode(payload().to_string()));
            let by = if alg == "HS512" { Algorithm::HS512 } else { Algorithm::HS256 };
            let mac = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(&secret), by).unwrap();
            assert_eq!(verdict(&format!("{message}.{mac}")), Err(BadToken::Invalid), "{alg}");
        }
    }
}

#[test]
fn kid_chooses_among_our_own_keys_and_nothing_else() {
    for kid in
        [r#""a2""#, r#""""#, r#""../../dev/null""#, r#""a1' OR 1=1""#, "null", "1", r#"["a1"]"#, r#""A1""#]
    {
        let header = HEADER.replace(r#""a1""#, kid);
        assert_eq!(verdict(&forge(&header, &payload().to_string(), 1)), Err(BadToken::Invalid), "{kid}");
    }
    let without = r#"{"alg":"EdDSA","typ":"gate-access+jwt"}"#;
    assert_eq!(verdict(&forge(without, &payload().to_string(), 1)), Err(BadToken::Invalid));
}

/// R11: what says that it is of another kind is not read as ours, though everything else is right.
#[test]
fn another_type_is_another_kind() {
    for typ in ["JWT", "gate-assertion+jwt", "GATE-ACCESS+JWT", "application/gate-access+jwt", "at+jwt", ""] {
        let header = HEADER.replace("gate-access+jwt", typ);
        assert_eq!(verdict(&forge(&header, &payload().to_string(), 1)), Err(BadToken::Invalid), "{typ}");
    }
    let without = r#"{"alg":"EdDSA","kid":"a1"}"#;
    assert_eq!(verdict(&forge(without, &payload().to_string(), 1)), Err(BadToken::Invalid));
}

#[test]
fn exactly_three_segments_in_the_one_spelling() {
    let [header, payload, signature] = parts();
    let json = format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#);
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}."),
        format!(".{header}.{payload}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}=.{payload}.{signature}"),
        format!(" {header}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}\n"),
        format!("{header}.{payload}.{}", signature.replacen(char::is_alphanumeric, "+", 1)),
        format!("{{\"payload\":\"{payload}\"}}.{payload}.{signature}"),
        json,
    ] {
        assert_eq!(verdict(&text), Err(BadToken::Invalid), "{text}");
    }
}

/// The last character of a 64-byte signature carries four bits that no decoder needs; only zeros are ours.
#[test]
fn trailing_bits_make_no_second_token() {
    let token = access_token();
    let (rest, last) = token.split_at(token.len() - 1);
    let others =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|c| !last.contains(*c));
    for other in others {
        assert_eq!(verdict(&format!("{rest}{other}")), Err(BadToken::Invalid));
    }
}

/// RFC 8032 §5.1.7: S and S + L would be two signatures of one message.
#[test]
fn signatures_are_not_malleable() {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let [header, payload, signature] = parts();
    let mut bytes = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(verdict(&format!("{header}.{payload}.{}", encode(bytes))), Err(BadToken::Invalid));
}

/// f124 (CVE-2025-30204): what is too long is not taken apart.
#[test]
fn length_is_checked_before_anything_else() {
    assert_eq!(verdict(&".".repeat(1024 * 1024)), Err(BadToken::Invalid));
    let padded = |spaces: usize| {
        let text = payload().to_string().replacen('{', &format!("{{{}", " ".repeat(spaces)), 1);
        forge(HEADER, &text, 1)
    };
    let at_most = (0..4096).rev().find(|spaces| padded(*spaces).len() <= 4096).unwrap();
    assert_eq!(verdict(&padded(at_most)), Ok(()));
    assert_eq!(verdict(&padded(at_most + 3)), Err(BadToken::Invalid));
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    let deep = format!("{}{}", "[".repeat(1400), "]".repeat(1400));
    let text = payload().to_string().replacen('{', &format!(r#"{{"x":{deep},"#), 1);
    assert_eq!(verdict(&forge(HEADER, &text, 1)), Err(BadToken::Invalid));
}

#[test]
fn a_retired_key_verifies_until_its_date_and_signs_nothing() {
    let until = now().plus(Duration::from_secs(60));
    let mut old = AccessKey::from_seed("a1".into(), [1; 32]);
    old.until = until;
    let set = KeySet::new(KeyMaterial {
        access: vec![AccessKey::from_seed("a2".into(), [2; 32]), old],
        refresh: vec![RefreshKey { id: "r".into(), key: SecretBytes::new([3; 32]) }],
        master: SecretBytes::new([4; 32]),
    })
    .unwrap();
    assert_eq!(set.verify_access(&access_token(), SITE, now()), Ok(claims()));
    assert_eq!(set.verify_access(&access_token(), SITE, until), Err(BadToken::Invalid));
    let new = set.issue_access(&claims(), [0; 16], &USER);
    assert_eq!(keys().verify_access(&new, SITE, now()), Err(BadToken::Invalid));
    assert!(set.verify_access(&new, SITE, now()).is_ok());
}

#[test]
fn without_keys_nothing_is_issued_and_nothing_accepted() {
    let none = KeySet::default();
    assert_eq!(none.issue_access(&claims(), [0; 16], &USER), "");
    assert_eq!(none.verify_access("", SITE, now()), Err(BadToken::Invalid));
    assert_eq!(none.verify_access(&access_token(), SITE, now()), Err(BadToken::Invalid));
}

#[test]
fn debug_shows_ids_and_no_key() {
    let shown = format!("{:?}", keys());
    assert!(shown.contains("a1") && shown.contains("r1"), "{shown}");
    for secret in ["[1, 1", "0101", "AQEB"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// RFC 8037 Appendix A.4: our private keys sign as the standard's example does.
#[test]
fn ed25519_signs_the_known_answer_of_rfc_8037() {
    let seed = data_encoding::BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = AccessKey::from_seed("k".into(), seed.try_into().unwrap());
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        crypto::sign(message, &EncodingKey::from_ed_der(key.pkcs8.expose()), Algorithm::EdDSA).unwrap();
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

fn mutated() -> impl Strategy<Value = String> {
    let token = access_token();
    (any::<prop::sample::Index>(), any::<char>(), 0..3_u8).prop_map(move |(at, new, how)| {
        let at = at.index(token.len());
        let (before, after) = token.split_at(at);
        match how {
            0 => format!("{before}{new}{}", after.get(1..).unwrap()),
            1 => format!("{before}{new}{after}"),
            _ => format!("{before}{}", after.get(1..).unwrap()),
        }
    })
}

proptest! {
    /// The invariant of R10: what is accepted was signed by us, to the byte.
    #[test]
    fn no_change_of_a_token_is_accepted(text in mutated()) {
        prop_assert_eq!(verdict(&text).is_ok(), text == access_token());
    }

    #[test]
    fn no_text_is_accepted_and_none_panics(text in ".{0,200}") {
        prop_assert_eq!(verdict(&text), Err(BadToken::Invalid));
    }

    #[test]
    fn no_signed_rubbish_is_accepted_and_none_panics(header in ".{0,80}", payload in ".{0,80}") {
        prop_assert_eq!(verdict(&forge(&header, &payload, 1)), Err(BadToken::Invalid));
        prop_assert_eq!(verdict(&forge(HEADER, &payload, 1)), Err(BadToken::Invalid));
    }

    #[test]
    fn every_claim_comes_back_as_it_went_in(
        sid in any::<[u8; 32]>(), generation: u64, iat in 0..4_000_000_000_u64, life in 1..86_400_u64, jti: [u8; 16], user: [u8; 16],
    ) {
        let mut claims = claims();
        claims.sid = crate::rules::session::Sid(sid);
        claims.generation = generation;
        claims.iat = Wall::from_secs(iat);
        claims.exp = Wall::from_secs(iat + life);
        let text = keys().issue_access(&claims, jti, &UserId(user));
        prop_assert_eq!(keys().verify_access(&text, SITE, Wall::from_secs(iat)), Ok(claims));
    }
}
