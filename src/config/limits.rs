//! The `limits`, `lockout` and `bans` sections.

use std::{
    net::IpAddr,
    num::{NonZeroU32, TryFromIntError},
    time::Duration,
};

use ipnet::IpNet;

use super::read::CODES;
use crate::{
    live::Quotas,
    rules::{
        failures::{CALM, Lockout, Patience, Steps},
        limit::Quota,
        traps::Traps,
        written::{self, Fields, Findings, Written},
    },
};

const SECOND: Duration = Duration::from_secs(1);
/// Nobody waits longer than until what was counted is forgotten.
const LONGEST_WAIT: Duration = CALM;
/// NIST SP 800-63B-4 §3.2.2.
const HIGHEST_STOP: u32 = 100;

/// `limits`.
pub(super) fn quotas(fields: &mut Fields<'_>, found: &mut Findings) -> Quotas {
    let mut section = fields.sub("limits", found);
    let mut read = |key: &'static str, count: u32, seconds: u64| {
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let standard = Quota { count, per: Duration::from_secs(seconds) };
        section.as_mut().and_then(|section| quota(section, key, found)).unwrap_or(standard)
    };
    let quotas = Quotas {
        request: read("requests", 1200, 60),
        sign_in: read("sign_in", 20, 60),
        second_factor: read("second_factor", 60, 15 * 60),
        refresh: read("refresh", 120, 60),
        portal: read("portal_api", 300, 60),
        account: read("account", 2400, 60),
        key: read("api_key", 600, 60),
    };
    if let Some(section) = section {
        section.finish(found);
    }
    quotas
}

/// `lockout` and `bans`: whom no ban reaches, the traps, and how failures are answered.
pub(super) fn failures(fields: &mut Fields<'_>, found: &mut Findings) -> (Vec<IpNet>, Traps, Lockout) {
    let standard = Lockout::default();
    let mut lockout = match fields.sub("lockout", found) {
        None => standard,
        Some(mut section) => {
            let read = Lockout {
                password: steps(&mut section, "sign_in", standard.password, found),
                factor: steps(&mut section, "second_factor", standard.factor, found),
                known_for: section
                    .duration("known_for", SECOND, found)
                    .map_or(standard.known_for, |written| written.value),
                network: standard.network,
            };
            section.finish(found);
            read
        }
    };
    let Some(mut section) = fields.sub("bans", found) else { return (vec![], Traps::default(), lockout) };
    let allow = section.texts("allow", found);
    let allow = allow.iter().filter_map(|text| network(text, found)).collect();
    lockout.network = patience(&mut section, lockout.network, found);
    let traps = traps(&mut section, found);
    section.finish(found);
    (allow, traps, lockout)
}

fn steps(section: &mut Fields<'_>, key: &'static str, standard: Steps, found: &mut Findings) -> Steps {
    let Some(mut fields) = section.sub(key, found) else { return standard };
    let steps = Steps {
        free: number(&mut fields, "free", HIGHEST_STOP, found).unwrap_or(standard.free),
        waits: durations(&mut fields, "waits", LONGEST_WAIT, found).unwrap_or(standard.waits),
        stop: number(&mut fields, "stop", HIGHEST_STOP, found).unwrap_or(standard.stop),
    };
    fields.finish(found);
    steps
}

fn patience(section: &mut Fields<'_>, standard: Patience, found: &mut Findings) -> Patience {
    let failures = quota(section, "failures", found);
    let lasts = durations(section, "lasts", Duration::MAX, found);
    Patience {
        failures: failures.map_or(standard.failures, |quota| quota.count.get()),
        per: failures.map_or(standard.per, |quota| quota.per),
        bans: lasts.unwrap_or(standard.bans),
    }
}

/// An empty list is a wish: no traps.
fn traps(section: &mut Fields<'_>, found: &mut Findings) -> Traps {
    let standard = Traps::default();
    let lasts = section.duration("trap_for", SECOND, found).map_or(standard.lasts, |written| written.value);
    if section.get("traps").is_none() {
        return standard.lasting(lasts);
    }
    let mut traps = Traps::none(lasts);
    for text in section.texts("traps", found) {
        if let Err((what, help)) = traps.set(text.value) {
            found.error(CODES.value, &text.at, format!("`{}` is no trap: {what}", text.value), help);
        }
    }
    traps
}

fn quota(section: &mut Fields<'_>, key: &'static str, found: &mut Findings) -> Option<Quota> {
    let text = section.text(key, found)?;
    let quota = Quota::parse(text.value);
    quota.map_err(|error| found.error(CODES.value, &text.at, error.to_string(), "write `600/min`")).ok()
}

fn number(fields: &mut Fields<'_>, key: &'static str, most: u32, found: &mut Findings) -> Option<u32> {
    let count = fields.count(key, found)?;
    let number: Result<u32, TryFromIntError> = count.value.try_into();
    let number = number.ok().filter(|number| *number <= most);
    if number.is_none() {
        let what = format!("`{key}` is more than {most}");
        found.error(CODES.value, &count.at, what, format!("write a number from 1 to {most}"));
    }
    number
}

/// A list of durations, of which the last goes on.
fn durations(
    fields: &mut Fields<'_>,
    key: &'static str,
    most: Duration,
    found: &mut Findings,
) -> Option<Vec<Duration>> {
    let texts = fields.texts(key, found);
    let read = |text: &Written<&str>| {
        let value = written::duration(text, key, SECOND, CODES, found)?;
        if value > most {
            let most = written::spell_duration(most);
            let what = format!("`{}` is longer than {most}", text.value);
            found.error(CODES.value, &text.at, what, format!("the longest that works is {most}"));
            return None;
        }
        Some(value)
    };
    let values: Vec<Duration> = texts.iter().filter_map(read).collect();
    (!values.is_empty()).then_some(values)
}

fn network(text: &Written<&str>, found: &mut Findings) -> Option<IpNet> {
    let network = text.value.parse::<IpNet>();
    let network = network.or_else(|_| text.value.parse::<IpAddr>().map(IpNet::from)).ok();
    if network.is_none() {
        let what = format!("`{}` is not a network", text.value);
        found.error(CODES.value, &text.at, what, "write `198.51.100.7` or `2001:db8::/32`");
    }
    network
}
