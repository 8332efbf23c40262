//! When a panel that does not answer is left alone for a while.

use std::time::Duration;

/// So many faults in a row.
const FAULTS: u32 = 5;
/// For so long; then one question goes through.
const OPEN: Duration = Duration::from_secs(30);

/// Counts faults in a row. Times are those of the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    faults: u32,
    opened: Option<Duration>,
}

impl Breaker {
    /// Whether a question may be asked now. While it is open, one in thirty seconds may: whoever asks and never tells
    /// how it went takes nobody else's turn for longer.
    pub fn admit(&mut self, now: Duration) -> bool {
        match self.opened {
            None => true,
            Some(opened) if now.saturating_sub(opened) >= OPEN => {
                self.opened = Some(now);
                true
            }
            Some(_) => false,
        }
    }

    /// Notes how a question went. Whether that has just opened it.
    pub fn note(&mut self, well: bool, now: Duration) -> bool {
        if well {
            *self = Self::default();
            return false;
        }
        let was_open = self.opened.is_some();
        self.faults = self.faults.saturating_add(1);
        if self.faults >= FAULTS {
            self.opened = Some(now);
        }
        self.opened.is_some() && !was_open
    }
}
