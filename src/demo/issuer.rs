//! The sample panel's own issuer of tokens: what a panel with a sign-in page of its own would have.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use super::{DemoError, place::Place};
use crate::clock::Wall;

pub(super) const ISSUER: &str = "https://harbor.example";
pub(super) const AUDIENCE: &str = "harbor";
/// Where browsers would keep the panel's token.
pub(super) const COOKIE: &str = "harbor_token";

const KEY: &str = "issuer/panel-jwt.pem";
const KEYS: &str = "issuer/jwks.json";
const KID: &str = "harbor-1";

/// Makes the issuer's key and key set, unless the directory has them already.
pub(super) fn make(place: &Place) -> Result<(), DemoError> {
    if place.path(KEY).exists() && place.path(KEYS).exists() {
        return Ok(());
    }
    let pair = KeyPair::generate_for(&PKCS_ED25519)
        .map_err(|error| DemoError::Other(format!("no key could be made for the panel's tokens: {error}")))?;
    let public = BASE64URL_NOPAD.encode(pair.public_key_raw());
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KID, "x": public,
    });
    place.write(KEY, &pair.serialize_pem())?;
    place.write(KEYS, &json!({ "keys": [key] }).to_string())
}

/// A token as the panel would give it to `user` for its own session `sid`.
pub(super) fn token(
    place: &Place,
    user: &str,
    sid: &str,
    issued: Wall,
    lives: u64,
) -> Result<String, DemoError> {
    let pem = place.read(KEY)?.unwrap_or_default();
    let broken = |error: jsonwebtoken::errors::Error| DemoError::Other(format!("{KEY}: {error}"));
    let key = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(broken)?;
    let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let claims: Value = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": user, "sid": sid,
        "iat": issued.secs(), "exp": issued.secs() + lives,
    });
    encode(&header, &claims, &key).map_err(broken)
}
