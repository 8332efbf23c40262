use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{Alg, BadIssuer, BadToken, Issuer, IssuerKeys, Issuers, PublicKeys},
    ISSUER_HEADER, WRONG, bent, encode, forge, issuer, issuer_claims, issuer_token, now, public, trusted,
    with_member,
};
use crate::{
    clock::Wall,
    rules::session::{ExternalIdentity, ExternalKey},
    secret::SecretBytes,
};

fn verify(payload: &str) -> Result<ExternalIdentity, BadToken> {
    trusted().verify("panel", &forge(ISSUER_HEADER, payload, 50), now())
}

fn verdict(payload: &str) -> Result<(), BadToken> {
    verify(payload).map(drop)
}

fn changed(name: &str, raw: &str) -> String {
    with_member(&issuer_claims(), name, Some(raw))
}

#[test]
fn a_good_token_says_who_it_is() {
    let identity = trusted().verify("panel", &issuer_token(), now()).unwrap();
    assert_eq!(identity.key, ExternalKey { issuer: "panel".into(), session: "s-1".into() });
    assert_eq!(identity.name.as_str(), "alice");
    assert_eq!(identity.role.as_deref(), Some("admin"));
    assert_eq!(identity.email, "alice@example.com");
}

/// A tombstone that stays until `expires` outlives every token that the issuer can have signed by now.
#[test]
fn what_is_kept_outlives_every_token_of_the_session() {
    let identity = trusted().verify("panel", &issuer_token(), now()).unwrap();
    let latest = json!(now().secs() + 5 + 86_400).to_string();
    let ahead = json!(now().secs() + 5).to_string();
    let claims = serde_json::from_str(&changed("iat", &ahead)).unwrap();
    let longest = with_member(&claims, "exp", Some(&latest));
    assert_eq!(verdict(&longest), Ok(()));
    let token = forge(ISSUER_HEADER, &longest, 50);
    let before = Wall::from_millis(identity.expires.millis() - 1);
    assert!(trusted().verify("panel", &token, before).is_ok());
    assert!(trusted().verify("panel", &token, identity.expires).is_err());
}

