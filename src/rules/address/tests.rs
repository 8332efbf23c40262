//! R1, R16, R17: who the client is.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::{
    AddrSource, ClientAddr, NetworkKey, TrustedProxies,
    proxy_protocol::{Parsed, parse},
    walk, walk_beyond,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn trusting(nets: &[&str]) -> TrustedProxies {
    TrustedProxies(nets.iter().map(|net| net.parse().unwrap()).collect())
}

fn client(address: &str, from: AddrSource) -> ClientAddr {
    ClientAddr { ip: ip(address), from }
}

/// Row 137.
#[test]
fn mapped_addresses_are_the_addresses_they_map() {
    for nets in [["10.0.0.0/8"], ["::ffff:10.0.0.0/104"]] {
        let trusted = trusting(&nets);
        assert!(trusted.contains(ip("10.1.2.3")) && trusted.contains(ip("::ffff:10.1.2.3")), "{nets:?}");
        assert!(!trusted.contains(ip("11.0.0.1")) && !trusted.contains(ip("::ffff:11.0.0.1")), "{nets:?}");
    }
    assert!(!trusting(&["::1/128"]).contains(ip("127.0.0.1")));
    assert!(!TrustedProxies::default().contains(ip("127.0.0.1")));
    assert_eq!(NetworkKey::of(ip("::ffff:192.0.2.7")), NetworkKey::of(ip("192.0.2.7")));
}

/// R16: an IPv6 client owns its /64.
#[test]
fn network_keys_are_32_and_64_bits() {
    assert_eq!(NetworkKey::of(ip("192.0.2.7")).0.to_string(), "192.0.2.7/32");
    assert_eq!(NetworkKey::of(ip("2001:db8:1:2:3:4:5:6")).0.to_string(), "2001:db8:1:2::/64");
    assert_eq!(NetworkKey::of(ip("2001:db8:1:2::1")), NetworkKey::of(ip("2001:db8:1:2:ffff::9")));
    assert_ne!(NetworkKey::of(ip("2001:db8:1:2::1")), NetworkKey::of(ip("2001:db8:1:3::1")));
    let wider = NetworkKey::of(ip("2001:db8:1:2::1")).wider().unwrap();
    assert_eq!(
        (wider.0.to_string(), wider.is_wider(), wider.wider()),
        ("2001:db8:1::/48".into(), true, None)
    );
    for v4 in ["192.0.2.7", "::ffff:192.0.2.7"].map(|text| NetworkKey::of(ip(text))) {
        assert_eq!((v4.wider(), v4.is_wider()), (None, false));
    }
}

/// Rows 2, 12: a stranger's headers say nothing.
#[test]
fn a_peer_that_is_not_trusted_is_the_client() {
    let forwarded: [&[u8]; 1] = [b"10.0.0.1"];
    let found = walk(ip("203.0.113.9"), &forwarded, &trusting(&["10.0.0.0/8"]));
    assert_eq!(found, client("203.0.113.9", AddrSource::Peer));
    assert_eq!(
        walk(ip("127.0.0.1"), &forwarded, &TrustedProxies::default()),
        client("127.0.0.1", AddrSource::Peer)
    );
}

#[test]
fn the_rightmost_untrusted_hop_is_the_client() {
    let trusted = trusting(&["127.0.0.0/8", "10.0.0.0/8", "2001:db8:aa::/48"]);
    let cases: [(&[&[u8]], &str, AddrSource); 14] = [
        (&[], "127.0.0.1", AddrSource::Unforwarded),
        (&[b"203.0.113.9"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"1.1.1.1, 203.0.113.9"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"1.1.1.1,203.0.113.9,10.0.0.2\t, 10.0.0.3"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"1.1.1.1", b"203.0.113.9"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"203.0.113.9:5000"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"[2001:db8::7]:5000, 10.0.0.1"], "2001:db8::7", AddrSource::Forwarded),
        (&[b"[2001:db8::7]"], "2001:db8::7", AddrSource::Forwarded),
        (&[b"2001:DB8:0::7, 2001:db8:aa::1"], "2001:db8::7", AddrSource::Forwarded),
        (&[b"::ffff:203.0.113.9"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"9.9.9.9, ::ffff:10.0.0.1"], "9.9.9.9", AddrSource::Forwarded),
        // All are trusted: the farthest.
        (&[b"10.0.0.9, 10.0.0.8"], "10.0.0.9", AddrSource::Forwarded),
        // What stands left of the client is nobody's business.
        (&[b"unknown, 203.0.113.9, 10.0.0.1"], "203.0.113.9", AddrSource::Forwarded),
        (&[b"\xff, 203.0.113.9"], "203.0.113.9", AddrSource::Forwarded),
    ];
    for (forwarded, address, from) in cases {
        assert_eq!(walk(ip("127.0.0.1"), forwarded, &trusted), client(address, from), "{forwarded:?}");
    }
}

