//! A candidate policy beside the one in force: what is said of it, and that it has no say.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::{
    gate::journal::{Item, Nothing},
    live::{Flip, Tried},
    rules::policy::{
        RuleSet,
        diff::{self, Effect},
    },
    store::MemoryStore,
};

/// What `POLICY` says otherwise: no more looking at `users` before the second factor, `home` is for administrators to
/// look at only, `assets` for those who are known, and one page is new.
const NEXT: &str = r#"
version: 1
roles: [root, admin, user]
elevation: { lasts: 15m }
pages:
  - { name: home, paths: ["/"], access: { root: full, admin: read, user: read } }
  - { name: users, paths: ["/users/**"], access: { root: { unelevated: none, elevated: full } } }
  - { name: system, paths: ["/system/**"], lasts: 5m, access: { root: { unelevated: none, elevated: full } } }
  - { name: assets, paths: ["/assets/**"], access: { root: read, user: read } }
  - { name: news, paths: ["/news"], access: { user: read } }
"#;

async fn trying() -> (World, mpsc::Receiver<Item>) {
    let world = World::new().await;
    let (queue, items) = mpsc::channel(64);
    let world = World { gate: world.gate.journaling(queue, Arc::new(Nothing)), ..world };
    world.runs(policy(POLICY), Some(policy(NEXT)));
    (world, items)
}

impl World {
    fn runs(&self, rules: Arc<RuleSet>, shadow: Option<Arc<RuleSet>>) {
        let mut site = Site::sample("panel", &["https://panel.example.com"]);
        (site.policy, site.shadow) = (rules, shadow);
        let sites = Sites::new(vec![site]).unwrap();
        self.gate.live().swap(|snapshot| snapshot.sites = sites.clone());
    }

    /// What has come of the candidate, as the journal's task counts it.
    fn counts(&self, items: &mut mpsc::Receiver<Item>) {
        while let Ok(tried) = tried(self, items) {
            if let Some(tried) = tried {
                self.gate.live().shadows.count(tried);
            }
        }
    }
}

/// The next decision that was handed over, under the candidate; an error when there is none.
fn tried(
    world: &World,
    items: &mut mpsc::Receiver<Item>,
) -> Result<Option<Tried>, mpsc::error::TryRecvError> {
    let Item::Decision(entry) = items.try_recv()? else { panic!("only decisions are handed over here") };
    Ok(entry.tried(world.gate.live()))
}

fn brief(flip: &Flip) -> (String, String, String, String, &'static str, u64) {
    let page = flip.pages.0.as_ref().or(flip.pages.1.as_ref()).map_or("-", |page| &page.name);
    let role = flip.role.as_deref().unwrap_or("nobody");
    let (now, then) = (flip.outcomes.0.to_string(), flip.outcomes.1.to_string());
    (page.to_owned(), role.to_owned(), now, then, flip.effect.as_str(), flip.count)
}

#[tokio::test]
async fn what_the_candidate_would_have_answered_is_counted_by_kind() {
    let (world, mut items) = trying().await;
    let (sid, root) = world.session(world.account("root", true).await, 1).await;
    let (_, admin) = world.session(world.account("admin", false).await, 2).await;
    let (_, user) = world.session(world.account("user", false).await, 3).await;
    for (token, method, target) in [
        (&root, "GET", "/users/7?secret=1"),
        (&root, "GET", "/users/8"),
        (&root, "GET", "/system/1"),
        // Needs a second factor to be set up now, and would not.
        (&admin, "GET", "/"),
        (&user, "GET", "/"),
        (&user, "GET", "/news"),
        (&user, "GET", "/assets/a"),
        (&String::new(), "GET", "/assets/a"),
        (&String::new(), "GET", "/"),
    ] {
        world.asks(token, method, target).await;
    }
    world.elevate(sid).await;
    let last = world.asks(&root, "POST", "/users/9?secret=1").await;
    assert!(allowed(&last));
    world.counts(&mut items);
    let site = Arc::clone(world.gate.live().snapshot().sites.all().first().unwrap());
    let candidate = Arc::clone(site.shadow.as_ref().unwrap());
    let trial = world.gate.live().shadows.trial("panel", (site.policy.version(), candidate.version()));
    assert_eq!((trial.decisions, trial.agreed, trial.beyond), (10, 5, 0));
    let mut flips: Vec<_> = trial.flips.iter().map(brief).collect();
    flips.sort();
    let flip = |page: &str, role: &str, now: &str, then: &str, effect, count| {
        (page.to_owned(), role.to_owned(), now.to_owned(), then.to_owned(), effect, count)
    };
    assert_eq!(
        flips,
        [
            flip("assets", "nobody", "allowed (read)", "must sign in", "closes", 1),
            flip("home", "admin", "refused (needs-enrolment)", "allowed (read)", "opens", 1),
            flip("news", "user", "refused (no-page)", "allowed (read)", "opens", 1),
            flip("users", "root", "allowed (read)", "must verify", "closes", 2),
        ],
    );
    let flip = trial.flips.first().unwrap();
    assert_eq!((flip.count, flip.request.as_str()), (2, "GET /users/8"));
    let totals = world.gate.live().shadows.totals();
    let (name, totals) = totals.first().unwrap();
    assert_eq!((&**name, totals.agreed, totals.disagreed), ("panel", 5, [2, 3, 0, 0]));
    assert!(!format!("{trial:?}").contains("secret"), "no query");
}