/// h138 for trusted issuers: wrong types are never taken for absent.
#[test]
fn every_claim_that_is_read_must_have_its_type() {
    for name in ["iss", "aud", "exp", "iat", "nbf", "sid", "preferred_username", "role", "email"] {
        for wrong in WRONG {
            // Texts are right for texts, and lists of texts for roles; their values are tested elsewhere.
            let text = wrong.starts_with('"') && ["sid", "role", "email"].contains(&name);
            let user = wrong == r#""9999999999""# && name == "preferred_username";
            let list = ["[]", r#"[""]"#].contains(&wrong) && name == "role";
            if text && wrong != r#""""#
                || user
                || list
                || (wrong == r#""""# && ["role", "email"].contains(&name))
            {
                continue;
            }
            assert_eq!(verdict(&changed(name, wrong)), Err(BadToken::Invalid), "{name}: {wrong}");
        }
    }
}

#[test]
fn what_is_required_is_required() {
    for (name, required) in [
        ("iss", true),
        ("aud", true),
        ("exp", true),
        ("sid", true),
        ("preferred_username", true),
        ("iat", false),
        ("nbf", false),
        ("role", false),
        ("email", false),
    ] {
        let verdict = verdict(&with_member(&issuer_claims(), name, None));
        assert_eq!(verdict.is_err(), required, "{name}");
    }
}

/// CVE-2020-26160: an audience is ours only if it says so.
#[test]
fn issuer_and_audience_are_exact() {
    for aud in [r#""gate""#, r#"["gate"]"#, r#"["a","gate"]"#] {
        assert_eq!(verdict(&changed("aud", aud)), Ok(()), "{aud}");
    }
    for aud in [r#""gate2""#, r#""Gate""#, "[]", r#"["a"]"#, r#"[["gate"]]"#, r#"["gate",1]"#, r#""a gate""#]
    {
        assert_eq!(verdict(&changed("aud", aud)), Err(BadToken::Invalid), "{aud}");
    }
    for iss in [r#""https://panel.example.com/""#, r#"["https://panel.example.com"]"#, r#""""#] {
        assert_eq!(verdict(&changed("iss", iss)), Err(BadToken::Invalid), "{iss}");
    }
}

/// R10: at most five seconds of grace, on either side.
#[test]
fn time_is_kept_to_five_seconds() {
    let at = |seconds: u64| trusted().verify("panel", &issuer_token(), Wall::from_secs(seconds)).map(drop);
    let (nbf, exp) = (now().secs(), now().secs() + 300);
    assert_eq!(at(nbf - 6), Err(BadToken::Invalid));
    assert_eq!(at(nbf - 5), Ok(()));
    assert_eq!(at(exp + 4), Ok(()));
    assert_eq!(at(exp + 5), Err(BadToken::Expired));
    let wrong = with_member(&issuer_claims(), "aud", Some(r#""other""#));
    let late = Wall::from_secs(exp + 5);
    assert_eq!(
        trusted().verify("panel", &forge(ISSUER_HEADER, &wrong, 50), late).map(drop),
        Err(BadToken::Invalid),
        "expired is said only of tokens that are otherwise good"
    );
}

#[test]
fn tokens_that_would_outlive_a_revocation_are_refused() {
    let exp = |seconds: u64| json!(seconds).to_string();
    assert_eq!(verdict(&changed("exp", &exp(now().secs() + 86_400))), Ok(()));
    assert_eq!(verdict(&changed("exp", &exp(now().secs() + 86_401))), Err(BadToken::Invalid));
    let claims: serde_json::Value =
        serde_json::from_str(&with_member(&issuer_claims(), "iat", None)).unwrap();
    let long = with_member(&claims, "exp", Some(&exp(now().secs() + 86_401)));
    assert_eq!(verdict(&long), Err(BadToken::Invalid), "without `iat`, from now on");
}

#[test]
fn names_and_sessions_that_cannot_be_are_refused() {
    let long = json!("s".repeat(257)).to_string();
    for (name, value) in [
        ("preferred_username", r#""al ice""#),
        ("preferred_username", r#""аlice""#),
        ("preferred_username", r#""""#),
        ("sid", r#""""#),
        ("sid", long.as_str()),
    ] {
        assert_eq!(verdict(&changed(name, value)), Err(BadToken::Invalid), "{name}: {value}");
    }
}

/// The first of our mapping counts; a role that was lost at the issuer is lost here.
#[test]
fn roles_are_mapped_and_never_left_over() {
    let role = |raw: &str| verify(&changed("role", raw)).unwrap().role;
    assert_eq!(role(r#"["x","staff","superuser"]"#).as_deref(), Some("root"));
    for none in [r#""root""#, "[]", r#"["x"]"#, r#""Staff""#] {
        assert_eq!(role(none).as_deref(), Some(""), "{none}");
    }
    assert_eq!(verify(&with_member(&issuer_claims(), "role", None)).unwrap().role.as_deref(), Some(""));

    let of = |issuer: Issuer, raw: &str| {
        let token = forge(ISSUER_HEADER, &changed("role", raw), 50);
        Issuers::new(vec![issuer]).unwrap().verify("panel", &token, now()).unwrap().role
    };
    let unmapped = || Issuer { roles: Vec::new(), ..issuer() };
    assert_eq!(of(unmapped(), r#""reseller""#).as_deref(), Some("reseller"));
    assert_eq!(of(unmapped(), r#"["reseller","root"]"#).as_deref(), Some(""), "two roles are none");
    let mut silent = issuer();
    silent.claims.role = None;
    assert_eq!(of(silent, r#""superuser""#), None);
}

#[test]
fn a_claim_may_lie_in_nested_objects() {
    let mut nested = issuer();
    nested.claims.role = Some("realm_access.roles".into());
    nested.claims.session = "https://panel.example.com/sid".into();
    let mut claims = issuer_claims();
    claims["realm_access"] = json!({"roles": ["offline", "staff"]});
    claims["https://panel.example.com/sid"] = json!("dotted");
    let token = forge(ISSUER_HEADER, &claims.to_string(), 50);
    let identity = Issuers::new(vec![nested]).unwrap().verify("panel", &token, now()).unwrap();
    assert_eq!(identity.role.as_deref(), Some("admin"));
    assert_eq!(identity.key.session, "dotted");
}

#[test]
fn the_type_is_plain_or_absent() {
    let with = |typ: &str| {
        let header = ISSUER_HEADER.replace(r#""typ":"JWT""#, typ);
        trusted().verify("panel", &forge(&header, &issuer_claims().to_string(), 50), now()).map(drop)
    };
    for good in
        [r#""typ":"JWT""#, r#""typ":"jwt""#, r#""typ":"at+jwt""#, r#""typ":"application/at+jwt""#, r#""x":1"#]
    {
        assert_eq!(with(good), Ok(()), "{good}");
    }
    for bad in ["gate-access+jwt", "logout+jwt", "dpop+jwt", "JWE", "", "JWT "] {
        assert_eq!(with(&format!(r#""typ":"{bad}""#)), Err(BadToken::Invalid), "{bad}");
    }
    assert_eq!(with(r#""typ":null"#), Err(BadToken::Invalid));
}

#[test]
fn headers_choose_neither_key_nor_algorithm() {
    let with = |header: &str, seed| {
        trusted().verify("panel", &forge(header, &issuer_claims().to_string(), seed), now())
    };
    for member in [
        r#""crit":["b64"]"#,
        r#""jku":"https://evil.example""#,
        r#""jwk":{}"#,
        r#""x5c":[]"#,
        r#""zip":"DEF""#,
    ] {
        let header = ISSUER_HEADER.replacen('{', &format!("{{{member},"), 1);
        assert!(with(&header, 50).is_err(), "{member}");
    }
    assert!(
        with(&ISSUER_HEADER.replacen('{', r#"{"x5t":"abc","nonce":"n","#, 1), 50).is_ok(),
        "others are ignored"
    );
    for alg in ["none", "HS256", "RS256", "ES256", "eddsa", ""] {
        assert!(with(&ISSUER_HEADER.replace("EdDSA", alg), 50).is_err(), "{alg}");
    }
    assert!(with(&ISSUER_HEADER.replace("EdDSA", "Ed25519"), 50).is_ok(), "RFC 9864");
    assert!(with(ISSUER_HEADER, 51).is_err(), "another key");
    let other = Issuer { algorithms: vec![Alg::Rs256, Alg::Es256], ..issuer() };
    let others = Issuers::new(vec![other]).unwrap();
    assert!(others.verify("panel", &issuer_token(), now()).is_err(), "not an allowed algorithm");
}

/// CVE-2016-10555 for issuers: the algorithm must be allowed and fit the key.
#[test]
fn hmac_with_the_public_key_is_refused() {
    let message = format!(
        "{}.{}",
        encode(ISSUER_HEADER.replace("EdDSA", "HS256")),
        encode(issuer_claims().to_string())
    );
    let mac =
        crypto::sign(message.as_bytes(), &EncodingKey::from_secret(&public(50)), Algorithm::HS256).unwrap();
    assert!(trusted().verify("panel", &format!("{message}.{mac}"), now()).is_err());
    let mut mixed = issuer();
    mixed.algorithms.push(Alg::Hs256);
    assert_eq!(Issuers::new(vec![mixed]).map(drop), Err(BadIssuer::Mixed("panel".into())));
}

#[test]
fn a_shared_secret_goes_with_hs256_alone() {
    let with = |algorithms: Vec<Alg>, length: usize| {
        Issuers::new(vec![Issuer {
            algorithms,
            keys: IssuerKeys::Shared(SecretBytes::new(vec![1; length])),
            ..issuer()
        }])
    };
    assert_eq!(with(vec![Alg::Hs256], 31).map(drop), Err(BadIssuer::ShortSecret("panel".into())));
    assert_eq!(with(vec![Alg::Hs256, Alg::EdDsa], 32).map(drop), Err(BadIssuer::Mixed("panel".into())));
    assert_eq!(with(Vec::new(), 32).map(drop), Err(BadIssuer::NoAlgorithm("panel".into())));

    let issuers = with(vec![Alg::Hs256], 32).unwrap();
    let sign = |alg: &str, by| {
        let message = format!(
            "{}.{}",
            encode(ISSUER_HEADER.replace("EdDSA", alg)),
            encode(issuer_claims().to_string())
        );
        let mac = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(&[1; 32]), by).unwrap();
        issuers.verify("panel", &format!("{message}.{mac}"), now()).map(drop)
    };
    assert_eq!(sign("HS256", Algorithm::HS256), Ok(()));
    assert_eq!(sign("HS512", Algorithm::HS512), Err(BadToken::Invalid));
    assert_eq!(issuers.verify("panel", &issuer_token(), now()).map(drop), Err(BadToken::Invalid));
    assert_eq!(
        issuers.with_keys("panel", PublicKeys::default()).verify("panel", "", now()).map(drop),
        Err(BadToken::Invalid)
    );
}

#[test]
fn an_issuer_answers_only_to_its_name() {
    assert!(trusted().verify("other", &issuer_token(), now()).is_err());
    assert!(Issuers::default().verify("panel", &issuer_token(), now()).is_err());
    assert_eq!(Issuers::new(vec![issuer(), issuer()]).map(drop), Err(BadIssuer::Twice("panel".into())));
}

/// A feed fetches the set again when tokens name keys that are not in it, and only then.
#[test]
fn unknown_key_ids_are_counted_across_copies() {
    let issuers = trusted();
    issuers.verify("panel", &issuer_token(), now()).unwrap();
    issuers.verify("panel", "rubbish", now()).unwrap_err();
    assert_eq!(issuers.unknown_keys("panel"), 0);
    let renamed = forge(&ISSUER_HEADER.replace(r#""k""#, r#""new""#), &issuer_claims().to_string(), 50);
    let copy = issuers.with_keys("panel", PublicKeys::default());
    copy.verify("panel", &renamed, now()).unwrap_err();
    assert_eq!(issuers.unknown_keys("panel"), 1);
    assert!(copy.verify("panel", &issuer_token(), now()).is_err(), "without keys nothing verifies");
    assert_eq!(issuers.unknown_keys("panel"), 2);
}

#[test]
fn revocation_needs_no_key_and_life_is_bounded_whatever_the_issuer_says() {
    let short = Issuer { max_lifetime: Duration::from_secs(60), ..issuer() };
    assert!(Issuers::new(vec![short]).unwrap().verify("panel", &issuer_token(), now()).is_err());
}

proptest! {
    #[test]
    fn no_change_of_an_external_token_is_accepted(at in any::<prop::sample::Index>(), new in any::<char>()) {
        let text = issuer_token();
        let at = at.index(text.len());
        let bent = bent(&text, at, &new.to_string());
        prop_assert_eq!(trusted().verify("panel", &bent, now()).is_ok(), bent == text);
    }

    #[test]
    fn signed_rubbish_is_refused_without_a_panic(header in ".{0,80}", payload in ".{0,80}") {
        prop_assert!(verify(&payload).is_err());
        prop_assert!(trusted().verify("panel", &forge(&header, &payload, 50), now()).is_err());
    }
}
