//! A portal in memory and browsers that use it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use futures_util::StreamExt;
use http::{HeaderMap, Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::{
    clock::{Clock, ManualClock, Wall},
    entropy::{Entropy, SeededEntropy},
    gate::{Gate, Visit, accounts::Accounts, panel::fake::FakePanel},
    live::{Live, Quotas, Snapshot},
    portal::{Hasher, NewSignIn, Portal},
    rules::{
        address::{AddrSource, ClientAddr},
        factor::{backup, password, totp},
        facts::{Ask, Door, Route},
        identity::{Totp, User, UserId, UserName, UserSource},
        limit::Quota,
        outcome::Outcome,
        place::Places,
        policy::{RuleSet, compile},
        seal::Sealer,
        session::{PublicId, Session},
        site::{Site, Sites},
        token::{AccessKey, KeyMaterial, KeySet, RefreshKey},
        written::{Findings, Node},
    },
    secret::{SecretBytes, SecretText},
    store::{Change, MemoryStore, Store, UserChange},
};

pub(crate) const SECRET: [u8; 20] = *b"12345678901234567890";
pub(crate) const BACKUP: &str = "0000-0000-0001";
pub(crate) const START: Wall = Wall::from_secs(1_764_000_000);
/// Marks the requests that came by way of a sidecar.
const PROXIED: &str = "x-test-proxied";
pub(crate) const HOST: &str = "panel.example.com";

/// Where browsers are unless they say otherwise.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// An audit trail that takes records or does not.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) full: std::sync::atomic::AtomicBool,
}

