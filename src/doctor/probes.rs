//! The requests: few, harmless, each with a name of its own in its path, so that the gate and the panel can tell it.

use super::wire::Ask;

/// The address that lies name (RFC 5737: nobody has it).
pub(super) const LIE_ADDRESS: &str = "203.0.113.9";
/// In the other lies.
pub(super) const LIE: &str = "doctor-lie";
/// The host that lies name (RFC 2606: it cannot exist).
pub(super) const LIE_HOST: &str = "doctor-lie.invalid";
/// The method that lies name.
pub(super) const LIE_METHOD: &str = "DOCTOR";
/// The value of forged identity headers.
pub(super) const FORGED: &str = "doctor-forged";
/// Cookies and credentials of the panel's own.
pub(super) const OWN_COOKIES: [&str; 2] = ["doctor_theme=1", "doctor_lang=2"];
/// The panel's own `Authorization`.
pub(super) const OWN_AUTHORIZATION: &str = "Basic ZG9jdG9yOm93bg==";
/// The panel's own API key.
pub(super) const OWN_KEY: &str = "doctor-own-key";
/// The length of the body that is posted.
pub(super) const BODY: usize = 3000;
/// The length of a large cookie; the edge takes fields of up to 8 KB.
pub(super) const LARGE: usize = 6 << 10;

/// Every identity header that the gate sets.
pub(super) const IDENTITY: [&str; 11] = [
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Gate-Role",
    "X-Gate-Session",
    "X-Gate-Access",
    "X-Gate-Elevated-Until",
    "X-Gate-Actor",
    "X-Gate-Decision",
    "X-Gate-Assertion",
];

/// Fields that make a panel take a GET for something else.
pub(super) const OVERRIDES: [&str; 3] = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Nobody who is known.
    Visitor,
    /// Whoever the session belongs to.
    Member,
}

/// How it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Http1,
    Http2,
    /// HTTP/1.1, until the first event has come.
    Stream,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Letters and digits; in the path behind the marker.
    pub(super) name: &'static str,
    pub(super) by: By,
    pub(super) over: Over,
    method: &'static str,
    /// Comes behind the name in the path; `{m}` is marker and name again.
    tail: &'static str,
    /// `{m}` in a value is the marker, `{origin}` the origin, `{at}` origin and page, `{page}` the page.
    fields: &'static [(&'static str, &'static str)],
    body: usize,
    /// Only where the stand-in answers.
    pub(super) stand_in: bool,
}