/// The doors describe requests by the same constructor, and so does the candidate see them.
#[tokio::test]
async fn both_doors_requests_are_put_to_the_candidate() {
    let (world, mut items) = trying().await;
    let (_, root) = world.session(world.account("root", true).await, 1).await;
    for (door, dialect) in [(Door::Edge, "edge"), (Door::Sidecar, "auth-request")] {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_str(&format!("{COOKIE}={root}")).unwrap());
        let ip = Ipv4Addr::new(203, 0, 113, 9).into();
        let visit = world.gate.describe(&Ask {
            door,
            scheme: b"https",
            authority: b"panel.example.com",
            method: b"GET",
            target: b"/users/7",
            client: ClientAddr { ip, from: AddrSource::Forwarded },
            route: Route { dialect, peer: Ipv4Addr::LOCALHOST.into(), forwarded_in: "x-forwarded-for" },
            headers: &headers,
        });
        let judged = world.gate.decide(&visit.unwrap()).await;
        let tried = tried(&world, &mut items).unwrap().unwrap();
        assert_eq!(
            (tried.decision, tried.compared.effect()),
            (judged.decision, Some(Effect::Closes)),
            "{dialect}"
        );
    }
}

#[tokio::test]
async fn another_candidate_begins_anew_and_none_counts_nothing() {
    let (world, mut items) = trying().await;
    let trial = |world: &World| {
        let site = Arc::clone(world.gate.live().snapshot().sites.all().first().unwrap());
        let candidate = site.shadow.as_ref().unwrap();
        world.gate.live().shadows.trial("panel", (site.policy.version(), candidate.version()))
    };
    world.asks("", "GET", "/assets/a").await;
    world.counts(&mut items);
    assert_eq!((trial(&world).decisions, trial(&world).flips.len()), (1, 1));
    // One is still on its way while the candidate is replaced, and comes after the first of the new one.
    world.asks("", "GET", "/assets/b").await;
    let late = tried(&world, &mut items).unwrap().unwrap();
    world.runs(policy(POLICY), Some(policy(&format!("{NEXT}# another\n"))));
    assert_eq!(trial(&world).decisions, 0);
    world.asks("", "GET", "/assets/c").await;
    world.counts(&mut items);
    world.gate.live().shadows.count(late);
    assert_eq!((trial(&world).decisions, trial(&world).flips.len()), (1, 1));
    world.runs(policy(POLICY), None);
    world.asks("", "GET", "/assets/d").await;
    assert!(tried(&world, &mut items).unwrap().is_none());
    assert_eq!(world.gate.live().shadows.totals().first().unwrap().1.disagreed, [0, 3, 0, 0]);
}