impl Accounts for Book {
    fn is_open(&self) -> bool {
        !self.full.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A gate with a portal, all in memory.
pub(crate) struct World {
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) portal: Arc<Portal>,
    /// Asked where the site has a login.
    pub(crate) panel: Arc<FakePanel>,
    /// What the audit trail does.
    pub(crate) book: Arc<Book>,
    /// News of sign-ins that waits to be sent.
    told: Mutex<mpsc::Receiver<NewSignIn>>,
    router: Router,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, 1000).await
    }

    /// With changes to the site and `tries` of a second factor.
    pub(crate) async fn with(change: impl FnOnce(&mut Site), tries: u32) -> Self {
        let mut site =
            Site::sample("panel", &["https://panel.example.com", "https://other.example.com:8443"]);
        site.policy = Arc::new(policy());
        change(&mut site);
        let snapshot = Snapshot {
            sites: Sites::new(vec![site]).unwrap(),
            keys: keys(),
            places: places(),
            ..Snapshot::default()
        };
        let live = Arc::new(Live::new(snapshot, quotas(tries)));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        feed(&live, &store).await;
        let clock = Arc::new(ManualClock::at(START));
        let (notes, _) = mpsc::channel(64);
        let (clock_arc, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
            (clock.clone(), Arc::new(SeededEntropy::new(7)));
        let panel = Arc::new(FakePanel::default());
        let (queue, archive) = super::overview::Shelf::start(&live);
        let gate = Gate::new(live, store, clock_arc, entropy, notes).asking(panel.clone());
        let book = Arc::new(Book::default());
        let accounts: Arc<dyn Accounts> = book.clone();
        let gate = Arc::new(gate.journaling(queue, archive).accounting(accounts));
        let (notices, told) = mpsc::channel(4);
        let portal = Arc::new(Portal {
            gate: Arc::clone(&gate),
            hasher: Hasher::new(2, Arc::default(), clock.clone()),
            notices,
            trail: Arc::new(super::operators::Trail),
        });
        let router = crate::portal::serve(Arc::clone(&portal));
        let world = Self { gate, clock, portal, panel, book, told: Mutex::new(told), router };
        for (name, enrolled) in [("alice", false), ("root", true), ("admin", true)] {
            world.add(name, enrolled).await;
        }
        world
    }

    async fn add(&self, name: &str, enrolled: bool) {
        self.add_as(name, name, enrolled).await;
    }

    /// Makes an account whose password is its name and `-pass`.
    pub(crate) async fn add_as(&self, name: &str, role: &str, enrolled: bool) {
        let id = id(name);
        let sealer = sealer();
        let user = User {
            id,
            name: UserName::parse(name).unwrap(),
            display: String::new(),
            email: String::new(),
            role: role.into(),
            source: UserSource::Embedded,
            password: Some(
                password::hash(&SecretText::from(format!("{name}-pass")), 4, [1; 16], password::no_pause)
                    .unwrap(),
            ),
            disabled: false,
            totp: enrolled
                .then(|| Totp { sealed_secret: totp::seal(&sealer, &id, &SECRET, [2; 12]), last_step: 0 }),
            backup_codes: if enrolled { vec![backup::hash(&id, BACKUP)] } else { Vec::new() },
            created: START,
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        };
        let written = self.gate.store().add_user(user).await.unwrap();
        assert!(self.gate.settled(written).await);
    }

    pub(crate) fn code(&self) -> String {
        totp::code(&SECRET, self.clock.wall())
    }

    /// Takes the password out of an account, as if it signed in elsewhere.
    pub(crate) async fn forget_password(&self, name: &str) {
        let user = self.gate.store().user_by_name(&UserName::parse(name).unwrap()).await.unwrap().unwrap();
        let user = User { password: None, ..user };
        let records = &self.gate.live().records;
        let now = *records.applied().borrow();
        records.apply(now, Change::User(Arc::new(user)));
    }

    /// The code of an app that was given this secret, so many steps from now.
    pub(crate) fn code_of(&self, base32: &str, steps: i64) -> String {
        let secret = data_encoding::BASE32_NOPAD.decode(base32.as_bytes()).unwrap();
        let at = self.clock.wall().millis().checked_add_signed(steps * 30_000).unwrap();
        totp::code(&secret, Wall::from_millis(at))
    }

    pub(crate) fn checks(&self) -> usize {
        self.portal.hasher.checks.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) fn sessions(&self, name: &str) -> Vec<Arc<Session>> {
        self.gate.live().records.whole().unwrap().sessions_of(&id(name))
    }

    pub(crate) fn session(&self, id: &str) -> Arc<Session> {
        self.gate.live().records.whole().unwrap().session_by_public(&PublicId(id.into())).unwrap()
    }

    /// The next piece of news that waits to be sent.
    pub(crate) fn news(&self) -> Option<NewSignIn> {
        self.told.lock().unwrap().try_recv().ok()
    }

    /// Changes an account behind everybody's back.
    pub(crate) async fn change(&self, name: &str, change: UserChange) {
        let written = self.gate.store().change_user(id(name), change, self.clock.wall()).await.unwrap();
        assert!(self.gate.settled(written).await);
    }

    /// Sends one request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Arc::new(self.visit(&parts)));
        let response = self.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        Answer::read(response).await
    }

    /// What a browser gets whose request for the panel is refused.
    pub(crate) async fn refused(&self, request: Request<Body>) -> Answer {
        let (parts, _) = request.into_parts();
        let visit = self.visit(&parts);
        let refusal = self.gate.refusal(&visit, &self.gate.decide(&visit).await).expect("a refusal");
        let sealed = self.gate.seal(&refusal);
        let asked = Request::builder().uri("/_gate/refused").header("x-gate-outcome", sealed);
        self.send(asked.body(Body::empty()).unwrap()).await
    }

    /// The same at our own edge, which knows who was refused.
    pub(crate) async fn refused_to(&self, request: Request<Body>) -> Answer {
        let (parts, _) = request.into_parts();
        let visit = self.visit(&parts);
        let refusal = self.gate.refusal(&visit, &self.gate.decide(&visit).await).expect("a refusal");
        let mut asked = Request::builder().uri("/_gate/refused").body(Body::empty()).unwrap();
        asked.extensions_mut().insert(refusal);
        asked.extensions_mut().insert(Arc::new(visit));
        Answer::read(self.router.clone().oneshot(asked).await.unwrap()).await
    }

    /// What the gate says about a request for the panel.
    pub(crate) async fn decide(&self, request: Request<Body>) -> Outcome {
        let (parts, _) = request.into_parts();
        self.gate.decide(&self.visit(&parts)).await.outcome
    }

    pub(crate) fn visit(&self, parts: &Parts) -> Visit {
        self.describe(parts).expect("a request that can be described")
    }

    /// A request as the gate describes it, or refuses to.
    pub(crate) fn describe(&self, parts: &Parts) -> Result<Visit, Box<crate::gate::Refusal>> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let ip = parts.extensions.get::<IpAddr>().copied().unwrap_or(ADDRESS);
        let client = ClientAddr { ip, from: AddrSource::Peer };
        let ask = Ask {
            door: if parts.headers.contains_key(PROXIED) { Door::Sidecar } else { Door::Edge },
            scheme: b"https",
            authority: HOST.as_bytes(),
            method: parts.method.as_str().as_bytes(),
            target: target.as_bytes(),
            client,
            route: Route { dialect: "portal", peer: ip, forwarded_in: "x-forwarded-for" },
            headers: &parts.headers,
        };
        self.gate.describe(&ask)
    }
}

