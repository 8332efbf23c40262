//! What is handed to the journal.

use super::*;
use crate::{
    gate::journal::{Entry, Item, Nothing, QUEUE, Stray},
    rules::record::{Acted, Change, Held, Record, Said, Shown},
};

/// The gate with a journal, and the queue's other end.
async fn journaling() -> (World, mpsc::Receiver<Item>) {
    let world = World::new().await;
    let (queue, items) = mpsc::channel(4);
    (World { gate: world.gate.journaling(queue, Arc::new(Nothing)), ..world }, items)
}

fn next(world: &World, items: &mut mpsc::Receiver<Item>) -> Record {
    match items.try_recv() {
        Ok(Item::Decision(entry)) => entry.into_record(world.gate.live()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_is_recorded_with_what_would_have_allowed_it() {
    let (world, mut items) = journaling().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.clock.advance(Duration::from_secs(60));
    let refused = world.asks(&token, "POST", "/users/7?password=hunter2").await;
    let record = next(&world, &mut items);
    assert_eq!((record.decision, record.reply.reason), (refused.decision, Reason::NeedsElevation));
    assert_eq!(record.reply.said, Said::StepUp { readable: true });
    assert_eq!(record.reply.ways, [vec![Change::SecondFactor]]);
    assert_eq!(record.reply.levels, Some((Access::Read, Access::Full)));
    assert_eq!(record.reply.page.as_ref().map(|page| (&*page.name, page.line)), Some(("users", 8)));
    assert_eq!(record.shown, [Shown::Cookie]);
    let who = record.who.as_ref().unwrap();
    assert_eq!((who.user.as_str(), &*who.role, who.enrolled), ("root", "root", true));
    assert_eq!(who.held, Held::Session { id: sid.public(), opened: START, proof: None, ended: None });
    assert!(!format!("{record:?}").contains("hunter2"), "no query: {record:?}");
    // It is judged again as the request was.
    let policy = policy(POLICY);
    assert_eq!(Some(policy.decide(&record.case().unwrap()).answer), record.answered());
    assert_eq!(record.policy, *policy.version());

    world.elevate(sid).await;
    world.asks(&token, "POST", "/users/7").await;
    let record = next(&world, &mut items);
    assert!(record.is_allowed() && record.reply.ways.is_empty());
    assert_eq!(Some(policy.decide(&record.case().unwrap()).answer), record.answered());
}

#[tokio::test]
async fn an_outsider_at_the_edge_cannot_blind_the_doctors_watch() {
    const MARKER: &str = "pgdoctor0123456789";
    let (world, _items) = journaling().await;
    world.gate.watches().open(MARKER, START).unwrap();
    for _ in 0..600 {
        world.asks("", "GET", "/api/authz/x").await;
        world.clock.advance(Duration::from_millis(100));
    }
    let marked = format!("/{MARKER}-click");
    world.asks("", "GET", &marked).await;
    let seen = world.gate.watches().close(MARKER).unwrap();
    let targets: Vec<&str> = seen.sightings.iter().map(|sighting| sighting.target.as_str()).collect();
    assert_eq!((targets, seen.lost_marked, seen.lost_unread), (vec![marked.as_str()], 0, 0));
}

#[tokio::test]
async fn a_credential_that_is_no_longer_good_says_whose_it_was() {
    let (world, mut items) = journaling().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.end(Which::One(sid)).await;
    world.asks(&token, "GET", "/").await;
    let record = next(&world, &mut items);
    assert_eq!((record.reply.said, record.reply.reason), (Said::SignIn, Reason::SessionEnded));
    let who = record.who.unwrap();
    assert!(!who.accepted && who.user == "root");
    assert!(matches!(who.held, Held::Session { ended: Some(_), .. }));

    world.asks("", "GET", "/").await;
    let record = next(&world, &mut items);
    assert_eq!((record.who, record.shown), (None, vec![]));
    assert_eq!(record.reply.reason, Reason::NoCredential);
}

#[tokio::test]
async fn what_is_turned_away_before_it_is_judged_is_recorded_as_well() {
    let world = World::over(Arc::new(MemoryStore::new()), 1).await;
    let (queue, mut items) = mpsc::channel(8);
    let world = World { gate: world.gate.journaling(queue, Arc::new(Nothing)), ..world };
    world.asks("", "GET", "/").await;
    let throttled = world.asks("", "GET", "/").await;
    next(&world, &mut items);
    let record = next(&world, &mut items);
    assert_eq!((record.decision, record.reply.reason), (throttled.decision, Reason::RateLimited));
    assert!(matches!(record.reply.said, Said::Throttle { millis: 1.. }));
    assert!(record.case().is_none(), "no policy was asked");

    let headers = HeaderMap::new();
    let ip = Ipv4Addr::new(192, 0, 2, 1).into();
    let ask = Ask {
        door: Door::Edge,
        scheme: b"https",
        authority: b"panel.example.com",
        method: b"GET",
        target: b"/a/../users?secret=1",
        client: ClientAddr { ip, from: AddrSource::Peer },
        route: Route { dialect: "edge", peer: ip, forwarded_in: "x-forwarded-for" },
        headers: &headers,
    };
    let refusal = world.gate.describe(&ask).err().unwrap();
    let record = next(&world, &mut items);
    assert_eq!((record.decision, record.reply.reason), (refusal.decision, refusal.reason));
    assert_eq!(record.asked.path.shown(), "/a/../users");
    assert!(record.reply.detail.is_some());

    let stray = Stray {
        door: Door::Sidecar,
        dialect: "forward-auth",
        peer: ip,
        host: b"x",
        method: b"GET",
        target: b"/api/authz/forward-auth?secret",
        what: "the X-Forwarded-Uri header is missing",
    };
    let decision = world.gate.note_stray(stray);
    let record = next(&world, &mut items);
    assert_eq!((record.decision, record.site.clone()), (decision, None));
    assert!(!format!("{record:?}").contains("secret"));
}

#[tokio::test]
async fn an_impersonation_is_recorded_with_whom_it_is_of() {
    let (world, mut items) = journaling().await;
    let root = world.account("root", true).await;
    let user = world.account("user", false).await;
    let (sid, token) = world.session(root, 1).await;
    let impersonation = crate::rules::session::Impersonation {
        user,
        reason: "a ticket".into(),
        write: false,
        since: START,
        until: START.plus(Duration::from_secs(1800)),
    };
    let change = crate::rules::session::SessionChange {
        impersonation: Some(Some(impersonation)),
        ..crate::rules::session::SessionChange::default()
    };
    let written = world.gate.store().change_session(sid, change, START).await.unwrap();
    world.gate.settled(written).await;
    world.asks(&token, "GET", "/").await;
    let record = next(&world, &mut items);
    let who = record.who.as_ref().unwrap();
    assert_eq!(who.user, "root");
    let until = START.plus(Duration::from_secs(1800));
    assert_eq!(
        who.acting,
        Some(Acted::For { user: "user".into(), role: "user".into(), write: false, until })
    );
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_never_waits() {
    let (world, mut items) = journaling().await;
    for _ in 0..10 {
        world.asks("", "GET", "/").await;
    }
    assert_eq!(world.gate.live().journal.read().dropped, 6);
    let mut kept = 0;
    while let Ok(Item::Decision(entry)) = items.try_recv() {
        assert!(matches!(*entry, Entry::Judged(_)));
        kept += 1;
    }
    assert_eq!(kept, 4);
    assert!(
        world.gate.live().journal.take_dropped().is_some_and(|(count, since)| (count, since) == (6, START))
    );
    assert!(world.gate.live().journal.take_dropped().is_none());
    const { assert!(QUEUE >= 1000) };
}
