//! One spelling for every host (R6).

use std::{borrow::Borrow, fmt, net::Ipv6Addr, sync::Arc};

/// A canonical host with its port: lower case, one trailing dot stripped, default ports (80, 443) left out (R6).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Arc<str>);

/// The text cannot be a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadHost(pub &'static str);

impl Host {
    /// The canonical form of a host with an optional port, or why there is none.
    ///
    /// Names are compared byte for byte after this: no IDNA mapping, so `xn--` spellings stay what they are.
    pub fn parse(authority: &[u8]) -> Result<Self, BadHost> {
        let text = std::str::from_utf8(authority)
            .ok()
            .filter(|text| text.is_ascii())
            .ok_or(BadHost("the host has a byte that is not ASCII; write it in its xn-- form"))?;
        let (host, port) = split_port(text)?;
        let name = match host.strip_prefix('[') {
            Some(literal) => ipv6(literal)?,
            None => domain(host)?,
        };
        let text = match port {
            None | Some(80 | 443) => name,
            Some(port) => format!("{name}:{port}"),
        };
        Ok(Self(text.into()))
    }

    /// `panel.example.com`, `localhost:8443`, `[::1]:8443`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name or address alone: without port, and without the brackets of an IPv6 address.
    pub fn name(&self) -> &str {
        let text = self.as_str();
        match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => text.split(':').next().unwrap_or(text),
        }
    }
}

impl Borrow<str> for Host {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.0)
    }
}

/// Splits `host:port`, looking for the colon only behind the bracket of an IPv6 literal.
pub(in crate::rules) fn split_port(text: &str) -> Result<(&str, Option<u16>), BadHost> {
    let after_literal = text.rfind(']').map_or(0, |end| end + 1);
    let Some((head, tail)) = text.split_at_checked(after_literal) else {
        return Err(BadHost("the host is not text"));
    };
    let Some((rest, port)) = tail.split_once(':') else {
        return Ok((text, None));
    };
    let Some(host) = text.get(..head.len() + rest.len()) else {
        return Err(BadHost("the host is not text"));
    };
    Ok((host, Some(parse_port(port)?)))
}

fn parse_port(text: &str) -> Result<u16, BadHost> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(BadHost("the port is not a number from 1 to 65535"))
}

fn ipv6(literal: &str) -> Result<String, BadHost> {
    let address: Ipv6Addr = literal
        .strip_suffix(']')
        .and_then(|inner| inner.parse().ok())
        .ok_or(BadHost("the brackets do not hold an IPv6 address"))?;
    Ok(format!("[{address}]"))
}

fn domain(host: &str) -> Result<String, BadHost> {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name.is_empty() || name.len() > 253 {
        return Err(BadHost("the host name is empty or longer than 253 characters"));
    }
    let label_fits = |label: &str| (1..=63).contains(&label.len());
    if !name.split('.').all(label_fits) {
        return Err(BadHost("a label of the host name is empty or longer than 63 characters"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.bytes().all(plain) {
        return Err(BadHost("the host name has a character other than letters, digits, - _ and ."));
    }
    Ok(name)
}
