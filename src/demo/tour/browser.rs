//! A person's browser: a cookie jar, a client address, and the fields that say what a request is for.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    Broken, Held,
    answer::{Answer, ensure},
    wire::{At, Wire},
};

pub(super) const ACCESS: &str = "__Host-gate_access";
pub(super) const REFRESH: &str = "__Secure-gate_refresh";

const FORM: &str = "application/x-www-form-urlencoded";

/// What a browser says about a page being opened.
pub(super) const NAVIGATION: [(&str, &str); 4] = [
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-site", "same-origin"),
    ("accept", "text/html"),
];
/// What it says about a script's request.
pub(super) const BACKGROUND: [(&str, &str); 3] =
    [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("sec-fetch-site", "same-origin")];

/// One browser.
#[derive(Clone)]
pub(super) struct Browser {
    wire: Wire,
    /// Whose it is, for the transcript.
    name: String,
    /// Where its requests come from, as the proxy in front would say.
    address: String,
    pub(super) cookies: BTreeMap<String, String>,
}

/// A request before it is sent.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Option<(&'a str, String)>,
}

impl Browser {
    /// An empty one. The last part of its address is `host`.
    pub(super) fn new(wire: &Wire, name: &str, host: u8) -> Self {
        let address = format!("198.51.100.{host}");
        Self { wire: wire.clone(), name: name.to_owned(), address, cookies: BTreeMap::new() }
    }

    /// Signs in through the API.
    pub(super) async fn sign_in(&mut self, password: &str) -> Result<Answer, Broken> {
        let credentials = json!({ "username": self.name, "password": password });
        let answer = self.call("POST", "sign-in", &credentials).await?;
        answer.is(&[200])?;
        ensure(answer.member("state") == "signed-in", || format!("state is {}", answer.short()))?;
        Ok(answer)
    }

    /// Proves the second factor.
    pub(super) async fn prove(&mut self, code: &str) -> Result<Answer, Broken> {
        self.call("POST", "second-factor", &json!({ "code": code })).await
    }

    /// Renews, as `client.js` does.
    pub(super) async fn renew(&mut self) -> Result<Answer, Broken> {
        self.post_json("/_gate/refresh", &json!({})).await
    }

    /// Calls the portal's API.
    pub(super) async fn call(&mut self, method: &str, name: &str, body: &Value) -> Result<Answer, Broken> {
        let target = format!("/_gate/api/v1/{name}");
        let body = if method == "GET" { None } else { Some(("application/json", body.to_string())) };
        self.ask(&Ask { method, target: &target, headers: &BACKGROUND, body }).await
    }

    /// Opens a page.
    pub(super) async fn open(&mut self, target: &str) -> Result<Answer, Broken> {
        self.ask(&Ask { method: "GET", target, headers: &NAVIGATION, body: None }).await
    }

    /// What a script of the panel fetches.
    pub(super) async fn fetch(&mut self, target: &str) -> Result<Answer, Broken> {
        self.ask(&Ask { method: "GET", target, headers: &BACKGROUND, body: None }).await
    }

    /// What a script of the panel sends as a form.
    pub(super) async fn post(&mut self, target: &str, form: &str) -> Result<Answer, Broken> {
        let body = Some((FORM, form.to_owned()));
        self.ask(&Ask { method: "POST", target, headers: &BACKGROUND, body }).await
    }

    async fn post_json(&mut self, target: &str, body: &Value) -> Result<Answer, Broken> {
        let body = Some(("application/json", body.to_string()));
        self.ask(&Ask { method: "POST", target, headers: &BACKGROUND, body }).await
    }

    /// Sends anything to the edge, and keeps the cookies that come back.
    pub(super) async fn ask(&mut self, ask: &Ask<'_>) -> Result<Answer, Broken> {
        let told = match &ask.body {
            Some((_, body)) => format!("{body} ({})", self.name),
            None => format!("({})", self.name),
        };
        let answer = self.wire.send(At::Edge, self.request(ask)?, &told).await?;
        self.keep(&answer.headers);
        Ok(answer)
    }

    /// Asks the sidecar's endpoint for Caddy, Traefik and HAProxy about a request.
    pub(super) async fn forward_auth(
        &self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
    ) -> Result<Answer, Broken> {
        let host = self.wire.host();
        let forwarded = [
            ("x-forwarded-method", method),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", &host),
            ("x-forwarded-uri", target),
            ("x-forwarded-for", &self.address),
        ];
        let told = format!("for {method} {target} ({})", self.name);
        self.ask_sidecar("/api/authz/forward-auth", target, &[&forwarded[..], more].concat(), &told).await
    }

    /// Asks the sidecar's endpoint for nginx about a request.
    pub(super) async fn auth_request(
        &self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
    ) -> Result<Answer, Broken> {
        let url = format!("{}{target}", self.wire.site());
        let original = [
            ("x-original-url", url.as_str()),
            ("x-original-method", method),
            ("x-forwarded-for", &self.address),
        ];
        let told = format!("for {method} {target} ({})", self.name);
        self.ask_sidecar("/api/authz/auth-request", target, &[&original[..], more].concat(), &told).await
    }

    async fn ask_sidecar(
        &self,
        endpoint: &str,
        target: &str,
        headers: &[(&str, &str)],
        told: &str,
    ) -> Result<Answer, Broken> {
        let mut request = Request::get(endpoint).header(header::HOST, "sidecar");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookies) = self.cookies_for(target) {
            request = request.header(header::COOKIE, cookies);
        }
        let request = request.body(Full::default()).map_err(|error| Broken(error.to_string()))?;
        self.wire.send(At::Sidecar, request, told).await
    }

    /// The request as it goes to the edge.
    pub(super) fn request(&self, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Broken> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.target)
            .header(header::HOST, self.wire.host())
            .header(header::ORIGIN, self.wire.site())
            .header("x-forwarded-for", &self.address);
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(cookies) = self.cookies_for(ask.target) {
            request = request.header(header::COOKIE, cookies);
        }
        let (kind, body) = ask.body.clone().unwrap_or_default();
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        request.body(Full::from(body)).map_err(|error| Broken(error.to_string()))
    }

    /// `Cookie`, with the refresh cookie only where it belongs.
    pub(super) fn cookies_for(&self, target: &str) -> Option<String> {
        let renews = target.starts_with("/_gate/refresh");
        let fit = self.cookies.iter().filter(|(name, _)| renews || name.as_str() != REFRESH);
        let line = fit.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        (!line.is_empty()).then_some(line)
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else { continue };
            if value.is_empty() || attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// A cookie's value; empty if there is none.
    pub(super) fn cookie(&self, name: &str) -> String {
        self.cookies.get(name).cloned().unwrap_or_default()
    }

    /// Both doors refuse whatever this browser's cookies are.
    pub(super) async fn is_signed_out(&mut self) -> Held {
        self.fetch("/").await?.is(&[401])?;
        self.forward_auth("GET", "/", &BACKGROUND).await?.is(&[401])
    }
}
