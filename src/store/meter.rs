//! How the writing of an embedded store is doing, counted for the metrics.

use crate::{
    clock::{Clock, SystemClock},
    meter::{Counter, Histogram, LATENCY, LENGTH},
};

/// Group commits.
#[derive(Debug)]
pub struct StoreMeter {
    clock: SystemClock,
    /// How long one took, in nanoseconds: applying the writes and waiting for the disk.
    pub commits: Histogram,
    /// How many writes shared one.
    pub writes: Histogram,
    /// Those that failed.
    pub failed: Counter,
}

impl Default for StoreMeter {
    fn default() -> Self {
        Self {
            clock: SystemClock::new(),
            commits: Histogram::new(LATENCY),
            writes: Histogram::new(LENGTH),
            failed: Counter::default(),
        }
    }
}

impl StoreMeter {
    /// Commits so many writes and notes how that went.
    pub(super) fn timed(&self, writes: usize, commit: impl FnOnce() -> bool) -> bool {
        let since = self.clock.moment().mono;
        let committed = commit();
        self.commits.took(self.clock.moment().mono.saturating_sub(since));
        self.writes.observe(u64::try_from(writes).unwrap_or(u64::MAX));
        if !committed {
            self.failed.count();
        }
        committed
    }
}
