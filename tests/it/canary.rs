//! No secret shows anywhere but where it must: not in an answer after its one showing, not in a log at the finest
//! level, not in the store. A whole gate is used by people and programs, and then everything that it said and wrote is
//! searched for every secret that it knew, in every spelling.

use std::{fs, net::Ipv4Addr, path::Path, time::Duration};

use data_encoding::{
    BASE32, BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER,
};
use panelgate::{
    clock::{Clock as _, SystemClock},
    rules::factor::totp,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    browser::{Browser, background, navigation},
    certificates,
    client::{Answer, Ask, Client},
    gate::{self, Gate, HOST, More},
    panel, ports, workspace,
};

/// What a person types, or a panel sets, here.
const TYPED: [(&str, &str); 4] = [
    ("a wrong password", "canary-wrong-password-4711"),
    ("a password typed as a name", "canary-typed-as-name-4712"),
    ("a cookie of the panel", "canary-panel-cookie-4713"),
    ("a query", "canary-query-4714"),
];

/// Something that must not show.
#[derive(Debug)]
struct Canary {
    name: String,
    bytes: Vec<u8>,
}

/// Everything that somebody could see.
struct Walk {
    browser: Browser,
    /// Request and answer, without the cookies that it sets.
    answers: Vec<(String, Vec<u8>)>,
    canaries: Vec<Canary>,
}

#[tokio::test]
async fn no_secret_shows_after_its_one_showing() {
    let directory = workspace::directory("canary");
    let port = ports::free();
    let (gate, tls) = start(&directory, port);
    let mut walk = Walk {
        browser: Browser::new(Client::new(port, HOST, tls)),
        answers: Vec::new(),
        canaries: Vec::new(),
    };
    for (name, text) in TYPED {
        walk.hide(name, text);
    }
    keys(&mut walk, &directory.join("data/keys"));
    walk.hide("the proxy's secret", &gate.secret);
    walk.sign_in(&gate).await;
    walk.look_around().await;
    walk.renew().await;
    let mut shown = walk.use_keys(&gate).await;
    walk.backup_code(&gate).await;
    shown.extend(walk.enrol().await);
    walk.ask_the_sidecar(&gate).await;
    walk.sign_out().await;
    let log = gate.running.stop();
    walk.judge(&shown, &log, &directory.join("data"));
}

/// The search finds what is there, in whatever spelling; else the test above would pass for nothing.
#[test]
fn the_search_finds_every_spelling() {
    let canary = Canary { name: "x".into(), bytes: b"\x00\xffsecret\xfe!!".to_vec() };
    for (kind, spelled) in canary.spellings() {
        let hay = [b"before ".as_slice(), &spelled, b" after"].concat();
        assert_eq!(canary.found_in(&hay), Some(kind));
    }
    assert_eq!(canary.found_in(b"nothing of the kind"), None);
}

impl Canary {
    fn spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = &self.bytes;
        let encodings = [
            ("base32", BASE32.encode(bytes)),
            ("base32 without padding", BASE32_NOPAD.encode(bytes)),
            ("base64", BASE64.encode(bytes)),
            ("base64 without padding", BASE64_NOPAD.encode(bytes)),
            ("base64url", BASE64URL.encode(bytes)),
            ("base64url without padding", BASE64URL_NOPAD.encode(bytes)),
            ("hex", HEXLOWER.encode(bytes)),
            ("HEX", HEXUPPER.encode(bytes)),
        ];
        let mut all = vec![("as it is", bytes.clone())];
        all.extend(encodings.into_iter().map(|(kind, text)| (kind, text.into_bytes())));
        all
    }

    fn found_in(&self, hay: &[u8]) -> Option<&'static str> {
        let holds = |needle: &[u8]| hay.windows(needle.len()).any(|window| window == needle);
        self.spellings().into_iter().find(|(_, spelled)| holds(spelled)).map(|(kind, _)| kind)
    }
}

impl Walk {
    fn hide(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let bytes = secret.as_ref().to_vec();
        assert!(bytes.len() >= 12, "{name} is too short to be looked for");
        if !self.canaries.iter().any(|known| known.bytes == bytes) {
            self.canaries.push(Canary { name: name.to_owned(), bytes });
        }
    }

