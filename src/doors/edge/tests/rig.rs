//! A whole edge on port 0: gate, store in memory, a session, a panel behind it.

use std::{collections::HashMap, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::StreamExt;
use http::{Request, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;
use tower::util::BoxCloneSyncService;

use super::{
    super::{Certificates, Edge, EdgeHandle, EdgeSettings, Limits, UpstreamAddress, UpstreamSettings},
    panel::Panel,
};
use crate::{
    clock::{Clock, SystemClock, Wall},
    doors::PortalService,
    entropy::{Entropy, SystemEntropy},
    gate::{Gate, Refusal, RefusalKind, Visit, panel::fake::FakePanel},
    live::{Live, Quotas, Snapshot},
    rules::{
        address::TrustedProxies,
        factor::strength,
        facts::CredentialNames,
        identity::{User, UserId, UserName, UserSource},
        limit::Quota,
        policy::{RuleSet, compile},
        session::{Elevation, EndReason, Factor, Family, Origin as SessionOrigin, Session, Sid},
        site::{Assertion, AtSignIn, Cookies, Lifetimes, Origin, SameSite, SecondFactor, Site, Sites},
        token::{AccessClaims, AccessKey, KeyMaterial, KeySet, RefreshKey},
        written::{At, Findings, Key, Node, Value},
    },
    secret::SecretBytes,
    store::{Cursor, MemoryStore, Store, Which},
};

pub(super) const HOST: &str = "panel.test";
pub(super) const ORIGIN: &str = "https://panel.test";

/// A running edge with everything around it.
pub(super) struct Rig {
    pub(super) edge: Option<EdgeHandle>,
    pub(super) address: SocketAddr,
    pub(super) panel: Panel,
    pub(super) gate: Arc<Gate>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) roots: RootCertStore,
    pub(super) authority: Arc<Authority>,
    /// `NAME=TOKEN`, for the `Cookie` field.
    pub(super) cookie: String,
    pub(super) sid: Sid,
    stop: CancellationToken,
}

impl Rig {
    pub(super) async fn start() -> Self {
        Self::with(Panel::start().await, |_| {}).await
    }

    pub(super) async fn with(panel: Panel, change: impl FnOnce(&mut EdgeSettings)) -> Self {
        let stop = CancellationToken::new();
        let store = Arc::new(MemoryStore::new());
        let keys = key_set();
        let gate = gate(&store, keys.clone(), &stop).await;
        let authority = Arc::new(Authority::new());
        let mut settings = settings(&panel, &authority);
        change(&mut settings);
        let edge = Edge::start(settings, Arc::clone(&gate), portal()).await.unwrap();
        let address = edge.addresses()[0];
        let user = add_user(&store).await;
        let sid = open_session(&store, &gate, &user).await;
        let cookie = cookie(&keys, &gate, sid, user.id);
        let roots = authority.roots();
        Self { edge: Some(edge), address, panel, gate, store, roots, authority, cookie, sid, stop }
    }

    /// Ends the session and waits until the gate knows.
    pub(super) async fn revoke(&self) {
        let written =
            self.store.end(Which::One(self.sid), EndReason::Revoked, self.gate.moment().wall).await.unwrap();
        assert_eq!(self.gate.settled(written).await, 1);
    }

    /// Proves the second factor.
    pub(super) async fn elevate(&self) {
        let elevation = Elevation { at: self.gate.moment().wall, by: Factor::Totp };
        let written = self.store.elevate(self.sid, elevation).await.unwrap();
        assert!(self.gate.settled(written).await);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn gate(store: &Arc<MemoryStore>, keys: KeySet, stop: &CancellationToken) -> Arc<Gate> {
    let snapshot = Snapshot { sites: Sites::new(vec![site()]).unwrap(), keys, ..Snapshot::default() };
    let plenty = Quota { count: NonZeroU32::new(1_000_000).unwrap(), per: Duration::from_secs(1) };
    let quotas = Quotas::all(plenty);
    let live = Arc::new(Live::new(snapshot, quotas));
    let mut changes = store.changes(Cursor::default()).await.unwrap();
    let (fed, stop) = (Arc::clone(&live), stop.clone());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        while let Some((at, change)) = changes.next().await {
            fed.records.apply(at, change);
        }
    }));
    let (notes, mut noted) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move { while noted.recv().await.is_some() {} });
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let gate = Gate::new(live, store, Arc::new(SystemClock::new()), Arc::new(SystemEntropy), notes);
    Arc::new(gate.asking(Arc::new(FakePanel::default())))
}

