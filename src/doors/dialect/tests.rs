//! R1, R2, R3, R6, R9, R26: what each proxy can ask, and what each can be told. One request through every dialect.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, request::Parts};
use proptest::prelude::*;

use super::{Answer, Caller, Dialect, DialectError};
use crate::{
    gate::RefusalKind,
    rules::{
        address::{AddrSource, TrustedProxies},
        facts::{BadAsk, Facts},
        outcome::DecisionId,
        reason::Reason,
        site::{Site, Sites},
    },
};

const ALL: [Dialect; 4] = [Dialect::AuthRequest, Dialect::ForwardAuth, Dialect::ExtAuthz, Dialect::Portal];
const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The client's request, before a proxy puts it into the words of a dialect.
#[derive(Clone, Copy)]
struct Client<'a> {
    scheme: &'a str,
    host: &'a [u8],
    method: &'a str,
    target: &'a [u8],
    forwarded_for: &'a [u8],
}

const CLIENT: Client<'static> = Client {
    scheme: "https",
    host: b"panel.example.com",
    method: "POST",
    target: b"/users/7?tab=2",
    forwarded_for: b"203.0.113.9",
};

const DECISION: DecisionId = DecisionId([7; 5]);

/// The line and fields that the proxy sends; `None` when the line itself cannot carry the target.
fn asked(dialect: Dialect, client: Client<'_>) -> Option<Parts> {
    let text = std::str::from_utf8(client.target).ok();
    let (method, line) = match dialect {
        Dialect::AuthRequest => ("GET", "/api/authz/auth-request".to_owned()),
        Dialect::ForwardAuth => ("GET", "/api/authz/forward-auth".to_owned()),
        Dialect::ExtAuthz => (client.method, format!("/api/authz/ext-authz{}", text?)),
        Dialect::Portal => (client.method, text?.to_owned()),
    };
    let mut request = Request::builder().method(method).uri(line);
    for (name, value) in fields(dialect, client) {
        request = request.header(name, value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fn fields(dialect: Dialect, client: Client<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let proto = ("x-forwarded-proto", client.scheme.as_bytes().to_vec());
    let from = ("x-forwarded-for", client.forwarded_for.to_vec());
    match dialect {
        Dialect::AuthRequest => {
            let url = [client.scheme.as_bytes(), b"://", client.host, client.target].concat();
            vec![("x-original-url", url), ("x-original-method", client.method.into()), from]
        }
        Dialect::ForwardAuth => vec![
            ("x-forwarded-method", client.method.into()),
            proto,
            ("x-forwarded-host", client.host.to_vec()),
            ("x-forwarded-uri", client.target.to_vec()),
            from,
        ],
        Dialect::ExtAuthz => vec![("host", client.host.to_vec()), proto, from],
        Dialect::Portal => vec![proto, ("x-forwarded-host", client.host.to_vec()), from],
    }
}

fn trusting() -> TrustedProxies {
    TrustedProxies(vec!["127.0.0.1/32".parse().unwrap()])
}

fn error(dialect: Dialect, parts: &Parts) -> Option<DialectError> {
    dialect.ask(parts, &Caller { peer: PROXY, channel_trusted: false, trusted: &trusting() }).err()
}

fn facts(dialect: Dialect, parts: &Parts) -> Result<Facts, BadAsk> {
    let sites = Sites::new(vec![Site::sample("panel", &["https://panel.example.com"])]).unwrap();
    let trusted = trusting();
    let ask = dialect.ask(parts, &Caller { peer: PROXY, channel_trusted: false, trusted: &trusted }).unwrap();
    Facts::new(&ask, &sites).map(|(facts, _)| facts)
}

#[test]
fn endpoints_are_matched_exactly() {
    let cases = [
        ("/api/authz/auth-request", Some(Dialect::AuthRequest)),
        ("/api/authz/forward-auth", Some(Dialect::ForwardAuth)),
        ("/api/authz/ext-authz/", Some(Dialect::ExtAuthz)),
        ("/api/authz/ext-authz//x", Some(Dialect::ExtAuthz)),
        ("/_gate/sign-in", Some(Dialect::Portal)),
    ];
    for (path, dialect) in cases {
        assert_eq!(Dialect::of(path), dialect, "{path}");
    }
    for path in [
        "/",
        "",
        "/api/authz/",
        "/api/authz/auth-request/",
        "/api/authz/auth-requests",
        "/API/authz/auth-request",
        "/api/authz/ext-authz",
        "/api/authz/ext-authzx",
        "/_gate",
        "/_gatex/",
        "//_gate/",
        "/x/_gate/",
        "/api/authz/nginx",
    ] {
        assert_eq!(Dialect::of(path), None, "{path}");
    }
}

#[test]
fn every_dialect_describes_the_same_request() {
    for dialect in ALL {
        let found = facts(dialect, &asked(dialect, CLIENT).unwrap()).unwrap();
        assert_eq!(found.url(), "https://panel.example.com/users/7?tab=2", "{dialect:?}");
        assert_eq!(&*found.method, "POST", "{dialect:?}");
        assert_eq!(found.client.ip.to_string(), "203.0.113.9", "{dialect:?}");
        assert_eq!(found.client.from, AddrSource::Forwarded, "{dialect:?}");
    }
}

/// Rows 5–9, 13–16, 22–30, 39 through every dialect.
#[test]
fn hostile_targets_are_refused_whoever_asks() {
    for target in [
        &b"/x/../admin"[..],
        b"/public/..;/admin",
        b"/%2e%2e/admin",
        b"/api/..%2fadmin",
        b"/%252e%252e%252fadmin",
        b"/x%5c..%5cadmin",
        b"/x\\admin",
        b"/a%00b",
        b"/caf\xc3\xa9",
        b"/a%zz",
    ] {
        for dialect in ALL {
            let Some(parts) = asked(dialect, Client { target, ..CLIENT }) else { continue };
            let reason = facts(dialect, &parts).unwrap_err().reason;
            assert_eq!(reason, Reason::AmbiguousTarget, "{dialect:?} {}", String::from_utf8_lossy(target));
        }
    }
    // The HTTP library cuts a fragment off the request line, so this is for the dialects that carry it in a field.
    for dialect in [Dialect::AuthRequest, Dialect::ForwardAuth] {
        let parts = asked(dialect, Client { target: b"/public#/../admin", ..CLIENT }).unwrap();
        assert_eq!(facts(dialect, &parts).unwrap_err().reason, Reason::AmbiguousTarget);
    }
}

/// Row 26: a path that starts with two slashes is not an authority.
#[test]
fn a_double_slash_stays_in_the_path() {
    for dialect in ALL {
        let parts = asked(dialect, Client { target: b"//evil.tld/secret", ..CLIENT }).unwrap();
        let found = facts(dialect, &parts).unwrap();
        assert_eq!(
            (found.host.as_str(), found.target.path().as_str()),
            ("panel.example.com", "//evil.tld/secret")
        );
    }
}

/// Row 14, and hosts that no site has.
#[test]
fn hosts_are_canonical_whoever_asks() {
    for dialect in ALL {
        let found =
            facts(dialect, &asked(dialect, Client { host: b"PANEL.Example.com.:443", ..CLIENT }).unwrap());
        assert_eq!(found.unwrap().host.as_str(), "panel.example.com", "{dialect:?}");
        let other = facts(dialect, &asked(dialect, Client { host: b"evil.tld", ..CLIENT }).unwrap());
        assert_eq!(other.unwrap_err().reason, Reason::UnknownHost, "{dialect:?}");
        let joined = facts(
            dialect,
            &asked(dialect, Client { host: b"panel.example.com, evil.tld", ..CLIENT }).unwrap(),
        );
        assert_eq!(joined.unwrap_err().reason, Reason::Malformed, "{dialect:?}");
    }
}

/// R2, rows 31, 32: a needed field that is absent, empty or doubled denies, and says which and how to mend it.
#[test]
fn each_needed_field_is_needed_exactly_once() {
    for dialect in ALL {
        for (name, value) in fields(dialect, CLIENT) {
            let whole = asked(dialect, CLIENT).unwrap();
            let mut without = whole.clone();
            without.headers.remove(name);
            assert!(
                matches!(error(dialect, &without), Some(DialectError::Missing { name: found, mend })
                    if found.eq_ignore_ascii_case(name) && !mend.is_empty()),
                "{dialect:?} {name}"
            );
            let mut empty = whole.clone();
            empty.headers.insert(name, HeaderValue::from_static(""));
            assert!(
                matches!(error(dialect, &empty), Some(DialectError::Missing { .. })),
                "{dialect:?} {name}"
            );
            for second in [value, b"/public".to_vec()] {
                let mut doubled = whole.clone();
                doubled.headers.append(name, HeaderValue::from_bytes(&second).unwrap());
                assert!(
                    matches!(error(dialect, &doubled), Some(DialectError::Doubled { name: found, .. })
                        if found.eq_ignore_ascii_case(name)),
                    "{dialect:?} {name}"
                );
            }
        }
    }
}

/// Rows 1, 2, 17, 19–21: fields of other dialects, foreign families and aliases change nothing.
#[test]
fn foreign_fields_and_aliases_are_ignored() {
    let families = [
        "x-original-url",
        "x-original-uri",
        "x-original-method",
        "x-original-host",
        "x-forwarded-uri",
        "x-forwarded-host",
        "x-forwarded-method",
        "x-forwarded-proto",
        "x-forwarded-for",
        "x-forwarded-prefix",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-rewrite-url",
        "x-real-ip",
        "forwarded",
        "x-auth-request-redirect",
    ];
    for dialect in ALL {
        let own: Vec<&str> = fields(dialect, CLIENT).into_iter().map(|(name, _)| name).collect();
        let mut parts = asked(dialect, CLIENT).unwrap();
        for name in families {
            let aliases =
                [name.to_owned(), name.replace('-', "_"), name.replace('-', "."), format!("{name}-")];
            for alias in aliases.iter().filter(|alias| !own.contains(&alias.as_str())) {
                for value in ["/_gate/public", "http://evil.tld/public", "10.0.0.1"] {
                    parts.headers.append(alias.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
                }
            }
        }
        let found = facts(dialect, &parts).unwrap();
        assert_eq!(found.url(), "https://panel.example.com/users/7?tab=2", "{dialect:?}");
        assert_eq!(
            (&*found.method, found.client.ip.to_string().as_str()),
            ("POST", "203.0.113.9"),
            "{dialect:?}"
        );
    }
}

/// R1, rows 2 and 12: who is not trusted is not read at all; a socket or a secret vouches as an address does.
#[test]
fn only_a_trusted_caller_is_read() {
    let nobody = TrustedProxies::default();
    let stranger = IpAddr::from([203, 0, 113, 66]);
    for dialect in ALL {
        let parts = asked(dialect, CLIENT).unwrap();
        for (peer, trusted) in [(PROXY, &nobody), (stranger, &trusting())] {
            let caller = Caller { peer, channel_trusted: false, trusted };
            assert_eq!(dialect.ask(&parts, &caller).err(), Some(DialectError::Untrusted));
            let vouched = dialect.ask(&parts, &Caller { channel_trusted: true, ..caller }).unwrap();
            assert_eq!(vouched.client.ip.to_string(), "203.0.113.9");
        }
    }
}

/// Row 11: a client address that is none is the last good hop, never the one behind it.
#[test]
fn a_malformed_client_address_never_reaches_farther() {
    for forwarded_for in [&b"a"[..], b"10.0.0.1, a", b"1.2.3.4.5", b"::%eth0", b"\xff", b"10.0.0.1,"] {
        for dialect in ALL {
            let found = facts(dialect, &asked(dialect, Client { forwarded_for, ..CLIENT }).unwrap()).unwrap();
            assert_eq!((found.client.ip, found.client.from), (PROXY, AddrSource::Stopped), "{dialect:?}");
        }
    }
}

#[test]
fn nginx_urls_are_cut_and_never_mended() {
    let with = |url: &[u8]| {
        let mut parts = asked(Dialect::AuthRequest, CLIENT).unwrap();
        parts.headers.insert("x-original-url", HeaderValue::from_bytes(url).unwrap());
        parts
    };
    for url in [
        &b"/users"[..],
        b"panel.example.com/users",
        b"https:/panel",
        b"https://panel.example.com",
        b"https//x/y",
    ] {
        assert!(matches!(error(Dialect::AuthRequest, &with(url)), Some(DialectError::Unparsable { .. })));
    }
    // `$request_uri` of a client that sent an absolute form, and other things glued to the host.
    for url in [
        &b"https://panel.example.comhttp://evil.tld/admin"[..],
        b"https://panel.example.com?x=/admin",
        b"https://panel.example.com#/admin",
        b"https://evil.tld@panel.example.com/",
        b"https://panel.example.com\\/admin",
        b"gopher://panel.example.com/",
        b"HTTPS://panel.example.com/",
        b"https:///admin",
        b"https://\xffnot-one-factor/",
    ] {
        let reason = facts(Dialect::AuthRequest, &with(url)).unwrap_err().reason;
        assert_eq!(reason, Reason::Malformed, "{}", String::from_utf8_lossy(url));
    }
}

#[test]
fn absolute_form_and_a_second_host_are_refused() {
    for dialect in [Dialect::ExtAuthz, Dialect::Portal] {
        let mut parts = asked(dialect, CLIENT).unwrap();
        parts.uri = format!("http://evil.tld{}", parts.uri).parse().unwrap();
        assert!(matches!(error(dialect, &parts), Some(DialectError::Unparsable { .. })), "{dialect:?}");
    }
    // HTTP/2 always names an authority: it is the host, and a `host` field must agree (R6).
    let mut parts = asked(Dialect::ExtAuthz, CLIENT).unwrap();
    parts.version = Version::HTTP_2;
    parts.uri = format!("http://panel.example.com{}", parts.uri).parse().unwrap();
    assert_eq!(facts(Dialect::ExtAuthz, &parts).unwrap().host.as_str(), "panel.example.com");
    parts.headers.insert("host", HeaderValue::from_static("evil.tld"));
    assert!(matches!(error(Dialect::ExtAuthz, &parts), Some(DialectError::Unparsable { .. })));
    parts.headers.remove("host");
    assert_eq!(facts(Dialect::ExtAuthz, &parts).unwrap().host.as_str(), "panel.example.com");
}

/// R36: Traefik takes `Upgrade` away but says `wss`.
#[test]
fn a_web_socket_scheme_is_an_upgrade() {
    let parts = asked(Dialect::ForwardAuth, Client { scheme: "wss", method: "GET", ..CLIENT }).unwrap();
    let found = facts(Dialect::ForwardAuth, &parts).unwrap();
    assert!(found.upgrade && !found.is_safe());
    assert_eq!(found.url(), "https://panel.example.com/users/7?tab=2");
}

#[test]
fn a_question_that_cannot_be_read_is_answered_with_no_and_a_mend() {
    let missing = DialectError::Missing { name: "X-Original-URL", mend: "set it" };
    for dialect in ALL {
        let status = dialect.misunderstood(&missing, DECISION).status();
        let expected = if dialect == Dialect::AuthRequest { 403 } else { 400 };
        assert_eq!(status, expected, "{dialect:?}");
        assert_eq!(dialect.misunderstood(&DialectError::Untrusted, DECISION).status(), 403);
    }
    let response = Dialect::ForwardAuth.misunderstood(&missing, DECISION);
    let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(document["detail"], "the X-Original-URL header is missing; set it");
    assert_eq!(document["status"], 400);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

const KINDS: [RefusalKind; 7] = [
    RefusalKind::SignIn,
    RefusalKind::StepUp { readable: true },
    RefusalKind::StepUp { readable: false },
    RefusalKind::Deny,
    RefusalKind::Throttle { retry_after: Duration::from_millis(1500) },
    RefusalKind::Unavailable,
    RefusalKind::BadRequest,
];

fn rendered(status: u16) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("location", "https://panel.example.com/_gate/sign-in")
        .header("set-cookie", "a=1")
        .header("content-length", "999")
        .header("transfer-encoding", "chunked")
        .header("cache-control", "public, max-age=60")
        .body(Bytes::from_static(b"<p>no</p>"))
        .unwrap()
}

fn refused(kind: RefusalKind, rendered: Response<Bytes>) -> Answer {
    Answer::Refused { kind, rendered, sealed: "c2VhbGVk".into() }
}

fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// D1 no. 1 and 4, R26.
#[test]
fn yes_is_exactly_200_with_every_header_and_no_body() {
    for dialect in ALL {
        let identity = HeaderMap::from_iter([
            (http::HeaderName::from_static("remote-user"), HeaderValue::from_static("alice")),
            (http::HeaderName::from_static("remote-groups"), HeaderValue::from_static("")),
        ]);
        let response = dialect.render(Answer::Allow { identity });
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0), "{dialect:?}");
        let headers = response.headers();
        assert_eq!((get(headers, "remote-user"), get(headers, "remote-groups")), (Some("alice"), Some("")));
        assert_eq!(get(headers, "cache-control"), Some("no-store"));
        assert_eq!(get(headers, "vary"), Some("Cookie, Authorization"));
        assert_eq!(headers.len(), 4, "nothing else, and no cookie above all");
    }
}

/// D1 no. 2: nginx turns every status but 2xx, 401 and 403 into 500.
#[test]
fn nginx_gets_a_bare_401_or_403() {
    for kind in KINDS {
        let response = Dialect::AuthRequest.render(refused(kind, rendered(302)));
        let provable = matches!(kind, RefusalKind::SignIn | RefusalKind::StepUp { .. });
        let headers = response.headers();
        assert_eq!(response.status(), if provable { 401 } else { 403 }, "{kind:?}");
        assert!(response.body().is_empty());
        assert_eq!(headers.contains_key("www-authenticate"), provable, "{kind:?}");
        assert_eq!(get(headers, "x-gate-outcome"), Some("c2VhbGVk"));
        assert_eq!(get(headers, "location"), Some("https://panel.example.com/_gate/sign-in"));
        assert_eq!(get(headers, "cache-control"), Some("no-store"));
        let wait = matches!(kind, RefusalKind::Throttle { .. }).then_some("2");
        assert_eq!(get(headers, "x-gate-retry-after"), wait, "whole seconds, rounded up");
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("content-length"));
    }
}

/// RFC 9470 for step-up, and the portal's own challenge where it made one.
#[test]
fn a_401_has_a_challenge() {
    for dialect in ALL {
        let challenge = |kind, from| {
            let response = dialect.render(refused(kind, from));
            get(response.headers(), "www-authenticate").map(str::to_owned)
        };
        assert_eq!(challenge(RefusalKind::SignIn, rendered(401)).as_deref(), Some("Bearer"));
        let step_up = challenge(RefusalKind::StepUp { readable: true }, rendered(401));
        assert_eq!(step_up.as_deref(), Some("Bearer error=\"insufficient_user_authentication\""));
        let mut own = rendered(401);
        own.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer realm=\"x\""));
        assert_eq!(challenge(RefusalKind::SignIn, own).as_deref(), Some("Bearer realm=\"x\""));
    }
}

