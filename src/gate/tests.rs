//! One request after the other through a gate in memory.

mod conditions;
mod journal;
mod limits;
mod missing;
mod people;
mod shadow;
mod traces;

use std::{net::Ipv4Addr, num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::*;
use crate::{
    clock::ManualClock,
    config::{Environment, load_policy},
    entropy::SeededEntropy,
    live::Quotas,
    rules::{
        address::{AddrSource, ClientAddr},
        facts::{Door, Route},
        identity::{Role, Totp, User, UserName, UserSource},
        limit::Quota,
        session::{Elevation, EndReason, ExternalKey, Factor},
        site::Sites,
        token::{
            AccessClaims, AccessKey, Alg, ClaimNames, Issuer, IssuerKeys, Issuers, KeyMaterial, KeySet,
            RefreshKey,
        },
    },
    store::{MemoryStore, UserChange, Which},
};

const START: Wall = Wall::from_secs(1_764_000_000);
const COOKIE: &str = "__Host-gate_access";

const POLICY: &str = r#"
version: 1
roles: [root, admin, user]
elevation: { lasts: 15m }
require_2fa: [admin]
pages:
  - { name: home, paths: ["/"], access: { root: full, admin: full, user: read } }
  - { name: users, paths: ["/users/**"], access: { root: { unelevated: read, elevated: full } } }
  - { name: system, paths: ["/system/**"], lasts: 5m, access: { root: { unelevated: none, elevated: full } } }
  - { name: files, paths: ["/files/**"], allow_in_path: ["%2F"], access: { root: full } }
  - { name: assets, paths: ["/assets/**"], anonymous: read }
"#;

struct World {
    gate: Gate,
    clock: Arc<ManualClock>,
    notes: mpsc::Receiver<Note>,
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()), 1000).await
    }

    async fn over(store: Arc<dyn Store>, requests: u32) -> Self {
        let mut site = Site::sample("panel", &["https://panel.example.com"]);
        site.policy = policy(POLICY);
        let sites = Sites::new(vec![site]).unwrap();
        let snapshot = Snapshot { sites, keys: keys(), ..Snapshot::default() };
        let quota = |count| Quota { count: NonZeroU32::new(count).unwrap(), per: Duration::from_secs(60) };
        let (request, other) = (quota(requests), quota(1000));
        let quotas = Quotas { request, ..Quotas::all(other) };
        let live = Arc::new(Live::new(snapshot, quotas));
        let mut changes = store.changes(crate::store::Cursor::default()).await.unwrap();
        let fed = Arc::clone(&live);
        tokio::spawn(async move {
            while let Some((cursor, change)) = changes.next().await {
                fed.records.apply(cursor, change);
            }
        });
        let clock = Arc::new(ManualClock::at(START));
        let (sender, notes) = mpsc::channel(8);
        let watch: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let gate = Gate::new(live, store, watch, Arc::new(SeededEntropy::new(1)), sender);
        Self { gate, clock, notes }
    }

    async fn account(&self, name: &str, enrolled: bool) -> UserId {
        let mut id = [0; 16];
        id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let totp = enrolled.then(|| Totp { sealed_secret: SecretBytes::new([0; 4]), last_step: 0 });
        let user = User {
            id: UserId(id),
            name: UserName::parse(name).unwrap(),
            display: String::new(),
            email: String::new(),
            role: Role::from(name),
            source: UserSource::Embedded,
            password: None,
            disabled: false,
            totp,
            backup_codes: Vec::new(),
            created: START,
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        };
        let written = self.gate.store().add_user(user).await.unwrap();
        assert!(self.gate.settled(written).await);
        UserId(id)
    }

    /// The panel's own tokens count from now on.
    fn trust_the_panel(&self) {
        let issuers = Issuers::new(vec![Issuer {
            name: "panel-jwt".into(),
            iss: "https://panel.example".into(),
            aud: "panel".into(),
            algorithms: vec![Alg::Hs256],
            claims: ClaimNames { user: "sub".into(), session: "sid".into(), role: None, email: None },
            roles: Vec::new(),
            max_lifetime: Duration::from_secs(3600),
            keys: IssuerKeys::Shared(SecretBytes::new(PANEL_SECRET)),
        }]);
        let issuers = issuers.unwrap();
        let mut site = Site::sample("panel", &["https://panel.example.com"]);
        site.policy = policy(POLICY);
        let (cookies, headers) = (vec!["panel_jwt".to_owned()], vec!["authorization".to_owned()]);
        site.credentials.issuers = vec![("panel-jwt".to_owned(), cookies, headers)];
        let sites = Sites::new(vec![site]).unwrap();
        self.gate.live().swap(|snapshot| {
            snapshot.issuers = issuers.clone();
            snapshot.sites = sites.clone();
        });
    }

    /// A session of an account, and its access token.
    async fn session(&self, user: UserId, number: u8) -> (Sid, String) {
        let now = self.clock.wall();
        let session = Session {
            sid: Sid([number; 32]),
            user,
            site: "panel".into(),
            origin: Origin::Portal,
            opened: now,
            seen: now,
            idle_millis: 86_400_000,
            expires: now.plus(Duration::from_secs(30 * 86_400)),
            family: Family {
                seed: SecretBytes::new([1; 32]),
                key: "r1".into(),
                generation: 0,
                current_seen: None,
            },
            elevation: None,
            device: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
            impersonation: None,
            enrolment: None,
            panel: None,
            ended: None,
        };
        let sid = session.sid;
        let written = self.gate.store().open_session(session).await.unwrap();
        self.gate.settled(written).await;
        let exp = now.plus(Duration::from_secs(900));
        let claims = AccessClaims { sid, generation: 0, aud: "panel".into(), iat: now, exp };
        (sid, keys().issue_access(&claims, [number; 16], &user))
    }

    fn visit(&self, method: &str, target: &str, headers: &[(&'static str, &str)]) -> Visit {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let ask = Ask {
            door: Door::Edge,
            scheme: b"https",
            authority: b"panel.example.com",
            method: method.as_bytes(),
            target: target.as_bytes(),
            client: ClientAddr { ip: Ipv4Addr::new(192, 0, 2, 1).into(), from: AddrSource::Peer },
            route: Route {
                dialect: "edge",
                peer: Ipv4Addr::new(192, 0, 2, 1).into(),
                forwarded_in: "x-forwarded-for",
            },
            headers: &map,
        };
        self.gate.describe(&ask).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    async fn asks(&self, token: &str, method: &str, target: &str) -> Judgement {
        let cookie = format!("{COOKIE}={token}");
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("cookie", &cookie)] };
        self.gate.decide(&self.visit(method, target, headers)).await
    }

    async fn elevate(&self, sid: Sid) {
        let elevation = Elevation { at: self.clock.wall(), by: Factor::Totp };
        let written = self.gate.store().elevate(sid, elevation).await.unwrap();
        assert!(self.gate.settled(written).await);
    }

    async fn end(&self, which: Which) {
        let written = self.gate.store().end(which, EndReason::Revoked, self.clock.wall()).await.unwrap();
        self.gate.settled(written).await;
    }
}

