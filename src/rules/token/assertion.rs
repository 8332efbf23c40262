//! Assertions: `gate-assertion+jwt`, what the panel may check for itself. Nothing in the gate accepts one.

use std::time::Duration;

use jsonwebtoken::EncodingKey;
use serde::Serialize;

use super::{ISSUER, jws};
use crate::{
    clock::Wall,
    rules::{
        identity::{Role, UserName},
        outcome::Access,
        session::{PublicId, SiteId},
    },
};

const TYP: &str = "gate-assertion+jwt";

/// What the gate tells the panel about the bearer of one request or one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionClaims {
    /// The site.
    pub aud: SiteId,
    /// The account.
    pub sub: UserName,
    /// The role that counts.
    pub role: Role,
    /// The public id of the session.
    pub session: PublicId,
    /// What the session may do with the page now.
    pub access: Access,
    /// End of the elevation, if elevated.
    pub elevated_until: Option<Wall>,
    /// Who really sits there, when somebody is impersonated.
    pub actor: Option<UserName>,
    /// Made at.
    pub iat: Wall,
    /// The one request it is good for; `None` when it is bound to the session only.
    pub request: Option<RequestBinding>,
}

/// The request that an assertion is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestBinding {
    /// The method as it was sent.
    pub method: String,
    /// The canonical host, with the port if it is not the scheme's own.
    pub host: String,
    /// The canonical path without the query.
    pub path: String,
}

impl AssertionClaims {
    /// How long an assertion is good for.
    pub const LIFE: Duration = Duration::from_secs(60);
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'static str,
    aud: &'a str,
    sub: &'a str,
    role: &'a str,
    session: &'a str,
    access: &'static str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    elevated_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    htm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hth: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    htp: Option<&'a str>,
}

/// RFC 8693 §4.1.
#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

pub(super) fn sign(claims: &AssertionClaims, kid: &str, key: &EncodingKey) -> String {
    let request = claims.request.as_ref();
    let written = Written {
        iss: ISSUER,
        aud: &claims.aud,
        sub: claims.sub.as_str(),
        role: &claims.role,
        session: &claims.session.0,
        access: claims.access.as_str(),
        iat: claims.iat.secs(),
        exp: claims.iat.plus(AssertionClaims::LIFE).secs(),
        elevated_until: claims.elevated_until.map(Wall::secs),
        act: claims.actor.as_ref().map(|actor| Actor { sub: actor.as_str() }),
        htm: request.map(|request| request.method.as_str()),
        hth: request.map(|request| request.host.as_str()),
        htp: request.map(|request| request.path.as_str()),
    };
    jws::sign(TYP, kid, &written, key)
}
