//! What became of decisions on their way to the journal, counted for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Wall;

/// Counts since the process started.
#[derive(Debug, Default)]
pub struct JournalTally {
    written: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
    bytes: AtomicU64,
    /// Of those that were dropped, the ones that the journal does not know of yet, and when the first was taken.
    unsaid: AtomicU64,
    unsaid_since: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalCounts {
    /// Decisions that are in the journal.
    pub written: u64,
    /// Decisions that came faster than they could be written.
    pub dropped: u64,
    /// Decisions that the disk did not take.
    pub lost: u64,
    /// All files together, in bytes.
    pub bytes: u64,
}

impl JournalTally {
    /// A decision found no room in the queue.
    pub fn drop_one(&self, at: Wall) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        if self.unsaid.fetch_add(1, Ordering::AcqRel) == 0 {
            self.unsaid_since.store(at.millis(), Ordering::Release);
        }
    }

    /// How many were dropped since this was last asked, and when the first of them was.
    pub fn take_dropped(&self) -> Option<(u64, Wall)> {
        let since = Wall::from_millis(self.unsaid_since.load(Ordering::Acquire));
        let count = self.unsaid.swap(0, Ordering::AcqRel);
        (count > 0).then_some((count, since))
    }

    /// Some were written, some were not.
    pub fn add(&self, written: u64, lost: u64) {
        self.written.fetch_add(written, Ordering::Relaxed);
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// So large are the files now.
    pub fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// All counts.
    pub fn read(&self) -> JournalCounts {
        let [written, dropped, lost, bytes] = [&self.written, &self.dropped, &self.lost, &self.bytes]
            .map(|count| count.load(Ordering::Relaxed));
        JournalCounts { written, dropped, lost, bytes }
    }
}
