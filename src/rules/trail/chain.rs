//! Following the chain, and saying where it is broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use data_encoding::HEXLOWER;

use super::{ARCHIVED, CHECKPOINT, Link, PublicKey, RECOVERED, Record, Unreadable, hash, read};

/// Something that is wrong with the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, and the line in it; line 0 is the file as a whole.
    pub place: (String, u64),
    /// What it is.
    pub kind: Kind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line was changed after it was written. The number is that of the record, as far as the line still says.
    Altered(Option<u64>),
    /// Records are not there: from one number to another.
    Missing(u64, u64),
    /// The trail begins after its first record: those up to this number are not there.
    NoStart(u64),
    /// Records at the end are not there: from one number to another.
    Truncated(u64, u64),
    /// A record stands in the wrong place, or twice.
    Misplaced(u64),
    /// A record follows one that was not written before it: the one before was replaced.
    Unlinked(u64),
    /// A checkpoint that nobody with the key has signed: it, or something before it, was written by somebody else.
    Unsigned(u64),
    /// A record that is another one than was known to be there.
    Replaced(u64, Mark),
    /// Records at the end that no checkpoint vouches for: from one number to another.
    Open(u64, u64),
    /// Something is wrong with the file that names the last record.
    Head(HeadFault),
}

/// How a record is known from outside of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The signed file `head` names it.
    Head,
    /// Somebody noted it elsewhere.
    Noted,
}

/// What is wrong with the file that names the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// It is not there.
    Missing,
    /// It is not signed with a key of this trail, or is not of its form.
    Forged,
    /// A checkpoint later than what it names is signed.
    Old,
}

impl Kind {
    /// A stable word for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::Altered(_) => "altered",
            Self::Missing(..) => "missing",
            Self::NoStart(_) => "no-start",
            Self::Truncated(..) => "truncated",
            Self::Misplaced(_) => "misplaced",
            Self::Unlinked(_) => "unlinked",
            Self::Unsigned(_) => "unsigned",
            Self::Replaced(..) => "replaced",
            Self::Open(..) => "open",
            Self::Head(_) => "head",
        }
    }

    /// The first and the last record that it is about.
    pub fn records(self) -> Option<(u64, u64)> {
        match self {
            Self::Altered(None) | Self::Head(_) => None,
            Self::Altered(Some(seq))
            | Self::Misplaced(seq)
            | Self::Unlinked(seq)
            | Self::Unsigned(seq)
            | Self::Replaced(seq, _) => Some((seq, seq)),
            Self::Missing(from, to) | Self::Truncated(from, to) | Self::Open(from, to) => Some((from, to)),
            Self::NoStart(to) => Some((1, to)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered(Some(seq)) => write!(f, "record {seq} was changed after it was written"),
            Self::Altered(None) => f.write_str("this line was changed, or does not belong here"),
            Self::Missing(from, to) if from == to => write!(f, "record {from} is missing here"),
            Self::Missing(from, to) => write!(f, "records {from} to {to} are missing here"),
            Self::NoStart(to) => write!(f, "records 1 to {to} are missing before this file"),
            Self::Truncated(from, to) => write!(f, "records {from} to {to} are missing at the end"),
            Self::Misplaced(seq) => write!(f, "record {seq} stands in the wrong place, or twice"),
            Self::Unlinked(seq) => {
                write!(f, "record {seq} does not continue the one before it, which was replaced")
            }
            Self::Unsigned(seq) => write!(
                f,
                "checkpoint {seq} is not signed with a key of this trail: it, or something before it, was written by \
                 somebody else"
            ),
            Self::Replaced(seq, Mark::Head) => {
                write!(f, "record {seq} is another one than `head` was signed for")
            }
            Self::Replaced(seq, Mark::Noted) => {
                write!(f, "record {seq} is another one than was noted elsewhere")
            }
            Self::Open(from, to) => {
                write!(f, "no checkpoint vouches for records {from} to {to}; more may be missing after them")
            }
            Self::Head(HeadFault::Missing) => f.write_str("the file that names the last record is gone"),
            Self::Head(HeadFault::Forged) => {
                f.write_str("the file that names the last record is not signed with a key of this trail")
            }
            Self::Head(HeadFault::Old) => f.write_str(
                "a later checkpoint is signed than this file names: an older one was put back (or the power failed; the \
                 next start mends that)",
            ),
        }
    }
}

