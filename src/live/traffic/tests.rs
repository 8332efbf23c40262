use std::time::Duration;

use super::*;
use crate::rules::record::{Place, Said, tests::sample};

const NOON: Wall = Wall::from_secs(1_795_608_000);

fn record(at: Wall, said: Said, page: &str, country: &str) -> Record {
    let mut record = Record { at, ..sample("GET", "/users") };
    record.reply.said = said;
    record.reply.page = Some(Place { name: page.into(), file: "p".into(), line: 1 });
    record.client.country = Country::parse(country);
    record
}

#[test]
fn a_stretch_of_time_has_what_was_counted_in_it() {
    let traffic = Traffic::default();
    let minute = |n: u64| NOON.plus(Duration::from_secs(60 * n));
    for (at, said, page, country) in [
        (minute(0), Said::Allow, "a", "DE"),
        (minute(0), Said::Deny, "a", "DE"),
        (minute(2), Said::Deny, "b", "SE"),
        // From the queue, late.
        (minute(1), Said::Deny, "b", ""),
        (minute(59), Said::Allow, "a", "DE"),
    ] {
        traffic.count(&record(at, said, page, country));
    }
    let hour = traffic.last("panel", minute(59), 60, 1);
    let count = |requests, refused| Count { requests, refused };
    assert_eq!(hour.total, count(5, 3));
    assert_eq!(hour.bars.len(), 60);
    assert_eq!(hour.bars.first(), Some(&Bar { from: NOON, count: count(3, 2) }));
    assert_eq!(hour.bars.get(2).unwrap().count, count(1, 1));
    assert_eq!(hour.bars.last().unwrap().count, count(1, 0));
    assert_eq!(hour.reasons, [(Reason::RoleLacksAccess, 3)]);
    assert_eq!(hour.pages, [("b".into(), 2), ("a".into(), 1)]);
    let country = |code: &str, requests, refused| (Country::parse(code), count(requests, refused));
    assert_eq!(hour.countries, [country("DE", 3, 1), country("", 1, 1), country("SE", 1, 1)]);
    assert_eq!(traffic.last("panel", minute(60), 60, 1).total, count(2, 1), "the first minute is over");
    assert_eq!(traffic.last("panel", minute(60), 96, 15).total, count(5, 3));
    assert_eq!(traffic.last("other", minute(60), 96, 15).total, count(0, 0));
}

#[test]
fn a_day_is_all_that_is_remembered() {
    let traffic = Traffic::default();
    for hour in 0..100 {
        let at = NOON.plus(Duration::from_secs(3600 * hour));
        traffic.count(&record(at, Said::Deny, "a", "DE"));
    }
    let sites = traffic.0.lock().unwrap();
    assert_eq!(sites.values().next().unwrap().len(), 25);
}
