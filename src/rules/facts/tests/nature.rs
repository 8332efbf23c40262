//! R23, R36: what makes a request a write; and page or document.

use super::{Field, Sent, headers};
use crate::rules::{
    facts::{Audience, Scheme},
    reason::Reason,
};

fn with(fields: &[(&str, &[u8])]) -> Sent<'static> {
    Sent { headers: headers(fields), ..Sent::default() }
}

#[test]
fn safe_methods_are_three_and_exact() {
    for (method, safe) in [
        ("GET", true),
        ("HEAD", true),
        ("OPTIONS", true),
        ("get", false),
        ("Get", false),
        ("POST", false),
        ("PROPFIND", false),
        ("QUERY", false),
        ("X", false),
    ] {
        let facts = Sent { method: method.as_bytes(), ..Sent::default() }.facts();
        assert_eq!((facts.is_safe(), &*facts.method), (safe, method));
    }
}

#[test]
fn connect_trace_and_what_is_no_token_are_refused() {
    let long = "A".repeat(33);
    for method in ["CONNECT", "TRACE", "connect", "Trace", "", "GET ", "G ET", "GÉT", "GET\0", "G\"T", &long]
    {
        assert_eq!(
            Sent { method: method.as_bytes(), ..Sent::default() }.reason(),
            Some(Reason::Malformed),
            "{method:?}"
        );
    }
}

/// R36: an upgrade counts as a write, also where the proxy dropped `Upgrade` from what it asks.
#[test]
fn every_trace_of_an_upgrade_makes_a_write() {
    let traces: [(&str, &[u8]); 5] = [
        ("upgrade", b"websocket"),
        ("upgrade", b"h2c"),
        ("sec-websocket-key", b"x"),
        ("sec-websocket-version", b"13"),
        ("http2-settings", b"x"),
    ];
    for field in traces {
        let facts = with(&[field]).facts();
        assert!(facts.upgrade && !facts.is_safe(), "{}", field.0);
    }
    for (scheme, folded) in [(&b"ws"[..], Scheme::Http), (b"wss", Scheme::Https)] {
        let facts = Sent { scheme, ..Sent::default() }.facts();
        assert_eq!((facts.scheme, facts.upgrade), (folded, true));
    }
    assert!(!with(&[("connection", b"upgrade")]).facts().upgrade);
}

#[test]
fn every_spelling_of_a_method_override_makes_a_write() {
    for name in [
        "x-http-method-override",
        "X-HTTP-Method",
        "x-method-override",
        "x_http_method_override",
        "X.HTTP.Method",
        "x-http_method.override",
    ] {
        assert!(!with(&[(name, b"DELETE")]).facts().is_safe(), "{name}");
    }
    for query in [
        "_method=DELETE",
        "a=1&_method=DELETE",
        "a=1;_method=PUT",
        "_METHOD=put",
        "%5fmethod=x",
        "_m%65thod=x",
        "_method",
        "_method[]=x",
        "_method%5B%5D=x",
        "+_method=x",
        "%20_method=x",
        ".method=x",
        "_method%00=x",
    ] {
        let target = format!("/users?{query}");
        assert!(!Sent { target: target.as_bytes(), ..Sent::default() }.facts().is_safe(), "{query}");
    }
    for query in ["method=DELETE", "x=_method", "the_method=x", "_methods=x"] {
        let target = format!("/users?{query}");
        assert!(Sent { target: target.as_bytes(), ..Sent::default() }.facts().is_safe(), "{query}");
    }
}

#[test]
fn people_get_pages_and_scripts_get_documents() {
    let html: Field = ("accept", b"application/xml;q=0.9, Text/HTML;q=0.8");
    let cases: [(&[Field], Audience); 9] = [
        (&[], Audience::Background),
        (&[html], Audience::Navigation),
        (&[html, ("x-requested-with", b"XMLHttpRequest")], Audience::Background),
        (&[("accept", b"*/*")], Audience::Background),
        (&[("accept", b"text/htmlx")], Audience::Background),
        (&[("sec-fetch-mode", b"navigate")], Audience::Navigation),
        (&[html, ("sec-fetch-mode", b"cors")], Audience::Background),
        (&[html, ("sec-fetch-mode", b"websocket")], Audience::Background),
        (&[html, ("sec-fetch-mode", b"navigate"), ("upgrade", b"websocket")], Audience::Background),
    ];
    for (fields, audience) in cases {
        assert_eq!(with(fields).facts().audience, audience, "{fields:?}");
    }
}

/// Row 31: a field that decides something must not have two values.
#[test]
fn doubled_decision_fields_are_refused() {
    let doubled: [(&str, &[u8]); 2] =
        [("origin", b"https://panel.example.com"), ("sec-fetch-mode", b"navigate")];
    for field in doubled {
        assert_eq!(with(&[field, field]).reason(), Some(Reason::Malformed), "{}", field.0);
    }
    assert_eq!(with(&[("origin", b"https://\xe9.example")]).reason(), Some(Reason::Malformed));
    assert_eq!(with(&[("origin", b"null")]).facts().origin.as_deref(), Some("null"));
}

#[test]
fn the_user_agent_is_short_and_printable() {
    let long = "x".repeat(1000);
    assert_eq!(with(&[("user-agent", long.as_bytes())]).facts().user_agent.len(), 256);
    assert_eq!(&*with(&[("user-agent", b"a\tb\xc2\x85c")]).facts().user_agent, "abc");
    assert_eq!(&*with(&[]).facts().user_agent, "");
}
