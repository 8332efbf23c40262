//! Following the chain, and saying where it is broken.

use std::{collections::BTreeSet, fmt};

use data_encoding::HEXLOWER;

use super::{
    ARCHIVED, CHECKPOINT, Link, PublicKey, RECOVERED, Record, UNSIGNED, Unreadable, bytes, hash, read,
};

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
    /// A line was changed after it was written. The number is that of the record, by those before it.
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
    /// Records behind the signed head, while nobody writes: from one number to another.
    Behind(u64, u64),
    /// A start found records that nobody vouches for: the number of the record that says so, and from which to which.
    Unvouched(u64, u64, u64),
    /// A record that was noted elsewhere is not here.
    Unmet(u64),
    /// A file whose name is not the number of its first record, which is this one.
    Misnamed(u64),
    /// There is no key to check the signatures with.
    NoKey,
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
            Self::Behind(..) => "behind",
            Self::Unvouched(..) => "unvouched",
            Self::Unmet(_) => "unmet",
            Self::Misnamed(_) => "misnamed",
            Self::NoKey => "no-key",
            Self::Head(_) => "head",
        }
    }

    /// The first and the last record that it is about.
    pub fn records(self) -> Option<(u64, u64)> {
        match self {
            Self::Altered(None) | Self::NoKey | Self::Head(_) => None,
            Self::Altered(Some(seq))
            | Self::Misplaced(seq)
            | Self::Unlinked(seq)
            | Self::Unsigned(seq)
            | Self::Unmet(seq)
            | Self::Misnamed(seq)
            | Self::Replaced(seq, _) => Some((seq, seq)),
            Self::Unvouched(seq, from, to) if from > to => Some((to + 1, seq)),
            Self::Missing(from, to)
            | Self::Truncated(from, to)
            | Self::Open(from, to)
            | Self::Behind(from, to)
            | Self::Unvouched(_, from, to) => Some((from, to)),
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
            Self::Behind(from, to) => write!(
                f,
                "records {from} to {to} stand behind the last one that is signed, and nobody is writing: somebody added them \
                 (or the power failed; the next start writes down which)"
            ),
            Self::Unvouched(seq, from, to) => {
                if from > to && *to == 0 {
                    f.write_str("nobody vouches for whatever was before this record")?;
                } else if from > to {
                    write!(f, "nobody vouches that there was no record between {to} and this one")?;
                } else {
                    write!(f, "nobody vouches for records {from} to {to}, nor that none is missing among them")?;
                }
                write!(
                    f,
                    ": a start found them without a valid `head` (the power failed, or somebody wrote them). Read them; if \
                     they are right, accept this by name: --accept {seq}"
                )
            }
            Self::Unmet(seq) => write!(f, "record {seq}, which was noted elsewhere, is not here"),
            Self::Misnamed(seq) => write!(
                f,
                "this file is not named after its first record, which is or would be {seq}: somebody has renamed it or put it there"
            ),
            Self::NoKey => f.write_str(
                "there is no key here, and none was given with --key: no signature can be checked, so that all of it may \
                 have been written by anybody",
            ),
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
    /// The number of the first one; 0 if there is none.
    pub first: u64,
    /// The record before it, as far as it says.
    pub start: Link,
    /// The last one in order.
    pub last: Link,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether the end was cut off by a crash, which the next start repairs.
    pub cut_off: bool,
    /// The records up to this one are not here, and need not be: they were archived; 0 if all are here.
    pub gone: u64,
    /// Records that were noted elsewhere and are among those.
    pub elsewhere: Vec<u64>,
    /// How many checkpoints are signed.
    pub checkpoints: u64,
    /// The last of them; 0 if there is none.
    pub vouched: u64,
    /// What was accepted: the record [`UNSIGNED`], and from which record to which it says that nobody vouches.
    pub accepted: Vec<(u64, u64, u64)>,
    /// The records that say that a line was cut off, or added behind the end.
    pub recovered: Vec<u64>,
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
    known: Vec<Known>,
    /// The numbers of the records [`UNSIGNED`] that somebody has accepted.
    accepted: BTreeSet<u64>,
    first: u64,
    /// The record before the first one.
    start: Link,
    /// The record before each file, as the first one in it says.
    joints: Vec<Link>,
    gone: u64,
    elsewhere: Vec<u64>,
    /// The file that is being fed, with the number in its name, until a record has come from it.
    file: Option<(String, Option<u64>)>,
    /// Which record says that everything up to which was archived.
    archived: Vec<(u64, Link)>,
    checkpoints: u64,
    vouched: u64,
    taken: Vec<(u64, u64, u64)>,
    recovered: Vec<u64>,
}

/// A record that has to be there.
#[derive(Clone, Copy, Debug)]
struct Known {
    link: Link,
    mark: Mark,
    met: bool,
}

impl Chain {
    /// Goes on after a known link: for what was archived.
    pub fn after(link: Link) -> Self {
        Self { last: link, linked: true, begun: true, start: link, gone: link.seq, ..Self::default() }
    }

    /// Checkpoints have to be signed with one of these keys.
    pub fn signed_by(self, keys: &[PublicKey]) -> Self {
        Self { keys: keys.to_vec(), ..self }
    }

    /// This record has to be there.
    pub fn knowing(mut self, link: Link, mark: Mark) -> Self {
        self.known.push(Known { link, mark, met: false });
        self
    }

    /// Somebody has looked at what these records [`UNSIGNED`] name.
    pub fn accepting(self, accepted: &[u64]) -> Self {
        Self { accepted: accepted.iter().copied().collect(), ..self }
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

    /// The next file begins; `number` is what its name says of its first record.
    pub fn begin_file(&mut self, name: &str, number: Option<u64>) {
        self.end_file();
        self.file = Some((name.to_owned(), number));
    }

    /// One without records can only be the next one.
    fn end_file(&mut self) {
        if let Some((name, number)) = self.file.take()
            && self.torn_at.is_empty()
            && number != Some(self.last.seq + 1)
        {
            self.findings.push(Finding { place: (name, 0), kind: Kind::Misnamed(self.last.seq + 1) });
        }
    }

    /// Everything that was found.
    pub fn finish(mut self) -> Followed {
        self.end_file();
        let torn = std::mem::take(&mut self.torn_at);
        // Only the very last line can have been cut off; whatever stands above it has been ended by somebody.
        let cut_off = torn.len() == 1 && self.torn.last() != Some(&b'\n');
        if !cut_off {
            self.findings.extend(torn);
        }
        let end = self.known.iter().map(|known| known.link.seq).max().unwrap_or_default();
        if end > self.last.seq {
            self.at_end(Kind::Truncated(self.last.seq + 1, end));
        }
        let vouched_start = self.settle_start();
        self.settle_marks(vouched_start);
        let misplaced = self.misplaced;
        // What stands elsewhere is not missing.
        self.findings.retain(|finding| {
            let Kind::Missing(from, to) = finding.kind else { return true };
            !(from..=to).all(|seq| misplaced.contains(&seq))
        });
        Followed {
            records: self.read,
            first: self.first,
            start: self.start,
            last: self.last,
            findings: self.findings,
            cut_off,
            gone: self.gone,
            elsewhere: self.elsewhere,
            checkpoints: self.checkpoints,
            vouched: self.vouched,
            accepted: self.taken,
            recovered: self.recovered,
        }
    }

    fn at_end(&mut self, kind: Kind) {
        self.findings.push(Finding { place: (String::new(), 0), kind });
    }

    /// What was archived need not be here, if the signed part of the trail says so, or what comes first here continues a
    /// record that was noted elsewhere. Whether somebody vouches for what is not here.
    fn settle_start(&mut self) -> bool {
        let start = self.start;
        let Some(at) = self.findings.iter().position(|finding| matches!(finding.kind, Kind::NoStart(_)))
        else {
            return false;
        };
        let of = |mark| self.known.iter().filter(move |known| known.mark == mark).map(|known| known.link);
        let signed = of(Mark::Head).map(|link| link.seq).max().unwrap_or_default();
        // What somebody took on his word is not what the trail says.
        let doubted = |seq: &u64| {
            let unvouched = self.findings.iter().any(
                |finding| matches!(finding.kind, Kind::Unvouched(_, from, to) if (from..=to).contains(seq)),
            );
            unvouched || self.taken.iter().any(|(_, from, to)| (from..=to).contains(&seq))
        };
        let said: Vec<Link> = self
            .archived
            .iter()
            .filter(|(seq, _)| *seq <= signed && !doubted(seq))
            .map(|(_, link)| *link)
            .filter(|link| link.seq < start.seq || self.joints.contains(link))
            .collect();
        if said.iter().any(|link| link.seq >= start.seq) || of(Mark::Noted).any(|link| link == start) {
            self.findings.remove(at);
            self.gone = start.seq;
            return true;
        }
        if let (Some(last), Some(finding)) =
            (said.iter().map(|link| link.seq).max(), self.findings.get_mut(at))
        {
            finding.kind = Kind::Missing(last + 1, start.seq);
        }
        false
    }

    /// What was noted elsewhere has to be here, or in what somebody vouches for.
    fn settle_marks(&mut self, vouched_start: bool) {
        let (start, last) = (self.start, self.last.seq);
        for known in self.known.clone() {
            let seq = known.link.seq;
            if known.met || known.mark == Mark::Head || seq > last || known.link == start {
                continue;
            }
            if seq == start.seq {
                self.at_end(Kind::Replaced(seq, Mark::Noted));
            } else if seq < start.seq && vouched_start {
                self.elsewhere.push(seq);
            } else {
                self.at_end(Kind::Unmet(seq));
            }
        }
    }

    fn take(&mut self, record: &Record, place: &dyn Fn() -> (String, u64)) {
        let known = self.findings.len();
        self.follow(record, place);
        if let Some((name, number)) = self.file.take()
            && self.findings.len() == known
            && number != Some(record.seq)
        {
            self.findings.push(Finding { place: (name, 0), kind: Kind::Misnamed(record.seq) });
        }
    }

    fn follow(&mut self, record: &Record, place: &dyn Fn() -> (String, u64)) {
        self.read += 1;
        let expected = self.last.seq + 1;
        let linked = std::mem::replace(&mut self.linked, true);
        let before = Link { seq: record.seq.saturating_sub(1), hash: record.prev };
        if place().1 == 1 {
            self.joints.push(before);
        }
        if !self.begun && record.seq > 1 {
            self.start = before;
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
        if self.first == 0 {
            self.first = record.seq;
        }
        self.last = record.link();
        self.look_at(record, place);
    }

    /// What a record says of the trail itself, and what is known of it.
    fn look_at(&mut self, record: &Record, place: &dyn Fn() -> (String, u64)) {
        for known in self.known.iter_mut().filter(|known| known.link.seq == record.seq) {
            known.met = true;
            if known.link.hash != record.hash {
                self.findings.push(Finding { place: place(), kind: Kind::Replaced(record.seq, known.mark) });
            }
        }
        let number = |name: &str| record.fields.get(name).and_then(serde_json::Value::as_u64);
        if record.event == CHECKPOINT {
            if self.keys.iter().any(|key| key.signed(record)) {
                self.checkpoints += 1;
                self.vouched = record.seq;
            } else if !self.keys.is_empty() {
                self.findings.push(Finding { place: place(), kind: Kind::Unsigned(record.seq) });
            }
        }
        if record.event == ARCHIVED {
            let hash = record.text("to_hash").and_then(|text| bytes(text.as_bytes()));
            if let (Some(seq), Some(hash)) = (number("to"), hash) {
                self.archived.push((record.seq, Link { seq, hash }));
            }
        }
        if record.event == RECOVERED {
            self.recovered.push(record.seq);
        }
        if record.event == UNSIGNED {
            // What a checkpoint vouches for needs nobody's word.
            let from = number("first").unwrap_or(1).max(self.vouched + 1);
            let to = number("last").unwrap_or(record.seq);
            if self.accepted.contains(&record.seq) {
                self.taken.push((record.seq, from, to));
            } else {
                self.findings.push(Finding { place: place(), kind: Kind::Unvouched(record.seq, from, to) });
            }
        }
    }

    /// A line of the right form with a wrong hash: the number in it may be what was changed.
    fn altered(&mut self, line: &[u8], place: &dyn Fn() -> (String, u64)) {
        self.file = None;
        self.read += 1;
        let expected = self.last.seq + 1;
        let said: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let member = |name: &str| said.as_ref().and_then(|said| said.get(name));
        let hash =
            member("hash").and_then(|hash| HEXLOWER.decode(hash.as_str()?.as_bytes()).ok()?.try_into().ok());
        self.findings.push(Finding { place: place(), kind: Kind::Altered(Some(expected)) });
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
