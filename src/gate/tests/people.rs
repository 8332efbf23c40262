//! API keys, impersonation and High Security Mode.

use super::*;
use crate::{
    rules::{
        api_key::{ApiKey, KeyId},
        facts::PresentedKey,
        session::{Impersonation, SessionChange},
    },
    store::UserChange,
};

const HALF_HOUR: Duration = Duration::from_secs(1800);

const POLICY: &str = r#"
version: 1
roles: [root, admin, user]
elevation: { lasts: 15m }
pages:
  - { name: home, paths: ["/"], access: { root: full, admin: full, user: full } }
  - name: users
    paths: ["/users/**"]
    scopes: { read: "users:read", write: "users:write" }
    access: { root: { unelevated: read, elevated: full }, admin: { unelevated: none, elevated: full }, user: read }
  - { name: unscoped, paths: ["/unscoped/**"], access: { root: full, admin: full } }
"#;

async fn world() -> World {
    let world = World::new().await;
    let mut site = Site::sample("panel", &["https://panel.example.com"]);
    site.policy = policy(POLICY);
    let sites = Sites::new(vec![site]).unwrap();
    world.gate.live().swap(|snapshot| snapshot.sites = sites.clone());
    world
}

impl World {
    async fn key(&self, user: UserId, scopes: &[&str]) -> KeyId {
        let id = KeyId::of(&format!("{user}{scopes:?}"));
        let key = ApiKey {
            id,
            user,
            site: "panel".into(),
            name: "backup script".into(),
            scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
            created: START,
            expires: Some(START.plus(Duration::from_secs(86_400))),
            used: None,
        };
        let written = self.gate.store().add_key(key).await.unwrap();
        assert!(self.gate.settled(written).await);
        id
    }

    async fn with_key(&self, key: PresentedKey, method: &str, target: &str) -> Judgement {
        self.with_key_and(key, method, target, &[]).await
    }

