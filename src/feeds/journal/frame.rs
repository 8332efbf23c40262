//! How records lie in a file: `length · CRC-32 · kind · decision · time · record`, all numbers big-endian.

use serde::Serialize;

use crate::{
    clock::Wall,
    rules::{
        outcome::DecisionId,
        record::{Gap, Record},
    },
};

/// How a file begins; the version of the format is in it.
pub(super) const MAGIC: &[u8; 8] = b"PGJRNL1\n";
/// No record is longer.
const LONGEST: usize = 64 * 1024;
const HEAD: usize = 8;
const RECORD: u8 = 1;
const GAP: u8 = 2;

/// One entry of a file, not decoded further than it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'f> {
    kind: u8,
    /// Which decision; zeros for a gap.
    pub(super) decision: DecisionId,
    /// When.
    pub(super) at: Wall,
    payload: &'f [u8],
}

impl Frame<'_> {
    /// The record, unless it is something else, or something that a later version wrote.
    pub(super) fn record(&self) -> Option<Record> {
        (self.kind == RECORD).then(|| postcard::from_bytes(self.payload).ok()).flatten()
    }

    /// The gap, if it is one.
    pub(super) fn gap(&self) -> Option<Gap> {
        (self.kind == GAP).then(|| postcard::from_bytes(self.payload).ok()).flatten()
    }
}

/// Appends a record.
pub(super) fn write_record(to: &mut Vec<u8>, record: &Record) {
    write(to, RECORD, record.decision, record.at, record);
}

/// Appends a gap.
pub(super) fn write_gap(to: &mut Vec<u8>, gap: Gap) {
    write(to, GAP, DecisionId([0; 5]), gap.until, &gap);
}

fn write(to: &mut Vec<u8>, kind: u8, decision: DecisionId, at: Wall, payload: &impl Serialize) {
    let start = to.len();
    to.extend_from_slice(&[0; HEAD]);
    to.push(kind);
    to.extend_from_slice(&decision.0);
    to.extend_from_slice(&at.millis().to_be_bytes());
    let written = postcard::to_extend(payload, Appending(to)).is_ok();
    let frame = to.get_mut(start..).and_then(|frame| frame.split_first_chunk_mut::<HEAD>());
    let Some((head, body)) = frame.filter(|_| written) else { return to.truncate(start) };
    let Ok(length) = u32::try_from(body.len()) else { return to.truncate(start) };
    let ([a, b, c, d], [e, f, g, h]) = (length.to_be_bytes(), crc32fast::hash(body).to_be_bytes());
    *head = [a, b, c, d, e, f, g, h];
}

/// Appends to what is there.
struct Appending<'v>(&'v mut Vec<u8>);

impl Extend<u8> for Appending<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

/// The whole entries of a file, up to the first that is torn or damaged.
pub(super) fn frames(file: &[u8]) -> Frames<'_> {
    Frames { rest: file.strip_prefix(MAGIC).unwrap_or_default() }
}

/// See [`frames`].
pub(super) struct Frames<'f> {
    rest: &'f [u8],
}

impl<'f> Iterator for Frames<'f> {
    type Item = Frame<'f>;

    fn next(&mut self) -> Option<Frame<'f>> {
        let (head, rest) = self.rest.split_first_chunk::<HEAD>()?;
        let [a, b, c, d, sum @ ..] = *head;
        let length =
            usize::try_from(u32::from_be_bytes([a, b, c, d])).ok().filter(|length| *length <= LONGEST)?;
        let (body, rest) = rest.split_at_checked(length)?;
        if crc32fast::hash(body) != u32::from_be_bytes(sum) {
            return None;
        }
        self.rest = rest;
        let (kind, body) = body.split_first()?;
        let (decision, body) = body.split_first_chunk::<5>()?;
        let (at, payload) = body.split_first_chunk::<8>()?;
        let at = Wall::from_millis(u64::from_be_bytes(*at));
        Some(Frame { kind: *kind, decision: DecisionId(*decision), at, payload })
    }
}
