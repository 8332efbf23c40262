//! Tokens: access tokens and assertions that we sign, refresh tokens, the pending sign-in, and trusted issuers' tokens
//! that we check.
//!
//! The kinds are disjoint types with their own `typ`, parser and cookie (R11). Keys come in as values; nothing here
//! reads a file, a clock or randomness.

mod access;
mod assertion;
mod issuers;
mod jwk;
mod jws;
mod keyset;
mod members;
mod pending;
mod refresh;
#[cfg(test)]
mod tests;

pub use self::{
    access::AccessClaims,
    assertion::{AssertionClaims, RequestBinding},
    issuers::{BadIssuer, ClaimNames, Issuer, IssuerKeys, Issuers},
    jwk::{Alg, BadKeySet, PublicKeys},
    keyset::{AccessKey, BadKey, KeptAccess, KeyMaterial, KeySet, RefreshKey},
    pending::Pending,
    refresh::RefreshToken,
};

/// The `iss` of everything that we sign.
pub const ISSUER: &str = "panelgate";

/// Whether a bearer token says that it is of a kind of ours, good or not: such a one is nobody else's business.
pub fn is_own_kind(text: &str) -> bool {
    // The longest that any kind of ours may be; whatever is longer is none (R10).
    const LIMIT: usize = 4096;
    jws::Unverified::parse(text, LIMIT)
        .is_some_and(|token| matches!(token.header().text("typ"), Ok(Some(typ)) if typ.starts_with("gate-")))
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
