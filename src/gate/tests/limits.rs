//! Quotas of keys and accounts, guesses at keys, and traps.

use super::*;
use crate::{
    live::Quotas,
    rules::{
        api_key::{ApiKey, KeyId},
        facts::PresentedKey,
        failures::What,
        traps::Traps,
    },
};

fn quota(count: u32) -> Quota {
    Quota { count: NonZeroU32::new(count).unwrap(), per: Duration::from_secs(60) }
}

impl World {
    async fn asks_with_key(&self, id: KeyId) -> Judgement {
        let mut visit = self.visit("GET", "/", &[]);
        Arc::make_mut(&mut visit.facts).presented.api_key = Some(PresentedKey::Key(id));
        self.gate.decide(&visit).await
    }

    async fn scopeless_key(&self, user: UserId, number: u8) -> KeyId {
        let id = KeyId([number; 32]);
        let key = ApiKey {
            id,
            user,
            site: "panel".into(),
            name: "deploy".into(),
            scopes: vec![],
            created: START,
            expires: None,
            used: None,
        };
        let written = self.gate.store().add_key(key).await.unwrap();
        assert!(self.gate.settled(written).await);
        id
    }
}

#[tokio::test]
async fn a_key_has_a_quota_of_its_own_and_keys_that_are_none_take_nothing() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let (one, other) = (world.scopeless_key(root, 1).await, world.scopeless_key(root, 2).await);
    world.gate.live().counters.set_quotas(Quotas { key: quota(3), ..Quotas::all(quota(1000)) });
    for _ in 0..3 {
        assert_eq!(world.asks_with_key(one).await.reason, Reason::KeyLacksScope);
    }
    let fourth = world.asks_with_key(one).await;
    assert!(
        matches!(fourth.outcome, Outcome::Throttle { retry_after } if retry_after == Duration::from_secs(20))
    );
    assert_eq!(fourth.reason, Reason::RateLimited);
    assert_eq!(world.asks_with_key(other).await.reason, Reason::KeyLacksScope);
}

#[tokio::test]
async fn an_unknown_key_is_a_guess_that_is_noted_and_a_known_one_is_none() {
    let mut world = World::new().await;
    let root = world.account("root", true).await;
    let known = world.scopeless_key(root, 1).await;
    world.asks_with_key(known).await;
    assert!(world.notes.try_recv().is_err());
    assert_eq!(world.asks_with_key(KeyId([9; 32])).await.reason, Reason::BadCredential);
    let Ok(Note::Failed(failure)) = world.notes.try_recv() else { panic!("nothing was noted") };
    assert_eq!((failure.count, failure.guessed, failure.bannable), (1, None, true));
    assert_eq!(world.gate.live().records.failures().counted(What::Key), 1);
}

#[tokio::test]
async fn an_account_has_one_quota_over_all_its_sessions() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    world.gate.live().counters.set_quotas(Quotas { account: quota(3), ..Quotas::all(quota(1000)) });
    for number in 1..=3 {
        let (_, token) = world.session(root, number).await;
        assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::RoleAllows);
    }
    let (_, token) = world.session(root, 4).await;
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::RateLimited);
    let (_, token) = world.session(world.account("user", false).await, 5).await;
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::RoleAllows, "another account");
}

#[tokio::test]
async fn a_stranger_in_two_traps_is_refused_and_banned_and_the_ban_says_why() {
    let world = World::new().await;
    for target in ["/.git/config", "/.env"] {
        let judgement = world.asks("", "GET", target).await;
        assert!(matches!(judgement.outcome, Outcome::Deny(Reason::Trap)), "{judgement:?}");
    }
    let bans = world.gate.live().records.bans().all();
    assert_eq!(
        (bans.len(), &*bans[0].reason, &*bans[0].by),
        (1, "asked for /**/.git/** and /**/.env", "panelgate")
    );
    assert_eq!(bans[0].until, Some(START.plus(Duration::from_secs(3600))));
    assert_eq!(world.gate.live().records.failures().counted(What::Trap), 2);
}

#[tokio::test]
async fn one_mail_with_a_picture_or_a_link_gets_no_office_banned() {
    let world = World::new().await;
    for _ in 0..5 {
        assert_eq!(world.asks("", "GET", "/wp-login.php").await.reason, Reason::Trap, "refused");
    }
    for target in ["/wp-login.php", "/.env", "/.git/config"] {
        let clicked =
            world.visit("GET", target, &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]);
        assert_eq!(world.gate.decide(&clicked).await.reason, Reason::NoCredential, "{target}");
    }
    assert!(world.gate.live().records.bans().all().is_empty());
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.asks("", "GET", "/.env").await.reason, Reason::Trap);
    assert!(world.gate.live().records.bans().all().is_empty(), "another mail, later");
}

#[tokio::test]
async fn no_trap_is_sprung_by_sessions_by_pages_of_the_policy_by_other_sites_or_by_uncertain_clients() {
    let world = World::new().await;
    let (_, token) = world.session(world.account("root", true).await, 1).await;
    assert_eq!(world.asks(&token, "GET", "/.env").await.reason, Reason::NoPage);
    let lured = world.visit("GET", "/.env", &[("sec-fetch-site", "cross-site")]);
    assert_eq!(world.gate.decide(&lured).await.reason, Reason::NoCredential);
    let typed = world.visit("GET", "/users/.env", &[("sec-fetch-site", "none")]);
    assert_eq!(world.gate.decide(&typed).await.reason, Reason::NoCredential);

    let mut traps = Traps::none(Duration::from_secs(60));
    traps.set("/users/**").unwrap();
    traps.set("/else").unwrap();
    traps.set("/elsewhere").unwrap();
    let traps = Arc::new(traps);
    world.gate.live().swap(|snapshot| snapshot.traps = Arc::clone(&traps));
    assert_eq!(world.asks("", "GET", "/users/7").await.reason, Reason::NoCredential, "the policy has it");
    for target in ["/else", "/elsewhere"] {
        let mut uncertain = world.visit("GET", target, &[]);
        Arc::make_mut(&mut uncertain.facts).client.from = AddrSource::Unforwarded;
        assert_eq!(world.gate.decide(&uncertain).await.reason, Reason::Trap, "refused, and nobody is banned");
    }
    assert!(world.gate.live().records.bans().all().is_empty());
}