    async fn with_key_and(
        &self,
        key: PresentedKey,
        method: &str,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Judgement {
        let mut visit = self.visit(method, target, headers);
        Arc::get_mut(&mut visit.facts).unwrap().presented.api_key = Some(key);
        self.gate.decide(&visit).await
    }

    async fn change(&self, user: UserId, change: UserChange) {
        let written = self.gate.store().change_user(user, change, self.clock.wall()).await.unwrap();
        assert!(self.gate.settled(written).await);
    }

    async fn act(&self, sid: Sid, user: UserId, write: bool) -> bool {
        let since = self.clock.wall();
        let impersonation =
            Impersonation { user, reason: "ticket 7".into(), write, since, until: since.plus(HALF_HOUR) };
        let change = SessionChange { impersonation: Some(Some(impersonation)), ..SessionChange::default() };
        let written = self.gate.store().change_session(sid, change, since).await.unwrap();
        self.gate.settled(written).await
    }
}

fn grant(judgement: &Judgement) -> &Grant {
    let Outcome::Allow(grant) = &judgement.outcome else { panic!("{judgement:?}") };
    grant
}

#[tokio::test]
async fn a_key_has_the_lower_of_its_scope_and_what_its_owners_role_has_elevated() {
    let world = world().await;
    let (root, user) = (world.account("root", true).await, world.account("user", false).await);
    let (reads, writes) = (["users:read"].as_slice(), ["users:read", "users:write"].as_slice());
    for (owner, scopes, method, target, reason) in [
        (root, reads, "GET", "/users/7", Reason::KeyAllows),
        (root, reads, "POST", "/users/7", Reason::KeyLacksScope),
        (root, writes, "POST", "/users/7", Reason::KeyAllows),
        (root, &["users:write"], "GET", "/users/7", Reason::KeyLacksScope),
        (root, &["users:write"], "POST", "/users/7", Reason::KeyAllows),
        (root, writes, "GET", "/unscoped/", Reason::KeyLacksScope),
        (root, writes, "GET", "/", Reason::KeyLacksScope),
        (root, writes, "GET", "/nowhere", Reason::NoPage),
        (user, writes, "GET", "/users/7", Reason::KeyAllows),
        (user, writes, "POST", "/users/7", Reason::RoleLacksAccess),
        (user, &[], "GET", "/users/7", Reason::KeyLacksScope),
    ] {
        let id = KeyId::of(&format!("{owner}{scopes:?}"));
        if world.gate.live().records.keys_of(&owner).iter().all(|key| key.id != id) {
            world.key(owner, scopes).await;
        }
        let judgement = world.with_key(PresentedKey::Key(id), method, target).await;
        assert_eq!(judgement.reason, reason, "{scopes:?} {method} {target}");
    }
    let id = KeyId::of(&format!("{root}{reads:?}"));
    let judgement = world.with_key(PresentedKey::Key(id), "GET", "/users/7").await;
    let bearer = grant(&judgement).bearer().unwrap();
    assert_eq!(
        (grant(&judgement).access(), bearer.elevated_until, &bearer.public),
        (Access::Read, None, &id.public())
    );
    let used =
        world.gate.live().records.keys_of(&root).iter().find(|key| key.id == id).unwrap().used.unwrap();
    assert_eq!((used.at, used.address.to_string()), (START, "192.0.2.1".to_owned()));
}

#[tokio::test]
async fn a_key_that_is_bad_expired_gone_or_not_alone_opens_nothing() {
    let world = world().await;
    let root = world.account("root", true).await;
    let id = world.key(root, &["users:read"]).await;
    let key = PresentedKey::Key(id);
    assert_eq!(world.with_key(PresentedKey::Malformed, "GET", "/users/").await.reason, Reason::BadCredential);
    let stranger = PresentedKey::Key(KeyId([9; 32]));
    assert_eq!(world.with_key(stranger, "GET", "/users/").await.reason, Reason::BadCredential);
    let (_, token) = world.session(root, 1).await;
    for cookie in [format!("{COOKIE}={token}"), format!("{COOKIE}=nonsense")] {
        let judgement = world.with_key_and(key, "GET", "/users/", &[("cookie", &cookie)]).await;
        assert_eq!(judgement.reason, Reason::ConflictingCredentials, "R19");
    }
    let visit = {
        let mut visit = world.visit("GET", "/users/", &[]);
        Arc::get_mut(&mut visit.facts).unwrap().presented.api_key = Some(key);
        visit
    };
    assert_eq!(
        world.gate.signed_in(&visit).await.err(),
        Some(Reason::NoCredential),
        "no key opens the portal"
    );
    let judgement = world.gate.decide(&visit).await;
    assert!(world.gate.still_holds(&visit, grant(&judgement)));
    world.clock.advance(Duration::from_secs(86_400));
    assert!(!world.gate.still_holds(&visit, grant(&judgement)), "a tunnel ends with its key");
    assert_eq!(world.with_key(key, "GET", "/users/").await.reason, Reason::KeyExpired);
    let second = world.key(root, &["users:read", "users:write"]).await;
    let written = world.gate.store().remove_key(root, second).await.unwrap();
    assert!(world.gate.settled(written).await);
    assert_eq!(
        world.with_key(PresentedKey::Key(second), "GET", "/users/").await.reason,
        Reason::BadCredential
    );
}

#[tokio::test]
async fn a_key_of_a_disabled_account_stops_at_once() {
    let world = world().await;
    let root = world.account("root", true).await;
    let key = PresentedKey::Key(world.key(root, &["users:read"]).await);
    world.change(root, UserChange { disabled: Some(true), ..UserChange::default() }).await;
    assert_eq!(world.with_key(key, "GET", "/users/").await.reason, Reason::AccountDisabled);
}

#[tokio::test]
async fn an_operator_acts_with_the_others_role_and_his_own_elevation() {
    let world = world().await;
    let (root, user) = (world.account("root", true).await, world.account("user", false).await);
    let (sid, token) = world.session(root, 1).await;
    assert!(world.act(sid, user, false).await);
    let judgement = world.asks(&token, "GET", "/users/7").await;
    let bearer = grant(&judgement).bearer().unwrap();
    assert_eq!((bearer.user.id, &*bearer.role, grant(&judgement).access()), (user, "user", Access::Read));
    assert_eq!(bearer.actor.as_ref().map(|actor| actor.user.id), Some(root));
    assert_eq!(world.asks(&token, "POST", "/users/7").await.reason, Reason::RoleLacksAccess);
    assert_eq!(world.asks(&token, "POST", "/").await.reason, Reason::ImpersonationReadOnly);
    assert!(!world.act(sid, user, true).await, "one level and no more");
    let me =
        world.gate.signed_in(&world.visit("GET", "/", &[("cookie", &format!("{COOKIE}={token}"))])).await;
    assert_eq!(me.unwrap().user.id, root, "the portal stays the operator's own");

    let (writing, token) = world.session(root, 2).await;
    assert!(world.act(writing, user, true).await);
    let judgement = world.asks(&token, "POST", "/").await;
    assert_eq!(grant(&judgement).bearer().unwrap().user.id, user);
}

#[tokio::test]
async fn nothing_is_done_in_the_operators_name_when_an_impersonation_is_over() {
    let world = world().await;
    let (root, admin) = (world.account("root", true).await, world.account("admin", true).await);
    let (sid, token) = world.session(root, 1).await;
    assert!(world.act(sid, admin, true).await);
    let visit = world.visit("POST", "/", &[("cookie", &format!("{COOKIE}={token}"))]);
    let judgement = world.gate.decide(&visit).await;
    assert!(world.gate.still_holds(&visit, grant(&judgement)));
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    let role = |role: &str| UserChange { role: Some(role.into()), ..UserChange::default() };
    for (breaks, mends) in [(disabled(true), disabled(false)), (role("root"), role("admin"))] {
        world.change(admin, breaks).await;
        assert_eq!(world.asks(&token, "POST", "/").await.reason, Reason::ImpersonationOver);
        assert!(!world.gate.still_holds(&visit, grant(&judgement)), "a tunnel in the other's name is cut");
        world.change(admin, mends).await;
        assert!(world.gate.still_holds(&visit, grant(&judgement)));
    }
    world.change(root, UserChange { totp: Some(None), ..UserChange::default() }).await;
    assert_eq!(
        world.asks(&token, "POST", "/").await.reason,
        Reason::ImpersonationOver,
        "no own factor, no acting"
    );
}

#[tokio::test]
async fn an_impersonation_ends_with_its_time_and_with_its_session() {
    let world = world().await;
    let (root, user) = (world.account("root", true).await, world.account("user", false).await);
    let (sid, token) = world.session(root, 1).await;
    assert!(world.act(sid, user, true).await);
    world.end(Which::One(sid)).await;
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::SessionEnded);
    let ended = world.gate.store().session(&sid).await.unwrap().unwrap();
    assert_eq!(ended.impersonation, None, "a tombstone acts for nobody");
}

