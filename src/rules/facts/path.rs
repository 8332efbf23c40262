//! Splitting and checking the path (R4). What two programs could read differently is refused or recorded, never mended.

use std::{borrow::Cow, collections::BTreeSet};

use smol_str::SmolStr;

use super::{Ambiguity, BadAsk, Target};

const MAX_TARGET: usize = 8 * 1024;

pub(super) fn parse(raw: &[u8]) -> Result<Target, BadAsk> {
    if raw.len() > MAX_TARGET {
        return Err(BadAsk::malformed("the request target is longer than 8 KiB"));
    }
    let text = std::str::from_utf8(raw)
        .ok()
        .filter(|text| text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b'#'))
        .ok_or(BadAsk::ambiguous(
            "the request target has a space, a control character, a # or a raw non-ASCII byte",
        ))?;
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let below_root =
        path.strip_prefix('/').ok_or(BadAsk::ambiguous("the path does not start with a slash"))?;
    refuse_traversal(path.as_bytes())?;
    let mut ambiguities = BTreeSet::new();
    let mut segments = Vec::new();
    for raw in below_root.split('/') {
        segments.push(segment(raw, &mut ambiguities)?);
    }
    let ends_in_slash = segments.pop_if(|last| last.is_empty()).is_some();
    if segments.iter().any(SmolStr::is_empty) {
        ambiguities.insert(Ambiguity::EmptySegment);
    }
    Ok(Target {
        raw: text.into(),
        trailing_slash: ends_in_slash && !segments.is_empty(),
        segments,
        ambiguities: ambiguities.into_iter().collect(),
        query: query.map(Into::into),
    })
}

/// Decodes one segment. A byte of an openable class stays encoded, in upper case, so the decoded text stays unambiguous.
fn segment(raw: &str, ambiguities: &mut BTreeSet<Ambiguity>) -> Result<SmolStr, BadAsk> {
    if !raw.contains(['%', ';']) {
        return Ok(raw.into());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let byte = match (bytes.next(), bytes.next()) {
                (Some(high), Some(low)) => from_hex(high, low),
                _ => None,
            };
            let byte =
                byte.ok_or(BadAsk::ambiguous("a % in the path is not followed by two hexadecimal digits"))?;
            match openable(byte) {
                Some(class) => {
                    ambiguities.insert(class);
                    decoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
                None => decoded.push(byte),
            }
        } else {
            if byte == b';' {
                ambiguities.insert(Ambiguity::Semicolon);
            }
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
        .map(SmolStr::from)
        .ok_or(BadAsk::ambiguous("the path encodes a control character or something that is not UTF-8"))
}

/// The class of a byte that means something else when it is decoded too early.
fn openable(byte: u8) -> Option<Ambiguity> {
    match byte {
        b'/' => Some(Ambiguity::EncodedSlash),
        b'\\' => Some(Ambiguity::EncodedBackslash),
        b'#' => Some(Ambiguity::EncodedHash),
        b'?' => Some(Ambiguity::EncodedQuestion),
        b'%' => Some(Ambiguity::EncodedPercent),
        b';' => Some(Ambiguity::Semicolon),
        _ => None,
    }
}

/// Refuses what no page can open: a raw backslash, and dot segments and control characters however deeply they are
/// encoded and whatever a panel takes for a separator. This holds also where a page opens `%2F`, `%5C`, `%25` or `;`.
fn refuse_traversal(path: &[u8]) -> Result<(), BadAsk> {
    if path.contains(&b'\\') {
        return Err(BadAsk::ambiguous("the path has a backslash"));
    }
    let bare = if path.contains(&b'%') { Cow::Owned(decoded_to_the_end(path)) } else { Cow::Borrowed(path) };
    if bare.iter().any(u8::is_ascii_control) {
        return Err(BadAsk::ambiguous("the path encodes a control character"));
    }
    // A parameter, query or fragment ends a name for some programs, so these separate as well.
    let mut pieces = bare.split(|byte| matches!(byte, b'/' | b'\\' | b';' | b'#' | b'?'));
    if pieces.any(|piece| matches!(piece, b"." | b"..")) {
        return Err(BadAsk::ambiguous("the path has a . or .. segment"));
    }
    Ok(())
}

/// What is left when every layer of percent-encoding is taken off. Linear in the length of the path.
fn decoded_to_the_end(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path {
        out.push(*byte);
        while let [rest @ .., b'%', high, low] = out.as_slice() {
            let Some(byte) = from_hex(*high, *low) else { break };
            out.truncate(rest.len());
            out.push(byte);
        }
    }
    out
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn from_hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
