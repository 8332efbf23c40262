//! What tokens must withstand, by kind; RFC and Wycheproof vectors prove the formats against third parties.

mod access;
mod assertion;
mod issuers;
mod key_sets;
mod kinds;
mod refresh;
mod wycheproof;

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::json;

use super::{AccessClaims, AccessKey, Alg, ClaimNames, Issuer, IssuerKeys, Issuers, KeySet, PublicKeys};
use crate::{
    clock::Wall,
    rules::{identity::UserId, session::Sid},
};

const SITE: &str = "main";
const USER: UserId = UserId([0xab; 16]);
/// Wrong values for a claim, as JSON (security.md row 138). Not all are wrong for every claim.
const WRONG: [&str; 14] = [
    r#""9999999999""#,
    r#""""#,
    "1.5",
    "9999999999.0",
    "-1",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "1e3",
    "null",
    "true",
    "[]",
    "{}",
    r#"[""]"#,
];

fn now() -> Wall {
    Wall::from_secs(1_800_000_000)
}

fn keys() -> KeySet {
    KeySet::of_seed(1)
}

fn claims() -> AccessClaims {
    AccessClaims {
        sid: Sid([7; 32]),
        generation: 3,
        aud: SITE.into(),
        iat: now(),
        exp: now().plus(Duration::from_secs(900)),
    }
}

fn access_token() -> String {
    keys().issue_access(&claims(), [9; 16], &USER)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

fn ed25519(seed: u8) -> EncodingKey {
    EncodingKey::from_ed_der(AccessKey::from_seed(String::new(), [seed; 32]).pkcs8.expose())
}

fn public(seed: u8) -> Vec<u8> {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap().public_key().as_ref().to_vec()
}

/// Signs any header and payload with the Ed25519 key of this seed.
fn forge(header: &str, payload: &str, seed: u8) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = crypto::sign(message.as_bytes(), &ed25519(seed), Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

/// A JSON object with one member replaced by raw JSON, or taken out.
fn with_member(object: &serde_json::Value, name: &str, raw: Option<&str>) -> String {
    let members = object.as_object().unwrap().iter().filter_map(|(key, value)| {
        let value = if key == name { raw?.to_owned() } else { value.to_string() };
        Some(format!("{}:{value}", json!(key)))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// `text`, which is ASCII, with another character at this place.
fn bent(text: &str, at: usize, new: &str) -> String {
    let (before, after) = text.split_at(at);
    format!("{before}{new}{}", after.get(1..).unwrap())
}

/// An issuer named `panel` with the Ed25519 key of seed 50 under the id `k`.
fn issuer() -> Issuer {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(public(50)), "kid": "k", "use": "sig"});
    Issuer {
        name: "panel".into(),
        iss: "https://panel.example.com".into(),
        aud: "gate".into(),
        algorithms: vec![Alg::EdDsa],
        claims: ClaimNames {
            user: "preferred_username".into(),
            session: "sid".into(),
            role: Some("role".into()),
            email: Some("email".into()),
        },
        roles: vec![("superuser".into(), "root".into()), ("staff".into(), "admin".into())],
        max_lifetime: Duration::from_secs(86_400),
        keys: IssuerKeys::Public(PublicKeys::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap()),
    }
}

fn trusted() -> Issuers {
    Issuers::new(vec![issuer()]).unwrap()
}

const ISSUER_HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT","kid":"k"}"#;

fn issuer_claims() -> serde_json::Value {
    json!({
        "iss": "https://panel.example.com", "aud": ["account", "gate"], "sub": "4711", "sid": "s-1",
        "preferred_username": "Alice", "role": "staff", "email": "alice@example.com",
        "iat": now().secs(), "nbf": now().secs(), "exp": now().secs() + 300,
    })
}

fn issuer_token() -> String {
    forge(ISSUER_HEADER, &issuer_claims().to_string(), 50)
}
