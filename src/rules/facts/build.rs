//! The one constructor.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use smol_str::SmolStr;

use super::{Door, Facts, Host, Scheme, Target, Trail, credentials, nature};
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
    /// How the question came, for the record of its decision.
    pub route: Route,
    /// The client's header fields (the proxy's own forwarding fields are the dialect's business, not ours).
    pub headers: &'a HeaderMap,
}

/// How a question came to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name of the dialect: `edge`, `auth-request`, `forward-auth`, `ext-authz` or `portal`.
    pub dialect: &'static str,
    /// Who is connected; a loopback address for a Unix socket.
    pub peer: IpAddr,
    /// The field of the headers that the walk to the client went over.
    pub forwarded_in: &'static str,
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
        let (host, site) = found(ask.authority, sites)?;
        let method = method(ask.method)?;
        let (scheme, web_socket) = scheme(ask.scheme)?;
        let target = Target::parse(ask.target)?;
        let upgrade = web_socket || nature::asks_upgrade(ask.headers);
        let facts = Self {
            door: ask.door,
            scheme,
            method,
            client: ask.client,
            trail: Trail::of(ask.route, ask.headers),
            upgrade,
            method_override: nature::overrides_method(ask.headers, target.query.as_deref()),
            foreign: nature::is_foreign(ask.headers),
            origin: nature::origin(ask.headers)?,
            referrer: nature::referrer(ask.headers, scheme, &host),
            audience: nature::audience(ask.headers, upgrade)?,
            user_agent: nature::user_agent(ask.headers),
            presented: credentials::presented(ask.headers, &site.credentials)?,
            target,
            host,
        };
        Ok((facts, site.clone()))
    }
}

impl BadAsk {
    pub(super) fn malformed(what: &'static str) -> Self {
        Self { reason: Reason::Malformed, what }
    }

    pub(super) fn ambiguous(what: &'static str) -> Self {
        Self { reason: Reason::AmbiguousTarget, what }
    }

    pub(super) fn conflicting(what: &'static str) -> Self {
        Self { reason: Reason::ConflictingCredentials, what }
    }
}

/// The host in its one spelling, and whose it is. Nearly always it comes spelt as the configuration has it.
fn found<'s>(authority: &[u8], sites: &'s Sites) -> Result<(Host, &'s Arc<Site>), BadAsk> {
    if let Some((host, site)) = std::str::from_utf8(authority).ok().and_then(|text| sites.spelt(text)) {
        return Ok((host.clone(), site));
    }
    let host = Host::parse(authority).map_err(|bad| BadAsk::malformed(bad.0))?;
    let site = sites.find(&host).ok_or(BadAsk {
        reason: Reason::UnknownHost,
        what: "no site has this host; add its origin to the site's origins",
    })?;
    Ok((host, site))
}

/// A token of RFC 9110 §5.6.2, at most 32 bytes, kept in its case.
fn method(raw: &[u8]) -> Result<SmolStr, BadAsk> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let text = std::str::from_utf8(raw)
        .ok()
        .filter(|_| (1..=32).contains(&raw.len()) && raw.iter().all(token))
        .ok_or(BadAsk::malformed("the method is not a token of 1 to 32 characters"))?;
    // Some servers fold the case of methods, so no spelling of these two passes.
    if text.eq_ignore_ascii_case("CONNECT") || text.eq_ignore_ascii_case("TRACE") {
        return Err(BadAsk::malformed("CONNECT and TRACE are never passed on"));
    }
    Ok(text.into())
}

/// The scheme, and whether it is that of a WebSocket: Traefik drops `Upgrade` from what it asks, but says `wss`.
fn scheme(raw: &[u8]) -> Result<(Scheme, bool), BadAsk> {
    match raw {
        b"http" => Ok((Scheme::Http, false)),
        b"https" => Ok((Scheme::Https, false)),
        b"ws" => Ok((Scheme::Http, true)),
        b"wss" => Ok((Scheme::Https, true)),
        _ => Err(BadAsk::malformed("the scheme is none of http, https, ws and wss")),
    }
}
