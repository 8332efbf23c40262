//! nginx `auth_request`: understands 2xx, 401 and 403, and passes nothing else on.

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};

use super::{
    Answer, Caller, DialectError,
    answer::{allowed, bare},
    read::{Field, client, one, vouched},
};
use crate::{
    gate::RefusalKind,
    rules::facts::{Ask, Door},
};

const URL: Field = Field {
    name: "X-Original-URL",
    mend: "set it in the auth location: proxy_set_header X-Original-URL $scheme://$http_host$request_uri",
};
const METHOD: Field = Field {
    name: "X-Original-Method",
    mend: "set it in the auth location: proxy_set_header X-Original-Method $request_method",
};
const FOR: Field = Field {
    name: "X-Forwarded-For",
    mend: "set it in the auth location: proxy_set_header X-Forwarded-For $remote_addr",
};

/// What nginx asks about: one header holds the URL, one the method; its own request line says nothing.
pub fn ask<'a>(parts: &'a Parts, caller: &Caller<'_>) -> Result<Ask<'a>, DialectError> {
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
        headers: &parts.headers,
    })
}

/// 200, 401 or 403; the refusal itself travels sealed, for the page that nginx asks for next.
pub fn render(answer: Answer) -> Response<Bytes> {
    match answer {
        Answer::Allow(identity) => allowed(identity),
        Answer::Refused(refused) => match refused.kind {
            RefusalKind::SignIn | RefusalKind::StepUp { .. } => bare(StatusCode::UNAUTHORIZED, &refused),
            RefusalKind::Deny
            | RefusalKind::Throttle { .. }
            | RefusalKind::Unavailable
            | RefusalKind::BadRequest => bare(StatusCode::FORBIDDEN, &refused),
        },
    }
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
