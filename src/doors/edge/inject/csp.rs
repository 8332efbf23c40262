//! Whether the panel's own content security policy lets `client.js` in and lets it ask (CSP 3, §6.7). Any doubt is a no:
//! then plain markup is put in, which no policy governs.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_SECURITY_POLICY};

use crate::rules::facts::{Host, Scheme};

const INTEGRITY_POLICY: HeaderName = HeaderName::from_static("integrity-policy");

/// What the script is loaded from, and what it asks.
const LOADED: [&str; 1] = ["/_gate/client.js"];
const ASKED: [&str; 3] = ["/_gate/api/v1/session", "/_gate/api/v1/impersonation", "/_gate/refresh"];

/// How the script may be put into a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// As it is.
    Free,
    /// With the page's own nonce.
    Nonce(String),
    /// Not at all, or it could do nothing.
    Blocked,
}

/// The page's own origin, from which the script comes.
#[derive(Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) scheme: Scheme,
    pub(super) host: &'a Host,
}

/// What the header fields of a page say.
pub(super) fn entry(headers: &HeaderMap, own: Own<'_>) -> Entry {
    let texts: Vec<&str> = headers.get_all(CONTENT_SECURITY_POLICY).iter().map(text).collect();
    let policies: Vec<Policy<'_>> =
        texts.iter().flat_map(|text| text.split(',')).map(Policy::parse).collect();
    if headers.get_all(INTEGRITY_POLICY).iter().any(|value| text(value).contains("script")) {
        return Entry::Blocked;
    }
    let nonces = policies.iter().flat_map(Policy::nonces).map(Some);
    let found = std::iter::once(None)
        .chain(nonces)
        .find(|nonce| policies.iter().all(|policy| policy.admits(*nonce, own)));
    match found {
        Some(None) => Entry::Free,
        Some(Some(nonce)) => Entry::Nonce(nonce.to_owned()),
        None => Entry::Blocked,
    }
}

/// Whether a policy in a `<meta>` lets the script ask. Loading it is over by then: the script stands before.
pub(super) fn meta_lets_ask(content: &str, own: Own<'_>) -> bool {
    content.split(',').map(Policy::parse).all(|policy| policy.lets_ask(own))
}

/// A field that is not text says something that we cannot read; `'none'` is the careful reading of that.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("default-src 'none'")
}

/// One policy: directives in the order of the text. Of two with one name the first counts (CSP 3, §2.2.1).
struct Policy<'a>(Vec<(String, Vec<&'a str>)>);

impl<'a> Policy<'a> {
    fn parse(text: &'a str) -> Self {
        let directive = |text: &'a str| {
            let mut words = text.split_ascii_whitespace();
            Some((words.next()?.to_ascii_lowercase(), words.collect()))
        };
        Self(text.split(';').filter_map(directive).collect())
    }

    /// The sources of the first of these directives that is there.
    fn sources(&self, names: &[&str]) -> Option<&[&'a str]> {
        let of = |name: &&str| self.0.iter().find(|(known, _)| known == name);
        names.iter().find_map(of).map(|(_, sources)| sources.as_slice())
    }

    fn scripts(&self) -> Option<&[&'a str]> {
        self.sources(&["script-src-elem", "script-src", "default-src"])
    }

    fn nonces(&self) -> impl Iterator<Item = &'a str> {
        self.scripts().unwrap_or_default().iter().copied().filter_map(nonce)
    }

    fn admits(&self, with: Option<&str>, own: Own<'_>) -> bool {
        let lets_load = self.scripts().is_none_or(|sources| {
            let named =
                with.is_some_and(|with| sources.iter().copied().filter_map(nonce).any(|nonce| nonce == with));
            // With 'strict-dynamic' no address counts.
            let strict = sources.iter().any(|source| source.eq_ignore_ascii_case("'strict-dynamic'"));
            named || (!strict && covers(sources, &LOADED, own))
        });
        lets_load && self.lets_ask(own) && self.lets_run()
    }

    fn lets_ask(&self, own: Own<'_>) -> bool {
        self.sources(&["connect-src", "default-src"]).is_none_or(|sources| covers(sources, &ASKED, own))
    }

    /// A sandboxed page runs no scripts, or has an origin that is nobody's.
    fn lets_run(&self) -> bool {
        self.sources(&["sandbox"]).is_none_or(|flags| {
            let has = |flag: &str| flags.iter().any(|known| known.eq_ignore_ascii_case(flag));
            has("allow-scripts") && has("allow-same-origin")
        })
    }
}

/// The value of `'nonce-…'`, if it can stand in an attribute as it is.
fn nonce(source: &str) -> Option<&str> {
    let (start, value) = source.split_at_checked(7)?;
    let value = value.strip_suffix('\'').filter(|_| start.eq_ignore_ascii_case("'nonce-"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    (!value.is_empty() && value.bytes().all(plain)).then_some(value)
}

fn covers(sources: &[&str], paths: &[&str], own: Own<'_>) -> bool {
    paths.iter().all(|path| sources.iter().any(|source| matches(source, path, own)))
}

/// Whether a source expression names an address of our own (CSP 3, §6.7.2.8).
fn matches(source: &str, path: &str, own: Own<'_>) -> bool {
    let source = source.to_ascii_lowercase();
    let secure = own.scheme == Scheme::Https;
    match source.as_str() {
        "'self'" | "*" | "http:" => true,
        "https:" => secure,
        _ if source.starts_with('\'') => false,
        _ => {
            let (scheme, rest) = source
                .split_once("://")
                .map_or((None, source.as_str()), |(scheme, rest)| (Some(scheme), rest));
            let scheme_fits = match scheme {
                None | Some("http") => true,
                Some("https") => secure,
                Some(_) => false,
            };
            let (authority, written) =
                rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
            scheme_fits && authority_fits(authority, own) && path_fits(written, path)
        }
    }
}

fn authority_fits(authority: &str, own: Own<'_>) -> bool {
    let default = if own.scheme == Scheme::Https { "443" } else { "80" };
    let split = |text: &'_ str| -> (String, Option<String>) {
        match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name.to_owned(), Some(port.to_owned())),
            _ => (text.to_owned(), None),
        }
    };
    let (name, port) = split(authority);
    let (own_name, own_port) = split(own.host.as_str());
    let own_port = own_port.unwrap_or_else(|| default.to_owned());
    let port_fits = port.as_deref().unwrap_or(default) == own_port || port.as_deref() == Some("*");
    let name_fits = match name.strip_prefix('*') {
        Some(end) => end.starts_with('.') && own_name.ends_with(end),
        None => name == own_name,
    };
    port_fits && name_fits
}

/// A path that ends with a slash covers everything below, any other itself only.
fn path_fits(written: &str, path: &str) -> bool {
    match written {
        "" | "/" => true,
        folder if folder.ends_with('/') => path.starts_with(folder),
        whole => whole == path,
    }
}
