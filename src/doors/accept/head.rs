//! The strict check of an HTTP/1 request head, in the bytes as they arrived (R22).
//!
//! It runs before any parser that might be lenient: what passes here can be read in one way only. RFC 9112 is the
//! measure; where it lets a recipient mend a message, this refuses it instead.

use bytes::Bytes;

use super::chunks::Chunks;

/// Longest request head.
pub(super) const MAX_HEAD: usize = 32 * 1024;
/// Longest request target.
const MAX_TARGET: usize = 8 * 1024;
/// Most header fields (R24).
pub(crate) const MAX_FIELDS: usize = 100;
/// Longest field name.
const MAX_NAME: usize = 256;
/// Longest field value.
const MAX_VALUE: usize = 8 * 1024;

/// A head that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadHead {
    /// The status to answer with.
    pub(super) status: u16,
    /// What is wrong; never contains the input.
    pub(super) what: &'static str,
}

impl BadHead {
    /// The client was too slow.
    pub(super) const LATE: Self = Self { status: 408, what: "the request head took too long" };
    /// The head is longer than [`MAX_HEAD`].
    pub(super) const TOO_LONG: Self = Self { status: 431, what: "the request head is too long" };

    pub(super) const fn bad(what: &'static str) -> Self {
        Self { status: 400, what }
    }

    /// The whole answer, which closes the connection.
    pub(super) fn answer(self) -> Bytes {
        let phrase = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Bad Request");
        let body = format!("{}\n", self.what);
        Bytes::from(format!(
            "HTTP/1.1 {} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
            self.status,
            body.len(),
        ))
    }
}

/// Where a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Not yet.
    More,
    /// After this many bytes, the empty line included.
    Complete(usize),
}

/// Looks for the end of the head in everything received so far. `from`: how much was looked at before.
pub(crate) fn scan(held: &[u8], from: usize) -> Result<Scan, BadHead> {
    if matches!(held.first(), Some(b'\r' | b'\n')) {
        return Err(BadHead::bad("the request begins with an empty line"));
    }
    let fresh = held.get(from..).unwrap_or_default();
    for at in memchr::memchr_iter(b'\n', fresh).map(|at| from + at) {
        if at == 0 || held.get(at - 1) != Some(&b'\r') {
            return Err(BadHead::bad("a line ends in a bare LF"));
        }
        if at >= 3 && held.get(at - 3..=at) == Some(b"\r\n\r\n") {
            return Ok(Scan::Complete(at + 1));
        }
    }
    if held.len() > MAX_HEAD { Err(BadHead::TOO_LONG) } else { Ok(Scan::More) }
}

/// Checks a whole head, its final empty line included; for a chunked body, gives what checks that.
pub(super) fn check(head: &[u8]) -> Result<Option<Chunks>, BadHead> {
    if head.len() > MAX_HEAD {
        return Err(BadHead::TOO_LONG);
    }
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut seen = Seen { version, ..Seen::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        seen.field(line)?;
    }
    seen.verdict()?;
    Ok((seen.encodings > 0).then(Chunks::default))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    #[default]
    Http11,
    Http10,
}

fn request_line(line: &[u8]) -> Result<Version, BadHead> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BadHead::bad("the request line is not `METHOD target HTTP/1.1`"));
    };
    check_method(method)?;
    check_target(target)?;
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(BadHead { status: 505, what: "this version of HTTP is not spoken here" }),
    }
}

fn check_method(method: &[u8]) -> Result<(), BadHead> {
    if matches!(method, b"CONNECT" | b"TRACE") {
        return Err(BadHead { status: 405, what: "CONNECT and TRACE are not allowed" });
    }
    let plain = method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    if (1..=20).contains(&method.len()) && plain {
        Ok(())
    } else {
        Err(BadHead::bad("the method is not a word of capital letters"))
    }
}

