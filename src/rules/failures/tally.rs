//! One counter of failures.

use serde::{Deserialize, Serialize};

use super::{Barred, CALM, MOMENT, Steps, WINDOW};
use crate::clock::Wall;

/// Failures in a row, and within a long time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// In a row, without a calm between them.
    pub(super) row: u32,
    /// Since the first of the window.
    pub(super) total: u32,
    /// The first of the window.
    since: Wall,
    /// The last.
    last: Wall,
}

impl Tally {
    /// What of it counts at `now`. What has come to the stop stays there.
    pub(super) fn at(&self, steps: &Steps, now: Wall) -> Self {
        let mut tally = *self;
        if now.since(self.last) >= CALM {
            tally.row = 0;
        }
        if now.since(self.since) >= WINDOW && !self.is_stopped(steps) {
            tally.total = 0;
        }
        tally
    }

    /// Counts one failure.
    pub(super) fn fail(&mut self, steps: &Steps, now: Wall) {
        *self = self.at(steps, now);
        if self.total == 0 {
            self.since = now;
        }
        self.row = self.row.saturating_add(1);
        self.total = self.total.saturating_add(1);
        self.last = self.last.max(now);
    }

    /// How many tries are free, this one included, while `under_way` others are not decided.
    pub(super) fn permits(&self, steps: &Steps, now: Wall, under_way: u32) -> Result<u32, Barred> {
        let tally = self.at(steps, now);
        if let Some(barred) = tally.barred(steps, now) {
            return Err(barred);
        }
        let free = steps.free.saturating_sub(tally.row).max(1).min(steps.stop.saturating_sub(tally.total));
        match free.checked_sub(under_way) {
            None | Some(0) => Err(Barred::For(MOMENT)),
            Some(free) => Ok(free),
        }
    }

    /// What bars the next try.
    pub(super) fn barred(&self, steps: &Steps, now: Wall) -> Option<Barred> {
        let tally = self.at(steps, now);
        if tally.is_stopped(steps) {
            return Some(Barred::Stopped);
        }
        let wait = steps.wait_after(tally.row)?;
        // A clock that was set back makes nobody wait longer than that.
        let left = wait.saturating_sub(now.since(tally.last));
        (!left.is_zero()).then_some(Barred::For(left))
    }

    pub(super) const fn is_stopped(&self, steps: &Steps) -> bool {
        self.total >= steps.stop
    }

    /// Takes failures back that turn out to be those of the owner.
    pub(super) fn take_back(&mut self, row: u32, total: u32) {
        self.row = self.row.saturating_sub(row);
        self.total = self.total.saturating_sub(total);
    }

    /// The first of those that [`Self::total`] counts.
    pub(super) const fn since(&self) -> Wall {
        self.since
    }

    pub(super) const fn last(&self) -> Wall {
        self.last
    }
}
