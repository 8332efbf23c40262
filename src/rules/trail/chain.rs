//! Following the chain, and saying where it is broken.

use std::{collections::BTreeSet, fmt};

use data_encoding::HEXLOWER;

use super::{Link, RECOVERED, Record, Unreadable, hash, read};

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
        }
    }

    /// The first and the last record that it is about.
    pub fn records(self) -> Option<(u64, u64)> {
        match self {
            Self::Altered(None) => None,
            Self::Altered(Some(seq)) | Self::Misplaced(seq) | Self::Unlinked(seq) => Some((seq, seq)),
            Self::Missing(from, to) | Self::Truncated(from, to) => Some((from, to)),
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
        }
    }
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
}

impl Chain {
    /// Goes on after a known link: for what was archived.
    pub fn after(link: Link) -> Self {
        Self { last: link, linked: true, begun: true, ..Self::default() }
    }

    /// The next line, its end included.
    pub fn feed(&mut self, file: &str, number: u64, line: &[u8]) {
        let place = || (file.to_owned(), number);
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        match read(bare) {
            Ok(record) => {
                self.close_torn(&record);
                self.take(&record, &place);
            }
            Err(Unreadable::Form) => {
                self.torn.extend_from_slice(line);
                let kind = Kind::Altered(self.begun.then_some(self.last.seq + 1));
                self.torn_at.push(Finding { place: place(), kind });
            }
            Err(Unreadable::Hash) => self.altered(bare, &place),
        }
    }

    /// How many records were read.
    pub fn records(&self) -> u64 {
        self.read
    }

    /// The last record in order.
    pub fn last(&self) -> Link {
        self.last
    }

    /// Everything that was found. `head` is the last record that was known to be on the disk, if somebody noted it. Whether
    /// the end was cut off by a crash, which the next start repairs, is in the second value.
    pub fn finish(mut self, head: Option<Link>) -> (Vec<Finding>, bool) {
        let torn = std::mem::take(&mut self.torn_at);
        // Only the very last line can have been cut off; whatever stands above it has been ended by somebody.
        let cut_off = torn.len() == 1 && self.torn.last() != Some(&b'\n');
        if !cut_off {
            self.findings.extend(torn);
        }
        if let Some(head) = head.filter(|head| head.seq > self.last.seq) {
            let place = (String::new(), 0);
            self.findings.push(Finding { place, kind: Kind::Truncated(self.last.seq + 1, head.seq) });
        }
        let misplaced = self.misplaced;
        // What stands elsewhere is not missing.
        self.findings.retain(|finding| {
            let Kind::Missing(from, to) = finding.kind else { return true };
            !(from..=to).all(|seq| misplaced.contains(&seq))
        });
        (self.findings, cut_off)
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
