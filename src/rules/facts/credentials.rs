//! Credentials as presented (R10, R19): read exactly, never mended, never verified here.

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
    Ok(Presented { access, refresh, pending, external, external_doubled, bearer, api_key })
}

/// The distinct values of each of these cookies over all `Cookie` lines, in order. Names are compared byte for byte; a
/// `$Version` is a cookie like any other and quotes are part of a value (RFC 6265, no legacy mode).
fn cookie_values<const N: usize>(
    headers: &HeaderMap,
    names: [&str; N],
) -> Result<[Vec<SecretText>; N], BadAsk> {
    let mut found = [const { Vec::<SecretText>::new() }; N];
    let lines = headers.get_all(COOKIE).iter();
    for pair in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')) {
        let Some((named, value)) = split_pair(pair).filter(|(named, _)| !named.is_empty()) else { continue };
        for (name, values) in names.iter().zip(&mut found) {
            if named != name.as_bytes() || value.is_empty() {
                continue;
            }
            // A value that is not text is kept as one that cannot verify: malformed is not absent (R3).
            let value = String::from_utf8_lossy(value);
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

/// Name and value of a cookie pair, without the blanks around each.
fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = pair.split_at_checked(equals)?;
    Some((trim(name), trim(value.get(1..)?)))
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
    let token = String::from_utf8_lossy(line.as_bytes()).into_owned();
    // A key of ours in its own field is not an issuer's token, whatever the configuration says about the field.
    let ours = field.eq_ignore_ascii_case(key::X_API_KEY.as_str()) && key::is_key(token.as_bytes());
    Ok(Some(token).filter(|token| !token.is_empty() && !ours).map(Into::into))
}
