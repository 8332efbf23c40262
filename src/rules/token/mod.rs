//! Tokens: access tokens and assertions that we sign, refresh tokens, and trusted issuers' tokens that we check.
//!
//! The kinds are disjoint types with their own `typ`, parser and cookie (R11). Keys come in as values; nothing here
//! reads a file, a clock or randomness.

use std::sync::Arc;

use super::session::{ExternalIdentity, Sid, SiteId};
use crate::clock::Wall;

/// The keys that sign and verify our own tokens. Replaced as a whole on rotation.
#[derive(Clone, Default)]
pub struct KeySet {}

/// What an access token says after verification: a signed pointer with an expiry.
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

/// Why a token is not accepted. One type; the signature is checked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Not a token of this kind, or not signed by a key we know.
    #[error("the token does not verify")]
    Invalid,
    /// Everything holds but the time.
    #[error("the token has expired")]
    Expired,
}

/// A refresh token as presented: `sid . generation . mac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session.
    pub sid: Sid,
    /// The generation it belongs to.
    pub generation: u64,
    /// HMAC-SHA256 under the refresh key over the family's seed, sid and generation.
    pub mac: [u8; 32],
}

/// The trusted issuers with their current keys. Replaced as a whole when a key feed brings news.
#[derive(Clone, Default)]
pub struct Issuers {}

impl Issuers {
    /// Checks a token that claims to be of the issuer with this configured name.
    ///
    /// # Errors
    /// [`BadToken::Expired`] if only the time is wrong, [`BadToken::Invalid`] for everything else.
    pub fn verify(&self, issuer: &str, text: &str, now: Wall) -> Result<ExternalIdentity, BadToken> {
        let _ = (issuer, text, now, Arc::<str>::from(""));
        Err(BadToken::Invalid)
    }
}
