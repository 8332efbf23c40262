//! Parts of answers that dialects share.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE, VARY, WWW_AUTHENTICATE,
    },
};

use super::Refused;
use crate::gate::RefusalKind;

/// For nginx and whoever else cannot carry a refusal: the sealed refusal itself.
pub(super) const OUTCOME: HeaderName = HeaderName::from_static("x-gate-outcome");
/// Seconds to wait, where the status cannot say so.
pub(super) const GATE_RETRY_AFTER: HeaderName = HeaderName::from_static("x-gate-retry-after");

/// Exactly 200 with an empty body and every identity header: all that any proxy takes for yes.
pub fn allowed(identity: Vec<(HeaderName, HeaderValue)>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    for (name, value) in identity {
        response.headers_mut().insert(name, value);
    }
    seal_off(response.headers_mut());
    response
}

/// An answer without a body, for proxies that carry nothing but a status.
pub(super) fn bare(status: StatusCode, refused: &Refused) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let rendered = refused.rendered.as_ref().map(Response::headers);
    if let Some(location) = rendered.and_then(|rendered| rendered.get(LOCATION)) {
        headers.insert(LOCATION, location.clone());
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = rendered.and_then(|rendered| rendered.get(WWW_AUTHENTICATE)).cloned();
        headers.insert(WWW_AUTHENTICATE, challenge.unwrap_or_else(|| challenge_for(refused.kind)));
    }
    if let RefusalKind::Throttle { retry_after } = refused.kind {
        headers.insert(GATE_RETRY_AFTER, seconds(retry_after));
    }
    carry_outcome(headers, &refused.sealed);
    seal_off(headers);
    response
}

/// The refusal as the portal rendered it, made sure that no proxy can take it for yes.
pub(super) fn whole(refused: Refused) -> Response<Bytes> {
    let status = status_for(refused.kind);
    let mut response = refused.rendered.unwrap_or_else(|| problem(status, "the request was refused"));
    let refuses = response.status() != StatusCode::NOT_MODIFIED && response.status().as_u16() >= 300;
    if !refuses {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH] {
        headers.remove(name);
    }
    if let RefusalKind::Throttle { retry_after } = refused.kind {
        headers.entry(RETRY_AFTER).or_insert_with(|| seconds(retry_after));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().entry(WWW_AUTHENTICATE).or_insert_with(|| challenge_for(refused.kind));
    }
    carry_outcome(response.headers_mut(), &refused.sealed);
    seal_off(response.headers_mut());
    response
}

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Bytes> {
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    seal_off(response.headers_mut());
    response
}

fn carry_outcome(headers: &mut HeaderMap, sealed: &str) {
    if let Ok(value) = HeaderValue::from_str(sealed)
        && !sealed.is_empty()
    {
        headers.insert(OUTCOME, value);
    }
}

/// No answer of the gate may be kept or given to somebody else (R26).
fn seal_off(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie, Authorization"));
}

fn status_for(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::SignIn | RefusalKind::StepUp { .. } => StatusCode::UNAUTHORIZED,
        RefusalKind::Deny => StatusCode::FORBIDDEN,
        RefusalKind::Throttle { .. } => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::BadRequest => StatusCode::BAD_REQUEST,
    }
}

/// A 401 needs a challenge; the one for step-up is that of RFC 9470.
fn challenge_for(kind: RefusalKind) -> HeaderValue {
    HeaderValue::from_static(match kind {
        RefusalKind::StepUp { .. } => "Bearer error=\"insufficient_user_authentication\"",
        _ => "Bearer",
    })
}

/// Whole seconds, rounded up, so that coming back then is not too early.
fn seconds(wait: std::time::Duration) -> HeaderValue {
    HeaderValue::from(wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX))
}