/// Only the origin form: whatever a later parser would rewrite or drop is refused, so that what is judged is what was
/// sent.
fn check_target(target: &[u8]) -> Result<(), BadHead> {
    if target.len() > MAX_TARGET {
        return Err(BadHead { status: 414, what: "the request target is too long" });
    }
    if target.first() != Some(&b'/') {
        return Err(BadHead::bad("the request target does not begin with a slash"));
    }
    if target.contains(&b'#') {
        return Err(BadHead::bad("the request target has a fragment"));
    }
    let plain = target.iter().all(|byte| byte.is_ascii_graphic() && !b"\"<>{}|^`".contains(byte));
    if plain { Ok(()) } else { Err(BadHead::bad("the request target has characters that must be encoded")) }
}

/// What the fields have said so far.
#[derive(Default)]
struct Seen {
    version: Version,
    fields: usize,
    hosts: usize,
    lengths: usize,
    encodings: usize,
}

impl Seen {
    fn field(&mut self, line: &[u8]) -> Result<(), BadHead> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(BadHead { status: 431, what: "there are too many header fields" });
        }
        let (name, value) = split_field(line)?;
        let is = |field: &[u8]| name.eq_ignore_ascii_case(field);
        if is(b"host") {
            self.hosts += 1;
            return check_host(value);
        }
        if is(b"content-length") {
            self.lengths += 1;
            let plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            return if plain { Ok(()) } else { Err(BadHead::bad("Content-Length is not a plain number")) };
        }
        if is(b"transfer-encoding") {
            self.encodings += 1;
            let chunked = value.eq_ignore_ascii_case(b"chunked");
            let bad = BadHead::bad("Transfer-Encoding is not exactly `chunked`");
            return if chunked { Ok(()) } else { Err(bad) };
        }
        if is(b"connection") {
            return check_connection(value);
        }
        if is(b"expect") && !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(BadHead { status: 417, what: "Expect is not exactly `100-continue`" });
        }
        Ok(())
    }

    fn verdict(&self) -> Result<(), BadHead> {
        if self.hosts != 1 {
            return Err(BadHead::bad("there is not exactly one Host"));
        }
        if self.lengths > 1 || self.encodings > 1 || self.lengths + self.encodings > 1 {
            return Err(BadHead::bad("the length of the body is stated more than once"));
        }
        if self.version == Version::Http10 && self.lengths + self.encodings > 0 {
            return Err(BadHead::bad("an HTTP/1.0 request has a body"));
        }
        Ok(())
    }
}

pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), BadHead> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(BadHead::bad("a header field is folded"));
    }
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|colon| line.split_at_checked(colon))
        .ok_or(BadHead::bad("a header line has no colon"))?;
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(BadHead::bad("the name of a header field is empty or has forbidden characters"));
    }
    if name.len() > MAX_NAME || value.len() > MAX_VALUE {
        return Err(BadHead { status: 431, what: "a header field is too long" });
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(BadHead::bad("the value of a header field has control characters"));
    }
    Ok((name, value))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
    )
}

fn check_host(value: &[u8]) -> Result<(), BadHead> {
    let plain = value.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte));
    if plain && !value.is_empty() {
        Ok(())
    } else {
        Err(BadHead::bad("Host is not a host with an optional port"))
    }
}

/// A field that `Connection` names would be removed on the way; nobody honest names more than these (R8).
fn check_connection(value: &[u8]) -> Result<(), BadHead> {
    let known = |token: &[u8]| {
        [&b"close"[..], b"keep-alive", b"upgrade", b"te"].iter().any(|word| token.eq_ignore_ascii_case(word))
    };
    let fine = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(known);
    if fine {
        Ok(())
    } else {
        Err(BadHead::bad("Connection names something other than close, keep-alive, upgrade or te"))
    }
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn names_have_the_bytes_that_the_rfc_lists() {
        for byte in 0..=u8::MAX {
            let said = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(byte), said, "{byte}");
        }
    }
}