fn policy(text: &str) -> Arc<crate::rules::policy::RuleSet> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    load_policy(file.path(), &Environment::new()).unwrap_or_else(|problems| panic!("{problems}")).0
}

fn keys() -> KeySet {
    KeySet::new(KeyMaterial {
        access: vec![AccessKey::from_seed("k1".into(), [3; 32])],
        refresh: vec![RefreshKey { id: "r1".into(), key: SecretBytes::new([4; 32]) }],
        master: SecretBytes::new([9; 32]),
    })
    .unwrap()
}

fn allowed(judgement: &Judgement) -> bool {
    matches!(judgement.outcome, Outcome::Allow(_))
}

#[tokio::test]
async fn a_read_only_page_is_looked_at_and_changed_only_while_elevated() {
    let world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    assert!(allowed(&world.asks(&token, "GET", "/users/7").await));
    let refused = world.asks(&token, "POST", "/users/7").await;
    assert!(matches!(refused.outcome, Outcome::StepUp { readable: true }));
    assert!(matches!(
        world.asks(&token, "GET", "/system").await.outcome,
        Outcome::StepUp { readable: false }
    ));
    world.elevate(sid).await;
    assert_eq!(world.asks(&token, "POST", "/users/7").await.reason, Reason::ElevatedAllows);
    world.clock.advance(Duration::from_secs(301));
    assert!(allowed(&world.asks(&token, "POST", "/users/7").await));
    let sooner = world.asks(&token, "GET", "/system").await;
    assert!(matches!(sooner.outcome, Outcome::StepUp { .. }), "a page shortens what counts there");
    world.clock.advance(Duration::from_secs(600));
    let lapsed = world.asks(&token, "POST", "/users/7").await;
    assert_eq!(lapsed.reason, Reason::AccessExpired);
}

