//! The identity headers to the panel: every spelling from the client is removed, then all are set, always (R7).

#[cfg(test)]
mod tests;

mod credentials;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use self::credentials::{for_panel, strip_credentials};
use crate::rules::{
    facts::is_method_override,
    outcome::{Access, Bearer, Grant},
};

/// Every identity header, in the order in which they are sent.
pub const NAMES: [HeaderName; 11] = [
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
pub fn all(grant: &Grant, assertion: &str) -> Vec<(HeaderName, HeaderValue)> {
    stamps(grant.bearer(), grant.access(), &grant.decision().to_string(), assertion)
}

/// Whether a client's header must not reach the panel: an identity header in any spelling, a method override (R36), or
/// a name with anything but letters, digits and `-`, which a panel could fold into one of those (R7).
pub fn is_forbidden(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let folded = name.to_ascii_lowercase();
    !plain || folded.starts_with("remote-") || folded.starts_with("x-gate-") || is_method_override(&folded)
}

/// Removes every header for which [`is_forbidden`] holds.
pub fn strip(headers: &mut HeaderMap) {
    remove_where(headers, |name| is_forbidden(name.as_str()));
}

/// Whether a field belongs to one connection only (RFC 9110 §7.6.1). `Transfer-Encoding` is not among them: framing is
/// the proxy engine's, which rebuilds it.
pub fn is_hop_by_hop(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    matches!(
        folded.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "upgrade"
            | "http2-settings"
    )
}

/// Removes the fields for which [`is_hop_by_hop`] holds. Set identity headers after.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    remove_where(headers, |name| is_hop_by_hop(name.as_str()));
}

fn stamps(
    bearer: Option<&Bearer>,
    access: Access,
    decision: &str,
    assertion: &str,
) -> Vec<(HeaderName, HeaderValue)> {
    let of = |pick: fn(&Bearer) -> String| bearer.map(pick).unwrap_or_default();
    let role = of(|bearer| bearer.role.to_string());
    let values = [
        of(|bearer| bearer.user.name.to_string()),
        role.clone(),
        of(|bearer| bearer.user.email.clone()),
        of(shown_name),
        role,
        of(|bearer| bearer.public.to_string()),
        access.to_string(),
        of(|bearer| bearer.elevated_until.map(|until| until.secs().to_string()).unwrap_or_default()),
        of(|bearer| bearer.actor.as_ref().map(|actor| actor.user.name.to_string()).unwrap_or_default()),
        decision.to_owned(),
        assertion.to_owned(),
    ];
    NAMES.into_iter().zip(values).map(|(name, text)| (name, value(&text))).collect()
}

/// The display name where a header can carry it, else the account name.
fn shown_name(bearer: &Bearer) -> String {
    let display = bearer.user.display.trim();
    if display.is_empty() || !is_field_text(display) {
        bearer.user.name.to_string()
    } else {
        display.to_owned()
    }
}

/// A value of tabs, spaces and visible ASCII (R21); anything else is sent as empty rather than changed.
fn value(text: &str) -> HeaderValue {
    let text = if is_field_text(text) { text } else { "" };
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn is_field_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

fn remove_where(headers: &mut HeaderMap, condition: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| condition(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