/// What was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// How many records were read.
    pub records: u64,
    /// The last one in order.
    pub last: Link,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether the end was cut off by a crash, which the next start repairs.
    pub cut_off: bool,
    /// The records up to this one are not here, and need not be: they were archived; 0 if all are here.
    pub gone: u64,
    /// How many checkpoints are signed.
    pub checkpoints: u64,
    /// The last of them; 0 if there is none.
    pub vouched: u64,
}

/// Follows the chain through lines in their order.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    last: Link,
    /// Whether the hash of the record before is known, so that the next one can be held against it.
    linked: bool,
    begun: bool,
    read: u64,
    /// Lines that are no records, until a record closes them.
    torn: Vec<u8>,
    torn_at: Vec<Finding>,
    findings: Vec<Finding>,
    misplaced: BTreeSet<u64>,
    /// Signatures are checked if there is a key.
    keys: Vec<PublicKey>,
    known: BTreeMap<u64, ([u8; 32], Mark)>,
    gone: u64,
    archived: u64,
    checkpoints: u64,
    vouched: u64,
}

impl Chain {
    /// Goes on after a known link: for what was archived.
    pub fn after(link: Link) -> Self {
        Self { last: link, linked: true, begun: true, gone: link.seq, ..Self::default() }
    }

    /// Checkpoints have to be signed with one of these keys.
    pub fn signed_by(self, keys: &[PublicKey]) -> Self {
        Self { keys: keys.to_vec(), ..self }
    }

    /// This record has to be there.
    pub fn knowing(mut self, link: Link, mark: Mark) -> Self {
        self.known.insert(link.seq, (link.hash, mark));
        self
    }

    /// The next line, its end included.
    pub fn feed(&mut self, file: &str, number: u64, line: &[u8]) {
        let place = || (file.to_owned(), number);
        // Records are written with their line end: one without it is not whole.
        let bare = line.strip_suffix(b"\n");
        match bare.map_or(Err(Unreadable::Form), read) {
            Ok(record) => {
                self.close_torn(&record);
                self.take(&record, &place);
            }
            Err(Unreadable::Form) => {
                self.torn.extend_from_slice(line);
                let kind = Kind::Altered(self.begun.then_some(self.last.seq + 1));
                self.torn_at.push(Finding { place: place(), kind });
            }
            Err(Unreadable::Hash) => self.altered(bare.unwrap_or(line), &place),
        }
    }

    /// Everything that was found.
    pub fn finish(mut self) -> Followed {
        let torn = std::mem::take(&mut self.torn_at);
        // Only the very last line can have been cut off; whatever stands above it has been ended by somebody.
        let cut_off = torn.len() == 1 && self.torn.last() != Some(&b'\n');
        if !cut_off {
            self.findings.extend(torn);
        }
        if let Some((seq, _)) = self.known.last_key_value().filter(|(seq, _)| **seq > self.last.seq) {
            let place = (String::new(), 0);
            self.findings.push(Finding { place, kind: Kind::Truncated(self.last.seq + 1, *seq) });
        }
        self.settle_start();
        let misplaced = self.misplaced;
        // What stands elsewhere is not missing.
        self.findings.retain(|finding| {
            let Kind::Missing(from, to) = finding.kind else { return true };
            !(from..=to).all(|seq| misplaced.contains(&seq))
        });
        Followed {
            records: self.read,
            last: self.last,
            findings: self.findings,
            cut_off,
            gone: self.gone,
            checkpoints: self.checkpoints,
            vouched: self.vouched,
        }
    }

