//! What the panel gets to see of a request: the client's own header fields without everything that is not the
//! client's to say, and ours (R5, R7, R8).

use http::{HeaderMap, HeaderValue, header};

use crate::{
    doors::{dialect, identity_headers},
    gate::Visit,
    rules::outcome::Grant,
};

/// The head that goes to the panel, its request line aside. The bytes of the target are those of the visit (R5).
pub(super) fn head(client: &HeaderMap, visit: &Visit, grant: &Grant, assertion: &str) -> HeaderMap {
    let mut headers = client.clone();
    identity_headers::strip_hop_by_hop(&mut headers);
    headers.remove(header::TRANSFER_ENCODING);
    strip_credentials(&mut headers, visit, grant);
    identity_headers::strip(&mut headers);
    dialect::edge::strip(&mut headers);
    for (name, value) in identity_headers::all(grant, assertion) {
        headers.insert(name, value);
    }
    let host = visit.facts.host.as_str();
    dialect::edge::stamp(&mut headers, visit.facts.client.ip, host);
    // A canonical host is always a valid value.
    if let Ok(host) = HeaderValue::try_from(host) {
        headers.insert(header::HOST, host);
    }
    headers
}

/// Takes our own credentials out; the panel's, which may travel in the same fields, stay.
fn strip_credentials(headers: &mut HeaderMap, visit: &Visit, grant: &Grant) {
    identity_headers::strip_gate_cookies(headers, &visit.site.credentials);
    if is_key(headers.get("x-api-key").map(HeaderValue::as_bytes).unwrap_or_default()) {
        headers.remove("x-api-key");
    }
    if bearer_is_ours(headers, visit, grant) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// Whether `Authorization` holds an API key, or the token that this request was allowed for.
fn bearer_is_ours(headers: &HeaderMap, visit: &Visit, grant: &Grant) -> bool {
    let presented = &visit.facts.presented;
    let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let token = value.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    let Some((_, token)) = token else { return false };
    let panels =
        presented.external.iter().any(|(_, external)| external.expose().as_bytes() == token.trim_ascii());
    let by_bearer = presented.bearer.is_some() && presented.access.is_empty() && grant.bearer().is_some();
    is_key(token.trim_ascii()) || (by_bearer && !panels)
}

fn is_key(value: &[u8]) -> bool {
    value.starts_with(b"gate_")
}
