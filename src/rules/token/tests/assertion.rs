use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use super::{
    super::{AssertionClaims, RequestBinding},
    SITE, keys, now,
};
use crate::rules::{
    identity::UserName,
    outcome::Access,
    session::{PublicId, Sid},
};

pub(super) fn assertion() -> AssertionClaims {
    AssertionClaims {
        aud: SITE.into(),
        sub: UserName::parse("alice").unwrap(),
        role: "reseller".into(),
        session: Sid([7; 32]).public(),
        access: Access::Read,
        elevated_until: None,
        actor: None,
        iat: now(),
        request: None,
    }
}

/// Checks as a panel would: with a JWT library and the published key set, and nothing of ours.
pub(super) fn as_a_panel_checks(text: &str) -> Option<Value> {
    let set: JwkSet = serde_json::from_value(keys().jwks()).unwrap();
    let header =
        decode_header(text).ok().filter(|header| header.typ.as_deref() == Some("gate-assertion+jwt"))?;
    let key = DecodingKey::from_jwk(set.find(&header.kid?)?).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[SITE]);
    validation.set_issuer(&["panelgate"]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Its clock is the machine's; these tests have their own.
    validation.validate_exp = false;
    Some(decode::<Value>(text, &key, &validation).ok()?.claims)
}

#[test]
fn a_panel_can_check_an_assertion_with_the_published_keys() {
    let seen = as_a_panel_checks(&keys().sign_assertion(&assertion())).unwrap();
    let expected = json!({
        "iss": "panelgate", "aud": "main", "sub": "alice", "role": "reseller", "access": "read",
        "session": PublicId::clone(&Sid([7; 32]).public()).0, "iat": now().secs(), "exp": now().secs() + 60,
    });
    assert_eq!(seen, expected);
}

#[test]
fn elevation_actor_and_request_are_said_when_there_are_any() {
    let claims = AssertionClaims {
        elevated_until: Some(now().plus(Duration::from_secs(300))),
        actor: Some(UserName::parse("root").unwrap()),
        request: Some(RequestBinding {
            method: "POST".into(),
            host: "panel.example.com".into(),
            path: "/users/".into(),
        }),
        ..assertion()
    };
    let seen = as_a_panel_checks(&keys().sign_assertion(&claims)).unwrap();
    assert_eq!(seen["elevated_until"], now().secs() + 300);
    assert_eq!(seen["act"], json!({"sub": "root"}));
    assert_eq!(
        (&seen["htm"], &seen["hth"], &seen["htp"]),
        (&json!("POST"), &json!("panel.example.com"), &json!("/users/"))
    );
}

#[test]
fn the_published_keys_are_public_keys() {
    for key in keys().jwks()["keys"].as_array().unwrap() {
        assert_eq!(key["kty"], "OKP");
        assert_eq!(key["alg"], "EdDSA");
        assert_eq!(key["use"], "sig");
        assert!(key.get("d").is_none());
    }
}