    /// What the trail itself says was archived need not be here.
    fn settle_start(&mut self) {
        let archived = self.archived;
        let mut gone = 0;
        self.findings.retain_mut(|finding| {
            let Kind::NoStart(to) = finding.kind else { return true };
            gone = to.min(archived);
            if archived > 0 && archived < to {
                finding.kind = Kind::Missing(archived + 1, to);
            }
            archived < to
        });
        self.gone = self.gone.max(gone);
    }

    fn take(&mut self, record: &Record, place: &dyn Fn() -> (String, u64)) {
        self.read += 1;
        let expected = self.last.seq + 1;
        let linked = std::mem::replace(&mut self.linked, true);
        if !self.begun && record.seq > 1 {
            self.findings.push(Finding { place: (place().0, 0), kind: Kind::NoStart(record.seq - 1) });
        } else if record.seq > expected {
            self.findings.push(Finding { place: place(), kind: Kind::Missing(expected, record.seq - 1) });
        } else if record.seq < expected {
            self.findings.push(Finding { place: place(), kind: Kind::Misplaced(record.seq) });
            self.misplaced.insert(record.seq);
            self.linked = linked;
            return;
        } else if (linked || !self.begun) && record.prev != self.last.hash {
            self.findings.push(Finding { place: place(), kind: Kind::Unlinked(record.seq) });
        }
        self.begun = true;
        self.last = record.link();
        self.look_at(record, place);
    }

    /// What a record says of the trail itself, and what is known of it.
    fn look_at(&mut self, record: &Record, place: &dyn Fn() -> (String, u64)) {
        if let Some((hash, mark)) = self.known.get(&record.seq)
            && *hash != record.hash
        {
            self.findings.push(Finding { place: place(), kind: Kind::Replaced(record.seq, *mark) });
        }
        if record.event == CHECKPOINT {
            if self.keys.iter().any(|key| key.signed(record)) {
                self.checkpoints += 1;
                self.vouched = record.seq;
            } else if !self.keys.is_empty() {
                self.findings.push(Finding { place: place(), kind: Kind::Unsigned(record.seq) });
            }
        }
        if record.event == ARCHIVED {
            let to = record.fields.get("to").and_then(serde_json::Value::as_u64);
            self.archived = self.archived.max(to.unwrap_or_default());
        }
    }

    /// A line of the right form with a wrong hash: what it says of its number may be believed only if it fits.
    fn altered(&mut self, line: &[u8], place: &dyn Fn() -> (String, u64)) {
        self.read += 1;
        let expected = self.last.seq + 1;
        let said: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let member = |name: &str| said.as_ref().and_then(|said| said.get(name));
        let seq = member("seq").and_then(serde_json::Value::as_u64);
        let hash =
            member("hash").and_then(|hash| HEXLOWER.decode(hash.as_str()?.as_bytes()).ok()?.try_into().ok());
        self.findings.push(Finding { place: place(), kind: Kind::Altered(seq.or(Some(expected))) });
        self.begun = true;
        self.linked = hash.is_some();
        self.last = Link { seq: expected, hash: hash.unwrap_or_default() };
    }

    /// Cut-off lines are no finding if the next record says that they were cut off, and which bytes they were.
    fn close_torn(&mut self, record: &Record) {
        let torn = std::mem::take(&mut self.torn);
        let lines = std::mem::take(&mut self.torn_at);
        if torn.is_empty() {
            return;
        }
        let bytes = torn.strip_suffix(b"\n").unwrap_or(&torn);
        let known = record.text("torn_hash") == Some(HEXLOWER.encode(&hash(bytes)));
        if record.event == RECOVERED && known {
            return;
        }
        self.findings.extend(lines);
        // How many records these lines were is not known; if one, the next number fits.
        if record.seq == self.last.seq + 2 {
            self.last.seq += 1;
            self.read += 1;
        }
        self.linked = false;
    }
}
