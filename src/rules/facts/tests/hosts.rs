//! R6: one spelling per host, exact match, no site for anything else.

use proptest::prelude::*;

use super::Sent;
use crate::rules::{
    facts::Host,
    reason::Reason,
    site::{Origin, Site, Sites},
};

fn parsed(text: &str) -> Option<String> {
    Host::parse(text.as_bytes()).ok().map(|host| host.to_string())
}

/// Rows 14, 29, 131.
#[test]
fn every_spelling_of_a_host_finds_the_same_site() {
    for authority in [
        "panel.example.com",
        "PANEL.example.com",
        "pAnEl.ExAmPlE.cOm",
        "panel.example.com.",
        "panel.example.com:443",
        "panel.example.com:80",
        "Panel.Example.Com.:443",
    ] {
        let (facts, site) = Sent { authority: authority.as_bytes(), ..Sent::default() }.describe().unwrap();
        assert_eq!((facts.host.as_str(), &*site.id), ("panel.example.com", "panel"), "{authority}");
    }
}

/// Row 29: the number of hosts changes nothing.
#[test]
fn one_host_is_found_among_ten_thousand() {
    for count in [1, 99, 100, 101, 10_000] {
        let sites = (0..count).map(|n| Site::sample(&format!("s{n}"), &[&format!("https://s{n}.example")]));
        let sites = Sites::new(sites.collect()).unwrap();
        let found = sites.find(&Host::parse(b"S0.Example.").unwrap()).unwrap();
        assert_eq!(&*found.id, "s0");
        assert!(sites.find(&Host::parse(b"sx.example").unwrap()).is_none());
    }
}

/// Row 136 (punycode that lenient mapping folds into another name) and ordinary strangers.
#[test]
fn other_hosts_are_unknown() {
    for authority in [
        "xn--panel-.example.com",
        "panel.example.com:8443",
        "panel.example.co",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "a.panel.example.com",
        "panel.example.com.evil.tld",
    ] {
        let sent = Sent { authority: authority.as_bytes(), ..Sent::default() };
        assert_eq!(sent.reason(), Some(Reason::UnknownHost), "{authority}");
    }
}

#[test]
fn what_is_not_a_host_is_malformed() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}e", "a.".repeat(127));
    let hosts = [
        "",
        ".",
        "..",
        ".example",
        "a..b",
        "example..",
        "user@example.com",
        "user:pw@example.com",
        "a/b",
        "a b",
        "a,b",
        "panel.example.com, evil.tld",
        "a?b",
        "a#b",
        "a\\b",
        "a%41",
        "a:",
        "a:0",
        "a:0443",
        "a:+443",
        "a:65536",
        "a:x",
        "a:1:2",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        "[::1]:",
        "[fe80::1%eth0]",
        "[1.2.3.4]",
        "[::1]:80:80",
        "é.example",
        "a\u{200b}b",
        "a\0b",
        "a\tb",
        "*.example",
        &long_label,
        &long_name,
    ];
    for host in hosts {
        assert_eq!(parsed(host), None, "{host:?}");
        assert_eq!(
            Sent { authority: host.as_bytes(), ..Sent::default() }.reason(),
            Some(Reason::Malformed),
            "{host:?}"
        );
    }
    assert!(Host::parse(b"\xff\xfe").is_err());
}

#[test]
fn addresses_and_ports_have_one_spelling() {
    let cases = [
        ("localhost:8443", "localhost:8443"),
        ("LOCALHOST.:8443", "localhost:8443"),
        ("[::1]:8443", "[::1]:8443"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::0:1]:443", "[2001:db8::1]"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("under_score.example", "under_score.example"),
    ];
    for (text, canonical) in cases {
        assert_eq!(parsed(text).as_deref(), Some(canonical));
    }
}

#[test]
fn origins_are_read_as_browsers_write_them() {
    let origin = |text: &str| Origin::parse(text).map(|origin| (origin.text.to_string(), origin.secure));
    assert_eq!(origin("https://Panel.Example.com"), Ok(("https://panel.example.com".into(), true)));
    assert_eq!(origin("https://panel.example.com:443"), Ok(("https://panel.example.com".into(), true)));
    assert_eq!(origin("HTTP://localhost:8080"), Ok(("http://localhost:8080".into(), false)));
    assert_eq!(origin("https://[::1]:8443"), Ok(("https://[::1]:8443".into(), true)));
    for wrong in [
        "",
        "panel.example.com",
        "//panel.example.com",
        "https:/panel",
        "https://",
        "https://panel.example.com/",
        "https://a?b",
        "https://a#b",
        "https://u@a",
        "ftp://a",
        "wss://a",
        "https://a:80",
        "http://a:443",
        "https://a b",
        "https://*.example",
        " https://a",
    ] {
        assert!(origin(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_canonical_host_is_its_own_canonical_form(
        text in "[a-zA-Z0-9_.\\[\\]:-]{0,30}|\\[[0-9a-f:]{2,12}\\](:[0-9]{1,5})?",
    ) {
        if let Ok(host) = Host::parse(text.as_bytes()) {
            prop_assert_eq!(Host::parse(host.as_str().as_bytes()), Ok(host.clone()));
            prop_assert!(host.as_str().len() <= 259);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_become_plain_text(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
        if let Ok(host) = Host::parse(&bytes) {
            prop_assert!(host.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.:[]".contains(&b)));
        }
    }
}
