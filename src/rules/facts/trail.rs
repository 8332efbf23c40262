//! What the client's address was found from, kept for the record of a decision. Decides nothing.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderValue};
use smol_str::{SmolStr, ToSmolStr};

use super::Route;

/// So much of what was forwarded is kept, from the right: the walk goes from there.
const KEPT: usize = 512;
/// So many hops are kept: as many as the walk goes over, and the one at which it gives up.
const MOST: usize = 33;

/// How a question came, and what was forwarded with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The name of the dialect.
    pub dialect: &'static str,
    /// Who is connected.
    pub peer: IpAddr,
    /// The forwarded hops as they came, the nearest last; `None` if there were none.
    pub forwarded: Option<SmolStr>,
}

impl Trail {
    /// Keeps what is there; costs nothing where nothing was forwarded.
    pub fn of(route: Route, headers: &HeaderMap) -> Self {
        let Route { dialect, peer, forwarded_in } = route;
        let mut lines = headers.get_all(forwarded_in).iter().map(HeaderValue::as_bytes);
        let forwarded = lines.next().map(|first| {
            let mut whole = Cow::Borrowed(first);
            for line in lines {
                whole.to_mut().push(b',');
                whole.to_mut().extend_from_slice(line);
            }
            let kept = whole.split_at_checked(whole.len().saturating_sub(KEPT)).map_or(&[][..], |cut| cut.1);
            // Addresses and commas: nothing to escape, nearly always.
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".:, ".contains(byte);
            match std::str::from_utf8(kept) {
                Ok(text) if kept.iter().all(plain) => text.into(),
                _ => kept.escape_ascii().to_smolstr(),
            }
        });
        Self { dialect, peer, forwarded }
    }

    /// The hops, the nearest last; at most as many as the walk looks at.
    pub fn hops(&self) -> Vec<SmolStr> {
        let Some(forwarded) = &self.forwarded else { return Vec::new() };
        let mut hops: Vec<SmolStr> = forwarded.rsplit(',').take(MOST).map(shortened).collect();
        hops.reverse();
        hops
    }
}

/// At most 64 characters of a hop.
fn shortened(hop: &str) -> SmolStr {
    let hop = hop.trim();
    let end = hop.char_indices().nth(64).map_or(hop.len(), |(end, _)| end);
    hop.get(..end).unwrap_or_default().into()
}
