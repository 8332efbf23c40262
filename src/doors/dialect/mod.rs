//! How each proxy asks and wants to be answered. Pure; the only place that names forwarding headers.
//!
//! Each dialect reads exactly its own header fields, one value each, and ignores every other spelling (R2). What it
//! needs and does not find is an error that names the field and the mend, never a guess and never a fallback.

mod answer;
pub(super) mod edge;
mod envoy;
mod forward;
mod nginx;
mod portal;
mod read;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request::Parts};

pub use self::{
    answer::{UNCACHED, problem},
    read::DialectError,
};
use crate::{
    gate::RefusalKind,
    rules::{address::TrustedProxies, facts::Ask, outcome::DecisionId},
};

/// The field that tells a panel, in a question of our own, on whose behalf we ask.
pub fn on_behalf_of(client: IpAddr) -> (HeaderName, HeaderValue) {
    edge::on_behalf_of(client)
}

/// Who asks, as the listener established it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The TCP peer; a loopback address for a Unix socket.
    pub peer: IpAddr,
    /// Trusted for another reason than its address: a Unix socket, a secret, a certificate.
    pub channel_trusted: bool,
    /// The networks that are trusted by address.
    pub trusted: &'a TrustedProxies,
}

/// The ways to ask the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx `auth_request`: `/api/authz/auth-request`.
    AuthRequest,
    /// Caddy `forward_auth`, Traefik `ForwardAuth`, HAProxy: `/api/authz/forward-auth`.
    ForwardAuth,
    /// Envoy `ext_authz` over HTTP: `/api/authz/ext-authz/…`.
    ExtAuthz,
    /// The gate's own pages, passed on by any proxy: `/_gate/…`.
    Portal,
}

/// The gate's answer, to be put into words that a proxy understands.
#[derive(Debug)]
pub enum Answer {
    /// Go on.
    Allow {
        /// All of them, see [`identity_headers`](crate::doors::identity_headers).
        identity: HeaderMap,
    },
    /// No, in every form that a dialect may want.
    Refused {
        /// What kind of no.
        kind: RefusalKind,
        /// As the portal rendered it. nginx takes only `Location` and `WWW-Authenticate` from it.
        rendered: Response<Bytes>,
        /// For `X-Gate-Outcome`.
        sealed: String,
    },
}

impl Dialect {
    /// The dialect of a path on the sidecar's own request line: an exact match, never on a forwarded URI (R9).
    pub fn of(path: &str) -> Option<Self> {
        let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        match path {
            "/api/authz/auth-request" => Some(Self::AuthRequest),
            "/api/authz/forward-auth" => Some(Self::ForwardAuth),
            _ if below(envoy::PREFIX) => Some(Self::ExtAuthz),
            _ if below(portal::PREFIX) => Some(Self::Portal),
            _ => None,
        }
    }

    /// Its name, for the record of decisions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthRequest => nginx::NAME,
            Self::ForwardAuth => forward::NAME,
            Self::ExtAuthz => envoy::NAME,
            Self::Portal => portal::NAME,
        }
    }

    /// What the proxy asks about.
    pub fn ask<'a>(self, parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
        match self {
            Self::AuthRequest => nginx::ask(parts, caller),
            Self::ForwardAuth => forward::ask(parts, caller),
            Self::ExtAuthz => envoy::ask(parts, caller),
            Self::Portal => portal::ask(parts, caller),
        }
    }

    /// The answer in the proxy's words: for nginx a bare status, for everybody else the whole refusal.
    pub fn render(self, answer: Answer) -> Response<Bytes> {
        match (self, answer) {
            (_, Answer::Allow { identity }) => answer::allowed(identity),
            (Self::AuthRequest, Answer::Refused { kind, rendered, sealed }) => {
                nginx::refused(kind, rendered.headers(), &sealed)
            }
            (
                Self::ForwardAuth | Self::ExtAuthz | Self::Portal,
                Answer::Refused { kind, rendered, sealed },
            ) => answer::whole(kind, rendered, &sealed),
        }
    }

    /// The answer to a question that cannot be read: 403 for nginx, which turns every other status into 500, and for
    /// strangers; 400 otherwise. The problem document names the field and the mend.
    pub fn misunderstood(self, error: &DialectError, decision: DecisionId) -> Response<Bytes> {
        let closed = matches!(error, DialectError::Untrusted) || self == Self::AuthRequest;
        let status = if closed { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        problem(status, &error.to_string(), decision)
    }
}