#[tokio::test]
async fn revocation_disabling_and_a_new_role_count_at_the_next_request() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let (one, one_token) = world.session(root, 1).await;
    let (_, other_token) = world.session(root, 2).await;
    world.end(Which::One(one)).await;
    assert_eq!(world.asks(&one_token, "GET", "/").await.reason, Reason::SessionEnded);
    assert!(allowed(&world.asks(&other_token, "GET", "/users").await));
    let change = UserChange { role: Some("user".into()), ..UserChange::default() };
    let written = world.gate.store().change_user(root, change, START).await.unwrap();
    assert!(world.gate.settled(written).await);
    assert_eq!(world.asks(&other_token, "GET", "/users").await.reason, Reason::RoleLacksAccess);
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    let written = world.gate.store().change_user(root, change, START).await.unwrap();
    assert!(world.gate.settled(written).await);
    assert_eq!(world.asks(&other_token, "GET", "/").await.reason, Reason::AccountDisabled);
}

#[tokio::test]
async fn malformed_is_never_absent_and_neither_is_allow() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    assert_eq!(world.asks("", "GET", "/").await.reason, Reason::NoCredential);
    for bad in ["x", "a.b.c", &format!("{token}x"), &token.replace('.', "..")] {
        assert_eq!(world.asks(bad, "GET", "/").await.reason, Reason::BadCredential, "{bad}");
    }
    let two = format!("{COOKIE}={token}; {COOKIE}=x");
    let visit = world.visit("GET", "/", &[("cookie", &two)]);
    assert_eq!(world.gate.decide(&visit).await.reason, Reason::ConflictingCredentials, "R19");
    let anonymous = world.gate.decide(&world.visit("GET", "/assets/x.css", &[("cookie", &two)])).await;
    let Outcome::Allow(grant) = &anonymous.outcome else { panic!("{anonymous:?}") };
    assert!(grant.bearer().is_none(), "an anonymous page never carries an identity");
    assert_eq!(world.asks("", "POST", "/assets/x.css").await.reason, Reason::NoCredential);
}

#[tokio::test]
async fn two_tokens_of_different_sessions_contradict_each_other() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let ((_, one), (_, other)) = (world.session(root, 1).await, world.session(root, 2).await);
    let (cookie, bearer) = (format!("{COOKIE}={one}"), format!("Bearer {other}"));
    let visit = world.visit("GET", "/", &[("cookie", &cookie), ("authorization", &bearer)]);
    assert_eq!(world.gate.decide(&visit).await.reason, Reason::ConflictingCredentials);
    let visit = world.visit("GET", "/", &[("cookie", &cookie), ("authorization", "Bearer of-the-panel")]);
    assert!(allowed(&world.gate.decide(&visit).await), "the panel may use bearer tokens of its own");
}

#[tokio::test]
async fn an_expired_token_of_a_living_session_renews_and_of_a_dead_one_signs_in() {
    let world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::AccessExpired, "at exp, not after it");
    world.end(Which::One(sid)).await;
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::SessionEnded);
}

