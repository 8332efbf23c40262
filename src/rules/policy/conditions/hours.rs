//! Hours of the week in a time zone: `Mon-Fri 07:00-19:00 Europe/Berlin`.

use std::{fmt, sync::Arc};

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::{clock::Wall, rules::written::nearest};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES: u16 = 24 * 60;

const FORM: &str = "write days, hours and a time zone: `Mon-Fri 07:00-19:00 Europe/Berlin`";

/// What is wrong, and how to mend it.
pub(in crate::rules::policy) type Fault = (String, String);

/// Some hours of some days of the week. Hours that end before they begin go on past midnight, into the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// On which days they begin, Monday first.
    pub days: [bool; 7],
    /// Minutes after midnight, included.
    pub from: u16,
    /// Minutes after midnight, not included; 1440 is midnight at the end of the day.
    pub to: u16,
    /// The name of the time zone, as the IANA database spells it.
    pub zone: Arc<str>,
    pub(in crate::rules::policy) rules: TimeZone,
}

impl Hours {
    /// Reads `Mon-Fri 07:00-19:00 Europe/Berlin`; days may be listed (`Mon,Wed-Fri`) or `daily`.
    ///
    /// # Errors
    /// With what is wrong, and how to mend it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [days, hours, zone] = parts.as_slice() else {
            return Err((format!("`{text}` are not hours of the week"), FORM.to_owned()));
        };
        let (from, to) = span(hours)?;
        let (zone, rules) = find_zone(zone)?;
        Ok(Self { days: parse_days(days)?, from, to, zone, rules })
    }

    /// Whether a point of time lies within.
    pub fn cover(&self, at: Wall) -> bool {
        // What no calendar has is in no hours.
        let Some(stamp) =
            i64::try_from(at.millis()).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
        else {
            return false;
        };
        let local = stamp.to_zoned(self.rules.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        self.cover_minute(day, minute)
    }

    /// Whether a minute of the week lies within: `day` from Monday (0), `minute` after midnight, in the hours' own zone.
    pub fn cover_minute(&self, day: usize, minute: u16) -> bool {
        let begins = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.from < self.to {
            return begins(day) && (self.from..self.to).contains(&minute);
        }
        begins(day) && minute >= self.from || begins(day + 6) && minute < self.to
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", spell_hours(self.days, self.from, self.to), self.zone)
    }
}

/// `Mon-Fri 07:00-19:00`.
pub(in crate::rules::policy) fn spell_hours(days: [bool; 7], from: u16, to: u16) -> String {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{} {}-{}", spell_days(days), clock(from), clock(to))
}

/// `Mon-Fri,Sun`.
fn spell_days(days: [bool; 7]) -> String {
    if days == [true; 7] {
        return "daily".to_owned();
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (day, _) in days.iter().enumerate().filter(|(_, on)| **on) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let name = |day: usize| DAYS.get(day).copied().unwrap_or_default();
    let spell = |(first, last): (usize, usize)| {
        if first == last { name(first).to_owned() } else { format!("{}-{}", name(first), name(last)) }
    };
    runs.into_iter().map(spell).collect::<Vec<_>>().join(",")
}

fn parse_days(text: &str) -> Result<[bool; 7], Fault> {
    if text == "daily" {
        return Ok([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // `Sat-Mon` goes over the end of the week.
        let count = (last + 7 - first) % 7;
        for step in 0..=count {
            if let Some(on) = days.get_mut((first + step) % 7) {
                *on = true;
            }
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<usize, Fault> {
    let found = DAYS.iter().position(|day| *day == text);
    found.ok_or_else(|| {
        let near = DAYS.iter().find(|day| text.to_ascii_lowercase().starts_with(&day.to_ascii_lowercase()));
        let help = near.map_or_else(
            || {
                "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun, ranges of them such as Mon-Fri, or `daily`"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        (format!("`{text}` is not a day of the week"), help)
    })
}

fn span(text: &str) -> Result<(u16, u16), Fault> {
    let fault = || (format!("`{text}` are not hours of the day"), "write them as `07:00-19:00`".to_owned());
    let (from, to) = text.split_once('-').ok_or_else(fault)?;
    let (from, to) = (minutes(from).ok_or_else(fault)?, minutes(to).ok_or_else(fault)?);
    if from == DAY_MINUTES {
        let what = format!("`{text}` begin when the day is over");
        return Err((what, format!("write `00:00-{:02}:{:02}`", to / 60, to % 60)));
    }
    if from == to {
        let help = "write `00:00-24:00` for the whole day".to_owned();
        return Err((format!("`{text}` begin when they end"), help));
    }
    Ok((from, to))
}

/// `07:30`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())?
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY_MINUTES).then_some(all)
}

/// From the zones that are compiled in, so that every machine answers alike.
pub(in crate::rules::policy) fn find_zone(name: &str) -> Result<(Arc<str>, TimeZone), Fault> {
    let zones = TimeZoneDatabase::bundled();
    if let Ok(zone) = zones.get(name) {
        let spelled: Arc<str> = zone.iana_name().unwrap_or(name).into();
        return Ok((spelled, zone));
    }
    let known: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
    let near = nearest(name, known.iter().map(String::as_str));
    let help = near.map_or_else(
        || "name one of the IANA database, such as `Europe/Berlin`, or `UTC`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err((format!("`{name}` is not a time zone"), help))
}