/// What is turned away before the policy is asked is no decision of a policy.
#[tokio::test]
async fn only_what_a_policy_decided_is_put_to_the_candidate() {
    let world = World::over(Arc::new(MemoryStore::new()), 1).await;
    let (queue, mut items) = mpsc::channel(8);
    let world = World { gate: world.gate.journaling(queue, Arc::new(Nothing)), ..world };
    world.runs(policy(POLICY), Some(policy(NEXT)));
    world.asks("", "GET", "/assets/a").await;
    let throttled = world.asks("", "GET", "/assets/a").await;
    assert_eq!(throttled.reason, Reason::RateLimited);
    assert!(tried(&world, &mut items).unwrap().is_some());
    assert!(tried(&world, &mut items).unwrap().is_none());
}

/// The outcome in the words of the comparison.
fn said(judgement: &Judgement) -> diff::Outcome {
    match &judgement.outcome {
        Outcome::Allow(grant) => diff::Outcome::Allow(grant.access()),
        Outcome::SignIn(_) => diff::Outcome::SignIn,
        Outcome::StepUp { readable } => diff::Outcome::StepUp { readable: *readable },
        Outcome::Deny(reason) => diff::Outcome::Deny(*reason),
        Outcome::BadRequest(_) => diff::Outcome::BadRequest,
        Outcome::Throttle { .. } | Outcome::Unavailable(_) => panic!("no policy said that: {judgement:?}"),
    }
}

/// A candidate changes no answer, and what is said of it is what the gate answers once it is in force.
#[test]
fn a_candidate_changes_nothing_and_is_foretold_exactly() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (world, mut items, tokens) = runtime.block_on(async {
        let world = World::over(Arc::new(MemoryStore::new()), 10_000_000).await;
        let (queue, items) = mpsc::channel(64);
        let world = World { gate: world.gate.journaling(queue, Arc::new(Nothing)), ..world };
        let (sid, root) = world.session(world.account("root", true).await, 1).await;
        let (_, admin) = world.session(world.account("admin", false).await, 2).await;
        let (_, user) = world.session(world.account("user", true).await, 3).await;
        world.elevate(sid).await;
        (world, items, [root, admin, user, String::new(), "forged".to_owned()])
    });
    let path = prop::sample::select(vec!["/", "/a", "/a/b", "/b/a", "/x%2Fy", "/a/x%2Fy", "/z//a", "/z"]);
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE"]);
    let request = (0..tokens.len(), path, method);
    let strategy = (diff::tests::pair(), prop::collection::vec(request, 1..12));
    let seen = std::cell::RefCell::new((0, 0, 0));
    let items = tokio::sync::Mutex::new(&mut items);
    TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() })
        .run(&strategy, |((one, other), requests)| {
            runtime.block_on(async {
                let (one, other) = (Arc::new(one), Arc::new(other));
                for (who, path, method) in requests {
                    let mut items = items.lock().await;
                    let mut ask = async |rules: &Arc<RuleSet>, shadow: Option<&Arc<RuleSet>>| {
                        world.runs(Arc::clone(rules), shadow.cloned());
                        let judgement = world.asks(&tokens[who], method, path).await;
                        (judgement, tried(&world, &mut items).expect("a decision"))
                    };
                    let (alone, nothing) = ask(&one, None).await;
                    let (beside, tried) = ask(&one, Some(&other)).await;
                    let (foretold, _) = ask(&other, None).await;
                    prop_assert!(nothing.is_none());
                    // Quotas count on from request to request, and are no answer of a policy.
                    if [&alone, &beside, &foretold].iter().any(|told| told.reason == Reason::PageLimit) {
                        continue;
                    }
                    prop_assert_eq!(
                        (said(&beside), beside.reason, &beside.page),
                        (said(&alone), alone.reason, &alone.page),
                        "the candidate had a say"
                    );
                    let compared = tried.expect("compared").compared;
                    prop_assert_eq!(compared.outcomes, (said(&alone), said(&foretold)));
                    let mut seen = seen.borrow_mut();
                    match compared.effect() {
                        None => seen.0 += 1,
                        Some(Effect::Opens) => seen.1 += 1,
                        Some(_) => seen.2 += 1,
                    }
                }
                Ok(())
            })
        })
        .unwrap();
    let (same, opened, closed) = *seen.borrow();
    assert!(
        same > 100 && opened > 100 && closed > 100,
        "{same} {opened} {closed}: the policies are too alike"
    );
}
