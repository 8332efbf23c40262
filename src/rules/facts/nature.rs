//! What kind of request it is, beyond method and path: upgrade, method override, audience, origin.

use std::{borrow::Cow, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, ORIGIN, REFERER, UPGRADE, USER_AGENT},
};

use super::{Audience, BadAsk, Host, Scheme};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
const USER_AGENT_CHARS: usize = 256;
const REFERRER_BYTES: usize = 1024;

/// Whether a header, in any spelling that a backend could fold into it, changes the method (R36).
pub fn is_method_override(name: &str) -> bool {
    // Asked of every header of every request: without building the folded name.
    let same = |known: &&str| name.len() == known.len() && name.chars().map(fold).eq(known.chars());
    OVERRIDES.iter().any(same)
}

/// An upgrade, or what is left of one: most proxies drop `Upgrade` from what they ask, but none the handshake fields.
pub(super) fn asks_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        || headers.contains_key(HTTP2_SETTINGS)
        || headers.keys().any(|name| name.as_str().starts_with("sec-websocket-"))
}

pub(super) fn overrides_method(headers: &HeaderMap, query: Option<&str>) -> bool {
    headers.keys().any(|name| is_method_override(name.as_str())) || query.is_some_and(names_method)
}

/// Whether a parameter is called `_method`, as generously as any framework would read it.
fn names_method(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let name: Cow<'_, [u8]> = percent_encoding::percent_decode_str(&name).into();
        let folded: String = name.iter().copied().map(char::from).map(fold).collect();
        folded.trim_start_matches(' ').split(['[', '\0', '=']).next() == Some("-method")
    })
}

fn fold(letter: char) -> char {
    match letter {
        '_' | '.' => '-',
        other => other.to_ascii_lowercase(),
    }
}

pub(super) fn origin(headers: &HeaderMap) -> Result<Option<Arc<str>>, BadAsk> {
    let Some(value) = single(headers, &ORIGIN, "Origin was sent more than once")? else { return Ok(None) };
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(BadAsk::malformed("Origin is not printable ASCII"))?;
    Ok(Some(text.into()))
}

/// Whether a browser was sent by a page of another site, or from no page at all, as by a link in a mail. Only browsers
/// know, and they always say.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let navigates = headers.get_all(FETCH_MODE).iter().any(|mode| mode == "navigate");
    headers.get_all(FETCH_SITE).iter().any(|site| match site.as_bytes() {
        b"same-origin" => false,
        b"none" => navigates,
        _ => true,
    })
}

/// The page that the request came from, if it is one of the same origin; anything else is nobody's business.
pub(super) fn referrer(headers: &HeaderMap, scheme: Scheme, host: &Host) -> Option<Arc<str>> {
    let text = headers.get(REFERER)?.to_str().ok().filter(|text| text.len() <= REFERRER_BYTES)?;
    let path = text.strip_prefix(scheme.as_str())?.strip_prefix("://")?.strip_prefix(host.as_str())?;
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (path.starts_with('/') && printable).then(|| text.into())
}

/// Browsers say what they are doing in `Sec-Fetch-Mode`; of those that do not, whoever asks for HTML is a person.
pub(super) fn audience(headers: &HeaderMap, upgrade: bool) -> Result<Audience, BadAsk> {
    let mode = single(headers, &FETCH_MODE, "Sec-Fetch-Mode was sent more than once")?;
    let navigates = match mode {
        Some(mode) => mode == b"navigate",
        None => accepts_html(headers) && !headers.contains_key(REQUESTED_WITH),
    };
    Ok(if navigates && !upgrade { Audience::Navigation } else { Audience::Background })
}

impl Audience {
    /// Who asks, as far as the header fields say, when nothing else about the request can be described.
    pub fn guess(headers: &HeaderMap) -> Self {
        audience(headers, asks_upgrade(headers)).unwrap_or(Self::Background)
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let media_type = |item: &[u8]| {
        let name = item.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"text/html")
    };
    headers.get_all(ACCEPT).iter().any(|line| line.as_bytes().split(|byte| *byte == b',').any(media_type))
}

pub(super) fn user_agent(headers: &HeaderMap) -> Arc<str> {
    let raw = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    // Nearly all of them.
    if let Some(text) = std::str::from_utf8(raw).ok().filter(|text| is_plain(text)) {
        return text.into();
    }
    let raw = String::from_utf8_lossy(raw);
    let shown: String = raw.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect();
    shown.into()
}

fn is_plain(text: &str) -> bool {
    // Without a way out in between, which would be taken byte by byte.
    let plain = |so_far, byte| so_far & matches!(byte, b' '..=b'~');
    text.len() <= USER_AGENT_CHARS && text.bytes().fold(true, plain)
}

/// The one value of a header; sent twice, it is an error, since two programs may read different ones.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    twice: &'static str,
) -> Result<Option<&'a [u8]>, BadAsk> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first.map(HeaderValue::as_bytes)),
        Some(_) => Err(BadAsk::malformed(twice)),
    }
}
