use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::Bans;
use crate::{
    clock::Wall,
    rules::{
        ban::{Ban, Whom, parse},
        place::{Places, Systems},
    },
};

const NOW: Wall = Wall::from_secs(1_000);

fn ban(text: &str, until: Option<u64>) -> Ban {
    Ban {
        whom: parse(text).unwrap(),
        reason: String::new(),
        by: "uid 0".into(),
        since: Wall::from_secs(0),
        until: until.map(Wall::from_secs),
    }
}

fn find(bans: &Bans, ip: IpAddr, now: Wall) -> Option<std::sync::Arc<Ban>> {
    bans.find(ip, now, &Places::default(), &Systems::default())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn what_is_loaded_counts_until_it_is_gone_or_over() {
    let bans = Bans::default();
    bans.load(vec![ban("203.0.113.0/24", None), ban("198.51.100.7", Some(1_001)), ban("2001:db8::7", None)]);
    for inside in ["203.0.113.9", "::ffff:203.0.113.9", "198.51.100.7", "2001:db8::9999"] {
        assert!(find(&bans, ip(inside), NOW).is_some(), "{inside}");
    }
    for outside in ["203.0.114.1", "198.51.100.8", "2001:db8:0:1::7", "::203.0.113.9"] {
        assert!(find(&bans, ip(outside), NOW).is_none(), "{outside}");
    }
    assert!(find(&bans, ip("198.51.100.7"), Wall::from_secs(1_001)).is_none(), "it is over");
    assert_eq!((bans.counting(NOW), bans.counting(Wall::from_secs(1_001)), bans.all().len()), (3, 2, 3));

    bans.put(ban("203.0.113.9", None).into());
    bans.remove(&parse("203.0.113.0/24").unwrap());
    assert!(find(&bans, ip("203.0.113.9"), NOW).is_some() && find(&bans, ip("203.0.113.8"), NOW).is_none());
    bans.load(vec![ban("192.0.2.1", None)]);
    assert!(find(&bans, ip("203.0.113.9"), NOW).is_none() && find(&bans, ip("192.0.2.1"), NOW).is_some());
}

#[test]
fn a_narrow_ban_that_is_over_does_not_hide_a_wide_one_that_counts() {
    let bans = Bans::default();
    bans.load(vec![ban("203.0.113.0/24", None), ban("203.0.113.9", Some(1))]);
    assert_eq!(find(&bans, ip("203.0.113.9"), NOW).unwrap().whom, parse("203.0.113.0/24").unwrap());
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip").join(name))
        .unwrap()
}

/// 81.2.69.142 is in GB, 89.160.20.112 in SE and of AS29518, 1.128.0.1 of AS1221 and in no country.
#[test]
fn a_country_and_an_autonomous_system_are_banned_as_far_as_they_are_known() {
    let places = Places::parse(data("GeoLite2-City-Test.mmdb")).unwrap();
    let systems = Systems::parse(data("GeoLite2-ASN-Test.mmdb")).unwrap();
    let bans = Bans::default();
    let found = |bans: &Bans, text: &str| {
        bans.find(ip(text), NOW, &places, &systems).map(|ban| ban.whom.to_string()).unwrap_or_default()
    };
    bans.load(vec![ban("country:GB", None), ban("asn:1221", Some(2_000)), ban("country:SE", Some(1))]);
    for (text, by) in [
        ("81.2.69.142", "country:GB"),
        ("::ffff:81.2.69.142", "country:GB"),
        ("1.128.0.1", "asn:1221"),
        ("89.160.20.112", ""),
        ("203.0.113.9", ""),
        ("127.0.0.1", ""),
    ] {
        assert_eq!(found(&bans, text), by, "{text}");
    }
    assert!(find(&bans, ip("81.2.69.142"), NOW).is_none(), "without a database nothing is known");
    assert!(bans.find(ip("1.128.0.1"), Wall::from_secs(2_000), &places, &systems).is_none(), "it is over");
    assert_eq!((bans.counting(NOW), bans.all().len()), (2, 3));

    bans.put(ban("81.2.69.0/24", None).into());
    assert_eq!(found(&bans, "81.2.69.142"), "81.2.69.0/24", "a network is looked at first");
    for whom in ["country:GB", "asn:1221", "81.2.69.0/24"] {
        let whom = parse(whom).unwrap();
        assert!(bans.get(&whom).is_some());
        bans.remove(&whom);
        assert!(bans.get(&whom).is_none());
    }
    assert!(found(&bans, "81.2.69.142").is_empty() && found(&bans, "1.128.0.1").is_empty());
    bans.load(vec![ban("asn:1221", None)]);
    assert_eq!(bans.all().len(), 1, "what is not loaded is gone");
}

fn network() -> impl Strategy<Value = (IpAddr, u8)> {
    prop_oneof![
        (0_u32..64, 24_u8..=32).prop_map(|(low, bits)| (Ipv4Addr::from(0xcb00_7100 | low).into(), bits)),
        (0_u128..8, 0_u128..8, 56_u8..=128).prop_map(|(high, low, bits)| (
            Ipv6Addr::from((0x2001_0db8 << 96) | (high << 64) | low).into(),
            bits
        )),
    ]
}

proptest! {
    /// The prefix set against looking at every ban.
    #[test]
    fn the_look_up_finds_what_a_walk_over_all_bans_finds(
        made in proptest::collection::vec((network(), any::<bool>()), 0..20),
        lifted in proptest::collection::vec(any::<bool>(), 20),
        (asked, _) in network(),
    ) {
        let bans = Bans::default();
        let mut all: std::collections::BTreeMap<Whom, Ban> = std::collections::BTreeMap::new();
        for ((ip, bits), over) in made {
            let one = ban(&format!("{ip}/{bits}"), over.then_some(1));
            bans.put(one.clone().into());
            all.insert(one.whom, one);
        }
        let gone: Vec<_> = all.keys().copied().zip(lifted).filter(|(_, gone)| *gone).map(|(net, _)| net).collect();
        for network in gone {
            bans.remove(&network);
            all.remove(&network);
        }
        let expected = all.values().any(|ban| ban.whom.network().unwrap().contains(&asked) && ban.counts(NOW));
        prop_assert_eq!(find(&bans, asked, NOW).is_some(), expected);
    }
}
