//! The canonical, immutable description of the request being judged. One constructor for both doors (R2, R4, R5, R6).

mod build;
mod credentials;
mod host;
mod key;
mod nature;
mod path;
#[cfg(test)]
mod tests;
mod trail;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub(in crate::rules) use self::host::split_port;
pub use self::{
    build::{Ask, BadAsk, CredentialNames, Route},
    credentials::cookies,
    host::{BadHost, Host},
    key::{X_API_KEY, is_key},
    nature::is_method_override,
    trail::Trail,
};
use super::{address::ClientAddr, api_key::KeyId};
use crate::secret::SecretText;

/// Where the request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// Forward auth: another proxy asks.
    Sidecar,
    /// Our own TLS and proxying.
    Edge,
}

/// `http` or `https`; `ws` and `wss` are folded into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The request target: the exact bytes that were judged, and the canonical path that rules match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As received: path and query. This, byte for byte, is what goes upstream (R5).
    pub raw: Arc<str>,
    /// Decoded segments, for matching. An encoded byte of an [`Ambiguity`] stays encoded, in upper case.
    pub segments: Vec<SmolStr>,
    /// Whether the path ends in `/` (other than the root itself).
    pub trailing_slash: bool,
    /// What about the path could be read in two ways; a page must open each (R4).
    pub ambiguities: Vec<Ambiguity>,
    /// The query without `?`, if there is one. Never matched.
    pub query: Option<Arc<str>>,
}

impl Target {
    /// Splits and checks a request target in origin form (R4): at most 8 KiB of printable ASCII that starts with `/`.
    ///
    /// # Errors
    /// [`Reason::Malformed`](super::reason::Reason::Malformed) when it is too long,
    /// [`Reason::AmbiguousTarget`](super::reason::Reason::AmbiguousTarget) for whatever no page can open.
    pub fn parse(raw: &[u8]) -> Result<Self, BadAsk> {
        path::parse(raw)
    }

    /// Whether it is one of the gate's own pages, which have rules of their own.
    pub fn is_ours(&self) -> bool {
        self.segments.first().is_some_and(|first| first == "_gate")
    }

    /// The canonical path, for people and logs: `/users/7`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(segment);
        }
        if self.trailing_slash || path.is_empty() {
            path.push('/');
        }
        path
    }
}

/// A class of paths that two programs can read differently (R4). Refused unless the page's `allow_in_path` opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ambiguity {
    /// `%2F`
    EncodedSlash,
    /// `%5C`
    EncodedBackslash,
    /// `%23`
    EncodedHash,
    /// `%3F`
    EncodedQuestion,
    /// `%25`
    EncodedPercent,
    /// `;`, plain or as `%3B`
    Semicolon,
    /// `//`
    EmptySegment,
}

impl Ambiguity {
    /// Every class that can be opened.
    pub const ALL: [Self; 7] = [
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::EncodedHash,
        Self::EncodedQuestion,
        Self::EncodedPercent,
        Self::Semicolon,
        Self::EmptySegment,
    ];

    /// As `allow_in_path` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncodedSlash => "%2F",
            Self::EncodedBackslash => "%5C",
            Self::EncodedHash => "%23",
            Self::EncodedQuestion => "%3F",
            Self::EncodedPercent => "%25",
            Self::Semicolon => ";",
            Self::EmptySegment => "//",
        }
    }
}

/// Whether a refusal should be a page or a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person navigating: answer with pages and redirects.
    Navigation,
    /// A script, an event stream, a WebSocket, an image: answer with a status and a problem document.
    Background,
}

/// Credentials as presented, not yet verified. Empty ones are `None`.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// Values of the access cookie; more than one distinct value is a conflict (R19).
    pub access: Vec<SecretText>,
    /// Values of the refresh cookie; several of one name can meet.
    pub refresh: Vec<SecretText>,
    /// Values of the pending (pre-second-factor) cookie.
    pub pending: Vec<SecretText>,
    /// The single `Authorization: Bearer` value.
    pub bearer: Option<SecretText>,
    /// Candidate tokens of trusted issuers, with the issuer's configured name.
    pub external: Vec<(String, SecretText)>,
    /// One cookie of a trusted issuer came with different values.
    pub external_doubled: bool,
    /// The one API key of `X-Api-Key` or `Authorization`.
    pub api_key: Option<PresentedKey>,
}

/// An API key as presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentedKey {
    /// It begins like one of ours and cannot be one. Never the same as none (R3).
    Malformed,
    /// It may be one of ours.
    Key(KeyId),
}

/// The request being judged.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where it arrived.
    pub door: Door,
    /// As the client used it.
    pub scheme: Scheme,
    /// Canonical; selects the site.
    pub host: Host,
    /// Case-sensitive, as sent.
    pub method: SmolStr,
    /// Raw and canonical.
    pub target: Target,
    /// The client after the trusted walk.
    pub client: ClientAddr,
    /// What led to that client, for the record.
    pub trail: Trail,
    /// An upgrade was asked for (a write for the policy, R36).
    pub upgrade: bool,
    /// A method-override header or `_method` was present (a write for the policy, R36).
    pub method_override: bool,
    /// A browser says that a page of another site led here, or none at all, such as a link in a mail.
    pub foreign: bool,
    /// `Origin`, if exactly one was sent.
    pub origin: Option<Arc<str>>,
    /// The page of this same origin that the request came from, if the client said so.
    pub referrer: Option<Arc<str>>,
    /// Page or document.
    pub audience: Audience,
    /// What the client called itself, at most 256 printable characters.
    pub user_agent: Arc<str>,
    /// Unverified credentials.
    pub presented: Presented,
}

impl Facts {
    /// GET, HEAD or OPTIONS, without upgrade and without any method override (R36).
    pub fn is_safe(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD" | "OPTIONS") && !self.upgrade && !self.method_override
    }

    /// Where to come back to after signing in or stepping up: what was asked for, or, since a form's target is rarely a
    /// page of its own, the page that an unsafe request came from.
    pub fn return_url(&self) -> String {
        match &self.referrer {
            Some(page) if !self.is_safe() => page.to_string(),
            Some(_) | None => self.url(),
        }
    }

    /// `https://panel.example.com/users/7?tab=2`: what the client asked for, for returning there.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.host, self.target.raw)
    }
}
