//! The audit trail's records: one JSON object a line, each bound to the one before by SHA-256 (R29).
//!
//! `{"seq":7,"at":"…","event":"…", …,"prev":"HEX","hash":"HEX"}`: `prev` is the `hash` of the record before, 64 zeros for
//! the first, and `hash` is the SHA-256 of the line up to and without `,"hash"`.

mod chain;
mod coverage;
pub mod events;
pub mod export;
mod query;
mod signing;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

pub use self::{
    chain::{Chain, Finding, Followed, HeadFault, Kind, Mark},
    coverage::Uncovered,
    query::Query,
    signing::{CHECKPOINT, PublicKey, Signer},
};
use crate::clock::Wall;

/// The event of the record that closes a line which a crash cut off.
pub const RECOVERED: &str = "trail-recovered";
/// The event of the record that says how many could not be written.
pub const LOST: &str = "trail-lost";
/// The event of the record that says up to which record (`to`) the files were moved away.
pub const ARCHIVED: &str = "trail-archived";
/// The event of the record that says that the trail was opened again while the process ran, and why.
pub const REOPENED: &str = "trail-reopened";
/// The event of the record that says which records were found behind the signed head at a start.
pub const UNSIGNED: &str = "trail-unsigned";

/// The event that stands for a line which was changed after it was written, where records are shown.
pub const ALTERED: &str = "trail-altered";

/// Members that every record has.
const OWN: [&str; 5] = ["seq", "at", "event", "prev", "hash"];

/// What a record says, beside what every record has.
pub type Fields = Map<String, Value>;

/// A place in the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The number of the last record; 0 before the first.
    pub seq: u64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

/// One record, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number; the first has 1.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What happened.
    pub event: String,
    /// The hash of the record before.
    pub prev: [u8; 32],
    /// Its own.
    pub hash: [u8; 32],
    /// Everything else.
    pub fields: Fields,
}

impl Link {
    /// Reads `NUMBER:HASH`, as [`fmt::Display`] writes it: for places outside of the trail.
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.trim().split_once(':')?;
        Some(Self { seq: seq.parse().ok()?, hash: bytes(hash.as_bytes())? })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, HEXLOWER.encode(&self.hash))
    }
}

impl Record {
    /// The text of a member, if it has it; numbers and truth values are spelled out.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(other.to_string())
            }
        }
    }

    /// When, in Unix seconds; 0 if the text is no time.
    pub fn secs(&self) -> u64 {
        let at: Option<jiff::Timestamp> = self.at.parse().ok();
        at.and_then(|at| u64::try_from(at.as_second()).ok()).unwrap_or(0)
    }

    /// When, in Unix milliseconds; 0 if the text is no time.
    pub fn millis(&self) -> i64 {
        self.at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
    }

    /// Where the record is in the chain.
    pub fn link(&self) -> Link {
        Link { seq: self.seq, hash: self.hash }
    }

    /// The record as one JSON object.
    pub fn to_json(&self) -> Value {
        let mut all = self.fields.clone();
        all.insert("seq".into(), self.seq.into());
        all.insert("at".into(), self.at.clone().into());
        all.insert("event".into(), self.event.clone().into());
        all.insert("prev".into(), HEXLOWER.encode(&self.prev).into());
        all.insert("hash".into(), HEXLOWER.encode(&self.hash).into());
        Value::Object(all)
    }
}

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not of this form: cut off, or overwritten.
    Form,
    /// It has the form, and its hash is another one: something in it was changed.
    Hash,
}

/// The next record's line, without a line end; `link` moves on to it.
pub fn line(link: &mut Link, at: Wall, event: &str, fields: &Fields) -> String {
    let seq = link.seq + 1;
    let mut text = format!("{{\"seq\":{seq},\"at\":\"{}\",\"event\":{}", moment(at), quoted(event));
    for (name, value) in fields {
        let own = if OWN.contains(&name.as_str()) { "_" } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, ",{}:{value}", quoted(&format!("{name}{own}")));
    }
    let _ = write!(text, ",\"prev\":\"{}\"", HEXLOWER.encode(&link.hash));
    *link = Link { seq, hash: hash(text.as_bytes()) };
    let _ = write!(text, ",\"hash\":\"{}\"}}", HEXLOWER.encode(&link.hash));
    text
}

/// A line without its end as a record.
///
/// # Errors
/// With what is wrong with it.
pub fn read(line: &[u8]) -> Result<Record, Unreadable> {
    let (body, tail) =
        line.len().checked_sub(TAIL).and_then(|at| line.split_at_checked(at)).ok_or(Unreadable::Form)?;
    let said = tail.strip_prefix(b",\"hash\":\"").and_then(|rest| rest.strip_suffix(b"\"}")).and_then(bytes);
    let said = said.ok_or(Unreadable::Form)?;
    let Ok(Value::Object(mut all)) = serde_json::from_slice(line) else { return Err(Unreadable::Form) };
    if hash(body) != said {
        return Err(Unreadable::Hash);
    }
    let text = |all: &mut Fields, name: &str| match all.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Unreadable::Form),
    };
    let seq = all.remove("seq").and_then(|seq| seq.as_u64()).ok_or(Unreadable::Form)?;
    let (at, event) = (text(&mut all, "at")?, text(&mut all, "event")?);
    let prev = bytes(text(&mut all, "prev")?.as_bytes()).ok_or(Unreadable::Form)?;
    all.remove("hash");
    Ok(Record { seq, at, event, prev, hash: said, fields: all })
}

/// What closes bytes that a crash cut off: the record that follows them names them.
pub fn recovered(torn: &[u8]) -> Fields {
    let mut fields = Fields::new();
    fields.insert("torn_bytes".into(), torn.len().into());
    fields.insert("torn_hash".into(), HEXLOWER.encode(&hash(torn)).into());
    fields
}

/// What is shown instead of a line that was changed: nobody can say what it was, and nothing of it is believed. It would be
/// the record `seq`.
pub fn altered(seq: u64, at: &str, place: (&str, u64)) -> Record {
    let mut fields = Fields::new();
    fields.insert("file".into(), place.0.into());
    if place.1 > 0 {
        fields.insert("line".into(), place.1.into());
    }
    let (at, event) = (at.to_owned(), ALTERED.to_owned());
    Record { seq, at, event, prev: [0; 32], hash: [0; 32], fields }
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

/// The length of `,"hash":"…"}`.
const TAIL: usize = 9 + 64 + 2;

fn bytes(hex: &[u8]) -> Option<[u8; 32]> {
    HEXLOWER.decode(hex).ok()?.try_into().ok()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// RFC 3339 in UTC, as records write it.
pub fn moment(at: Wall) -> String {
    let at =
        i64::try_from(at.millis()).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    at.map_or_else(|| "?".to_owned(), |at| format!("{at:.3}"))
}
