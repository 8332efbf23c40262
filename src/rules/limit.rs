//! Quotas: how much of something is allowed in a time.

use std::{num::NonZeroU32, time::Duration};

/// `count` at once, refilled evenly over `per`. Written `600/min`, `5/15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Duration,
}