fn settings(panel: &Panel, authority: &Arc<Authority>) -> EdgeSettings {
    let upstream = UpstreamSettings { address: panel.address.clone(), authorities: Vec::new() };
    EdgeSettings {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        sockets: Arc::default(),
        redirect_from: Vec::new(),
        certificates: authority.certificates(),
        upstreams: HashMap::from([(Arc::from("panel"), upstream)]),
        trusted_proxies: TrustedProxies::default(),
        proxy_protocol_from: TrustedProxies::default(),
        limits: Limits::default(),
        client_script: true,
        marks: |_, _, _| None,
    }
}

/// Signs the certificates of one rig.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.der()).unwrap();
        roots
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A fresh certificate.
    pub(super) fn issue(&self, names: &[&str]) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Arc::new(CertifiedKey::from_der(vec![certificate.der().clone()], private, &provider).unwrap())
    }

    fn certificates(&self) -> Certificates {
        let pair = self.issue(&[HOST, "other.test"]);
        let address = self.issue(&["127.0.0.1"]);
        Arc::new(move |name, _| match name {
            Some("panel.test" | "other.test") => Some(Arc::clone(&pair)),
            Some(_) => None,
            None => Some(Arc::clone(&address)),
        })
    }
}

pub(super) fn site() -> Site {
    let names = ["__Host-gate_access", "__Secure-gate_refresh", "__Host-gate_pending"].map(str::to_owned);
    let [access, refresh, pending] = names.clone();
    let cookies = Cookies { access, refresh, pending, domain: None, same_site: SameSite::Lax };
    let [access, refresh, pending] = names;
    let hour = Duration::from_secs(3600);
    let origin = |text: &str| Origin::parse(text).unwrap();
    Site {
        id: Arc::from("panel"),
        title: "Panel".to_owned(),
        origins: vec![origin(ORIGIN), origin("https://127.0.0.1")],
        portal: origin(ORIGIN),
        policy: Arc::new(policy()),
        tests: crate::rules::policy::testing::Beside::Nothing,
        shadow: None,
        cookies,
        lifetimes: Lifetimes {
            access: hour,
            idle: hour,
            absolute: hour,
            grace: hour,
            pending: hour,
            impersonation: hour,
        },
        second_factor: SecondFactor { at_sign_in: AtSignIn::Never, sign_in_elevates: true },
        passwords: strength::Rules::default(),
        assertion: Assertion::Session,
        credentials: CredentialNames { access, refresh, pending, issuers: Vec::new() },
        accent: "#336699".to_owned(),
        login: None,
    }
}

fn policy() -> RuleSet {
    let written = serde_json::json!({
        "version": "1",
        "roles": ["admin", "user"],
        "elevation": { "lasts": "15m", "methods": ["totp"] },
        "default": "none",
        "pages": [
            { "name": "public", "paths": ["/public/**"], "anonymous": "read" },
            { "name": "rest", "paths": ["/**"], "access": { "admin": "full", "user": "read" } },
            { "name": "vault", "paths": ["/vault/**"],
              "access": { "admin": { "unelevated": "none", "elevated": "full" }, "user": "none" } },
        ],
    });
    let mut found = Findings::default();
    compile(&node(&written), &mut found).unwrap_or_else(|| panic!("{found:?}"))
}