#[tokio::test]
async fn an_ambiguous_target_is_refused_unless_its_page_opens_it() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    let refused = world.asks(&token, "GET", "/users/a%2Fb").await;
    assert_eq!(refused.reason, Reason::AmbiguousTarget, "R4");
    assert!(allowed(&world.asks(&token, "GET", "/files/a%2Fb").await));
    assert_eq!(world.asks(&token, "GET", "/files/a%25b").await.reason, Reason::AmbiguousTarget);
}

#[tokio::test]
async fn a_role_that_must_have_a_second_factor_reaches_nothing_without() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("admin", false).await, 1).await;
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::NeedsEnrolment);
}

#[tokio::test]
async fn a_connection_that_stays_open_is_judged_again_under_the_newest_policy() {
    let world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.elevate(sid).await;
    let visit = world.visit("GET", "/system/log", &[("cookie", &format!("{COOKIE}={token}"))]);
    let judgement = world.gate.decide(&visit).await;
    let Outcome::Allow(grant) = judgement.outcome else { panic!("{judgement:?}") };
    assert!(world.gate.still_holds(&visit, &grant));
    world.clock.advance(Duration::from_secs(301));
    assert!(!world.gate.still_holds(&visit, &grant), "the elevation that it needed has ended");
    world.elevate(sid).await;
    assert!(world.gate.still_holds(&visit, &grant));
    let closed = policy(&POLICY.replace("\"/system/**\"", "\"/elsewhere/**\""));
    world.gate.live().swap(|snapshot| {
        let mut site = Site::clone(&snapshot.sites.all()[0]);
        site.policy = Arc::clone(&closed);
        snapshot.sites = Sites::new(vec![site]).unwrap();
    });
    assert!(!world.gate.still_holds(&visit, &grant), "the policy has changed");
    let visit = world.visit("GET", "/users", &[("cookie", &format!("{COOKIE}={token}"))]);
    let judgement = world.gate.decide(&visit).await;
    let Outcome::Allow(grant) = judgement.outcome else { panic!("{judgement:?}") };
    world.end(Which::One(sid)).await;
    assert!(!world.gate.still_holds(&visit, &grant), "the session was revoked");
}

#[tokio::test]
async fn a_session_of_another_site_opens_nothing_here() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let (sid, _) = world.session(root, 1).await;
    let exp = START.plus(Duration::from_secs(900));
    let claims = AccessClaims { sid, generation: 0, aud: "elsewhere".into(), iat: START, exp };
    let foreign = keys().issue_access(&claims, [1; 16], &root);
    assert_eq!(world.asks(&foreign, "GET", "/").await.reason, Reason::BadCredential);
}

#[tokio::test]
async fn the_first_sight_of_a_generation_is_noted_once_it_can_be() {
    let mut world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    assert!(allowed(&world.asks(&token, "GET", "/").await));
    assert_eq!(world.notes.try_recv(), Ok(Note::Seen { sid, generation: 0, at: START }));
    let written = world.gate.store().mark_seen(sid, 0, START).await.unwrap();
    world.gate.settled(written).await;
    assert!(allowed(&world.asks(&token, "GET", "/").await));
    assert!(world.notes.try_recv().is_err(), "what is known needs no note");
}

#[tokio::test]
async fn a_store_that_does_not_answer_closes_the_gate() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let exp = START.plus(Duration::from_secs(900));
    let claims = AccessClaims { sid: Sid([9; 32]), generation: 0, aud: "panel".into(), iat: START, exp };
    let token = keys().issue_access(&claims, [1; 16], &root);
    assert_eq!(
        world.asks(&token, "GET", "/").await.reason,
        Reason::SessionEnded,
        "nobody knows this session"
    );
    world.gate.store().close().await.unwrap();
    let refused = world.asks(&token, "GET", "/").await;
    assert!(matches!(refused.outcome, Outcome::Unavailable(Reason::StoreUnavailable)));
}

