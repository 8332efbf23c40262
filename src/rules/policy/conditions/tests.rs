use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::rules::{
    address::{AddrSource, ClientAddr, TrustedProxies, walk},
    place::Country,
};

fn manner(method: &str) -> Manner<'_> {
    Manner { method, upgrade: false, method_override: false }
}

fn wall(text: &str) -> Wall {
    let stamp: jiff::Timestamp = text.parse().unwrap();
    Wall::from_millis(u64::try_from(stamp.as_millisecond()).unwrap())
}

fn scene(client: Option<&str>, country: Option<&str>) -> Circumstances {
    Circumstances {
        client: client.map(|ip| ip.parse().unwrap()),
        country: country.map(|code| Country::parse(code).unwrap()),
        at: wall("2026-11-25T12:00:00Z"),
    }
}

fn networks(texts: &[&str]) -> Conditions {
    let networks = texts.iter().map(|text| text.parse().unwrap()).collect();
    Conditions { networks: Some(networks), ..Conditions::default() }
}

#[test]
fn networks_are_met_from_inside_alone_r17() {
    let office = networks(&["10.0.0.0/8", "2001:db8::/32"]);
    for inside in ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "2001:db8::1"] {
        assert_eq!(office.unmet(&scene(Some(inside), None), manner("GET")), None, "{inside}");
    }
    for outside in ["11.0.0.0", "9.255.255.255", "2001:db9::1", "::1", "::a00:1"] {
        let unmet = office.unmet(&scene(Some(outside), None), manner("GET"));
        assert_eq!(unmet, Some(Reason::OutsideNetworks), "{outside}");
    }
    assert_eq!(office.unmet(&scene(None, None), manner("GET")), Some(Reason::OutsideNetworks));
}

#[test]
fn an_address_that_stands_for_somebody_else_is_not_certain_r17() {
    let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    let found = |forwarded: &[&[u8]]| walk(proxy, forwarded, &trusted);
    for broken in [&b"unknown"[..], b"203.0.113.9, ", b"a", b"1.2.3.4.5", b"::%eth0", b"\0", b""] {
        let client = found(&[broken]);
        assert_eq!((client.from, client.certain()), (AddrSource::Stopped, None), "{broken:?}");
    }
    assert_eq!((found(&[]).from, found(&[]).certain()), (AddrSource::Unforwarded, None));
    let client = found(&[b"203.0.113.9"]);
    assert_eq!(client.certain(), Some("203.0.113.9".parse().unwrap()));
    let stranger: IpAddr = "198.51.100.7".parse().unwrap();
    let direct = walk(stranger, &[b"10.9.9.9"], &trusted);
    assert_eq!(direct, ClientAddr { ip: stranger, from: AddrSource::Peer });
    assert_eq!(direct.certain(), Some(stranger));
}

#[test]
fn countries_are_met_only_when_the_country_is_known_r17() {
    let [de, se] = ["DE", "SE"].map(|code| Country::parse(code).unwrap());
    let north = Conditions { countries: Some(vec![de, se]), ..Conditions::default() };
    let unmet = |country| north.unmet(&scene(Some("192.0.2.1"), country), manner("GET"));
    assert_eq!(unmet(Some("SE")), None);
    assert_eq!(unmet(Some("NO")), Some(Reason::OutsideCountries));
    assert_eq!(unmet(None), Some(Reason::OutsideCountries));
}

#[test]
fn hours_follow_the_clocks_of_their_zone_through_both_changes() {
    let office = Hours::parse("Mon-Fri 07:00-19:00 Europe/Berlin").unwrap();
    let table = [
        ("2026-11-25T05:59:59Z", false),
        ("2026-11-25T06:00:00Z", true),
        ("2026-11-25T17:59:59Z", true),
        ("2026-11-25T18:00:00Z", false),
        // Summer time: 07:00 is 05:00 UTC.
        ("2026-07-01T05:00:00Z", true),
        ("2026-07-01T04:59:00Z", false),
        // Saturday, and Monday after the change in autumn.
        ("2026-10-24T10:00:00Z", false),
        ("2026-10-26T05:59:00Z", false),
        ("2026-10-26T06:00:00Z", true),
    ];
    for (at, within) in table {
        assert_eq!(office.cover(wall(at)), within, "{at}");
    }
    assert!(!office.cover(Wall::NEVER));
}

