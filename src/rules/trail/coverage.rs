//! When the next checkpoint is due.

use std::time::Duration;

/// A checkpoint is due after so many records …
const RECORDS: u64 = 1_000;
/// … and so long after the first one that no checkpoint covers.
const EVERY: Duration = Duration::from_secs(600);

/// Since when there are records that no checkpoint covers, by a clock that nobody sets.
#[derive(Debug, Default)]
pub struct Uncovered(Option<Duration>);

impl Uncovered {
    /// Takes note of how many there are at `mono`; whether a checkpoint is due.
    pub fn note(&mut self, records: u64, mono: Duration) -> bool {
        if records == 0 {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(mono);
        records >= RECORDS || mono.saturating_sub(since) >= EVERY
    }

    /// How long until one is due, if nothing is written meanwhile.
    pub fn left(&self, mono: Duration) -> Duration {
        self.0.map_or(EVERY, |since| since.saturating_add(EVERY).saturating_sub(mono))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The wait began again with each record.
    #[test]
    fn records_that_keep_coming_do_not_put_the_checkpoint_off() {
        for every in [1, 59, 599] {
            let mut uncovered = Uncovered::default();
            let (mut records, mut now) = (0, 1_000);
            let covered = loop {
                records += 1;
                // The writer wakes for a record, or when the time is over.
                if uncovered.note(records, at(now)) {
                    break now;
                }
                let left = uncovered.left(at(now)).as_secs();
                now += left.min(every);
                if left <= every {
                    break now;
                }
            };
            assert_eq!(covered, 1_600, "a record every {every} s");
        }
    }

    #[test]
    fn a_checkpoint_is_due_after_a_thousand_records_and_not_without_any() {
        let mut uncovered = Uncovered::default();
        assert!(!uncovered.note(0, at(5_000)));
        assert_eq!(uncovered.left(at(5_000)), EVERY);
        assert!(!uncovered.note(999, at(5_000)));
        assert!(uncovered.note(1_000, at(5_001)));
        assert!(!uncovered.note(0, at(5_002)), "it is written");
        assert!(!uncovered.note(1, at(5_003)));
        assert_eq!(uncovered.left(at(5_103)), at(500));
    }
}
