//! What was decided, counted for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rules::reason::Reason;

/// Decisions by reason since the process started.
pub struct Tally {
    decisions: [AtomicU64; Reason::ALL.len()],
}

impl Default for Tally {
    fn default() -> Self {
        Self { decisions: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Tally {
    /// Counts one decision.
    pub fn count(&self, reason: Reason) {
        let index = Reason::ALL.iter().position(|known| *known == reason);
        if let Some(count) = index.and_then(|index| self.decisions.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every reason with its count.
    pub fn read(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.decisions.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}
