//! A person's browser, as far as the gate can tell: cookies by path, and the fields that say what a request is for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::client::{Answer, Ask, Client};

/// One browser with one cookie jar.
#[derive(Debug)]
pub(crate) struct Browser {
    /// What it connects with.
    pub(crate) client: Client,
    /// Name → (value, path).
    jar: Mutex<BTreeMap<String, (String, String)>>,
}

impl Browser {
    /// Without cookies.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, jar: Mutex::new(BTreeMap::new()) }
    }

    /// Signs in with a password; the account must not need a code for that.
    ///
    /// # Panics
    /// When the gate does not sign it in.
    pub(crate) async fn signed_in(client: Client, name: &str, password: &str) -> Self {
        let browser = Self::new(client);
        let answer = browser.api("POST", "sign-in", &json!({ "username": name, "password": password })).await;
        assert_eq!(answer.status, 200, "{name} cannot sign in: {answer:?}");
        assert_eq!(answer.json()["state"], "signed-in", "{answer:?}");
        browser
    }

    /// Follows a link.
    pub(crate) async fn navigate(&self, target: &str) -> Answer {
        self.send(navigation("GET", target)).await
    }

    /// What a script of the panel's page asks for.
    pub(crate) async fn background(&self, method: &str, target: &str) -> Answer {
        self.send(background(method, target)).await
    }

    /// Calls the gate's API.
    pub(crate) async fn api(&self, method: &str, call: &str, body: &Value) -> Answer {
        let ask = background(method, &format!("/_gate/api/v1/{call}"));
        self.send(ask.body("application/json", body.to_string())).await
    }

    /// Renews the session, as `client.js` does.
    pub(crate) async fn refresh(&self) -> Answer {
        self.send(background("POST", "/_gate/refresh").body("application/json", "{}")).await
    }

    /// Sends with the cookies of the jar, and keeps those that come back.
    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        let answer = self.client.send(&self.with_cookies(ask)).await;
        self.keep(&answer);
        answer
    }

    /// The same, over a connection that is there already.
    pub(crate) async fn send_over(&self, connection: TlsStream<TcpStream>, ask: Ask) -> Answer {
        let answer = self.client.send_over(connection, &self.with_cookies(ask)).await;
        self.keep(&answer);
        answer
    }

    fn with_cookies(&self, ask: Ask) -> Ask {
        match self.cookies(ask.target()) {
            Some(cookies) => ask.field("Cookie", &cookies),
            None => ask,
        }
    }

    /// The `Cookie` field for a target.
    pub(crate) fn cookies(&self, target: &str) -> Option<String> {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jar.iter().filter(|(_, (_, path))| target.starts_with(path.as_str()));
        let pairs: Vec<String> = sent.map(|(name, (value, _))| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of one cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        jar.get(name).map(|(value, _)| value.clone())
    }

    /// A second browser with the same cookies: another tab whose jar is not shared.
    pub(crate) fn copy(&self) -> Self {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { client: self.client.clone(), jar: Mutex::new(jar) }
    }

    fn keep(&self, answer: &Answer) {
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        for line in answer.all("Set-Cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let attributes: Vec<(&str, &str)> =
                parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
            let attribute = |wanted: &str| {
                attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
            };
            if value.is_empty() || attribute("Max-Age") == Some("0") {
                jar.remove(name);
            } else {
                let path = attribute("Path").unwrap_or("/").to_owned();
                jar.insert(name.to_owned(), (value.to_owned(), path));
            }
        }
    }
}

/// A click on a link, or an address that was typed.
pub(crate) fn navigation(method: &str, target: &str) -> Ask {
    Ask::new(method, target)
        .field("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .field("Sec-Fetch-Site", "same-origin")
        .field("Sec-Fetch-Mode", "navigate")
        .field("Sec-Fetch-Dest", "document")
        .field("Sec-Fetch-User", "?1")
}

/// `fetch()` from a page of the panel.
pub(crate) fn background(method: &str, target: &str) -> Ask {
    Ask::new(method, target)
        .field("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .field("Accept", "application/json")
        .field("Origin", "https://panel.example.com")
        .field("Sec-Fetch-Site", "same-origin")
        .field("Sec-Fetch-Mode", "cors")
        .field("Sec-Fetch-Dest", "empty")
}
