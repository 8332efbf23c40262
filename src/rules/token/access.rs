//! Access tokens: `gate-access+jwt`, a signed pointer to a session with an expiry.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::Serialize;

use super::{BadToken, ISSUER, jws, jws::Unverified, members::Members};
use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        session::{Sid, SiteId},
    },
};

const TYP: &str = "gate-access+jwt";
/// The longest text that is looked at, in bytes (R10).
pub(super) const LIMIT: usize = 4096;

/// What an access token says after verification: a signed pointer with an expiry. Times have whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The session it points to.
    pub sid: Sid,
    /// The refresh generation it was issued with; seeing it proves that this generation has arrived.
    pub generation: u64,
    /// The site.
    pub aud: SiteId,
    /// Issued at.
    pub iat: Wall,
    /// Expires at.
    pub exp: Wall,
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'static str,
    aud: &'a str,
    sub: String,
    sid: String,
    #[serde(rename = "gen")]
    generation: u64,
    jti: String,
    iat: u64,
    exp: u64,
}

pub(super) fn issue(
    claims: &AccessClaims,
    jti: [u8; 16],
    user: &UserId,
    kid: &str,
    key: &EncodingKey,
) -> String {
    let written = Written {
        iss: ISSUER,
        aud: &claims.aud,
        sub: user.to_string(),
        sid: claims.sid.text(),
        generation: claims.generation,
        jti: BASE64URL_NOPAD.encode(&jti),
        iat: claims.iat.secs(),
        exp: claims.exp.secs(),
    };
    jws::sign(TYP, kid, &written, key)
}

/// Checks everything about a token but the time. `key` finds one of our own keys by its id; nothing else in the header
/// chooses (R10).
pub(super) fn read<'k>(
    text: &str,
    site: &str,
    key: impl FnOnce(&str) -> Option<&'k DecodingKey>,
) -> Result<AccessClaims, BadToken> {
    let token = Unverified::parse(text, LIMIT).ok_or(BadToken::Invalid)?;
    let kid = our_kid(token.header()).ok_or(BadToken::Invalid)?;
    if !token.signed_by(key(kid).ok_or(BadToken::Invalid)?, Algorithm::EdDSA) {
        return Err(BadToken::Invalid);
    }
    claims(token.payload(), site).ok_or(BadToken::Invalid)
}

/// The key id, if the header is one that we write: these three members, and no other.
fn our_kid(header: &Members) -> Option<&str> {
    let ours = header.names().all(|name| ["alg", "typ", "kid"].contains(&name))
        && header.text("alg") == Ok(Some("EdDSA"))
        && header.text("typ") == Ok(Some(TYP));
    if ours { header.text("kid").ok()? } else { None }
}

fn claims(payload: &[u8], site: &str) -> Option<AccessClaims> {
    let members = Members::parse(payload)?;
    let ours = members.text("iss").ok()?? == ISSUER && members.text("aud").ok()?? == site;
    let user = HEXLOWER.decode(members.text("sub").ok()??.as_bytes()).ok()?;
    let jti = BASE64URL_NOPAD.decode(members.text("jti").ok()??.as_bytes()).ok()?;
    let claims = AccessClaims {
        sid: Sid::parse(members.text("sid").ok()??)?,
        generation: members.whole("gen").ok()??,
        aud: site.into(),
        iat: members.time("iat").ok()??,
        exp: members.time("exp").ok()??,
    };
    let sound = ours && user.len() == 16 && jti.len() == 16 && claims.iat <= claims.exp;
    sound.then_some(claims)
}