/// What a page's link sends.
const CLICK: &[(&str, &str)] =
    &[("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
/// What a script sends.
const SCRIPT: &[(&str, &str)] =
    &[("Accept", "application/json"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")];
/// A WebSocket's handshake.
const HANDSHAKE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "ZG9jdG9yZG9jdG9yZG9jdA=="),
    ("Sec-Fetch-Mode", "websocket"),
    ("Origin", "{origin}"),
];

const fn visitor(name: &'static str, fields: &'static [(&'static str, &'static str)]) -> Probe {
    Probe {
        name,
        by: By::Visitor,
        over: Over::Http1,
        method: "GET",
        tail: "",
        fields,
        body: 0,
        stand_in: false,
    }
}

const fn member(name: &'static str, fields: &'static [(&'static str, &'static str)]) -> Probe {
    Probe { by: By::Member, ..visitor(name, fields) }
}

const fn path(name: &'static str, tail: &'static str) -> Probe {
    Probe { tail, ..member(name, SCRIPT) }
}

/// All of them.
pub(super) const ALL: &[Probe] = &[
    visitor("click", CLICK),
    visitor("script", SCRIPT),
    Probe { method: "POST", body: 9, ..visitor("post", SCRIPT) },
    Probe { method: "OPTIONS", ..visitor("exemptoptions", SCRIPT) },
    Probe { method: "HEAD", ..visitor("exempthead", SCRIPT) },
    Probe { tail: ".php", ..visitor("exemptphp", CLICK) },
    Probe { tail: ".css", ..visitor("exemptcss", CLICK) },
    Probe { tail: ".js", ..visitor("exemptjs", CLICK) },
    Probe { tail: ".png", ..visitor("exemptpng", CLICK) },
    Probe { tail: "?next=/_gate/client.js", ..visitor("exemptquery", CLICK) },
    visitor("exemptagent", &[("User-Agent", "kube-probe/1.30"), ("Accept", "*/*")]),
    visitor("exempthost", &[("Host", LIE_HOST), ("Accept", "text/html")]),
    visitor("websocket", HANDSHAKE),
    visitor("silence", SCRIPT),
    Probe { over: Over::Http2, ..visitor("visitortwo", SCRIPT) },
    visitor("liefor", &[("X-Forwarded-For", LIE_ADDRESS)]),
    visitor("lieproto", &[("X-Forwarded-Proto", "http")]),
    visitor("liehost", &[("X-Forwarded-Host", LIE_HOST)]),
    visitor("lieuri", &[("X-Forwarded-Uri", "{page}/{m}-believeduri")]),
    visitor("liemethod", &[("X-Forwarded-Method", LIE_METHOD)]),
    visitor("lieurl", &[("X-Original-URL", "{at}/{m}-believedurl")]),
    visitor("lieasked", &[("X-Original-Method", LIE_METHOD)]),
    visitor(
        "lieothers",
        &[
            ("X-Rewrite-URL", "{page}/{m}-believedothers"),
            ("X-Original-URI", "{page}/{m}-believedothers"),
            ("X-Real-IP", LIE_ADDRESS),
            ("Forwarded", "for=203.0.113.9;host=doctor-lie.invalid;proto=http"),
            ("X-Client-IP", LIE_ADDRESS),
            ("True-Client-IP", LIE_ADDRESS),
        ],
    ),
    member("member", CLICK),
    path("query", "?a=1&b=%20x&c=a%2Fb"),
    member("forged", &[]),
    member("underscore", &[]),
    member("dot", &[]),
    member("connection", &[("Connection", "close, Remote-User, X-Gate-Role")]),
    member(
        "credentials",
        &[("Authorization", OWN_AUTHORIZATION), ("X-Api-Key", OWN_KEY), ("Accept", "application/json")],
    ),
    member("bearer", SCRIPT),
    member(
        "lies",
        &[
            ("X-Forwarded-For", LIE_ADDRESS),
            ("X-Forwarded-Prefix", "/doctor-lie"),
            ("X-Forwarded-Server", LIE_HOST),
            ("X-Original-URL", "https://doctor-lie.invalid/"),
            ("X-Original-URI", "/doctor-lie"),
            ("X-Original-Method", "doctor-lie"),
            ("X-Original-Host", LIE_HOST),
            ("X-Forwarded-Method", "doctor-lie"),
            ("X-Forwarded-Uri", "/doctor-lie"),
            ("X-Rewrite-URL", "/doctor-lie"),
            ("X-Real-IP", LIE_ADDRESS),
            ("Forwarded", "for=203.0.113.9;host=doctor-lie.invalid"),
        ],
    ),
    member(
        "override",
        &[("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "DELETE"), ("X-Method-Override", "DELETE")],
    ),
    member("upgrade", HANDSHAKE),
    Probe { method: "POST", body: BODY, ..member("upload", SCRIPT) },
    member("large", SCRIPT),
    Probe { over: Over::Http2, ..member("membertwo", SCRIPT) },
    path("patha", "//b"),
    path("pathb", "/%2fb"),
    path("pathc", "/..;/b"),
    path("pathd", "/x/%2e%2e/{m}.b"),
    path("pathe", "/x/../{m}.b"),
    path("pathf", "/;b"),
    path("pathg", "/%5cb"),
    path("pathh", "/%62%41"),
    path("pathi", "/./b"),
    path("pathj", "/x%252e"),
    Probe { stand_in: true, over: Over::Stream, ..member("stream", &[("Accept", "text/event-stream")]) },
    Probe { stand_in: true, ..member("redirect", CLICK) },
    Probe { stand_in: true, ..member("refusal", CLICK) },
    Probe { stand_in: true, ..member("cached", SCRIPT) },
    Probe { stand_in: true, ..member("again", SCRIPT) },
];

/// What the requests have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// The public origin.
    pub(super) origin: String,
    /// The page that is asked for, without a slash at its end.
    pub(super) page: String,
    /// In every path.
    pub(super) marker: String,
    /// `name=token` of the access cookie; empty without a session.
    pub(super) cookie: String,
}

impl Probe {
    /// Path and query.
    pub(super) fn target(&self, common: &Common) -> String {
        // The same page twice, to see whether the second answer is the first one's.
        let name = if self.name == "again" { "cached" } else { self.name };
        let own = format!("{}-{name}", common.marker);
        format!("{}/{own}{}", common.page, self.tail.replace("{m}", &own))
    }

    /// The request.
    pub(super) fn ask(&self, common: &Common) -> Ask {
        let mut ask = Ask {
            method: self.method.to_owned(),
            target: self.target(common),
            fields: Vec::new(),
            body: vec![b'x'; self.body],
        };
        for (name, value) in self.fields {
            let value = value.replace("{m}", &common.marker).replace("{page}", &common.page);
            let value = value.replace("{origin}", &common.origin);
            ask = ask.field(name, &value.replace("{at}", &format!("{}{}", common.origin, common.page)));
        }
        if self.body > 0 {
            ask = ask.field("Content-Type", "text/plain").field("Origin", &common.origin);
        }
        if self.by == By::Member {
            ask = self.with_session(ask, common);
        }
        ask
    }

    fn with_session(&self, ask: Ask, common: &Common) -> Ask {
        let [theme, language] = OWN_COOKIES;
        let cookie = &common.cookie;
        match self.name {
            "forged" => forge(ask, str::to_owned),
            "underscore" => forge(ask, |name| name.replace('-', "_")),
            "dot" => forge(ask, |name| name.replace('-', ".")),
            "credentials" => return ask.field("Cookie", &format!("{theme}; {cookie}; {language}")),
            "large" => return ask.field("Cookie", &format!("{cookie}; doctor_large={}", "x".repeat(LARGE))),
            "membertwo" => {
                return ask.field("cookie", theme).field("cookie", cookie).field("cookie", language);
            }
            "bearer" => {
                let token = cookie.split_once('=').map_or("", |(_, token)| token);
                ask.field("Authorization", &format!("Bearer {token}"))
            }
            _ => ask,
        }
        .field("Cookie", cookie)
    }
}

fn forge(ask: Ask, spell: impl Fn(&str) -> String) -> Ask {
    let names = IDENTITY.iter().chain(&["X-Gate-Outcome"]);
    names.fold(ask, |ask, name| ask.field(&spell(name), FORGED))
}

#[cfg(test)]
mod tests {
    use super::{ALL, Common};

    #[test]
    fn every_probe_can_be_told_from_every_other_by_its_path() {
        let common = Common {
            origin: "https://panel.example.com".into(),
            page: "/echo".into(),
            marker: "pgdoctor0123456789".into(),
            cookie: "c=t".into(),
        };
        for (index, probe) in ALL.iter().enumerate() {
            assert!(probe.name.bytes().all(|byte| byte.is_ascii_lowercase()), "{}", probe.name);
            assert!(ALL.iter().skip(index + 1).all(|other| other.name != probe.name), "{} twice", probe.name);
            let target = probe.target(&common);
            assert!(target.starts_with("/echo/pgdoctor0123456789-"), "{target}");
        }
    }
}