/// An id that tells the names of the tests apart.
pub(crate) fn id(name: &str) -> UserId {
    let mut id = [0; 16];
    id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    UserId(id)
}

/// MaxMind's own test database.
fn places() -> Places {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/geoip/GeoLite2-City-Test.mmdb");
    Places::parse(std::fs::read(file).unwrap()).unwrap()
}

/// An address of a route, with something in each of its places.
pub(crate) fn example(path: &str) -> String {
    path.replace("{id}", "aaaaaaaaaaaaaaaa").replace("{name}", "alice").replace("{act}", "disable")
}

fn policy() -> RuleSet {
    policy_with("version", json!(1))
}

/// The policy with one key set otherwise.
pub(crate) fn policy_with(key: &str, value: Json) -> RuleSet {
    let mut document = json!({
        "version": 1,
        "roles": ["root", "admin", "alice"],
        "elevation": { "lasts": "15m" },
        "pages": [
            { "name": "domains", "paths": ["/domains/**"], "scopes": { "read": "domains:read", "write": "domains:write" }, "access": { "root": "full", "admin": "full", "alice": "full" } },
            {
                "name": "user-management",
                "paths": ["/users/**"],
                "lasts": "5m",
                "scopes": { "read": "users:read", "write": "users:write" },
                "access": {
                    "root": { "unelevated": "read", "elevated": "full" },
                    "admin": { "unelevated": "none", "elevated": "full" },
                    "alice": "none",
                },
            },
        ],
    });
    document[key] = value;
    rules(&document)
}

/// A policy out of JSON.
pub(crate) fn rules(document: &Json) -> RuleSet {
    let mut found = Findings::default();
    let rules = compile(&Node::of_json(document), &mut found);
    rules.unwrap_or_else(|| panic!("{found:?}"))
}

fn quotas(tries: u32) -> Quotas {
    let quota = |count| Quota { count: NonZeroU32::new(count).unwrap(), per: Duration::from_secs(900) };
    Quotas { second_factor: quota(tries), sign_in: quota(1000), ..Quotas::all(quota(10_000)) }
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new([9; 32])
}

fn keys() -> KeySet {
    KeySet::new(KeyMaterial {
        access: vec![AccessKey::from_seed("k1".into(), [3; 32])],
        refresh: vec![RefreshKey { id: "r1".into(), key: SecretBytes::new([4; 32]) }],
        master: SecretBytes::new([9; 32]),
    })
    .unwrap()
}

