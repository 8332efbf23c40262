//! API keys as presented, in `X-Api-Key` or `Authorization: Bearer`. Both are the panel's fields too: whatever does not
//! begin like a key of ours is none of our business.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::{BadAsk, PresentedKey};
use crate::rules::api_key::{KeyText, PREFIX};

/// The field that is for API keys alone.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Whether a field value, or a token in it, begins like a key of ours.
pub fn is_key(value: &[u8]) -> bool {
    value.starts_with(PREFIX.as_bytes())
}

/// The one key of a request. The same key in both fields is one; two keys, or a key in a list of several values, are a
/// conflict (R19).
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<PresentedKey>, BadAsk> {
    let found = match (in_own_field(headers)?, in_authorization(headers)?) {
        (Some(one), Some(other)) if one != other => {
            return Err(BadAsk::conflicting("X-Api-Key and Authorization hold different API keys"));
        }
        (one, other) => one.or(other),
    };
    Ok(found.map(|text| {
        let id = std::str::from_utf8(text).ok().and_then(KeyText::parse);
        // Never the same as no key (R3).
        id.map_or(PresentedKey::Malformed, PresentedKey::Key)
    }))
}

/// Proxies may join fields of one name with commas, so a list is what it would be as several fields.
fn in_own_field(headers: &HeaderMap) -> Result<Option<&[u8]>, BadAsk> {
    let lines = headers.get_all(X_API_KEY).iter().map(HeaderValue::as_bytes);
    let values: Vec<&[u8]> =
        lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    let key = values.iter().copied().find(|value| is_key(value));
    if key.is_some() && values.len() > 1 {
        return Err(BadAsk::conflicting("X-Api-Key holds an API key and something else"));
    }
    Ok(key)
}

/// That it is there once is seen to by whoever reads the bearer token.
fn in_authorization(headers: &HeaderMap) -> Result<Option<&[u8]>, BadAsk> {
    let Some(line) = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) else { return Ok(None) };
    let mut words = line.split(|byte| byte.is_ascii_whitespace() || *byte == b',' || *byte == b':');
    let bearer = line.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    match bearer {
        Some((_, token)) if is_key(token) => Ok(Some(token)),
        // Under any other scheme it would go to the panel.
        _ if words.any(is_key) => Err(BadAsk::malformed(
            "an API key is sent as `X-Api-Key: gate_…` or as `Authorization: Bearer gate_…`, and nothing beside it",
        )),
        _ => Ok(None),
    }
}
