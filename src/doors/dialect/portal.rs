//! `/_gate/**` on the sidecar: the proxy passes the client's own request on, so the request line is what it is about.

use http::request::Parts;

use super::{
    Caller, DialectError,
    read::{FOR, HOST, PROTO, client, one, origin_form, vouched},
};
use crate::rules::facts::{Ask, Door, Route};

/// Where the gate's own pages live.
pub(super) const PREFIX: &str = "/_gate";

/// How the dialect is called.
pub(super) const NAME: &str = "portal";

/// The request for one of the gate's own pages.
pub(super) fn ask<'a>(parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
    vouched(caller)?;
    Ok(Ask {
        door: Door::Sidecar,
        scheme: one(&parts.headers, &PROTO)?,
        authority: one(&parts.headers, &HOST)?,
        method: parts.method.as_str().as_bytes(),
        target: origin_form(parts)?.as_bytes(),
        client: client(&parts.headers, caller, &FOR)?,
        route: Route { dialect: NAME, peer: caller.peer, forwarded_in: FOR.name },
        headers: &parts.headers,
    })
}