#[tokio::test]
async fn high_security_mode_off_lets_the_elevated_level_apply_at_once() {
    let world = world().await;
    let (root, admin) = (world.account("root", true).await, world.account("admin", true).await);
    let (_, of_root) = world.session(root, 1).await;
    let (_, of_admin) = world.session(admin, 2).await;
    assert_eq!(world.asks(&of_root, "POST", "/users/7").await.reason, Reason::NeedsElevation);
    world.change(root, UserChange { high_security: Some(false), ..UserChange::default() }).await;
    assert_eq!(world.asks(&of_root, "POST", "/users/7").await.reason, Reason::RelaxedAllows);
    assert_eq!(world.asks(&of_admin, "GET", "/users/7").await.reason, Reason::NeedsElevation);
    let written = world.gate.store().set_high_security(false).await.unwrap();
    world.gate.settled(written).await;
    assert_eq!(world.asks(&of_admin, "GET", "/users/7").await.reason, Reason::RelaxedAllows);
    world.change(root, UserChange { high_security: Some(true), ..UserChange::default() }).await;
    let written = world.gate.store().set_high_security(true).await.unwrap();
    world.gate.settled(written).await;
    for token in [of_root, of_admin] {
        assert_eq!(world.asks(&token, "POST", "/users/7").await.reason, Reason::NeedsElevation);
    }
}
