//! Credentials as presented (R10, R19): read exactly, never mended, never verified here.

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use super::{BadAsk, CredentialNames, Presented, key};
use crate::secret::SecretText;

const MAX_COOKIE_BYTES: usize = 16 * 1024;
/// More values of one cookie name than any browser would send by accident.
const MAX_VALUES: usize = 8;

pub(super) fn presented(headers: &HeaderMap, names: &CredentialNames) -> Result<Presented, BadAsk> {
    let size: usize = headers.get_all(COOKIE).iter().map(HeaderValue::len).sum();
    if size > MAX_COOKIE_BYTES {
        return Err(BadAsk::malformed("the cookies are larger than 16 KiB together"));
    }
    let api_key = key::presented(headers)?;
    // A key in `Authorization` is nobody else's token.
    let bearer = bearer(headers)?.filter(|token| !key::is_key(token.expose().as_bytes()));
    let (external, external_doubled) = external(headers, names, bearer.as_ref())?;
    let [access, refresh, pending] = cookie_values(headers, [&names.access, &names.refresh, &names.pending])?;
    Ok(Presented { access, refresh, pending, bearer, external, external_doubled, api_key })
}

/// The distinct values of each of these cookies over all `Cookie` lines, in order. Names are compared byte for byte; a
/// `$Version` is a cookie like any other and quotes are part of a value (RFC 6265, no legacy mode).
fn cookie_values<const N: usize>(
    headers: &HeaderMap,
    names: [&str; N],
) -> Result<[Vec<SecretText>; N], BadAsk> {
    let mut found = [const { Vec::<SecretText>::new() }; N];
    for (named, value) in headers.get_all(COOKIE).iter().flat_map(|line| pairs(line.as_bytes())) {
        for (name, values) in names.iter().zip(&mut found) {
            if named != name.as_bytes() || value.is_empty() {
                continue;
            }
            let value = text_of(value);
            if values.iter().any(|known| known.expose() == value) {
                continue;
            }
            if values.len() == MAX_VALUES {
                return Err(BadAsk::conflicting(
                    "one of the gate's cookies has more than 8 different values",
                ));
            }
            values.push(value.into_owned().into());
        }
    }
    Ok(found)
}

/// A value that is not text is kept as one that cannot verify: malformed is not absent (R3).
fn text_of(value: &[u8]) -> Cow<'_, str> {
    // `from_utf8_lossy` looks for what it has to replace byte by byte, also where there is nothing.
    std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed)
}

/// Name and value of each cookie in a line, without the blanks around each.
fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    cookies(line).filter_map(|piece| {
        let (name, value) = piece.split_at_checked(memchr::memchr(b'=', piece)?)?;
        Some((trim(name), trim(value.get(1..)?))).filter(|(name, _)| !name.is_empty())
    })
}

/// What stands between the semicolons of a `Cookie` line.
pub fn cookies(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Long tokens are most of it; byte by byte this is much of what a request costs.
    let ends = memchr::memchr_iter(b';', line).chain([line.len()]);
    ends.scan(0, |begin, end| {
        let piece = line.get(*begin..end);
        *begin = end + 1;
        piece
    })
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The `Authorization: Bearer` value. Other schemes are the panel's business.
fn bearer(headers: &HeaderMap) -> Result<Option<SecretText>, BadAsk> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(BadAsk::conflicting("Authorization was sent more than once"));
    }
    let line = line.as_bytes();
    let end =
        line.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-').unwrap_or(line.len());
    let Some((scheme, rest)) = line.split_at_checked(end) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    rest.strip_prefix(b" ")
        .filter(|token| !token.is_empty() && token.iter().all(u8::is_ascii_graphic))
        .and_then(|token| std::str::from_utf8(token).ok())
        .map(|token| Some(token.to_owned().into()))
        .ok_or(BadAsk::malformed("Authorization is not `Bearer`, one space, and a token"))
}

/// Candidate tokens of trusted issuers, from the cookies and headers that the configuration names, and whether one of
/// the cookies came with different values.
fn external(
    headers: &HeaderMap,
    names: &CredentialNames,
    bearer: Option<&SecretText>,
) -> Result<(Vec<(String, SecretText)>, bool), BadAsk> {
    let mut doubled = false;
    let mut found: Vec<(String, SecretText)> = Vec::new();
    for (issuer, cookies, fields) in &names.issuers {
        let mut tokens = Vec::new();
        for cookie in cookies {
            let [values] = cookie_values(headers, [cookie.as_str()])?;
            doubled |= values.len() > 1;
            tokens.extend(values);
        }
        for field in fields {
            tokens.extend(header_token(headers, field, bearer)?);
        }
        for token in tokens {
            let known = found.iter().any(|(other, text)| other == issuer && text.expose() == token.expose());
            if !known {
                found.push((issuer.clone(), token));
            }
        }
    }
    Ok((found, doubled))
}

fn header_token(
    headers: &HeaderMap,
    field: &str,
    bearer: Option<&SecretText>,
) -> Result<Option<SecretText>, BadAsk> {
    if field.eq_ignore_ascii_case("authorization") {
        return Ok(bearer.cloned());
    }
    let mut lines = headers.get_all(field).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(BadAsk::conflicting("a header that carries a token was sent more than once"));
    }
    let token = text_of(line.as_bytes()).into_owned();
    // A key of ours in its own field is not an issuer's token, whatever the configuration says about the field.
    let ours = field.eq_ignore_ascii_case(key::X_API_KEY.as_str()) && key::is_key(token.as_bytes());
    Ok(Some(token).filter(|token| !token.is_empty() && !ours).map(Into::into))
}
