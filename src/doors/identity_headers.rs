//! The identity headers to the panel: every spelling from the client is removed, then all are set, always (R7).

#[cfg(test)]
mod tests;

mod credentials;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use smol_str::{SmolStr, ToSmolStr};

pub use self::credentials::{for_panel, strip_credentials};
use crate::rules::{
    facts::is_method_override,
    outcome::{Access, Bearer, Grant},
};

/// Every identity header, in the order in which they are sent.
pub static NAMES: [HeaderName; 11] = [
    HeaderName::from_static("remote-user"),
    HeaderName::from_static("remote-groups"),
    HeaderName::from_static("remote-email"),
    HeaderName::from_static("remote-name"),
    HeaderName::from_static("x-gate-role"),
    HeaderName::from_static("x-gate-session"),
    HeaderName::from_static("x-gate-access"),
    HeaderName::from_static("x-gate-elevated-until"),
    HeaderName::from_static("x-gate-actor"),
    HeaderName::from_static("x-gate-decision"),
    HeaderName::from_static("x-gate-assertion"),
];

/// All identity headers for a grant, in a fixed order; those without a value are empty, never left out.
pub fn all(grant: &Grant, assertion: HeaderValue) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    stamps(grant.bearer(), grant.access(), &grant.decision().to_smolstr(), assertion)
}

/// The same one by one, for whoever writes them himself. Every value is one that a header can carry.
pub fn each(grant: &Grant, assertion: &HeaderValue, tell: impl FnMut(&HeaderName, &[u8])) {
    tell_each(grant.bearer(), grant.access(), &grant.decision().to_smolstr(), assertion, tell);
}

/// Whether a client's header must not reach the panel: an identity header in any spelling, a method override (R36), or
/// a name with anything but letters, digits and `-`, which a panel could fold into one of those (R7).
pub fn is_forbidden(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let begins = |prefix: &str| {
        name.as_bytes().get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    !plain || begins("remote-") || begins("x-gate-") || is_method_override(name)
}

/// Whether a field belongs to one connection only (RFC 9110 §7.6.1). `Transfer-Encoding` is not among them: framing is
/// the proxy engine's, which rebuilds it.
pub fn is_hop_by_hop(name: &str) -> bool {
    const FIELDS: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "http2-settings",
    ];
    FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
}

fn stamps(
    bearer: Option<&Bearer>,
    access: Access,
    decision: &str,
    assertion: HeaderValue,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    NAMES.iter().cloned().zip(told(bearer, access, decision).into_iter().chain([assertion]))
}

fn tell_each(
    bearer: Option<&Bearer>,
    access: Access,
    decision: &str,
    assertion: &HeaderValue,
    mut tell: impl FnMut(&HeaderName, &[u8]),
) {
    let until = until(bearer);
    let texts = texts(bearer, access, &until, decision).map(str::as_bytes);
    for (name, value) in NAMES.iter().zip(texts.into_iter().chain([assertion.as_bytes()])) {
        tell(name, value);
    }
}

/// The values of [`NAMES`], without the assertion. They share one allocation.
fn told(bearer: Option<&Bearer>, access: Access, decision: &str) -> [HeaderValue; 10] {
    let until = until(bearer);
    let texts = texts(bearer, access, &until, decision);
    let mut whole = BytesMut::with_capacity(texts.iter().map(|text| text.len()).sum());
    for text in texts {
        whole.extend_from_slice(text.as_bytes());
    }
    let mut rest = whole.freeze();
    texts.map(|text| {
        let value = rest.split_to(text.len());
        HeaderValue::from_maybe_shared(value).unwrap_or(HeaderValue::from_static(""))
    })
}

fn texts<'a>(bearer: Option<&'a Bearer>, access: Access, until: &'a str, decision: &'a str) -> [&'a str; 10] {
    let role = bearer.map_or("", |bearer| &*bearer.role);
    let texts = [
        bearer.map_or("", |bearer| bearer.user.name.as_str()),
        role,
        bearer.map_or("", |bearer| &bearer.user.email),
        bearer.map_or("", shown_name),
        role,
        bearer.map_or("", |bearer| &bearer.public.0),
        access.as_str(),
        until,
        bearer.and_then(|bearer| bearer.actor.as_ref()).map_or("", |actor| actor.user.name.as_str()),
        decision,
    ];
    // Anything but tabs, spaces and visible ASCII is sent as empty rather than changed (R21).
    texts.map(|text| if is_field_text(text) { text } else { "" })
}

/// The end of the elevation, in seconds since the Unix epoch; empty if there is none.
fn until(bearer: Option<&Bearer>) -> SmolStr {
    bearer.and_then(|bearer| bearer.elevated_until).map(|until| until.secs().to_smolstr()).unwrap_or_default()
}

/// The display name where a header can carry it, else the account name.
fn shown_name(bearer: &Bearer) -> &str {
    let display = bearer.user.display.trim();
    if display.is_empty() || !is_field_text(display) { bearer.user.name.as_str() } else { display }
}

fn is_field_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}