/// Row 11: a hop that is no address stops the walk; it never lets somebody farther away be believed.
#[test]
fn a_malformed_hop_stops_the_walk_at_the_last_good_one() {
    let trusted = trusting(&["127.0.0.0/8", "10.0.0.0/8"]);
    for hop in [
        "a",
        "",
        " ",
        "unknown",
        "_hidden",
        "1.2.3.4.5",
        "1.2.3",
        "01.2.3.4",
        "::%eth0",
        "fe80::1%1",
        "[::1",
        "::1]",
        "[::1]x",
        "[::1]:",
        "[1.2.3.4]",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:+5",
        "1.2.3.4:70000",
        "1.2.3.4:5:6",
        "\"1.2.3.4\"",
        "for=1.2.3.4",
        "0x7f.1",
        "2130706433",
        "unix:",
        "localhost",
        "1.2.3.4 5.6.7.8",
        "1.2.3.4\0",
    ] {
        let alone = walk(ip("127.0.0.1"), &[hop.as_bytes()], &trusted);
        assert_eq!(alone, client("127.0.0.1", AddrSource::Stopped), "{hop:?}");
        let line = format!("203.0.113.9, {hop}, 10.0.0.5");
        let between = walk(ip("127.0.0.1"), &[line.as_bytes()], &trusted);
        assert_eq!(between, client("10.0.0.5", AddrSource::Stopped), "{hop:?}");
    }
    let huge = vec![b'1'; 4096];
    assert_eq!(walk(ip("127.0.0.1"), &[&huge], &trusted), client("127.0.0.1", AddrSource::Stopped));
}

#[test]
fn the_walk_goes_32_hops_far() {
    let trusted = trusting(&["10.0.0.0/8"]);
    let chain = |count: usize| format!("203.0.113.9{}", ", 10.0.0.2".repeat(count));
    assert_eq!(
        walk(ip("10.0.0.1"), &[chain(31).as_bytes()], &trusted),
        client("203.0.113.9", AddrSource::Forwarded)
    );
    assert_eq!(
        walk(ip("10.0.0.1"), &[chain(32).as_bytes()], &trusted),
        client("10.0.0.2", AddrSource::Stopped)
    );
}

#[test]
fn a_trusted_channel_is_walked_whatever_its_address() {
    let none = TrustedProxies::default();
    assert_eq!(
        walk_beyond(ip("127.0.0.1"), &[b"1.1.1.1, 9.9.9.9"], &none),
        client("9.9.9.9", AddrSource::Forwarded)
    );
}

/// Bytes that HAProxy 2.6 sent, with the client's first bytes behind them.
#[test]
fn headers_of_a_real_haproxy_are_read() {
    let captured: [(&[u8], &str); 2] = [
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 46368 60361\r\nhello", "127.0.0.1:46368"),
        (b"PROXY TCP6 ::1 ::1 48454 60361\r\nhello", "[::1]:48454"),
    ];
    let binary = [
        ("0d0a0d0a000d0a515549540a2111000c7f0000017f000001dd569a7768656c6c6f", "127.0.0.1:56662"),
        (
            "0d0a0d0a000d0a515549540a212100240000000000000000000000000000000100000000000000000000000000000001c5129a7768656c6c6f",
            "[::1]:50450",
        ),
        // proxy-v2-options crc32c,unique-id
        (
            "0d0a0d0a000d0a515549540a211100167f0000017f000001c936d453030004895e415a05000068656c6c6f",
            "127.0.0.1:51510",
        ),
        (CHECKED, "[::1]:48466"),
    ];
    let binary =
        binary.map(|(hex, source)| (data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(), source));
    let all = captured.iter().map(|(bytes, source)| (bytes.to_vec(), *source)).chain(binary);
    for (bytes, source) in all {
        let Parsed::Header { source: found, consumed } = parse(&bytes) else { panic!("{:?}", parse(&bytes)) };
        assert_eq!(found, Some(source.parse::<SocketAddr>().unwrap()));
        assert_eq!(&bytes[consumed..], b"hello", "row 111: nothing of the payload is taken");
        for cut in 0..consumed {
            assert_eq!(parse(&bytes[..cut]), Parsed::Incomplete, "{cut}");
        }
    }
}

const CHECKED: &str = "0d0a0d0a000d0a515549540a2121002e0000000000000000000000000000000100000000000000000000000000000001\
bd52d45303000477b8ec2005000068656c6c6f";

/// Row 111: every bit of a checked header counts.
#[test]
fn a_changed_header_does_not_pass_its_checksum() {
    let good = data_encoding::HEXLOWER.decode(CHECKED.as_bytes()).unwrap();
    for at in 16..good.len() - 5 {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            // Turning the checksum's own type into another one leaves a header without checksum.
            if at != 52 {
                assert!(
                    matches!(parse(&changed), Parsed::Bad(_)),
                    "byte {at} bit {bit}: {:?}",
                    parse(&changed)
                );
            }
        }
    }
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    bytes.extend(rest);
    bytes
}

