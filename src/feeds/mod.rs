//! What changes from outside while the gate runs: keys of our own, keys of trusted issuers, certificates, files; and
//! the panel's own login, which is asked who somebody is.
//!
//! A feed keeps the last good state, says what was wrong with a bad one, and publishes whole values.

pub mod certs;
pub mod files;
pub mod journal;
pub mod jwks;
pub mod keys;
pub mod panel_login;
pub mod places;
pub mod validity;

/// An error with what caused it: the outer one alone says "client error (Connect)".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
