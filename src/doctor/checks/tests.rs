//! The checks against made-up observations, where the real proxies cannot be brought to show the fault; the others are
//! held by tests/it/doctor.

mod document;

use std::net::IpAddr;

use super::{
    super::observed::{Answer, Exchange, Observed, Tls},
    ALL, Look,
};
use crate::{
    app::admin::Sighting,
    rules::{
        address::AddrSource,
        facts::Scheme,
        record::{Record, tests::sample},
    },
};

/// Nothing was seen.
fn nothing() -> Observed {
    let unknown = || Err("not tried".to_owned());
    Observed {
        proxy: None,
        origin: "https://panel.example.com".into(),
        authority: "panel.example.com".into(),
        cookies: ["access".into(), "refresh".into()],
        token: String::new(),
        assertion: true,
        local: None,
        guest: None,
        inside: unknown(),
        view: unknown(),
        stand_in: unknown(),
        session: unknown(),
        tls: Tls { certificate: unknown(), old_version: unknown().map(|()| false), http2: false },
        plain: Err("not tried".into()),
        streamed: unknown().map(|()| false),
        exchanges: Vec::new(),
        others: Vec::new(),
        panel_listens: Err("not tried".into()),
        stranger: Err("not tried".into()),
        also: Vec::new(),
        remarks: Vec::new(),
    }
}

/// One probe, answered with this, and judged like this.
fn probed(name: &'static str, answer: Answer, change: impl FnOnce(&mut Record)) -> Observed {
    let target = format!("/pgdoctor-{name}");
    let mut record = sample("GET", &target);
    change(&mut record);
    let gate = vec![Sighting { target: target.clone(), record }];
    let exchange =
        Exchange { name, method: "GET".into(), target, answer: Ok(answer), gate, panel: Vec::new() };
    Observed { inside: Ok(()), exchanges: vec![exchange], ..nothing() }
}

fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Answer {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, fields, body: body.to_owned() }
}

fn look(code: &str, observed: &Observed) -> Look {
    let check = ALL.iter().find(|check| check.code == code).unwrap();
    (check.look)(observed)
}

fn finds(code: &str, observed: &Observed) -> bool {
    !look(code, observed).unwrap().is_empty()
}

#[test]
fn without_evidence_nothing_is_held_and_nothing_is_found() {
    let observed = nothing();
    for check in ALL.iter().filter(|check| check.code != "D001") {
        assert!((check.look)(&observed).is_err(), "{} concludes from nothing", check.code);
    }
    assert!(finds("D001", &observed));
}

#[test]
fn clocks_that_are_apart_are_found() {
    let at = |date: &str| probed("script", answer(401, &[("date", date)], ""), |_| {});
    assert!(finds("D006", &at("Thu, 01 Jan 1970 00:00:00 GMT")));
    let judged = sample("GET", "/").at.secs();
    let stamp = jiff::Timestamp::from_second(i64::try_from(judged).unwrap()).unwrap();
    let same = jiff::fmt::rfc2822::to_string(&stamp.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    assert!(!finds("D006", &at(&same)));
    assert!(look("D006", &at("yesterday")).is_err(), "a Date that cannot be read says nothing");
}

#[test]
fn one_address_for_everybody_is_found() {
    let from = |ip: &str, from: AddrSource| {
        let ip: IpAddr = ip.parse().unwrap();
        let observed = probed("click", answer(303, &[], ""), |record| {
            (record.client.ip, record.client.from) = (ip, from);
        });
        Observed { local: Some("192.0.2.7".parse().unwrap()), ..observed }
    };
    assert!(finds("D044", &from("127.0.0.1", AddrSource::Unforwarded)));
    assert!(finds("D044", &from("127.0.0.1", AddrSource::Forwarded)), "the proxy's own address");
    assert!(!finds("D044", &from("192.0.2.7", AddrSource::Forwarded)));
    assert!(!finds("D044", &from("198.51.100.1", AddrSource::Forwarded)), "translated on the way");
}

#[test]
fn lies_that_are_believed_are_found() {
    let honest = |name| probed(name, answer(401, &[], ""), |_| {});
    for (code, probe) in
        [("D030", "liefor"), ("D032", "liehost"), ("D034", "liemethod"), ("D036", "lieasked")]
    {
        assert!(!finds(code, &honest(probe)), "{code}");
        let believed = probed(probe, answer(401, &[], ""), |record| {
            record.client.ip = "203.0.113.9".parse().unwrap();
            record.asked.host = "doctor-lie.invalid".into();
            record.asked.method = "DOCTOR".into();
        });
        assert!(finds(code, &believed), "{code}");
    }
    let mut both = honest("click");
    both.exchanges.extend(honest("lieproto").exchanges);
    assert!(!finds("D031", &both));
    both.exchanges[1].gate[0].record.asked.scheme = Some(Scheme::Http);
    assert!(finds("D031", &both));
}

#[test]
fn a_websocket_that_is_judged_as_a_get_is_found() {
    assert!(finds("D045", &probed("websocket", answer(401, &[], ""), |_| {})));
    let upgrade = probed("websocket", answer(401, &[], ""), |record| record.asked.upgrade = true);
    assert!(!finds("D045", &upgrade));
}

#[test]
fn what_stands_open_is_found() {
    let listens = |addresses: &[&str]| Observed {
        panel_listens: Ok(addresses.iter().map(|address| address.parse().unwrap()).collect()),
        ..nothing()
    };
    assert!(!finds("D080", &listens(&["127.0.0.1:8080", "[::1]:8080"])));
    assert!(finds("D080", &listens(&["127.0.0.1:8080", "[::]:8080"])));
    let stranger = |status, body: &str| Observed { stranger: Ok(answer(status, &[], body)), ..nothing() };
    assert!(!finds("D081", &stranger(403, "{\"detail\":\"the peer is not a trusted proxy; list …\"}")));
    assert!(finds("D081", &stranger(401, "{\"sign_in_url\":\"https://panel.example.com/_gate/sign-in\"}")));
}

#[test]
fn the_plain_listener_has_to_lead_to_https_on_the_same_host() {
    let plain = |status, location: &str| Observed {
        plain: Ok(answer(status, &[("location", location)], "")),
        ..nothing()
    };
    assert!(!finds("D003", &plain(308, "https://panel.example.com/")));
    assert!(!finds("D003", &plain(301, "https://panel.example.com:8443/")), "another port is no other host");
    assert!(finds("D003", &plain(302, "https://elsewhere.example.com/")));
    assert!(finds("D003", &plain(200, "")));
}