#[test]
fn local_and_unknown_mean_the_socket_itself() {
    let own = |bytes: &[u8]| Parsed::Header { source: None, consumed: bytes.len() };
    for bytes in [
        v2(0x20, 0x00, b""),
        v2(0x20, 0x11, b"whatever"),
        v2(0x21, 0x00, b"\0\0\0"),
        v2(0x21, 0x31, &[b'x'; 216]),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff:f...f ffff:f...f 65535 65535\r\n".to_vec(),
    ] {
        assert_eq!(parse(&bytes), own(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_is_not_a_header_is_bad() {
    let mut long = b"PROXY TCP4 ".to_vec();
    long.resize(107, b'1');
    let tcp4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187];
    let with = |tlvs: &[u8]| v2(0x21, 0x11, &[&tcp4, tlvs].concat());
    let bad: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n".to_vec(),
        b"PROXX".to_vec(),
        b"\x16\x03\x01".to_vec(),
        b"\r\n\r\nG".to_vec(),
        long,
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443 9\r\n".to_vec(),
        b"PROXY TCP4  1.2.3.4 5.6.7.8 80 443\r\n".to_vec(),
        b"PROXY TCP4 ::1 ::1 80 443\r\n".to_vec(),
        b"PROXY TCP6 1.2.3.4 5.6.7.8 80 443\r\n".to_vec(),
        b"PROXY TCP6 fe80::1%1 ::1 80 443\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 080 443\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 +80 443\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80 65536\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 x 80 443\r\n".to_vec(),
        b"PROXY tcp4 1.2.3.4 5.6.7.8 80 443\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\n\r\n".to_vec(),
        b"PROXY \r\n".to_vec(),
        v2(0x11, 0x11, &tcp4),
        v2(0x22, 0x11, &tcp4),
        v2(0x21, 0x12, &tcp4),
        v2(0x21, 0x41, &tcp4),
        v2(0x21, 0x11, &tcp4[..11]),
        v2(0x21, 0x21, &tcp4),
        v2(0x21, 0x31, &tcp4),
        v2(0x21, 0x00, &[0; 521]),
        with(b"\x04"),
        with(b"\x04\0"),
        with(b"\x04\0\x02x"),
        with(b"\x03\0\x02xx"),
        with(b"\x03\0\x04\0\0\0\0"),
    ];
    for bytes in bad {
        assert!(matches!(parse(&bytes), Parsed::Bad(_)), "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(matches!(parse(&with(b"\x04\0\x01x")), Parsed::Header { source: Some(_), .. }));
    assert!(matches!(parse(&v2(0x21, 0x00, &[0; 520])), Parsed::Header { .. }));
}

fn hop() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u8..4, any::<u8>()).prop_map(|(net, host)| format!("10.{net}.0.{host}")),
        (0u8..4, any::<u8>()).prop_map(|(net, host)| format!("203.0.{net}.{host}")),
        Just("::ffff:10.0.0.1".to_owned()),
        Just("[2001:db8::1]:80".to_owned()),
        Just("junk".to_owned()),
        Just(String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_client_is_trusted_only_if_all_that_was_good_is(
        hops in prop::collection::vec(hop(), 0..40),
        split in 0usize..40,
    ) {
        let trusted = trusting(&["10.0.0.0/8"]);
        let split = split.min(hops.len());
        let (left, right) = (hops[..split].join(","), hops[split..].join(","));
        let lines: Vec<&[u8]> =
            [&left, &right].into_iter().filter(|line| !line.is_empty()).map(String::as_bytes).collect();
        let found = walk(ip("10.9.9.9"), &lines, &trusted);
        // The oracle: the hops, nearest first, up to the first that is not trusted.
        let joined = lines.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join(",");
        let mut expected = client("10.9.9.9", AddrSource::Unforwarded);
        for (index, hop) in joined.rsplit(',').enumerate().filter(|_| !joined.is_empty()) {
            let bare = hop.strip_prefix('[').and_then(|hop| hop.split(']').next()).unwrap_or(hop);
            let Ok(address) = bare.parse::<IpAddr>() else { expected.from = AddrSource::Stopped; break };
            if index == 32 { expected.from = AddrSource::Stopped; break }
            expected = ClientAddr { ip: address.to_canonical(), from: AddrSource::Forwarded };
            if !trusted.contains(address) { break }
        }
        prop_assert_eq!(found, expected, "{:?}", lines);
    }

    #[test]
    fn any_forwarded_bytes_are_walked_without_panic(
        line in prop::collection::vec(any::<u8>(), 0..60), peer in any::<[u8; 16]>(),
    ) {
        let trusted = trusting(&["0.0.0.0/0", "::/0"]);
        let _ = walk(IpAddr::from(peer), &[&line, &line], &trusted);
    }

    #[test]
    fn a_header_is_never_read_beyond_its_end(rest in prop::collection::vec(any::<u8>(), 0..80), v1 in any::<bool>()) {
        let start: &[u8] = if v1 { b"PROXY TCP4 " } else { b"\r\n\r\n\0\r\nQUIT\n\x21" };
        let bytes = [start, &rest].concat();
        if let Parsed::Header { source, consumed } = parse(&bytes) {
            prop_assert!(consumed <= bytes.len());
            prop_assert_eq!(parse(&bytes[..consumed]), Parsed::Header { source, consumed });
        }
    }

    #[test]
    fn any_first_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&bytes);
    }
}
