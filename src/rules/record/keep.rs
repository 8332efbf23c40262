//! What of a path and of an address is kept.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

use super::{Client, Record, Target};
use crate::{
    clock::Wall,
    rules::{address::hop_address, api_key, facts::Ambiguity},
};

/// The longest path that is kept whole, in bytes.
const LONGEST: usize = 1024;
/// A word this long behind the prefix of our keys is taken for one.
const KEY_LETTERS: usize = 16;

/// A path without its query. What looks like a credential in it is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub enum Kept {
    /// One that could be read.
    Path(Target),
    /// One that could not, or that was too long: as text.
    Text(String),
}

/// [`Kept`] as it is stored.
#[derive(Deserialize)]
enum Written {
    Path(Vec<SmolStr>, bool, Vec<Ambiguity>),
    Text(String),
}

/// The same, to be written.
#[derive(Serialize)]
#[serde(rename = "Written")]
enum Writing<'a> {
    Path(&'a [SmolStr], bool, &'a [Ambiguity]),
    Text(&'a str),
}

impl Kept {
    /// Keeps a path that could be read.
    pub fn of(target: &Target) -> Self {
        let segments: Vec<SmolStr> = target.segments.iter().map(without_keys).collect();
        if segments.iter().map(|segment| segment.len() + 1).sum::<usize>() > LONGEST {
            return Self::text(target.path().as_bytes());
        }
        Self::Path(bare(segments, target.trailing_slash, target.ambiguities.clone()))
    }

    /// Keeps what could not be read, up to its query.
    pub fn text(raw: &[u8]) -> Self {
        let path = raw.split(|byte| *byte == b'?').next().unwrap_or_default();
        let head = path.get(..LONGEST).unwrap_or(path);
        Self::Text(without_keys(&head.escape_ascii().to_smolstr()).into())
    }

    /// The path for a policy; `None` if it could not be read.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Path(target) => Some(target),
            Self::Text(_) => None,
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        match self {
            Self::Path(target) => target.path(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl From<Written> for Kept {
    fn from(written: Written) -> Self {
        match written {
            Written::Path(segments, trailing_slash, ambiguities) => {
                Self::Path(bare(segments, trailing_slash, ambiguities))
            }
            Written::Text(text) => Self::Text(text),
        }
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Path(target) => {
                Writing::Path(&target.segments, target.trailing_slash, &target.ambiguities).serialize(to)
            }
            Self::Text(text) => Writing::Text(text).serialize(to),
        }
    }
}

impl Record {
    /// Shortens every address to its network: /24, or /48.
    pub fn shorten(&mut self, now: Wall) {
        let Client { peer, hops, ip, .. } = &mut self.client;
        (*peer, *ip) = (shorten(*peer), shorten(*ip));
        for hop in hops {
            // What is no plain address may hold one all the same.
            let short = hop_address(hop.as_bytes()).map(|ip| shorten(ip).to_smolstr());
            *hop = short.unwrap_or(SmolStr::new_static("…"));
        }
        self.shortened = Some(now);
    }
}

/// The first address of the /24 or /48 that an address is in; loopback addresses say nothing about anybody.
pub fn shorten(ip: IpAddr) -> IpAddr {
    if ip.is_loopback() {
        return ip;
    }
    let bits = if ip.is_ipv4() { 24 } else { 48 };
    IpNet::new(ip, bits).map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |net| net.trunc().addr())
}

/// A target that is only a path.
fn bare(segments: Vec<SmolStr>, trailing_slash: bool, ambiguities: Vec<Ambiguity>) -> Target {
    Target { raw: Arc::from(""), segments, trailing_slash, ambiguities, query: None }
}

/// API keys and signed tokens do not belong into paths, and some programs put them there.
fn without_keys(text: &SmolStr) -> SmolStr {
    // Shorter than anything that could be one: nearly every segment of a path.
    if text.len() < KEY_LETTERS {
        return text.clone();
    }
    if let Some((before, after)) = text.split_once(api_key::PREFIX)
        && after.chars().take_while(char::is_ascii_alphanumeric).count() >= KEY_LETTERS
    {
        return format_smolstr!("{before}{}…", api_key::PREFIX);
    }
    if let Some((before, after)) = text.split_once("eyJ")
        && after.matches('.').count() >= 2
    {
        return format_smolstr!("{before}eyJ…");
    }
    text.clone()
}
