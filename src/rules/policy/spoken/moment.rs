//! `2026-11-25 08:00 Europe/Berlin`, or `2026-11-25T07:00:00Z`.

use jiff::{Timestamp, civil::DateTime, tz::AmbiguousOffset};

use super::CODES;
use crate::{
    clock::Wall,
    rules::{
        policy::conditions::{Fault, find_zone},
        written::{Findings, Written},
    },
};

const FORM: &str = "write `2026-11-25 08:00 Europe/Berlin`, or `2026-11-25T07:00:00Z`";

/// A point of time that there is exactly once.
pub(super) fn read(text: &Written<&str>, found: &mut Findings) -> Option<Wall> {
    match parse(text.value) {
        Ok(at) => Some(at),
        Err((what, help)) => {
            found.error(CODES.value, &text.at, what, help);
            None
        }
    }
}

fn parse(text: &str) -> Result<Wall, Fault> {
    let fault = || (format!("`{text}` is not a point of time"), FORM.to_owned());
    let stamp = if let Ok(stamp) = text.parse::<Timestamp>() {
        stamp
    } else {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [date, time, zone] = parts.as_slice() else { return Err(fault()) };
        let local: DateTime = format!("{date}T{time}").parse().map_err(|_| fault())?;
        let (_, zone) = find_zone(zone)?;
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let what = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => "is out of range",
            AmbiguousOffset::Gap { .. } => "does not exist: the clocks are put forward over it",
            AmbiguousOffset::Fold { .. } => "happens twice: the clocks are put back over it",
        };
        ambiguous
            .unambiguous()
            .map_err(|_| (format!("`{text}` {what}"), "write it in UTC: `2026-11-25T07:00:00Z`".to_owned()))?
    };
    u64::try_from(stamp.as_millisecond()).map(Wall::from_millis).map_err(|_| fault())
}
