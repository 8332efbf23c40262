//! Envoy `ext_authz` over HTTP: the request line is the client's own behind a prefix, and the refusal goes out as it is.
//!
//! Envoy refuses a `#` in `:path` before it asks, so none is missed here though the HTTP library cuts it off.

use http::{HeaderName, request::Parts};

use super::{
    Caller, DialectError,
    read::{Field, client, one, origin_form, own_host, vouched},
};
use crate::rules::facts::{Ask, Door, Route};

/// Comes before the client's own path: `path_prefix` in Envoy's `http_service`.
pub(super) const PREFIX: &str = "/api/authz/ext-authz";

/// How the dialect is called.
pub(super) const NAME: &str = "ext-authz";

const PROTO: Field = Field {
    name: "X-Forwarded-Proto",
    key: HeaderName::from_static("x-forwarded-proto"),
    mend: "list it in allowed_headers of the ext_authz filter",
};
const FOR: Field = Field {
    name: "X-Forwarded-For",
    key: HeaderName::from_static("x-forwarded-for"),
    mend: "list it in allowed_headers of the ext_authz filter",
};

/// What Envoy asks about.
pub(super) fn ask<'a>(parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
    vouched(caller)?;
    let target = origin_form(parts)?.strip_prefix(PREFIX).ok_or(DialectError::Unparsable {
        name: "the request line",
        mend: "set path_prefix of the ext_authz filter to /api/authz/ext-authz",
    })?;
    Ok(Ask {
        door: Door::Sidecar,
        scheme: one(&parts.headers, &PROTO)?,
        authority: own_host(parts)?,
        method: parts.method.as_str().as_bytes(),
        target: target.as_bytes(),
        client: client(&parts.headers, caller, &FOR)?,
        route: Route { dialect: NAME, peer: caller.peer, forwarded_in: FOR.name },
        headers: &parts.headers,
    })
}
