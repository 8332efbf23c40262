//! Reading, while somebody writes.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{CLASSES, Segment, frame, segments};
use crate::{
    clock::Wall,
    rules::{
        outcome::DecisionId,
        record::{Class, Gap, Record, Span},
    },
};

/// The reading end.
#[derive(Clone, Debug)]
pub struct Reader {
    folder: PathBuf,
}

impl Reader {
    /// Of the journal in this folder, which need not exist.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Everything about one decision, the oldest first: an allowed request that the panel did not answer has two.
    pub fn find(&self, id: DecisionId, now: Wall) -> Vec<Record> {
        let mut found = Vec::new();
        for segment in segments(&self.folder) {
            let Ok(file) = fs::read(&segment.path) else { continue };
            let named = frame::frames(&file).filter(|entry| entry.decision == id);
            found.extend(named.filter_map(|entry| entry.record()).map(|record| aged(record, now)));
        }
        found.sort_by_key(|record| record.at);
        found
    }

    /// Every record since a point of time, each kind in the order of time.
    pub fn since(&self, since: Wall, now: Wall, mut each: impl FnMut(Record) -> ControlFlow<()>) {
        for segment in segments(&self.folder) {
            let Ok(file) = fs::read(&segment.path) else { continue };
            let young = frame::frames(&file).filter(|entry| entry.at >= since);
            for record in young.filter_map(|entry| entry.record()) {
                if each(aged(record, now)).is_break() {
                    return;
                }
            }
        }
    }

    /// The newest refusals that are wanted, the newest first, at most so many.
    pub fn latest(&self, most: usize, now: Wall, mut wanted: impl FnMut(&Record) -> bool) -> Vec<Record> {
        let mut found = Vec::new();
        for class in [Class::Refused, Class::Strangers] {
            let mut of_class = Vec::new();
            for segment in segments(&self.folder).iter().rev().filter(|segment| segment.class == class) {
                if of_class.len() >= most {
                    break;
                }
                let Ok(file) = fs::read(&segment.path) else { continue };
                let mut records: Vec<Record> =
                    frame::frames(&file).filter_map(|entry| entry.record()).filter(&mut wanted).collect();
                records.reverse();
                of_class.extend(records);
            }
            of_class.truncate(most);
            found.extend(of_class);
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.at));
        found.truncate(most);
        found.into_iter().map(|record| aged(record, now)).collect()
    }

    /// What the journal covers.
    pub fn span(&self) -> Span {
        let all = segments(&self.folder);
        let [allowed, refused, strangers] = CLASSES.map(|class| {
            let mut mine = all.iter().filter(|segment| segment.class == class);
            mine.find_map(first)
        });
        let gaps = all.iter().filter(|segment| segment.class == Class::Refused).flat_map(gaps).collect();
        let bytes = all.iter().map(|segment| segment.bytes).sum();
        Span { allowed, refused, strangers, bytes, gaps }
    }
}

/// What is a day old has no whole addresses, whether its file was tended already or not.
fn aged(mut record: Record, now: Wall) -> Record {
    if record.is_due(now) {
        record.shorten(now);
    }
    record
}

fn first(segment: &Segment) -> Option<Wall> {
    let file = fs::read(&segment.path).ok()?;
    frame::frames(&file).find(|entry| entry.gap().is_none()).map(|entry| entry.at)
}

fn gaps(segment: &Segment) -> Vec<Gap> {
    let file = fs::read(&segment.path).unwrap_or_default();
    frame::frames(&file).filter_map(|entry| entry.gap()).collect()
}
