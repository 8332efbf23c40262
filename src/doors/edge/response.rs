//! What the client gets to see of the panel's answer.

use http::{HeaderName, HeaderValue, StatusCode, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;

use crate::{rules::outcome::Grant, rules::site::Site};

/// Fields that a panel has no business to send through the gate: connection matters, and `Alt-Svc`, which would invite
/// browsers to go around it.
const NOT_PASSED_ON: [HeaderName; 5] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::UPGRADE,
    header::ALT_SVC,
];

/// Validators and lengths of a page that will be rewritten.
const OF_THE_ORIGINAL: [HeaderName; 10] = [
    header::CONTENT_ENCODING,
    header::TRAILER,
    header::CONTENT_LENGTH,
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Removes what must not pass, and keeps personal pages out of caches.
pub(super) fn clean(head: &mut ResponseHeader, site: &Site, grant: &Grant) -> Result<()> {
    for name in NOT_PASSED_ON {
        head.remove_header(&name);
    }
    let gates: Vec<HeaderName> =
        head.headers.keys().filter(|name| name.as_str().starts_with("x-gate-")).cloned().collect();
    for name in gates {
        head.remove_header(&name);
    }
    keep_cookies(head, site)?;
    if grant.bearer().is_some() && is_html(head) {
        head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))?;
    }
    Ok(())
}

/// The gate's cookies are the gate's to set.
fn keep_cookies(head: &mut ResponseHeader, site: &Site) -> Result<()> {
    let ours = [&site.cookies.access, &site.cookies.refresh, &site.cookies.pending];
    let is_ours = |line: &HeaderValue| {
        let name = line.as_bytes().split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
        ours.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name.trim_ascii()))
    };
    let lines: Vec<HeaderValue> = head.headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    if lines.iter().any(is_ours) {
        head.remove_header(&header::SET_COOKIE);
        for line in lines.into_iter().filter(|line| !is_ours(line)) {
            head.append_header(header::SET_COOKIE, line)?;
        }
    }
    Ok(())
}

/// Whether this answer is a page that can be rewritten: errors are pages, too.
pub(super) fn is_page(head: &ResponseHeader) -> bool {
    let whole = !head.status.is_redirection()
        && !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
        );
    whole && is_html(head) && !is_encoded(head)
}

/// Whether this answer is a page that cannot be rewritten.
pub(super) fn is_unmarkable(head: &ResponseHeader) -> bool {
    let shown = !head.status.is_redirection()
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    let is = |kind: &[u8]| media_type(head).eq_ignore_ascii_case(kind);
    shown && (is(b"text/html") || is(b"application/xhtml+xml")) && !is_page(head)
}

/// Prepares the head of a page that will be rewritten.
pub(super) fn rewritten(head: &mut ResponseHeader, http2: bool, compress: bool) -> Result<()> {
    for name in OF_THE_ORIGINAL {
        head.remove_header(&name);
    }
    if !http2 {
        head.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
    }
    if compress {
        head.insert_header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))?;
    }
    head.append_header(header::VARY, HeaderValue::from_static("Accept-Encoding"))?;
    Ok(())
}

/// `identity` is what a panel may say of a page that it did not compress.
fn is_encoded(head: &ResponseHeader) -> bool {
    let codings = head.headers.get_all(header::CONTENT_ENCODING);
    codings.iter().any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// HTML in an encoding that contains ASCII.
fn is_html(head: &ResponseHeader) -> bool {
    let wide = |part: &[u8]| part.eq_ignore_ascii_case(b"utf-16") || part.eq_ignore_ascii_case(b"utf-32");
    media_type(head).eq_ignore_ascii_case(b"text/html") && !content_type(head).windows(6).any(wide)
}

fn media_type(head: &ResponseHeader) -> &[u8] {
    content_type(head).split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn content_type(head: &ResponseHeader) -> &[u8] {
    head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default()
}

/// Whether the answer may go on for so long that its grant must be looked at again.
pub(super) fn lasts(head: &ResponseHeader) -> bool {
    const SHORT: u64 = 256 * 1024;
    let length =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_none_or(|length| length > SHORT)
}