#[test]
fn everybody_else_gets_the_refusal_whole() {
    for dialect in [Dialect::ForwardAuth, Dialect::ExtAuthz, Dialect::Portal] {
        for status in [302, 303, 401, 403, 429, 503, 400] {
            let response = dialect.render(refused(RefusalKind::Deny, rendered(status)));
            assert_eq!(response.status(), status);
            assert_eq!(&response.body()[..], b"<p>no</p>");
            let headers = response.headers();
            assert_eq!(get(headers, "location"), Some("https://panel.example.com/_gate/sign-in"));
            assert_eq!(get(headers, "set-cookie"), Some("a=1"));
            assert_eq!(get(headers, "cache-control"), Some("no-store"));
            assert_eq!(get(headers, "x-gate-outcome"), Some("c2VhbGVk"));
            assert!(!headers.contains_key("content-length") && !headers.contains_key("transfer-encoding"));
        }
        let throttled = dialect.render(refused(KINDS[4], rendered(429)));
        assert_eq!(get(throttled.headers(), "retry-after"), Some("2"));
    }
}

proptest! {
    /// R3: whatever the portal renders, a refusal is never taken for yes.
    #[test]
    fn a_refusal_is_never_a_success(kind in 0usize..7, status in 100u16..600, dialect in 0usize..4) {
        let response = ALL[dialect].render(refused(KINDS[kind], rendered(status)));
        prop_assert!(response.status().as_u16() >= 300 && response.status() != 304);
        if dialect == 0 {
            prop_assert!(response.status() == 401 || response.status() == 403);
        }
    }

    /// R3, row 13: any bytes in any field are refused or judged as what they are.
    #[test]
    fn any_field_values_are_read_without_panic(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 5), dialect in 0usize..4,
    ) {
        let dialect = ALL[dialect];
        let mut parts = asked(dialect, CLIENT).unwrap();
        for ((name, _), value) in fields(dialect, CLIENT).into_iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                parts.headers.insert(name, value);
            }
        }
        if error(dialect, &parts).is_none()
            && let Ok(found) = facts(dialect, &parts)
        {
            prop_assert_eq!(found.host.as_str(), "panel.example.com");
        }
    }
}
