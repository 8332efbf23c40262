//! R11: every kind of token at every parser; only the diagonal opens.

use serde_json::json;

use super::{
    super::{BadToken, Issuer, IssuerKeys, Issuers, Pending, PublicKeys, RefreshToken},
    SITE, USER, access_token,
    assertion::{as_a_panel_checks, assertion},
    issuer, issuer_token, keys, now, trusted,
};
use crate::{
    rules::session::{Family, Sid},
    secret::SecretBytes,
};

fn family() -> Family {
    Family { seed: SecretBytes::new([5; 32]), key: "r1".into(), generation: 4, current_seen: None }
}

fn tokens() -> [(&'static str, String); 5] {
    let pending = Pending {
        user: USER,
        site: SITE.into(),
        issued: now(),
        expires: crate::clock::Wall::NEVER,
        rd: None,
        panel: None,
    };
    [
        ("access", access_token()),
        ("assertion", keys().sign_assertion(&assertion())),
        ("refresh", keys().mint_refresh(&Sid([7; 32]), &family()).unwrap()),
        ("pending", keys().seal_pending(&pending, [1; 12])),
        ("external", issuer_token()),
    ]
}

type Parser = (&'static str, fn(&str) -> bool);

const PARSERS: [Parser; 5] = [
    ("access", |text| keys().verify_access(text, SITE, now()).is_ok()),
    ("assertion", |text| as_a_panel_checks(text).is_some()),
    ("refresh", |text| {
        RefreshToken::parse(text).is_some_and(|token| keys().check_refresh(&token, &family()))
    }),
    ("pending", |text| keys().open_pending(text, now()).is_ok()),
    ("external", |text| trusted().verify("panel", text, now()).is_ok()),
];

#[test]
fn only_its_own_parser_opens_a_token() {
    for (kind, text) in tokens() {
        for (parser, opens) in PARSERS {
            assert_eq!(opens(&text), kind == parser, "a {kind} token at the {parser} parser");
        }
    }
}

/// Even when the operator trusts the gate's own key set as an issuer, our tokens are no external ones.
#[test]
fn our_own_tokens_are_refused_from_an_issuer_with_our_keys() {
    let keys = IssuerKeys::Public(PublicKeys::parse(keys().jwks().to_string().as_bytes()).unwrap());
    let mut claims = issuer().claims;
    claims.user = "sub".into();
    claims.session = "session".into();
    let mirror =
        Issuers::new(vec![Issuer { iss: "panelgate".into(), aud: SITE.into(), claims, keys, ..issuer() }])
            .unwrap();
    for (kind, text) in tokens() {
        assert_eq!(mirror.verify("panel", &text, now()).map(drop), Err(BadToken::Invalid), "{kind}");
    }
    // It is the type that stops them: with the ordinary one, the same claims and key would pass.
    let claims =
        json!({"iss": "panelgate", "aud": SITE, "sub": "alice", "session": "s", "exp": now().secs() + 60});
    let plain = super::forge(r#"{"alg":"EdDSA","typ":"JWT","kid":"a1"}"#, &claims.to_string(), 1);
    assert!(mirror.verify("panel", &plain, now()).is_ok());
}