#[tokio::test]
async fn a_network_over_its_quota_is_told_when_to_come_back() {
    let world = World::over(Arc::new(MemoryStore::new()), 3).await;
    for _ in 0..3 {
        assert_eq!(world.asks("", "GET", "/").await.reason, Reason::NoCredential);
    }
    let refused = world.asks("", "GET", "/").await;
    let Outcome::Throttle { retry_after } = refused.outcome else { panic!("{refused:?}") };
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(60));
}

#[tokio::test]
async fn a_sealed_refusal_comes_back_whole_within_a_minute_and_never_altered() {
    let world = World::new().await;
    let long = format!("/users?q={}", "x".repeat(2000));
    for target in ["/users/7?tab=2", long.as_str()] {
        let visit = world.visit("GET", target, &[("accept", "text/html")]);
        let refusal = world.gate.refusal(&visit, &world.gate.decide(&visit).await).unwrap();
        let sealed = world.gate.seal(&refusal);
        assert!(
            sealed.len() < 2048 && sealed.bytes().all(|byte| byte.is_ascii_graphic()),
            "{}",
            sealed.len()
        );
        let opened = world.gate.unseal(&sealed).unwrap();
        assert_eq!((opened.reason, opened.decision), (refusal.reason, refusal.decision));
        assert!(opened.url == refusal.url || opened.url == "https://panel.example.com/users");
        assert_eq!(world.gate.unseal(&format!("{sealed}A")), None);
        assert_eq!(world.gate.unseal(&sealed.chars().rev().collect::<String>()), None);
    }
    let visit = world.visit("GET", "/", &[]);
    let refusal = world.gate.refusal(&visit, &world.gate.decide(&visit).await).unwrap();
    let sealed = world.gate.seal(&refusal);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.gate.unseal(&sealed), None, "too old");
}

/// The panel reads its own token itself: whoever is root there must not be let in as somebody else here.
#[tokio::test]
async fn our_session_and_a_panel_token_that_name_different_accounts_are_refused() {
    let world = World::new().await;
    world.trust_the_panel();
    let (root, user) = (world.account("root", true).await, world.account("user", false).await);
    let ((_, roots), (_, users)) = (world.session(root, 1).await, world.session(user, 2).await);
    let (of_root, forged) =
        (panel_token("root", "s1", 600), format!("{}AAAA", panel_token("root", "s1", 600)));
    for (own, field, token, reason) in [
        (&users, "cookie", &of_root, Reason::ConflictingCredentials),
        (&users, "authorization", &of_root, Reason::ConflictingCredentials),
        (&roots, "cookie", &of_root, Reason::RoleAllows),
        // One that nobody vouches for may be anything of the panel's.
        (&users, "authorization", &forged, Reason::RoleAllows),
    ] {
        let (own, theirs) = (format!("{COOKIE}={own}"), theirs(field, token));
        let visit = world.visit("GET", "/", &[("cookie", &own), (field, &theirs)]);
        assert_eq!(world.gate.decide(&visit).await.reason, reason, "{field}");
    }
}

/// R19: nobody knows which of two cookies of one name the panel reads.
#[tokio::test]
async fn a_panel_token_beside_a_forged_one_of_the_same_cookie_is_refused() {
    let world = World::new().await;
    world.trust_the_panel();
    world.account("user", false).await;
    let good = panel_token("user", "s2", 600);
    let (stale, forged) = (panel_token("user", "s0", 0), format!("{}AAAA", panel_token("root", "s1", 600)));
    for (first, second, reason) in [
        (&good, &forged, Reason::ConflictingCredentials),
        (&forged, &good, Reason::ConflictingCredentials),
        (&stale, &good, Reason::RoleAllows),
        (&good, &good, Reason::RoleAllows),
        (&forged, &forged, Reason::BadCredential),
    ] {
        let both = format!("{}; {}", theirs("cookie", first), theirs("cookie", second));
        let visit = world.visit("GET", "/", &[("cookie", &both)]);
        assert_eq!(world.gate.decide(&visit).await.reason, reason);
    }
}

