//! Wycheproof's vectors (`tests/data/jose`): each verdict is theirs, or stands in a list with the reason why not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{Alg, BadKeySet, BadToken, Issuer, IssuerKeys, Issuers, PublicKeys, RefreshToken},
    SITE, issuer, keys, now, trusted,
};
use crate::secret::SecretBytes;

const SIGNATURES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/jose/json_web_signature_test.json"));
const KEYS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/jose/json_web_key_test.json"));
const ENCRYPTIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/jose/json_web_encryption_test.json"));

const PUBLIC: [Alg; 9] = [
    Alg::Rs256,
    Alg::Rs384,
    Alg::Rs512,
    Alg::Ps256,
    Alg::Ps384,
    Alg::Ps512,
    Alg::Es256,
    Alg::Es384,
    Alg::EdDsa,
];

const OTHER_ALGORITHM: &str = "the key says PS256 and the token PS384: a key's `alg` binds";
const P521: &str = "P-521 is not supported";
const PADDING_LOST: &str = "meant to have padding, but the text in the file is that of the valid vector 357";
const NOT_BASE64URL: &str =
    "has a `?` inside base64url and is called valid; RFC 7515 §2 knows no such character";

/// JWS vectors whose verdict is not ours, with our verdict.
const OTHER_SIGNATURES: [(u64, bool, &str); 8] = [
    (346, false, OTHER_ALGORITHM),
    (347, false, P521),
    (350, false, OTHER_ALGORITHM),
    (351, false, P521),
    (367, true, PADDING_LOST),
    (370, true, PADDING_LOST),
    (372, false, NOT_BASE64URL),
    (373, false, NOT_BASE64URL),
];

const SHARED: &str = "shared keys are never taken from a key set, but from a file of the operator's";
const ROCA: &str = "the weakness is in the key's primes; who trusts an issuer trusts it to make its keys";

/// JWK vectors whose verdict is not ours, with our verdict.
const OTHER_KEYS: [(u64, bool, &str); 5] =
    [(2, false, SHARED), (7, true, ROCA), (13, false, SHARED), (14, false, SHARED), (15, false, SHARED)];

fn vectors(text: &str) -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(text).unwrap();
    let groups = file["testGroups"].as_array().unwrap().clone();
    groups
        .into_iter()
        .flat_map(|group| {
            group["tests"].as_array().unwrap().clone().into_iter().map(move |test| (group.clone(), test))
        })
        .collect()
}

fn with_public(set: &Value) -> Option<Issuers> {
    let keys = PublicKeys::parse(set.to_string().as_bytes()).ok()?;
    Some(
        Issuers::new(vec![Issuer { algorithms: PUBLIC.into(), keys: IssuerKeys::Public(keys), ..issuer() }])
            .unwrap(),
    )
}

fn with_shared(jwk: &Value) -> Option<Issuers> {
    let secret = data_encoding::BASE64URL_NOPAD.decode(jwk["k"].as_str()?.as_bytes()).ok()?;
    let keys = IssuerKeys::Shared(SecretBytes::new(secret));
    Issuers::new(vec![Issuer { algorithms: vec![Alg::Hs256], keys, ..issuer() }]).ok()
}

fn opens(issuers: Option<&Issuers>, test: &Value) -> bool {
    // Some are in JSON form: then what would be sent is that text.
    let text = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
    issuers.is_some_and(|issuers| issuers.payload("panel", &text).is_some())
}

fn compare(vectors: &[(Value, bool)], others: &[(u64, bool, &str)]) {
    let others: BTreeMap<_, _> = others.iter().map(|(id, verdict, _)| (*id, *verdict)).collect();
    for (test, ours) in vectors {
        let theirs = test["result"] == "valid";
        let id = test["tcId"].as_u64().unwrap();
        let expected = others.get(&id).copied().unwrap_or(theirs);
        assert_eq!(*ours, expected, "vector {id}: {}", test["comment"]);
        assert!(!others.contains_key(&id) || *ours != theirs, "vector {id} no longer needs an exception");
    }
}

#[test]
fn signatures_are_judged_as_wycheproof_does() {
    let judged: Vec<_> = vectors(SIGNATURES)
        .into_iter()
        .map(|(group, test)| {
            let issuers = match group.get("public") {
                Some(public) => with_public(&json!({"keys": [public]})),
                None => with_shared(&group["private"]),
            };
            let ours = opens(issuers.as_ref(), &test);
            (test, ours)
        })
        .collect();
    assert_eq!(judged.len(), 401);
    compare(&judged, &OTHER_SIGNATURES);
    assert_eq!(judged.iter().filter(|(_, ours)| *ours).count(), 46 - 6 + 2);
}

#[test]
fn key_sets_are_judged_as_wycheproof_does() {
    let judged: Vec<_> = vectors(KEYS)
        .into_iter()
        .map(|(group, test)| {
            let ours = opens(with_public(group.get("public").unwrap_or(&group["private"])).as_ref(), &test);
            (test, ours)
        })
        .collect();
    assert_eq!(judged.len(), 26);
    compare(&judged, &OTHER_KEYS);
}

#[test]
fn sets_with_private_or_shared_keys_are_refused_whole() {
    for (group, test) in vectors(KEYS) {
        let parsed = PublicKeys::parse(group["private"].to_string().as_bytes());
        assert!(matches!(parsed, Err(BadKeySet::Secret(_))), "vector {}", test["tcId"]);
    }
}

/// As the operator's own secret, a key of 65 bytes is good and those of 31 bytes and of none are not.
#[test]
fn shared_secrets_are_judged_by_their_length() {
    for (group, test) in vectors(KEYS) {
        let first = &group["private"]["keys"][0];
        let accepted = match test["tcId"].as_u64().unwrap() {
            2 | 13 => true,
            3 | 10 | 16 => false,
            _ => continue,
        };
        assert_eq!(opens(with_shared(first).as_ref(), &test), accepted, "vector {}", test["tcId"]);
    }
}

/// CVE-2026-29000: nothing that is encrypted is a token of any kind.
#[test]
fn no_encrypted_token_is_a_token() {
    let vectors = vectors(ENCRYPTIONS);
    assert_eq!(vectors.len(), 139);
    for (_, test) in vectors {
        let text = test["jwe"].as_str().map_or_else(|| test["jwe"].to_string(), str::to_owned);
        assert_eq!(keys().verify_access(&text, SITE, now()).map(drop), Err(BadToken::Invalid));
        assert_eq!(trusted().verify("panel", &text, now()).map(drop), Err(BadToken::Invalid));
        assert_eq!(keys().open_pending(&text, now()).map(drop), Err(BadToken::Invalid));
        assert_eq!(RefreshToken::parse(&text), None);
    }
}

/// RFC 8037 Appendix A.5.
#[test]
fn ed25519_verifies_the_known_answer_of_rfc_8037() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let issuers = with_public(&json!({"keys": [key]})).unwrap();
    assert_eq!(issuers.payload("panel", text).as_deref(), Some(b"Example of Ed25519 signing".as_slice()));
}
