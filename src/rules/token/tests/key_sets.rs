use serde_json::{Value, json};

use super::{
    super::{BadKeySet, PublicKeys},
    encode, public,
};

fn ed(kid: Option<&str>) -> Value {
    let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(public(50))});
    if let Some(kid) = kid {
        key["kid"] = json!(kid);
    }
    key
}

fn parse(keys: &Value) -> Result<String, BadKeySet> {
    PublicKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| format!("{keys:?}"))
}

fn with(name: &str, value: Value) -> Value {
    let mut key = ed(Some("k"));
    key[name] = value;
    json!([key])
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in
        ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":null}"#, "null", r#"{"keys":[]"#]
    {
        assert_eq!(PublicKeys::parse(text.as_bytes()).map(drop), Err(BadKeySet::Form), "{text}");
    }
    assert_eq!(PublicKeys::parse(br#"{"keys":[],"keys":[]}"#).map(drop), Err(BadKeySet::Form));
    assert_eq!(parse(&json!([])), Err(BadKeySet::Empty));
}

#[test]
fn a_published_secret_spoils_the_set() {
    assert_eq!(parse(&with("d", json!("AAAA"))), Err(BadKeySet::Secret(" (`k`)".into())));
    let shared = json!([ed(Some("k")), {"kty": "oct", "k": "AAAA"}]);
    assert_eq!(parse(&shared), Err(BadKeySet::Secret(String::new())));
}

#[test]
fn one_key_id_names_one_key() {
    assert_eq!(parse(&json!([ed(Some("k")), ed(Some("k"))])), Err(BadKeySet::Twice("k".into())));
    assert!(parse(&json!([ed(Some("k")), ed(Some("K")), ed(None), ed(None)])).is_ok());
    let mut other_use = ed(Some("k"));
    other_use["use"] = json!("enc");
    assert!(
        parse(&json!([ed(Some("k")), other_use])).is_ok(),
        "a key that is not for signatures does not count"
    );
}

#[test]
fn keys_that_are_not_for_checking_signatures_are_left_out() {
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("key_ops", json!([1])),
        ("key_ops", json!("encrypt")),
        ("alg", json!("ES256")),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("alg", json!(1)),
        ("kid", json!(7)),
        ("kty", json!("EC")),
        ("kty", json!("RSA")),
        ("kty", json!("XYZ")),
        ("crv", json!("Ed448")),
        ("crv", json!("X25519")),
        ("x", json!(encode([1; 31]))),
        ("x", json!(encode([1; 33]))),
        ("x", json!("!!")),
        ("x", json!(null)),
    ] {
        assert_eq!(parse(&with(name, value.clone())), Err(BadKeySet::Empty), "{name}: {value}");
    }
    for (name, value) in [
        ("use", json!("sig")),
        ("key_ops", json!(["verify", "sign"])),
        ("alg", json!("EdDSA")),
        ("alg", json!("Ed25519")),
    ] {
        assert!(parse(&with(name, value.clone())).is_ok(), "{name}: {value}");
    }
}

/// The generator of P-256 (SEC 2 §2.4.2), and a point beside the curve.
#[test]
fn points_beside_their_curve_are_left_out() {
    let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    let y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let key = |crv: &str, y: &str| {
        let [x, y] = [x, y].map(|hex| encode(data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()));
        parse(&json!([{"kty": "EC", "crv": crv, "x": x, "y": y}])).is_ok()
    };
    assert!(key("P-256", y));
    assert!(!key("P-256", &y.replace("51f5", "51f6")));
    assert!(!key("P-256", &"0".repeat(64)));
    assert!(!key("P-384", y));
}

#[test]
fn weak_rsa_keys_are_left_out() {
    let rsa = |bytes: usize, first: u8, e: &[u8]| {
        let mut n = vec![0xff; bytes];
        n[0] = first;
        parse(&json!([{"kty": "RSA", "n": encode(n), "e": encode(e)}])).is_ok()
    };
    assert!(rsa(256, 0x80, &[1, 0, 1]));
    assert!(rsa(257, 0, &[1, 0, 1]), "a leading zero is no bit");
    assert!(rsa(256, 0x80, &[3]));
    assert!(!rsa(256, 0x7f, &[1, 0, 1]), "2047 bits");
    assert!(!rsa(128, 0xff, &[1, 0, 1]), "1024 bits");
    assert!(!rsa(1025, 0xff, &[1, 0, 1]), "8200 bits");
    for e in [&[1_u8] as &[u8], &[0, 0, 1], &[2], &[], &[0], &[1; 9]] {
        assert!(!rsa(256, 0x80, e), "exponent {e:?}");
    }
}
