//! Durations as people write them: `90s`, `15m`, `1h30m`, `7d`.

use std::{fmt::Write, time::Duration};

/// The duration, or `None` if the text is not one: one or more of `NUMBER UNIT`, units `ms s m h d`, largest first.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    let mut finest = u64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let millis = unit_millis(unit).filter(|millis| *millis < finest)?;
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        total = total.checked_add(Duration::from_millis(part))?;
        (finest, rest) = (millis, after);
    }
    Some(total)
}

/// The shortest spelling that [`parse_duration`] reads back: `1h30m`.
pub fn spell_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for unit in ["d", "h", "m", "s", "ms"] {
        let size = unit_millis(unit).unwrap_or(1);
        if millis >= size {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{unit}", millis / size);
            millis %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

fn unit_millis(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    }
}