    async fn send(&mut self, ask: Ask) -> Answer {
        let label = format!(
            "answer {} to {}",
            self.answers.len(),
            ask.target().split('?').next().unwrap_or_default()
        );
        let answer = self.browser.send(ask).await;
        self.answers.push((label, answer.without_cookies()));
        self.hide_cookies();
        answer
    }

    async fn api(&mut self, method: &str, call: &str, body: Value) -> Answer {
        let ask = background(method, &format!("/_gate/api/v1/{call}"));
        self.send(ask.body("application/json", body.to_string())).await
    }

    /// Every token that the browser holds, and what is signed and named in it.
    fn hide_cookies(&mut self) {
        for name in ["__Host-gate_access", "__Secure-gate_refresh", "__Host-gate_pending"] {
            let Some(token) = self.browser.cookie(name) else { continue };
            self.hide(&format!("{name}, whole"), &token);
            if let Some((signed, signature)) = token.rsplit_once('.') {
                self.hide(&format!("{name}, its signature"), signature);
                let claims = signed
                    .split_once('.')
                    .and_then(|(_, claims)| BASE64URL_NOPAD.decode(claims.as_bytes()).ok());
                let claims: Value =
                    claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
                if let Some(sid) = claims["sid"].as_str() {
                    self.hide("the secret id of a session", sid);
                }
            }
        }
    }

