//! The only door to time. Everything that decides takes a [`Moment`] or a [`Wall`] as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point of civil time, in milliseconds since the Unix epoch. Decides tokens, sessions and codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(u64);

impl Wall {
    /// The far future: later than every expiry.
    pub const NEVER: Self = Self(u64::MAX);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This point moved into the future; saturates at [`Wall::NEVER`].
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is later than `self`.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// One sample of both clocks, taken once per request.
///
/// `wall` decides expiry; `mono` (since the process started) decides limits, staleness and deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Civil time.
    pub wall: Wall,
    /// Time since the clock was made; never goes backwards.
    pub mono: Duration,
}

/// Where moments come from.
pub trait Clock: Send + Sync + 'static {
    /// Samples both clocks.
    fn moment(&self) -> Moment;

    /// Civil time alone.
    fn wall(&self) -> Wall {
        self.moment().wall
    }

    /// Monotonic time alone.
    fn mono(&self) -> Duration {
        self.moment().mono
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    fn moment(&self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            wall: Wall::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)),
            mono: self.mono(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    fn mono(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[cfg(test)]
#[derive(Debug)]
pub struct ManualClock(std::sync::Mutex<Moment>);

#[cfg(test)]
impl ManualClock {
    /// Stands at `wall`, with no monotonic time gone by.
    pub fn at(wall: Wall) -> Self {
        Self(std::sync::Mutex::new(Moment { wall, mono: Duration::ZERO }))
    }

    /// Moves both clocks on.
    ///
    /// # Panics
    /// If a test panicked while it moved them.
    pub fn advance(&self, by: Duration) {
        let mut moment = self.0.lock().unwrap();
        moment.wall = moment.wall.plus(by);
        moment.mono += by;
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn moment(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}
