//! nginx `auth_request`: understands 2xx, 401 and 403, and passes nothing else on.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{LOCATION, WWW_AUTHENTICATE},
    request::Parts,
};

use super::{
    Caller, DialectError,
    answer::{challenge_for, finish, seconds},
    read::{Field, client, one, vouched},
};
use crate::{
    gate::RefusalKind,
    rules::facts::{Ask, Door, Route},
};

/// How the dialect is called.
pub(super) const NAME: &str = "auth-request";

/// Seconds to wait: a 429 would become a 500.
const GATE_RETRY_AFTER: HeaderName = HeaderName::from_static("x-gate-retry-after");

const URL: Field = Field {
    name: "X-Original-URL",
    key: HeaderName::from_static("x-original-url"),
    mend: "set it in the auth location: proxy_set_header X-Original-URL $scheme://$http_host$request_uri",
};
const METHOD: Field = Field {
    name: "X-Original-Method",
    key: HeaderName::from_static("x-original-method"),
    mend: "set it in the auth location: proxy_set_header X-Original-Method $request_method",
};
const FOR: Field = Field {
    name: "X-Forwarded-For",
    key: HeaderName::from_static("x-forwarded-for"),
    mend: "set it in the auth location: proxy_set_header X-Forwarded-For $remote_addr",
};

/// What nginx asks about: one header holds the URL, one the method; its own request line says nothing.
pub(super) fn ask<'a>(parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
    vouched(caller)?;
    let url = one(&parts.headers, &URL)?;
    let (scheme, authority, target) =
        split_url(url).ok_or(DialectError::Unparsable { name: URL.name, mend: URL.mend })?;
    Ok(Ask {
        door: Door::Sidecar,
        scheme,
        authority,
        method: one(&parts.headers, &METHOD)?,
        target,
        client: client(&parts.headers, caller, &FOR)?,
        route: Route { dialect: NAME, peer: caller.peer, forwarded_in: FOR.name },
        headers: &parts.headers,
    })
}

/// 401 where proving something helps, 403 for everything else, without a body. The refusal itself travels sealed, for
/// the page that nginx asks for next.
pub(super) fn refused(kind: RefusalKind, rendered: &HeaderMap, sealed: &str) -> Response<Bytes> {
    let provable = matches!(kind, RefusalKind::SignIn | RefusalKind::StepUp { .. });
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = if provable { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    let headers = response.headers_mut();
    if let Some(location) = rendered.get(LOCATION) {
        headers.insert(LOCATION, location.clone());
    }
    if provable {
        let challenge = rendered.get(WWW_AUTHENTICATE).cloned();
        headers.insert(WWW_AUTHENTICATE, challenge.unwrap_or_else(|| challenge_for(kind)));
    }
    if let RefusalKind::Throttle { retry_after } = kind {
        headers.insert(GATE_RETRY_AFTER, seconds(retry_after));
    }
    finish(headers, sealed);
    response
}

/// Cuts `scheme://authority/target` without a URL parser, which would mend what must be judged as it is (row 26).
fn split_url(url: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let colon = url.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = url.split_at_checked(colon)?;
    let rest = rest.strip_prefix(b"://")?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (authority, target) = rest.split_at_checked(slash)?;
    Some((scheme, authority, target))
}
