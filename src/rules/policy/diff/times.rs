//! All times, as classes: two of a class are within the same hours of both policies.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer};

use super::super::{Conditions, Hours};
use crate::clock::Wall;

/// Clocks of several zones stand to each other as they do in these years (2025 to 2044): begin and end, Unix seconds.
const YEARS: (i64, i64) = (1_735_689_600, 2_366_841_600);
const WEEK_MINUTES: i64 = 7 * 24 * 60;
/// The Unix epoch was a Thursday.
const EPOCH_MINUTE: i64 = 3 * 24 * 60;

/// Some of all times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// Minutes of the week, in the zone of these hours.
    Weekly {
        /// The zone.
        zone: Hours,
        /// From (included) and to (not included), in minutes from Monday 00:00.
        spans: Vec<(u16, u16)>,
    },
    /// Where hours of several zones are at work: within or outside of each, for one of these ways.
    Mixed(Vec<Vec<(Vec<Hours>, bool)>>),
}

impl Times {
    /// Whether a point of time is one of them.
    pub fn contain(&self, at: Wall) -> bool {
        match self {
            Self::Weekly { zone, spans } => {
                let Some(offset) = offset(&zone.rules, at) else { return false };
                let minute = local(at, offset);
                spans.iter().any(|(from, to)| (i64::from(*from)..i64::from(*to)).contains(&minute))
            }
            Self::Mixed(ways) => ways.iter().any(|way| {
                way.iter().all(|(hours, within)| hours.iter().any(|hours| hours.cover(at)) == *within)
            }),
        }
    }

    pub(super) fn join(all: impl Iterator<Item = Self>) -> Option<Self> {
        all.reduce(|one, other| match (one, other) {
            (Self::Weekly { zone, spans }, Self::Weekly { spans: more, .. }) => {
                let minutes: BTreeSet<u16> =
                    spans.iter().chain(&more).flat_map(|(from, to)| *from..*to).collect();
                Self::Weekly { zone, spans: runs(&minutes) }
            }
            (Self::Mixed(mut ways), Self::Mixed(more)) => {
                ways.extend(more);
                Self::Mixed(ways)
            }
            (one, _) => one,
        })
    }
}

/// The classes of times, each with one of them; `None` where no hours are asked about.
pub(super) fn times(conditions: &[&Conditions]) -> Vec<(Option<Times>, Wall)> {
    let mut sets: Vec<&Vec<Hours>> = conditions.iter().filter_map(|when| when.hours.as_ref()).collect();
    sets.dedup();
    let zones: BTreeMap<&Arc<str>, &Hours> =
        sets.iter().copied().flatten().map(|hours| (&hours.zone, hours)).collect();
    let zones: Vec<&Hours> = zones.into_values().collect();
    let start = Wall::from_secs(YEARS.0.unsigned_abs());
    match zones.as_slice() {
        [] => vec![(None, start)],
        [zone] => weekly(zone, &sets),
        _ => mixed(&zones, &sets),
    }
}

fn weekly(zone: &Hours, sets: &[&Vec<Hours>]) -> Vec<(Option<Times>, Wall)> {
    let mut classes: BTreeMap<Vec<bool>, BTreeSet<u16>> = BTreeMap::new();
    for minute in 0..7 * 24 * 60_u16 {
        let covered = |hours: &Hours| hours.cover_minute(usize::from(minute / 1440), minute % 1440);
        let within = sets.iter().map(|set| set.iter().any(covered)).collect();
        classes.entry(within).or_default().insert(minute);
    }
    let class = |minutes: BTreeSet<u16>| {
        let witness = minutes.iter().find_map(|minute| instant(&zone.rules, *minute));
        let times = Times::Weekly { zone: zone.clone(), spans: runs(&minutes) };
        (Some(times), witness.unwrap_or(Wall::NEVER))
    };
    classes.into_values().map(class).collect()
}

/// A point of time at which the clocks of a zone show this minute of the week.
fn instant(zone: &TimeZone, minute: u16) -> Option<Wall> {
    (0..60_i64).find_map(|week| {
        let guess = YEARS.0
            + ((i64::from(minute) - EPOCH_MINUTE).rem_euclid(WEEK_MINUTES) + week * WEEK_MINUTES) * 60;
        // The epoch of the years is no Monday: the guess is corrected by what it turns out to be.
        let shown = |secs: i64| {
            let at = wall(secs);
            Some((at, local(at, offset(zone, at)?)))
        };
        let (_, first) = shown(guess)?;
        let (at, found) = shown(guess + (i64::from(minute) - first) * 60)?;
        (found == i64::from(minute)).then_some(at)
    })
}

