//! The one constructor.

use std::sync::Arc;

use http::HeaderMap;

use super::{Door, Facts};
use crate::rules::{
    address::ClientAddr,
    reason::Reason,
    site::{Site, Sites},
};

/// What a door or dialect knows about a request before it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where it arrived.
    pub door: Door,
    /// `http`, `https`, `ws` or `wss`.
    pub scheme: &'a [u8],
    /// Host and optional port, as received; exactly one.
    pub authority: &'a [u8],
    /// As received.
    pub method: &'a [u8],
    /// Path and query as received.
    pub target: &'a [u8],
    /// After the trusted walk.
    pub client: ClientAddr,
    /// The client's header fields (the proxy's own forwarding fields are the dialect's business, not ours).
    pub headers: &'a HeaderMap,
}

/// Names under which credentials travel; from the site's settings.
#[derive(Clone, Debug, Default)]
pub struct CredentialNames {
    /// The access cookie.
    pub access: String,
    /// The refresh cookie.
    pub refresh: String,
    /// The pending cookie.
    pub pending: String,
    /// Trusted issuers: (configured name, cookie names, header names).
    pub issuers: Vec<(String, Vec<String>, Vec<String>)>,
}

/// The request cannot be described, so it cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadAsk {
    /// [`Reason::Malformed`], [`Reason::AmbiguousTarget`], [`Reason::UnknownHost`] or
    /// [`Reason::ConflictingCredentials`].
    pub reason: Reason,
    /// What is wrong, for the log and the problem document; never contains the input.
    pub what: &'static str,
}

impl Facts {
    /// Describes a request and finds its site, or says why it cannot be described.
    pub fn new(ask: &Ask<'_>, sites: &Sites) -> Result<(Self, Arc<Site>), BadAsk> {
        let _ = (ask, sites);
        Err(BadAsk { reason: Reason::Malformed, what: "not built yet" })
    }
}
