//! Who is asking, as the gate says it in the identity headers. The panel itself authenticates nobody.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::live;
use crate::clock::Wall;

/// The identity headers, in the order in which the gate documents them.
const IDENTITY_HEADERS: [&str; 11] = [
    "remote-user",
    "remote-groups",
    "remote-email",
    "remote-name",
    "x-gate-role",
    "x-gate-session",
    "x-gate-access",
    "x-gate-elevated-until",
    "x-gate-actor",
    "x-gate-decision",
    "x-gate-assertion",
];

/// The person behind a request.
pub(crate) struct Visitor {
    /// Empty when the request did not come through the gate.
    pub(crate) user: String,
    pub(crate) role: String,
    /// What the gate lets this request do.
    pub(crate) may_change: bool,
    /// RFC 3339, while a second factor counts.
    pub(crate) elevated_until: Option<String>,
    /// The account that acts as `user`, if another one does.
    pub(crate) actor: String,
    pub(crate) path: String,
    /// The path, encoded for use in a query: where to come back to.
    pub(crate) back: String,
    /// Every identity header with its value, `None` for those that did not arrive.
    pub(crate) headers: Vec<(&'static str, Option<String>)>,
    /// What the last form did, to be shown once.
    pub(crate) flash: Option<String>,
}

impl Visitor {
    /// Whether the gate told us who this is.
    pub(crate) fn is_known(&self) -> bool {
        !self.user.is_empty()
    }

    /// Whether this role has pages of the gate for the accounts of others.
    pub(crate) fn administers(&self) -> bool {
        matches!(self.role.as_str(), "root" | "admin")
    }

    fn new(parts: &Parts) -> Self {
        let text = |name: &str| header(&parts.headers, name).unwrap_or_default();
        Self {
            user: text("remote-user"),
            role: text("x-gate-role"),
            may_change: text("x-gate-access") == "full",
            elevated_until: text("x-gate-elevated-until")
                .parse()
                .ok()
                .map(|seconds| live::time_text(Wall::from_secs(seconds))),
            actor: text("x-gate-actor"),
            path: parts.uri.path().to_owned(),
            back: utf8_percent_encode(parts.uri.path(), NON_ALPHANUMERIC).to_string(),
            headers: IDENTITY_HEADERS.map(|name| (name, header(&parts.headers, name))).into(),
            flash: super::flash::shown(&parts.headers),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
