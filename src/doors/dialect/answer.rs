//! Parts of answers that dialects share.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE, VARY, WWW_AUTHENTICATE,
    },
};

use crate::{gate::RefusalKind, rules::outcome::DecisionId};

/// The sealed refusal, for proxies that cannot carry the refusal itself.
const OUTCOME: HeaderName = HeaderName::from_static("x-gate-outcome");

/// Exactly 200 with an empty body and every identity header: all that any proxy takes for yes.
pub(super) fn allowed(identity: HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = identity;
    keep_from_caches(response.headers_mut());
    response
}

/// The refusal as the portal rendered it, made sure that no proxy can take it for yes (R3).
pub(super) fn whole(kind: RefusalKind, mut response: Response<Bytes>, sealed: &str) -> Response<Bytes> {
    let refuses = response.status() != StatusCode::NOT_MODIFIED && response.status().as_u16() >= 300;
    if !refuses {
        *response.status_mut() = status_for(kind);
    }
    let needs_challenge = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH] {
        headers.remove(name);
    }
    if let RefusalKind::Throttle { retry_after } = kind {
        headers.entry(RETRY_AFTER).or_insert_with(|| seconds(retry_after));
    }
    if needs_challenge {
        headers.entry(WWW_AUTHENTICATE).or_insert_with(|| challenge_for(kind));
    }
    finish(headers, sealed);
    response
}

/// A problem document (RFC 9457), with the name of the decision that it tells.
pub fn problem(status: StatusCode, detail: &str, decision: DecisionId) -> Response<Bytes> {
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
        "decision": decision.to_string(),
    });
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    keep_from_caches(response.headers_mut());
    response
}

/// What every refusal carries.
pub(super) fn finish(headers: &mut HeaderMap, sealed: &str) {
    if let Ok(value) = HeaderValue::from_str(sealed)
        && !sealed.is_empty()
    {
        headers.insert(OUTCOME, value);
    }
    keep_from_caches(headers);
}

/// No answer of the gate may be kept or given to somebody else (R26).
pub static UNCACHED: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (VARY, HeaderValue::from_static("Cookie, Authorization")),
];

fn keep_from_caches(headers: &mut HeaderMap) {
    for (name, value) in &UNCACHED {
        headers.insert(name, value.clone());
    }
}

fn status_for(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::SignIn | RefusalKind::StepUp { .. } => StatusCode::UNAUTHORIZED,
        RefusalKind::Deny => StatusCode::FORBIDDEN,
        RefusalKind::Throttle { .. } => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::BadRequest => StatusCode::BAD_REQUEST,
        RefusalKind::BadGateway => StatusCode::BAD_GATEWAY,
        RefusalKind::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// A 401 needs a challenge; the one for step-up is that of RFC 9470.
pub(super) fn challenge_for(kind: RefusalKind) -> HeaderValue {
    HeaderValue::from_static(match kind {
        RefusalKind::StepUp { .. } => "Bearer error=\"insufficient_user_authentication\"",
        RefusalKind::SignIn
        | RefusalKind::Deny
        | RefusalKind::Throttle { .. }
        | RefusalKind::Unavailable
        | RefusalKind::BadRequest
        | RefusalKind::BadGateway
        | RefusalKind::GatewayTimeout => "Bearer",
    })
}

/// Whole seconds, rounded up, so that coming back then is not too early.
pub(super) fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX))
}