/// `Cookie` or `Authorization` with a token of the panel's.
fn theirs(field: &str, token: &str) -> String {
    if field == "cookie" { format!("panel_jwt={token}") } else { format!("Bearer {token}") }
}

const PANEL_SECRET: [u8; 32] = [5; 32];

/// What the panel signs for its own users; dead a minute ago with a `life` of 0.
fn panel_token(user: &str, session: &str, life: u64) -> String {
    let (now, encode) = (START.secs(), |text: String| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes()));
    let claims = serde_json::json!({
        "iss": "https://panel.example", "aud": "panel", "sub": user, "sid": session, "iat": now - 60, "exp": now - 60 + life,
    });
    let message = format!("{}.{}", encode(r#"{"alg":"HS256"}"#.to_owned()), encode(claims.to_string()));
    let key = jsonwebtoken::EncodingKey::from_secret(&PANEL_SECRET);
    let algorithm = jsonwebtoken::Algorithm::HS256;
    format!("{message}.{}", jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap())
}

#[tokio::test]
async fn an_external_session_that_was_revoked_stays_dead() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let identity = ExternalIdentity {
        key: ExternalKey { issuer: "panel-jwt".into(), session: "s1".into() },
        name: UserName::parse("root").unwrap(),
        role: None,
        email: String::new(),
        expires: START.plus(Duration::from_secs(3600)),
    };
    let visit = world.visit("GET", "/", &[]);
    world.gate.open_external(&visit, identity.clone()).await.unwrap();
    let session = View::external(&world.gate.live().records, &identity.key).unwrap();
    assert_eq!(session.user, root, "joined to the account of the same name");
    world.end(Which::One(session.sid)).await;
    world.gate.open_external(&visit, identity.clone()).await.unwrap();
    let again = View::external(&world.gate.live().records, &identity.key).unwrap();
    assert_eq!((again.sid, again.ended.is_some()), (session.sid, true));
}

#[tokio::test]
async fn after_verifying_a_refused_form_leads_back_to_its_page_and_never_elsewhere() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    let cookie = format!("{COOKIE}={token}");
    let asked = "https://panel.example.com/users/1/suspend";
    for (method, referer, back) in [
        ("POST", "https://panel.example.com/users?page=2", "https://panel.example.com/users?page=2"),
        ("POST", "https://panel.example.com.evil.example/users", asked),
        ("POST", "https://evil.example/", asked),
        ("POST", "http://panel.example.com/users", asked),
        ("POST", "https://panel.example.com", asked),
        ("POST", "https://panel.example.com/\\evil.example", asked),
    ] {
        let visit = world.visit(method, "/users/1/suspend", &[("cookie", &cookie), ("referer", referer)]);
        let refusal = world.gate.refusal(&visit, &world.gate.decide(&visit).await).unwrap();
        assert_eq!(refusal.url, back, "{referer}");
    }
    let visit =
        world.visit("GET", "/system", &[("cookie", &cookie), ("referer", "https://panel.example.com/")]);
    let refusal = world.gate.refusal(&visit, &world.gate.decide(&visit).await).unwrap();
    assert_eq!(
        refusal.url, "https://panel.example.com/system",
        "a page that was asked for is what to come back to"
    );
}

#[tokio::test]
async fn while_the_change_stream_is_lost_nothing_is_decided_from_memory() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    let visit = world.visit("GET", "/users", &[("cookie", &format!("{COOKIE}={token}"))]);
    let Outcome::Allow(grant) = world.gate.decide(&visit).await.outcome else { panic!("allowed before") };
    world.gate.live().records.set_lost(true);
    assert_eq!(world.gate.decide(&visit).await.reason, Reason::StoreUnavailable, "R33");
    assert!(!world.gate.still_holds(&visit, &grant));
    world.gate.live().records.set_lost(false);
    assert!(world.gate.still_holds(&visit, &grant));
}