#[test]
fn hours_past_midnight_belong_to_the_day_on_which_they_begin() {
    let night = Hours::parse("Fri 22:00-06:00 UTC").unwrap();
    let table = [
        ("2026-11-27T21:59:00Z", false),
        ("2026-11-27T22:00:00Z", true),
        ("2026-11-28T05:59:00Z", true),
        ("2026-11-28T06:00:00Z", false),
        ("2026-11-27T03:00:00Z", false),
    ];
    for (at, within) in table {
        assert_eq!(night.cover(wall(at)), within, "{at}");
    }
    let sunday = Hours::parse("Sun 23:00-01:00 UTC").unwrap();
    assert!(sunday.cover(wall("2026-11-30T00:30:00Z")), "over the end of the week");
}

#[test]
fn methods_are_the_named_ones_and_what_overrides_its_method_has_none_r36() {
    let looks = Conditions { methods: Some(vec!["GET".into(), "WEBSOCKET".into()]), ..Conditions::default() };
    let unmet = |manner| looks.unmet(&scene(None, None), manner);
    assert_eq!(unmet(manner("GET")), None);
    assert_eq!(unmet(manner("HEAD")), None);
    assert_eq!(unmet(Manner { upgrade: true, ..manner("GET") }), None);
    for method in ["POST", "get", "WEBSOCKET", "OPTIONS"] {
        assert_eq!(unmet(manner(method)), Some(Reason::MethodNotAllowed), "{method}");
    }
    assert_eq!(unmet(Manner { method_override: true, ..manner("GET") }), Some(Reason::MethodNotAllowed));
    let plain = Conditions { methods: Some(vec!["GET".into()]), ..Conditions::default() };
    let upgrade = Manner { upgrade: true, ..manner("GET") };
    assert_eq!(plain.unmet(&scene(None, None), upgrade), Some(Reason::MethodNotAllowed));
}

#[test]
fn hours_that_are_misspelt_say_how_to_mend_them() {
    let table = [
        ("Mon-Fri 07:00-19:00", "write days, hours and a time zone: `Mon-Fri 07:00-19:00 Europe/Berlin`"),
        ("Monday 07:00-19:00 UTC", "did you mean `Mon`?"),
        ("mon 07:00-19:00 UTC", "did you mean `Mon`?"),
        ("Mon 7-19 UTC", "write them as `07:00-19:00`"),
        ("Mon 07:00-24:01 UTC", "write them as `07:00-19:00`"),
        ("Mon 07:60-08:00 UTC", "write them as `07:00-19:00`"),
        ("Mon 00:00-00:00 UTC", "write `00:00-24:00` for the whole day"),
        ("Mon 07:00-19:00 Europe/Berlni", "did you mean `Europe/Berlin`?"),
    ];
    for (text, help) in table {
        assert_eq!(Hours::parse(text).unwrap_err().1, help, "{text}");
    }
    assert_eq!(Country::hint("UK"), "did you mean `GB`?");
    assert_eq!(Country::hint("de"), "did you mean `DE`?");
}

proptest! {
    #[test]
    fn hours_that_are_spelt_out_mean_the_same(
        mut days in prop::array::uniform7(any::<bool>()),
        first in 0_usize..7,
        from in 0_u16..1440,
        to in 0_u16..=1440,
        day in 0_usize..7,
        minute in 0_u16..1440,
    ) {
        prop_assume!(from != to);
        days[first] = true;
        let hours = Hours { days, from, to, ..Hours::parse("daily 00:00-24:00 UTC").unwrap() };
        let again = Hours::parse(&hours.to_string()).unwrap();
        prop_assert_eq!(&again, &hours);
        // Monday 2026-11-23, minute by minute from the beginning of the hours.
        let at = wall("2026-11-23T00:00:00Z").millis() + (day as u64 * 1440 + u64::from(minute)) * 60_000;
        let length = if to > from { to - from } else { 1440 - from + to };
        let naive = (0..8).any(|back| {
            let begin = (i64::try_from(day).unwrap() - back) * 1440 + i64::from(from);
            let now = i64::try_from(day).unwrap() * 1440 + i64::from(minute);
            let begins = usize::try_from((i64::try_from(day).unwrap() - back).rem_euclid(7)).unwrap();
            days[begins] && (begin..begin + i64::from(length)).contains(&now)
        });
        prop_assert_eq!(hours.cover(Wall::from_millis(at)), naive);
    }
}