/// Stretches of time without a change of clocks, those that are alike once: minute by minute.
fn mixed(zones: &[&Hours], sets: &[&Vec<Hours>]) -> Vec<(Option<Times>, Wall)> {
    let mut classes: BTreeMap<Vec<bool>, Wall> = BTreeMap::new();
    let mut seen = HashSet::new();
    let edges = edges(zones);
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        let offsets: Vec<Option<i64>> = zones.iter().map(|zone| offset(&zone.rules, wall(*from))).collect();
        let minutes = ((to - from) / 60).min(WEEK_MINUTES);
        let start = if minutes == WEEK_MINUTES { 0 } else { local(wall(*from), 0) };
        if !seen.insert((offsets.clone(), minutes, start)) {
            continue;
        }
        let offset_of = |hours: &Hours| {
            let index = zones.iter().position(|zone| zone.zone == hours.zone)?;
            offsets.get(index).copied().flatten()
        };
        for minute in 0..minutes {
            let at = wall(from + minute * 60);
            let covered = |hours: &Hours| {
                let local = offset_of(hours).and_then(|offset| u16::try_from(local(at, offset)).ok());
                local.is_some_and(|local| hours.cover_minute(usize::from(local / 1440), local % 1440))
            };
            let within = sets.iter().map(|set| set.iter().any(covered)).collect();
            classes.entry(within).or_insert(at);
        }
    }
    let way = |within: Vec<bool>| sets.iter().map(|set| (*set).clone()).zip(within).collect();
    classes.into_iter().map(|(within, at)| (Some(Times::Mixed(vec![way(within)])), at)).collect()
}

/// When the clocks of any zone change, Unix seconds.
fn edges(zones: &[&Hours]) -> Vec<i64> {
    let mut edges = BTreeSet::from([YEARS.0, YEARS.1]);
    let start = Timestamp::from_second(YEARS.0).unwrap_or_default();
    for zone in zones {
        let changes = zone.rules.following(start).map(|change| change.timestamp().as_second());
        edges.extend(changes.take_while(|at| *at < YEARS.1));
    }
    edges.into_iter().collect()
}

/// Seconds that the clocks of a zone are ahead of UTC.
fn offset(zone: &TimeZone, at: Wall) -> Option<i64> {
    let stamp = Timestamp::from_millisecond(i64::try_from(at.millis()).ok()?).ok()?;
    Some(i64::from(zone.to_offset(stamp).seconds()))
}

/// The minute of the week from Monday 00:00, where clocks are so many seconds ahead of UTC.
fn local(at: Wall, offset: i64) -> i64 {
    let seconds = i64::try_from(at.secs()).unwrap_or(0) + offset;
    (seconds.div_euclid(60) + EPOCH_MINUTE).rem_euclid(WEEK_MINUTES)
}

fn wall(secs: i64) -> Wall {
    Wall::from_secs(u64::try_from(secs).unwrap_or(0))
}

fn runs(minutes: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for minute in minutes {
        match runs.last_mut() {
            Some((_, to)) if *to == *minute => *to += 1,
            _ => runs.push((*minute, minute + 1)),
        }
    }
    runs
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekly { zone, spans } => {
                let words: Vec<String> = spell(spans);
                write!(f, "{} {}", words.join(", "), zone.zone)
            }
            Self::Mixed(ways) => {
                let spell = |(hours, within): &(Vec<Hours>, bool)| {
                    let hours: Vec<String> = hours.iter().map(ToString::to_string).collect();
                    format!("{} {}", if *within { "within" } else { "outside" }, hours.join(" and "))
                };
                let ways = ways.iter().map(|way| way.iter().map(spell).collect::<Vec<_>>().join(", "));
                f.write_str(&ways.collect::<Vec<_>>().join("; or "))
            }
        }
    }
}

/// Days with the same hours stand together, as the policy would write them.
fn spell(spans: &[(u16, u16)]) -> Vec<String> {
    let mut by_hours: BTreeMap<(u16, u16), [bool; 7]> = BTreeMap::new();
    for (from, to) in spans {
        for day in from / 1440..=(to - 1) / 1440 {
            let (begin, end) = (day * 1440, day * 1440 + 1440);
            let hours = ((*from).max(begin) - begin, (*to).min(end) - begin);
            if let Some(on) = by_hours.entry(hours).or_default().get_mut(usize::from(day)) {
                *on = true;
            }
        }
    }
    by_hours
        .into_iter()
        .map(|((from, to), days)| super::super::conditions::spell_hours(days, from, to))
        .collect()
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
