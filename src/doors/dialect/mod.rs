//! How each proxy asks and wants to be answered. Pure; the only place that names forwarding headers.
//!
//! Each dialect reads exactly its own header fields, one value each, and ignores every other spelling (R2). What it
//! needs and does not find is an error that names the field and the mend, never a guess and never a fallback.

mod answer;
pub mod envoy;
pub mod forward;
pub mod nginx;
pub mod portal;
mod read;
#[cfg(test)]
mod tests;
pub mod upstream;

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, request::Parts};

pub use self::{answer::allowed, read::DialectError};
use crate::{
    gate::RefusalKind,
    rules::{address::TrustedProxies, facts::Ask},
};

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

/// The forward-auth endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx `auth_request`: `/api/authz/auth-request`.
    Nginx,
    /// Caddy `forward_auth`, Traefik `ForwardAuth`, HAProxy: `/api/authz/forward-auth`.
    Forward,
    /// Envoy `ext_authz` over HTTP: `/api/authz/ext-authz/…`.
    Envoy,
}

/// The gate's answer, to be put into words that a proxy understands.
#[derive(Debug)]
pub enum Answer {
    /// Go on, with these identity headers.
    Allow(Vec<(HeaderName, HeaderValue)>),
    /// No.
    Refused(Refused),
}

/// A refusal in every form that a dialect may want.
#[derive(Debug)]
pub struct Refused {
    /// What kind of no.
    pub kind: RefusalKind,
    /// For `X-Gate-Outcome`; empty where none could be sealed.
    pub sealed: String,
    /// As the portal rendered it. nginx needs only its `Location` and does without.
    pub rendered: Option<Response<Bytes>>,
}

impl Dialect {
    /// The dialect of the listener's own path; an exact match (R9).
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/api/authz/auth-request" => Some(Self::Nginx),
            "/api/authz/forward-auth" => Some(Self::Forward),
            _ => path.strip_prefix(envoy::PREFIX)?.starts_with('/').then_some(Self::Envoy),
        }
    }

    /// What the proxy asks about.
    pub fn ask<'a>(self, parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
        match self {
            Self::Nginx => nginx::ask(parts, caller),
            Self::Forward => forward::ask(parts, caller),
            Self::Envoy => envoy::ask(parts, caller),
        }
    }

    /// Whether the proxy hands the whole answer to the client, so that a refusal should be rendered for it.
    pub fn carries_body(self) -> bool {
        self != Self::Nginx
    }

    /// The answer in the proxy's words.
    pub fn render(self, answer: Answer) -> Response<Bytes> {
        match self {
            Self::Nginx => nginx::render(answer),
            Self::Forward => forward::render(answer),
            Self::Envoy => envoy::render(answer),
        }
    }

    /// The answer to a question that this dialect does not understand.
    pub fn misunderstood(self, error: &DialectError) -> Response<Bytes> {
        error.render(self)
    }
}
