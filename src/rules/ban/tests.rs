//! R16: what is banned is what one client has, and never a proxy.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::{Ban, SHOWN_AFTER, Sight, Spared, Unbannable, Whom, list_name, parse, reason};
use crate::{
    clock::Wall,
    rules::{
        address::TrustedProxies,
        place::{Asn, Country, Places, Systems},
    },
};

fn networks(texts: &[&str]) -> TrustedProxies {
    TrustedProxies(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn r16_addresses_and_networks_are_read_in_one_spelling() {
    for (written, read) in [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.7/24 ", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::7/128", "2001:db8::7/128"),
    ] {
        assert_eq!(parse(written).unwrap().to_string(), read, "{written}");
    }
    for wrong in ["", "x", "203.0.113", "203.0.113.7/33", "203.0.113.7 or so", "fe80::1%eth0"] {
        assert!(matches!(parse(wrong), Err(Unbannable::Unreadable(_))), "{wrong}");
    }
    for wide in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3"] {
        assert!(matches!(parse(wide), Err(Unbannable::TooWide(_))), "{wide}");
    }
    assert_eq!(reason("  a scanner ").unwrap(), "a scanner");
    assert!(reason(&"x".repeat(201)).is_err() && reason("two\nlines").is_err());
}

#[test]
fn a_proxy_the_machine_itself_and_the_allow_list_cannot_be_banned() {
    let spared =
        Spared { proxies: networks(&["10.0.0.5/32", "10.1.0.0/16"]), allow: networks(&["198.51.100.0/24"]) };
    for (text, why) in [
        ("127.0.0.1", "this machine"),
        ("::1/128", "this machine"),
        ("::1", "this machine"),
        ("10.0.0.5", "trusts"),
        ("10.1.2.0/24", "trusts"),
        ("198.51.100.7", "bans.allow"),
    ] {
        let refused = spared.wish(text).unwrap_err();
        assert!(refused.to_string().contains(why), "{text}: {refused}");
        assert!(spared.contains(ip(text.split('/').next().unwrap())), "{text}");
    }
    let inside = spared.check("10.0.0.0/8".parse().unwrap()).unwrap();
    assert_eq!(inside.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.5/32", "10.1.0.0/16"]);
    assert!(
        spared.contains(ip("10.1.2.3")) && !spared.contains(ip("10.2.0.1")),
        "the list wins over the wider ban"
    );
    assert_eq!(spared.check("203.0.113.7/32".parse().unwrap()).unwrap(), []);
}

#[test]
fn a_ban_ends_by_its_time_and_is_shown_for_a_day() {
    let since = Wall::from_secs(1_000);
    let until = since.plus(Duration::from_secs(60));
    let ban = Ban {
        whom: parse("203.0.113.7").unwrap(),
        reason: String::new(),
        by: "uid 0".into(),
        since,
        until: Some(until),
    };
    assert!(ban.counts(Wall::from_secs(1_059)) && !ban.counts(until));
    assert!(!ban.is_forgotten(until) && ban.is_forgotten(until.plus(SHOWN_AFTER)));
    let ever = Ban { until: None, ..ban };
    assert!(
        ever.counts(Wall::from_secs(u64::MAX / 2000)) && !ever.is_forgotten(Wall::from_secs(u64::MAX / 2000))
    );
}

#[test]
fn countries_and_autonomous_systems_are_read_and_shown_in_one_spelling() {
    let de = Whom::Country(Country::parse("DE").unwrap());
    for (written, read, shown) in [
        ("country:DE", de, "country:DE"),
        (" Country: de ", de, "country:DE"),
        ("asn:64500", Whom::Asn(Asn(64500)), "asn:64500"),
        ("as:AS64500", Whom::Asn(Asn(64500)), "asn:64500"),
        ("ASN:4200000000", Whom::Asn(Asn(4_200_000_000)), "asn:4200000000"),
    ] {
        let whom = parse(written).unwrap();
        assert_eq!((whom, whom.to_string().as_str()), (read, shown), "{written}");
        assert_eq!(parse(shown), Ok(read), "what is shown can be typed");
    }
    let uk = parse("country:UK").unwrap_err().to_string();
    assert!(uk.contains("did you mean `GB`?"), "{uk}");
    for wrong in ["country:", "country:ZZ", "country:Germany", "country:é"] {
        assert!(matches!(parse(wrong), Err(Unbannable::Country { .. })), "{wrong}");
    }
    for wrong in ["asn:", "asn:0", "asn:+7", "asn:4294967296", "asn:AS", "as:é1"] {
        assert!(matches!(parse(wrong), Err(Unbannable::Asn(_))), "{wrong}");
    }
    assert!(matches!(parse("DE"), Err(Unbannable::Unreadable(_))), "a word alone is no country");
    assert!(parse("a5::1").is_ok(), "nor is an IPv6 address a scope");
}

/// Stores and processes from before there were other bans than of networks have these bytes.
#[test]
fn a_network_is_kept_as_it_was_before_there_were_countries() {
    for text in ["203.0.113.0/24", "2001:db8::/64"] {
        let network: IpNet = text.parse().unwrap();
        let bytes = postcard::to_allocvec(&network).unwrap();
        assert_eq!(postcard::to_allocvec(&Whom::Network(network)).unwrap(), bytes, "{text}");
        assert_eq!(postcard::from_bytes::<Whom>(&bytes).unwrap(), Whom::Network(network), "{text}");
    }
    for text in ["country:DE", "asn:64500"] {
        let whom = parse(text).unwrap();
        let bytes = postcard::to_allocvec(&whom).unwrap();
        assert_eq!(postcard::from_bytes::<Whom>(&bytes).unwrap(), whom);
        assert!(
            postcard::from_bytes::<IpNet>(&bytes).is_err(),
            "and is no network to who knows networks alone"
        );
    }
}

#[test]
fn a_country_can_be_banned_whoever_of_those_that_are_spared_is_in_it() {
    let spared = Spared { proxies: networks(&["81.2.69.142/32"]), allow: networks(&["89.160.20.0/24"]) };
    assert_eq!(spared.wish("country:GB").unwrap(), (parse("country:GB").unwrap(), vec![]));
    assert_eq!(spared.wish("asn:29518").unwrap(), (parse("asn:29518").unwrap(), vec![]));
    let sight = Sight { places: true, systems: false };
    let reached =
        ["203.0.113.0/24", "country:GB", "asn:29518"].map(|text| sight.reaches(&parse(text).unwrap()));
    assert_eq!(reached, [true, true, false]);
}

#[test]
fn what_is_not_known_of_an_address_is_not_banned() {
    let whom = parse("country:GB").unwrap();
    assert!(!whom.contains(ip("81.2.69.142"), &Places::default(), &Systems::default()));
    let network = parse("203.0.113.0/24").unwrap();
    assert!(network.contains(ip("::ffff:203.0.113.9"), &Places::default(), &Systems::default()));
}

#[test]
fn a_list_has_a_plain_name_that_no_account_can_have() {
    assert_eq!(list_name("firehol_level1").unwrap(), "list firehol_level1");
    for wrong in ["", "a b", "x\n", "../x", &"x".repeat(41)] {
        assert!(list_name(wrong).is_err(), "{wrong:?}");
    }
}
