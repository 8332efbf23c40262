//! R16: what is banned is what one client has, and never a proxy.

use std::{net::IpAddr, time::Duration};

use super::{Ban, SHOWN_AFTER, Spared, Unbannable, parse, reason};
use crate::{clock::Wall, rules::address::TrustedProxies};

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