    async fn sign_in(&mut self, gate: &Gate) {
        let (operator, password) = gate.operator();
        self.hide("a password", password);
        self.hide("an authenticator's secret", &operator.secret);
        let typed = json!({ "username": operator.name, "password": TYPED[0].1 });
        assert_eq!(self.api("POST", "sign-in", typed).await.status, 401);
        let typed = json!({ "username": TYPED[1].1, "password": TYPED[0].1 });
        assert_eq!(self.api("POST", "sign-in", typed).await.status, 401);
        let form = format!("username={}&password={}", operator.name, TYPED[0].1);
        self.send(navigation("POST", "/_gate/sign-in").body("application/x-www-form-urlencoded", form)).await;
        let answer =
            self.api("POST", "sign-in", json!({ "username": operator.name, "password": password })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(self.api("POST", "second-factor", json!({ "code": "000000" })).await.status, 200);
        assert_eq!(self.api("POST", "second-factor", json!({ "code": operator.code() })).await.status, 200);
    }

    /// Pages of the panel and of the gate, allowed and refused.
    async fn look_around(&mut self) {
        let query = format!("?token={}", TYPED[3].1);
        for target in ["/", "/own/200", "/own/500", "/unheard-of", "/echo/blocked/a/../b"] {
            let cookies = format!("panel={}; {}", TYPED[2].1, self.browser.cookies("/").unwrap_or_default());
            let ask = navigation("GET", &format!("{target}{query}")).field("Cookie", &cookies);
            let answer = self.browser.client.send(&ask).await;
            // A redirect says where to come back to, and a page says it in its form.
            if !matches!(answer.status, 302 | 303 | 403) {
                self.answers.push((format!("answer to {target}"), answer.without_cookies()));
            }
        }
        for page in ["account/keys", "account/keys/new", "step-up", "sign-out", "nothing-here"] {
            self.send(navigation("GET", &format!("/_gate/{page}"))).await;
        }
        for call in ["session", "sessions", "keys", "openapi.json"] {
            self.send(background("GET", &format!("/_gate/api/v1/{call}"))).await;
        }
    }

    async fn renew(&mut self) {
        for _ in 0..2 {
            let ask = background("POST", "/_gate/refresh").body("application/json", "{}");
            assert_eq!(self.send(ask).await.status, 200);
        }
        let stale = background("GET", "/echo/readable/a").field("Cookie", "__Host-gate_access=not.a.token");
        self.browser.client.send(&stale).await;
    }

    /// Makes keys, uses them, deletes them; the labels of the answers that may show them.
    async fn use_keys(&mut self, gate: &Gate) -> Vec<String> {
        self.hide("an API key from before", &gate.reader);
        let wanted = json!({ "name": "canary", "scopes": ["echo:read"], "expires": null });
        let made = self.api("POST", "keys", wanted).await;
        assert_eq!(made.status, 201, "{made:?}");
        let by_call = self.last();
        let key = made.json()["key"].as_str().unwrap_or_default().to_owned();
        self.hide("an API key", &key);
        for (field, value) in [
            ("X-Api-Key", key.clone()),
            ("Authorization", format!("Bearer {key}")),
            ("X-Api-Key", gate.reader.clone()),
        ] {
            for (method, target) in [("GET", "/own/200"), ("POST", "/own/200"), ("GET", "/_gate/api/v1/keys")]
            {
                let answer = self.browser.client.send(&background(method, target).field(field, &value)).await;
                self.answers
                    .push((format!("{method} {target} with a key in {field}"), answer.without_cookies()));
            }
        }
        self.send(navigation("GET", "/_gate/account/keys")).await;
        self.send(background("GET", "/_gate/api/v1/keys")).await;
        let id = made.json()["id"].as_str().unwrap_or_default().to_owned();
        self.send(navigation("GET", &format!("/_gate/account/keys/{id}/delete"))).await;
        self.api("DELETE", &format!("keys/{id}"), json!({})).await;
        vec![by_call]
    }

    async fn backup_code(&mut self, gate: &Gate) {
        let (operator, password) = gate.operator();
        self.hide("a backup code", &operator.backup_code);
        self.hide("a backup code without dashes", operator.backup_code.replace('-', ""));
        self.hide("another authenticator's secret", &operator.secret);
        let answer =
            self.api("POST", "sign-in", json!({ "username": operator.name, "password": password })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let proof = || json!({ "backup_code": operator.backup_code });
        assert_eq!(self.api("POST", "second-factor", proof()).await.status, 200);
        assert_ne!(self.api("POST", "second-factor", proof()).await.status, 200, "it works once");
    }

    /// Sets an authenticator app up; the labels of the answers that may show its secret and the backup codes.
    async fn enrol(&mut self) -> Vec<String> {
        let (name, password) = gate::user("reader");
        let answer = self.api("POST", "sign-in", json!({ "username": name, "password": password })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let begun = self.api("POST", "totp", json!({ "password": password })).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        let mut shown = vec![self.last()];
        let text = begun.json()["secret"].as_str().unwrap_or_default().replace(' ', "");
        let secret = BASE32_NOPAD.decode(text.as_bytes()).expect("it is base32");
        self.hide("a fresh authenticator's secret", &secret);
        self.send(navigation("GET", "/_gate/account/security")).await;
        let code = totp::code(&secret, SystemClock::new().wall());
        let done = self.api("POST", "totp/confirm", json!({ "code": code })).await;
        assert_eq!(done.status, 200, "{done:?}");
        shown.push(self.last());
        let codes: Vec<String> =
            serde_json::from_value(done.json()["backup_codes"].clone()).expect("the codes are listed");
        assert_eq!(codes.len(), 10);
        for code in codes {
            self.hide("a fresh backup code", code);
        }
        for page in ["account/security", "account/two-factor", "account/backup-codes", "api/v1/session"] {
            self.send(navigation("GET", &format!("/_gate/{page}"))).await;
        }
        shown
    }

    fn last(&self) -> String {
        self.answers.last().map(|(label, _)| label.clone()).unwrap_or_default()
    }

    /// With the right secret and with a wrong one, allowed and refused.
    async fn ask_the_sidecar(&mut self, gate: &Gate) {
        let cookies = self.browser.cookies("/").unwrap_or_default();
        for secret in [&*gate.secret, "canary-wrong-proxy-secret-4715"] {
            for (path, more) in [
                (
                    "/api/authz/forward-auth",
                    "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Uri: /echo/a\r\n",
                ),
                (
                    "/api/authz/auth-request",
                    "X-Original-Method: GET\r\nX-Original-URL: https://panel.example.com/echo/blocked/a\r\n",
                ),
                ("/_gate/account/keys", ""),
                ("/nothing", ""),
            ] {
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Host: {HOST}\r\nX-Forwarded-For: 192.0.2.1\r\n{more}\
                     X-Gate-Proxy-Secret: {secret}\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
                );
                let mut stream =
                    TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port)).await.expect("the sidecar listens");
                stream.write_all(request.as_bytes()).await.expect("it takes the question");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.expect("it answers");
                self.answers.push((format!("the sidecar's answer to {path}"), answer));
            }
        }
        self.hide("a wrong secret of a proxy", "canary-wrong-proxy-secret-4715");
    }

