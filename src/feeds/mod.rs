//! What changes from outside while the gate runs: keys of our own, keys of trusted issuers, certificates, files.
//!
//! A feed keeps the last good state, says what was wrong with a bad one, and publishes whole values.

pub mod certs;
pub mod files;
pub mod jwks;
pub mod keys;
