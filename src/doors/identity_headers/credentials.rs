//! Credentials that the client sent: ours stay at the gate, the panel's own, which travel in the same fields, go on as
//! they are.

#[cfg(test)]
mod tests;

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use crate::rules::{
    facts::{CredentialNames, X_API_KEY, cookies, is_key},
    token,
};

/// `Cookie`, `Authorization` and `X-Api-Key` for the panel, to be answered beside the identity headers: proxies copy
/// them like those, so that none of them has to take credentials apart. Where something of ours was all there was, the
/// field is empty, as one that is left out would survive in some proxies.
pub fn for_panel(headers: &HeaderMap, names: &CredentialNames) -> Vec<(HeaderName, HeaderValue)> {
    let empty = || HeaderValue::from_static("");
    let mut fields = vec![(COOKIE, without_gate_cookies(headers, names).unwrap_or_else(empty))];
    for (name, is_ours) in FIELDS {
        if headers.contains_key(&name) {
            let kept = if is_ours(headers) { None } else { joined(headers, &name) };
            fields.push((name, kept.unwrap_or_else(empty)));
        }
    }
    fields
}

/// Takes our own credentials out, in place.
pub fn strip_credentials(headers: &mut HeaderMap, names: &CredentialNames) {
    match without_gate_cookies(headers, names) {
        Some(cookies) => drop(headers.insert(COOKIE, cookies)),
        None => drop(headers.remove(COOKIE)),
    }
    for (name, is_ours) in FIELDS {
        if is_ours(headers) {
            headers.remove(name);
        }
    }
}

type IsOurs = fn(&HeaderMap) -> bool;

/// The fields that the panel may use as well.
const FIELDS: [(HeaderName, IsOurs); 2] = [(AUTHORIZATION, has_our_bearer), (X_API_KEY, has_key)];

/// All lines of `Cookie` joined with `; `, without the gate's own cookies, the others byte for byte. `None` when
/// nothing is left.
fn without_gate_cookies(headers: &HeaderMap, names: &CredentialNames) -> Option<HeaderValue> {
    let ours = [&names.access, &names.refresh, &names.pending];
    let mut kept = BytesMut::with_capacity(headers.get_all(COOKIE).iter().map(HeaderValue::len).sum());
    for line in headers.get_all(COOKIE) {
        for pair in cookies(line.as_bytes()) {
            let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let name = pair.get(..end).unwrap_or_default().trim_ascii();
            let is_ours = ours.iter().any(|one| !one.is_empty() && one.as_bytes() == name);
            if !is_ours && !pair.trim_ascii().is_empty() {
                kept.extend_from_slice(if kept.is_empty() { b"" } else { b"; " });
                kept.extend_from_slice(pair.trim_ascii());
            }
        }
    }
    HeaderValue::from_maybe_shared(kept.freeze()).ok().filter(|value| !value.is_empty())
}

/// Whether `Authorization` holds an API key, or a token that we signed, good or not.
fn has_our_bearer(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| {
        let bearer = value.as_bytes().split_at_checked(7);
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        bearer.is_some_and(|(_, text)| {
            let text = text.trim_ascii();
            is_key(text) || std::str::from_utf8(text).is_ok_and(token::is_own_kind)
        })
    })
}

fn has_key(headers: &HeaderMap) -> bool {
    let values = headers.get_all(X_API_KEY).iter().map(HeaderValue::as_bytes);
    values.flat_map(|value| value.split(|byte| *byte == b',')).any(|value| is_key(value.trim_ascii()))
}

/// Several lines of a field as one (RFC 9110 §5.3): an answer of ours is copied by proxies that take the first.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&lines.join(b", ".as_slice())).ok()
}
