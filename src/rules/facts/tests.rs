//! Tables of hostile requests, and properties that hold for all of them. Rows are those of the threat research.

mod credentials;
mod hosts;
mod keys;
mod nature;
mod targets;

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Ask, BadAsk, Door, Facts, Route};
use crate::rules::{
    address::{AddrSource, ClientAddr},
    reason::Reason,
    site::{Site, Sites},
};

const ROUTE: Route = Route {
    dialect: "edge",
    peer: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    forwarded_in: "x-forwarded-for",
};

const CLIENT: ClientAddr =
    ClientAddr { ip: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), from: AddrSource::Peer };

type Field = (&'static str, &'static [u8]);

fn sites() -> Sites {
    let mut panel = Site::sample("panel", &["https://panel.example.com", "https://localhost:8443"]);
    panel.credentials.issuers = vec![(
        "legacy".into(),
        vec!["panel_jwt".into()],
        vec!["authorization".into(), "X-Panel-Token".into(), "X-Api-Key".into()],
    )];
    Sites::new(vec![panel, Site::sample("other", &["https://other.example.com"])]).unwrap()
}

fn headers(fields: &[(&str, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    map
}

/// An ordinary request; tests change one thing about it.
struct Sent<'a> {
    scheme: &'a [u8],
    authority: &'a [u8],
    method: &'a [u8],
    target: &'a [u8],
    headers: HeaderMap,
}

impl Default for Sent<'_> {
    fn default() -> Self {
        Self {
            scheme: b"https",
            authority: b"panel.example.com",
            method: b"GET",
            target: b"/users/7?tab=2",
            headers: HeaderMap::new(),
        }
    }
}

impl Sent<'_> {
    fn describe(&self) -> Result<(Facts, Arc<Site>), BadAsk> {
        let ask = Ask {
            door: Door::Edge,
            scheme: self.scheme,
            authority: self.authority,
            method: self.method,
            target: self.target,
            client: CLIENT,
            route: ROUTE,
            headers: &self.headers,
        };
        Facts::new(&ask, &sites())
    }

    fn facts(&self) -> Facts {
        self.describe().unwrap().0
    }

    fn reason(&self) -> Option<Reason> {
        self.describe().err().map(|bad| bad.reason)
    }
}

#[test]
fn an_ordinary_request_is_described_whole() {
    let (facts, site) = Sent::default().describe().unwrap();
    assert_eq!(&*site.id, "panel");
    assert_eq!(facts.url(), "https://panel.example.com/users/7?tab=2");
    assert_eq!(facts.target.segments, ["users", "7"]);
    assert_eq!(facts.target.path(), "/users/7");
    assert_eq!(facts.target.query.as_deref(), Some("tab=2"));
    assert_eq!(facts.client, CLIENT);
    assert!(facts.is_safe());
}

#[test]
fn every_way_to_be_malformed_has_its_reason() {
    let cases: [(Sent<'_>, Reason); 7] = [
        (Sent { authority: b"unknown.example.com", ..Sent::default() }, Reason::UnknownHost),
        (Sent { authority: b"", ..Sent::default() }, Reason::Malformed),
        (Sent { scheme: b"gopher", ..Sent::default() }, Reason::Malformed),
        (Sent { scheme: b"https, http", ..Sent::default() }, Reason::Malformed),
        (Sent { method: b"", ..Sent::default() }, Reason::Malformed),
        (Sent { method: b"GET /", ..Sent::default() }, Reason::Malformed),
        (Sent { target: b"/a/../b", ..Sent::default() }, Reason::AmbiguousTarget),
    ];
    for (sent, reason) in cases {
        assert_eq!(sent.reason(), Some(reason), "{:?} {:?}", sent.authority, sent.method);
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_can_be_sent_makes_the_constructor_panic(
        scheme in proptest::collection::vec(proptest::num::u8::ANY, 0..8),
        authority in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        method in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        target in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
        cookie in proptest::collection::vec(b' '..=255, 0..80),
        authorization in proptest::collection::vec(b' '..=255, 0..40),
    ) {
        let key = [b"gate_".as_slice(), &authorization].concat();
        let fields: [(&str, Vec<u8>); 3] =
            [("cookie", cookie), ("authorization", authorization), ("x-api-key", key)];
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        let sites = sites();
        for (scheme, authority) in [(scheme.as_slice(), authority.as_slice()), (b"https", b"panel.example.com")] {
            let ask = Ask {
                door: Door::Sidecar, scheme, authority, method: &method, target: &target, client: CLIENT, route: ROUTE,
                headers: &headers,
            };
            let _ = Facts::new(&ask, &sites);
            let _ = Facts::new(&Ask { method: b"GET", ..ask }, &sites);
        }
    }
}
