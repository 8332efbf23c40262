//! The journal of decisions: how much of it is kept, and for how long.

use std::time::Duration;

use super::{read::CODES, sources::Sources};
use crate::rules::{
    record::{Allowed, Limits},
    written::{Fields, Written},
};

const MIB: u64 = 1 << 20;
/// The smallest journal in which anything is found again, and the largest that is searched in a few seconds.
const SIZES: std::ops::RangeInclusive<u64> = MIB..=8192 * MIB;

/// Reads `journal`.
pub(super) fn read(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Limits {
    let Some(mut section) = fields.sub("journal", &mut sources.found) else { return Limits::default() };
    let size = section.text("size", &mut sources.found).and_then(|text| size(&text, sources));
    let keep = section.duration("keep", Duration::from_secs(3600), &mut sources.found);
    let words = [("all", Allowed::All), ("writes", Allowed::Writes), ("none", Allowed::None)];
    let allowed = section.one_of("allowed", &words, &mut sources.found);
    section.finish(&mut sources.found);
    let standard = Limits::default();
    Limits {
        size: size.unwrap_or(standard.size),
        keep: keep.map_or(standard.keep, |keep| keep.value),
        allowed: allowed.map_or(standard.allowed, |allowed| allowed.value),
    }
}

fn size(text: &Written<&str>, sources: &mut Sources<'_>) -> Option<u64> {
    let units = [("KiB", 1 << 10), ("MiB", MIB), ("GiB", 1 << 30)];
    let parsed = units.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.value.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*bytes)
    });
    if let Some(size) = parsed.filter(|size| SIZES.contains(size)) {
        return Some(size);
    }
    let what = match parsed {
        None => format!("`{}` is not a size", text.value),
        Some(_) => format!("a journal of {} is too small or too large", text.value),
    };
    sources.found.error(CODES.value, &text.at, what, "write it like `64MiB`; from 1MiB to 8GiB");
    None
}