fn node(value: &serde_json::Value) -> Node {
    let at = At::source("test");
    let value = match value {
        serde_json::Value::Array(items) => Value::List(items.iter().map(node).collect()),
        serde_json::Value::Object(items) => {
            let key = |text: &String| Key { at: at.clone(), text: text.clone() };
            Value::Map(items.iter().map(|(text, item)| (key(text), node(item))).collect())
        }
        serde_json::Value::String(text) => Value::Scalar(text.clone()),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Value::Null,
    };
    Node { at, value }
}

fn key_set() -> KeySet {
    let entropy: &dyn Entropy = &SystemEntropy;
    let material = KeyMaterial {
        access: vec![AccessKey::from_seed("a1".to_owned(), entropy.array())],
        refresh: vec![RefreshKey { id: "r1".to_owned(), key: SecretBytes::new(entropy.array::<32>()) }],
        master: SecretBytes::new(entropy.array::<32>()),
    };
    KeySet::new(material).unwrap()
}

async fn add_user(store: &MemoryStore) -> User {
    let user = User {
        id: UserId([7; 16]),
        name: UserName::parse("ada").unwrap(),
        display: "Ada L.".to_owned(),
        email: "ada@panel.test".to_owned(),
        role: Arc::from("admin"),
        source: UserSource::Login("panel-login".to_owned()),
        password: None,
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: Wall::from_secs(1),
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    };
    assert!(store.add_user(user.clone()).await.unwrap().value);
    user
}

async fn open_session(store: &MemoryStore, gate: &Gate, user: &User) -> Sid {
    let now = gate.moment().wall;
    let sid = Sid(gate.entropy().array());
    let session = Session {
        sid,
        user: user.id,
        site: Arc::from("panel"),
        origin: SessionOrigin::Portal,
        opened: now,
        seen: now,
        idle_millis: 3_600_000,
        expires: now.plus(Duration::from_secs(3600)),
        family: Family {
            seed: SecretBytes::new([1; 32]),
            key: "r1".into(),
            generation: 0,
            current_seen: None,
        },
        elevation: None,
        device: "test".to_owned(),
        address: [127, 0, 0, 1].into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    };
    let written = store.open_session(session).await.unwrap();
    gate.settled(written).await;
    sid
}

fn cookie(keys: &KeySet, gate: &Gate, sid: Sid, user: UserId) -> String {
    let now = SystemClock::new().wall();
    let claims = AccessClaims {
        sid,
        generation: 0,
        aud: Arc::from("panel"),
        iat: now,
        exp: now.plus(Duration::from_secs(3600)),
    };
    format!("__Host-gate_access={}", keys.issue_access(&claims, gate.entropy().array(), &user))
}

/// Stands for the portal: says what it was given.
fn portal() -> PortalService {
    BoxCloneSyncService::new(tower::service_fn(
        |request: Request<Body>| async move { Ok(answer(request).await) },
    ))
}

async fn answer(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(refusal) = parts.extensions.get::<Refusal>() {
        let status = match refusal.kind {
            RefusalKind::SignIn => 401,
            RefusalKind::StepUp { .. } | RefusalKind::Deny => 403,
            RefusalKind::Throttle { .. } => 429,
            RefusalKind::Unavailable => 503,
            RefusalKind::BadRequest => 400,
            RefusalKind::BadGateway => 502,
            RefusalKind::GatewayTimeout => 504,
        };
        let text = format!("refused: {} {}", refusal.reason.code(), refusal.decision);
        return Response::builder().status(status).body(Body::from(text)).unwrap();
    }
    let known = parts.extensions.get::<Arc<Visit>>().is_some();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if parts.uri.path() == "/_gate/stream" {
        let pieces = (0..3).map(|n| Ok::<_, std::io::Error>(format!("piece {n}\n")));
        return Response::new(Body::from_stream(futures_util::stream::iter(pieces)));
    }
    Response::new(Body::from(format!("portal: visit {known}, {} bytes, {}", bytes.len(), parts.uri)))
}

/// The panel of a site, over TLS or not.
pub(super) fn upstream(
    address: UpstreamAddress,
    authorities: Vec<CertificateDer<'static>>,
) -> UpstreamSettings {
    UpstreamSettings { address, authorities }
}
