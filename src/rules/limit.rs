//! Quotas: how much of something is allowed in a time.

#[cfg(test)]
mod tests;

use std::{fmt, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

/// The longest time a quota may speak of.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// The highest count a quota may speak of.
const HIGHEST: u32 = 1_000_000;

/// `count` at once, refilled evenly over `per`. Written `600/min`, `5/15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quota {
    /// How many.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

/// Why a text is not a quota.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuota {
    /// No slash, or more than one.
    #[error("`{0}` is not a quota: write a count, a slash and a time, such as `600/min` or `5/15m`")]
    Form(String),
    /// Not a number from 1 on.
    #[error("the count `{0}` is not a whole number from 1 to {HIGHEST}")]
    Count(String),
    /// Not a time.
    #[error(
        "the time `{0}` is not one of `s`, `min`, `h`, `d`, with a number before it if it is not one, up to 7d"
    )]
    Time(String),
}

impl Quota {
    /// Reads `600/min`, `5/15m`, `100/s`.
    ///
    /// # Errors
    /// With the part that is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, BadQuota> {
        let (count, time) = text.trim().split_once('/').ok_or_else(|| BadQuota::Form(text.to_owned()))?;
        let (count, time) = (count.trim(), time.trim());
        let number = whole(count).filter(|number| number.get() <= HIGHEST);
        Ok(Self {
            count: number.ok_or_else(|| BadQuota::Count(count.to_owned()))?,
            per: duration(time).ok_or_else(|| BadQuota::Time(time.to_owned()))?,
        })
    }
}

impl Quota {
    /// So many times as many in the same time.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        let count = self.count.get().saturating_mul(times);
        let count = if let Some(count) = NonZeroU32::new(count) { count } else { self.count };
        Self { count, per: self.per }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.per.as_secs();
        let (number, unit) = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")]
            .into_iter()
            .find(|(length, _)| seconds.is_multiple_of(*length))
            .map_or((seconds, "s"), |(length, unit)| (seconds / length, unit));
        if number == 1 {
            write!(f, "{}/{unit}", self.count)
        } else {
            write!(f, "{}/{number}{unit}", self.count)
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number = if number.is_empty() { NonZeroU32::MIN } else { whole(number)? };
    let unit = match unit.trim() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        _ => return None,
    };
    let per = Duration::from_secs(u64::from(number.get()) * unit);
    (per <= LONGEST).then_some(per)
}

/// A number from 1 on, in digits alone.
fn whole(text: &str) -> Option<NonZeroU32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