async fn feed(live: &Arc<Live>, store: &Arc<dyn Store>) {
    let mut changes = store.changes(crate::store::Cursor::default()).await.unwrap();
    let live = Arc::clone(live);
    tokio::spawn(async move {
        while let Some((cursor, change)) = changes.next().await {
            live.records.apply(cursor, change);
        }
    });
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        self.set_cookies().into_iter().find(|cookie| cookie.starts_with(&format!("{name}=")))
    }

    /// The token of the form on the page.
    pub(crate) fn form(&self) -> String {
        let after = self
            .text
            .split("name=\"form\" value=\"")
            .nth(1)
            .unwrap_or_else(|| panic!("no form: {}", self.text));
        after.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// A browser with a cookie jar.
#[derive(Clone)]
pub(crate) struct Browser<'w> {
    world: &'w World,
    proxied: bool,
    pub(crate) jar: BTreeMap<String, String>,
    pub(crate) agent: String,
    pub(crate) address: IpAddr,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, proxied: false, jar: BTreeMap::new(), agent: "curl/8".to_owned(), address: ADDRESS }
    }

    /// The same browser in front of a sidecar.
    pub(crate) fn behind_a_proxy(self) -> Self {
        Self { proxied: true, ..self }
    }

    /// One that calls itself `agent` and comes from `address`.
    pub(crate) fn at(world: &'w World, agent: &str, address: &str) -> Self {
        Self { agent: agent.to_owned(), address: address.parse().unwrap(), ..Self::new(world) }
    }

    /// A page being navigated to.
    pub(crate) async fn open(&mut self, target: &str) -> Answer {
        let request = self
            .request("GET", target)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        self.go(request.header("sec-fetch-site", "none").body(Body::empty()).unwrap()).await
    }

    /// A form being sent.
    pub(crate) async fn submit(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .request("POST", target)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.go(request.body(Body::from(body)).unwrap()).await
    }

    /// A call by a script of the same origin.
    pub(crate) async fn call(&mut self, method: &str, target: &str, body: &str) -> Answer {
        let request = self
            .request(method, target)
            .header("sec-fetch-mode", "cors")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/json");
        self.go(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Any request with this browser's cookies.
    pub(crate) fn request(&self, method: &str, target: &str) -> http::request::Builder {
        let mut builder = Request::builder()
            .method(method)
            .uri(target)
            .header("user-agent", &self.agent)
            .extension(self.address);
        if self.proxied {
            builder = builder.header(PROXIED, "yes");
        }
        let refreshes = target.starts_with("/_gate/refresh");
        let sent = |name: &str| refreshes || !name.contains("refresh");
        let cookies: Vec<_> = self
            .jar
            .iter()
            .filter(|(name, _)| sent(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if cookies.is_empty() { builder } else { builder.header("cookie", cookies.join("; ")) }
    }

    pub(crate) async fn go(&mut self, request: Request<Body>) -> Answer {
        let answer = self.world.send(request).await;
        for cookie in answer.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0;") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Signs in by the API, with a code where one is asked for.
    pub(crate) async fn sign_in(&mut self, name: &str) -> Answer {
        let body = serde_json::json!({ "username": name, "password": format!("{name}-pass") }).to_string();
        let answer = self.call("POST", "/_gate/api/v1/sign-in", &body).await;
        if answer.json()["state"] == "signed-in" {
            return answer;
        }
        assert_eq!(answer.json()["state"], "second-factor", "{}", answer.text);
        self.code(&self.world.code()).await
    }

    pub(crate) async fn code(&mut self, code: &str) -> Answer {
        let body = serde_json::json!({ "code": code }).to_string();
        self.call("POST", "/_gate/api/v1/second-factor", &body).await
    }

    pub(crate) async fn refresh(&mut self) -> Answer {
        self.call("POST", "/_gate/refresh", "{}").await
    }

    pub(crate) async fn session(&mut self) -> Answer {
        self.call("GET", "/_gate/api/v1/session", "").await
    }
}
