//! The gate's cookies (R19): built in one place, so that the rules of the name prefixes hold whatever is configured.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{
    rules::{
        login::Cookie as PanelCookie,
        site::{Cookies, SameSite},
    },
    secret::SecretText,
};

/// Where the refresh cookie is sent, and nowhere else.
const REFRESH_PATH: &str = "/_gate/refresh";

/// A `Set-Cookie` value.
#[derive(Clone, Debug)]
pub(crate) struct SetCookie(String);

impl SetCookie {
    /// The access cookie. It outlives the token in it, so that signing out works after the token has expired.
    pub(crate) fn access(names: &Cookies, token: &str, lives: Duration) -> Self {
        build(&names.access, token, "/", names.domain.as_deref(), names.same_site, lives)
    }

    /// The refresh cookie. Lax, so that a link from elsewhere can be renewed on the way.
    pub(crate) fn refresh(names: &Cookies, token: &str, lives: Duration) -> Self {
        build(&names.refresh, token, REFRESH_PATH, names.domain.as_deref(), SameSite::Lax, lives)
    }

    /// The cookie between password and second factor. Never has a domain.
    pub(crate) fn pending(names: &Cookies, token: &str, lives: Duration) -> Self {
        build(&names.pending, token, "/", None, names.same_site, lives)
    }

    /// Counts the renewals that a browser was sent through in a row.
    pub(crate) fn tries(names: &Cookies, count: u32) -> Self {
        let lives = if count == 0 { Duration::ZERO } else { Duration::from_secs(5) };
        build(&tries_name(names), &count.to_string(), REFRESH_PATH, None, SameSite::Lax, lives)
    }

    /// A cookie that the panel set at sign-in, for panels behind somebody else's proxy.
    pub(crate) fn of_panel(names: &Cookies, cookie: &PanelCookie, lives: Duration) -> Option<Self> {
        let value = std::str::from_utf8(cookie.value.expose()).ok()?;
        let path = cookie.path.as_deref().unwrap_or("/");
        Some(build(&cookie.name, value, path, names.domain.as_deref(), SameSite::Lax, lives))
    }

    /// Removes all cookies of a session.
    pub(crate) fn clear(names: &Cookies) -> [Self; 3] {
        let gone = Duration::ZERO;
        [Self::access(names, "", gone), Self::refresh(names, "", gone), Self::pending(names, "", gone)]
    }

    /// The header value. What does not fit into one is not sent.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The single value among those presented under one name; `None` if there is none, or if two differ (R19).
pub(crate) fn only(values: &[SecretText]) -> Option<&SecretText> {
    let (first, rest) = values.split_first()?;
    rest.iter().all(|other| other.expose() == first.expose()).then_some(first)
}

/// How many renewals this browser has just been sent through.
pub(crate) fn tries(names: &Cookies, headers: &HeaderMap) -> u32 {
    let name = tries_name(names);
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let values = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    values
        .filter(|(key, _)| *key == name)
        .filter_map(|(_, value)| value.parse::<u32>().ok())
        .max()
        .unwrap_or(0)
}

fn tries_name(names: &Cookies) -> String {
    format!("{}_tries", names.refresh)
}

fn build(
    name: &str,
    value: &str,
    path: &str,
    domain: Option<&str>,
    same_site: SameSite,
    lives: Duration,
) -> SetCookie {
    let same_site = match same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    let mut text = format!(
        "{name}={value}; Path={path}; Max-Age={}; Secure; HttpOnly; SameSite={same_site}",
        lives.as_secs()
    );
    // RFC 6265bis §4.1.3.2: a browser drops a `__Host-` cookie with a domain.
    if let Some(domain) = domain.filter(|_| !name.starts_with("__Host-")) {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    SetCookie(text)
}
