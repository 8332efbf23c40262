//! What was seen: pure data, from which the checks conclude.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use serde::Deserialize;

use super::advice::Proxy;
use crate::{app::admin::Sighting, rules::record::Said};

/// An answer, as the client got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in order of arrival.
    pub fields: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

/// A request, as the panel got it: what `/echo/**` of the sample panel and the stand-in answer with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Saw {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// How long its body was.
    #[serde(default)]
    pub body_bytes: u64,
}

/// One request through the chain, with all that is known of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The probe.
    pub name: &'static str,
    /// As sent.
    pub method: String,
    /// As sent.
    pub target: String,
    /// The client's view.
    pub answer: Result<Answer, String>,
    /// The gate's view, in order.
    pub gate: Vec<Sighting>,
    /// The panel's view, in order.
    pub panel: Vec<Saw>,
}

/// Whether a source of evidence was there; otherwise why not.
pub type Available = Result<(), String>;

/// How a protected connection came about.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether the certificate was accepted; else what the client said.
    pub certificate: Available,
    /// Whether a handshake with TLS 1.1 at most came about; an error if that could not be found out.
    pub old_version: Result<bool, String>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// The doctor's own account, while it lasts.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The account name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Addresses that the gate noted at its sign-ins.
    pub addresses: Vec<String>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Which proxy it is, if that is known.
    pub proxy: Option<Proxy>,
    /// `https://panel.example.com`
    pub origin: String,
    /// Host, with a port unless it is the usual one.
    pub authority: String,
    /// Names of the gate's access and refresh cookies.
    pub cookies: [String; 2],
    /// The access token of the session that was used; empty if there was none.
    pub token: String,
    /// Whether the panel is to get an assertion.
    pub assertion: bool,
    /// Our own address, as the chain's first hop must have seen it unless there is address translation.
    pub local: Option<IpAddr>,
    /// The account that was made for the occasion.
    pub guest: Option<Guest>,
    /// The gate's view.
    pub inside: Available,
    /// The panel's view.
    pub view: Available,
    /// Whether the stand-in took the panel's place.
    pub stand_in: Available,
    /// Requests with a session.
    pub session: Available,
    /// The public origin.
    pub tls: Tls,
    /// The answer of the plain listener.
    pub plain: Result<Answer, String>,
    /// Whether the first event of a stream arrived before the second was sent.
    pub streamed: Result<bool, String>,
    /// All exchanges.
    pub exchanges: Vec<Exchange>,
    /// Sightings that belong to no exchange: lies that were believed, and questions that could not be read.
    pub others: Vec<Sighting>,
    /// Addresses at which the panel listens, of those that were asked about.
    pub panel_listens: Result<Vec<SocketAddr>, String>,
    /// The answer of the sidecar's port to somebody whom nobody vouches for.
    pub stranger: Result<Answer, String>,
    /// Other addresses that lead to the panel, with what came of a visit.
    pub also: Vec<(String, Exchange)>,
    /// What else is to be told.
    pub remarks: Vec<String>,
}

impl Answer {
    /// The first value of a field; the name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `302 to /_gate/sign-in`: for evidence.
    pub fn told(&self) -> String {
        match self.field("location") {
            Some(location) => format!("{} to {location}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Saw {
    /// All values of a field, joined; empty if it is not there, as for a panel an empty one is none.
    pub fn field(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Names of fields whose value has a text in it.
    pub fn fields_with(&self, text: &str) -> Vec<String> {
        self.headers.iter().filter(|(_, value)| value.contains(text)).map(|(name, _)| name.clone()).collect()
    }
}

impl Exchange {
    /// The client's view.
    pub fn answer(&self) -> Result<&Answer, String> {
        self.answer.as_ref().map_err(|why| format!("{} {}: {why}", self.method, self.target))
    }

    /// How the gate judged it last.
    pub fn judged(&self) -> Option<&Sighting> {
        self.gate.last()
    }

    /// How the gate judged it; an error if it never did.
    pub fn judgement(&self) -> Result<&Sighting, String> {
        self.judged().ok_or_else(|| format!("the gate was not asked about {} {}", self.method, self.target))
    }

    /// Whether the gate said yes.
    pub fn allowed(&self) -> bool {
        self.gate.iter().any(|sighting| sighting.record.reply.said == Said::Allow)
    }

    /// The panel's view, of a request that should have reached it.
    pub fn saw(&self) -> Result<&Saw, String> {
        let told = self.answer.as_ref().map_or_else(String::clone, Answer::told);
        self.panel
            .last()
            .ok_or_else(|| format!("{} {} did not reach the panel ({told})", self.method, self.target))
    }
}

impl Observed {
    /// An exchange by its probe's name.
    pub fn probe(&self, name: &str) -> Result<&Exchange, String> {
        let found = self.exchanges.iter().find(|exchange| exchange.name == name);
        found.ok_or_else(|| format!("the probe `{name}` was not sent"))
    }

    /// All exchanges whose name begins so.
    pub fn probes<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Exchange> {
        self.exchanges.iter().filter(move |exchange| exchange.name.starts_with(prefix))
    }

    /// An exchange of which the gate's view is wanted.
    pub fn judged(&self, name: &str) -> Result<&Sighting, String> {
        self.inside.clone()?;
        self.probe(name)?.judgement()
    }

    /// An exchange with a session of which the panel's view is wanted.
    pub fn saw(&self, name: &str) -> Result<&Saw, String> {
        self.view.clone()?;
        self.session.clone()?;
        self.probe(name)?.saw()
    }
}

/// Header fields as pairs, names in lower case.
pub(super) fn fields_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
