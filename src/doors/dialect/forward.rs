//! Caddy `forward_auth`, Traefik `ForwardAuth` and HAProxy (our Lua): the refusal goes to the client as it is.
//!
//! HAProxy's Lua copies the client's fields one by one, so `Cookie` arrives as it was sent and no dedicated field for it
//! is needed. It gets `X-Gate-Outcome` as well, for recipes that can carry nothing but a status.

use http::{HeaderName, request::Parts};

use super::{
    Caller, DialectError,
    read::{FOR, Field, HOST, PROTO, client, one, vouched},
};
use crate::rules::facts::{Ask, Door, Route};

/// How the dialect is called.
pub(super) const NAME: &str = "forward-auth";

const METHOD: Field = Field {
    name: "X-Forwarded-Method",
    key: HeaderName::from_static("x-forwarded-method"),
    mend: "let the proxy set it to the client's method",
};
const URI: Field = Field {
    name: "X-Forwarded-Uri",
    key: HeaderName::from_static("x-forwarded-uri"),
    mend: "let the proxy set it to the client's path and query",
};

/// What the proxy asks about; its own request line says nothing.
pub(super) fn ask<'a>(parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
    vouched(caller)?;
    let headers = &parts.headers;
    Ok(Ask {
        door: Door::Sidecar,
        scheme: one(headers, &PROTO)?,
        authority: one(headers, &HOST)?,
        method: one(headers, &METHOD)?,
        target: one(headers, &URI)?,
        client: client(headers, caller, &FOR)?,
        route: Route { dialect: NAME, peer: caller.peer, forwarded_in: FOR.name },
        headers,
    })
}