    async fn sign_out(&mut self) {
        let before = self.browser.copy();
        self.api("POST", "sign-out", json!({})).await;
        for target in ["/", "/_gate/api/v1/session", "/_gate/account/keys"] {
            let answer = before.navigate(target).await;
            assert_ne!(answer.status, 200, "{answer:?}");
            self.answers.push((format!("answer to {target} with a dead session"), answer.without_cookies()));
        }
    }

    fn judge(&self, shown: &[String], log: &[u8], data: &Path) {
        let text = String::from_utf8_lossy(log);
        for line in ["\"level\":\"DEBUG\"", "api-key-made", "second-factor", "session-opened"] {
            assert!(text.contains(line), "the log is not what was looked for, it has no {line}:\n{text}");
        }
        let mut places: Vec<(String, Vec<u8>)> = self.answers.clone();
        places.push(("the log".to_owned(), log.to_vec()));
        for entry in fs::read_dir(data).expect("the data directory is readable").flatten() {
            if entry.path().is_file() {
                let bytes = fs::read(entry.path()).expect("its files are readable");
                places.push((format!("{}", entry.path().display()), bytes));
            }
        }
        let store = places.iter().find(|(place, _)| place.ends_with("panelgate.redb"));
        let control = Canary { name: "control".into(), bytes: b"operator-0".to_vec() };
        assert!(store.is_some_and(|(_, bytes)| control.found_in(bytes).is_some()), "that is not the store");
        let mut found = Vec::new();
        for (place, bytes) in &places {
            for canary in &self.canaries {
                const SHOWN: [&str; 3] =
                    ["an API key", "a fresh authenticator's secret", "a fresh backup code"];
                let may = shown.contains(place) && SHOWN.contains(&&*canary.name)
                    // The store's key of a session is its id; a token of it cannot be made without the key files.
                    || place.ends_with("panelgate.redb") && canary.name == "the secret id of a session";
                if let Some(kind) = canary.found_in(bytes).filter(|_| !may) {
                    found.push(format!("{} ({kind}) in {place}", canary.name));
                }
            }
        }
        assert!(found.is_empty(), "{found:#?}");
        assert!(
            self.canaries.len() > 15 && self.answers.len() > 40,
            "{} {}",
            self.canaries.len(),
            self.answers.len()
        );
    }
}

/// Every key that the gate made for itself.
fn keys(walk: &mut Walk, folder: &Path) {
    for entry in fs::read_dir(folder).expect("the keys are there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let Ok(key) = BASE64.decode(body.trim().as_bytes()) else { continue };
        // The last 32 bytes of a PKCS#8 file are the seed.
        let seed = key.get(key.len().saturating_sub(32)..).unwrap_or_default();
        walk.hide(&name, seed);
    }
    let names: Vec<&str> = walk.canaries.iter().map(|canary| canary.name.as_str()).collect();
    for kind in ["access-", "refresh-", "master"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "no {kind} key among {names:?}");
    }
}

/// A gate with both doors and the finest log.
fn start(directory: &Path, port: u16) -> (Gate, std::sync::Arc<rustls::ClientConfig>) {
    let tls = certificates::issue(directory, HOST);
    let folder = directory.join("certificates");
    fs::create_dir_all(&folder).expect("the workspace is writable");
    for (from, to) in [("chain.pem", "panel.crt"), ("key.pem", "panel.key")] {
        gate::write_privately(
            &folder.join(to),
            &fs::read_to_string(directory.join(from)).expect("it was just written"),
        );
    }
    let more = More {
        site: format!("    upstream: http://127.0.0.1:{}\n", panel::start()),
        top: format!(
            "edge: {{ listen: [\"127.0.0.1:{port}\"], certificates: {} }}\nlog: {{ format: json, level: trace }}\n",
            folder.display()
        ),
        ..More::default()
    };
    let gate = Gate::start_with(directory, Duration::from_secs(900), &more);
    gate.running.wait_for_port(port);
    (gate, tls)
}
