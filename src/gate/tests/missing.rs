//! Sessions that are not in memory yet, and requests that come all the same.

use super::*;
use crate::{
    rules::session::Session,
    store::{Change, Everything, Found},
};

impl World {
    /// Forgets every session, as after a start: they are in the store alone.
    async fn restart(&self) {
        let store = self.gate.store();
        let Everything { cursor, sessions, .. } = store.everything().await.unwrap();
        let records = &self.gate.live().records;
        for session in sessions {
            records.apply(cursor, Change::SessionGone(session.sid));
        }
        records.begin(store.rest().await.unwrap());
    }

    fn remembers(&self, sid: &Sid) -> bool {
        self.gate.live().records.session(sid).is_some()
    }
}

#[tokio::test]
async fn a_session_that_is_not_in_memory_yet_lets_its_user_in() {
    let world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.elevate(sid).await;
    world.restart().await;
    assert!(!world.remembers(&sid));
    assert_eq!(world.asks(&token, "POST", "/users/7").await.reason, Reason::ElevatedAllows);
    assert!(world.remembers(&sid), "it is read once");
    assert!(world.gate.live().records.whole().is_none(), "one is not all");
}

#[tokio::test]
async fn r12_a_session_that_was_revoked_is_refused_whether_or_not_it_is_in_memory() {
    let world = World::new().await;
    let root = world.account("root", true).await;
    let ((before, one), (after, other)) = (world.session(root, 1).await, world.session(root, 2).await);
    world.end(Which::One(before)).await;
    world.restart().await;
    assert_eq!(world.asks(&one, "GET", "/").await.reason, Reason::SessionEnded);
    let read = world.gate.store().session(&after).await.unwrap().unwrap();
    world.end(Which::AllOf(root)).await;
    // Whoever read it before it ended comes late.
    world.gate.live().records.put_missing([Arc::new(read)]);
    assert_eq!(world.asks(&other, "GET", "/").await.reason, Reason::SessionEnded);
}

#[tokio::test]
async fn r12_a_session_that_was_purged_while_it_was_read_opens_nothing() {
    let world = World::new().await;
    let (sid, token) = world.session(world.account("root", true).await, 1).await;
    world.restart().await;
    let read = world.gate.store().session(&sid).await.unwrap().unwrap();
    let over = START.plus(Duration::from_secs(40 * 86_400));
    let purged = world.gate.store().purge(over, 10).await.unwrap();
    assert_eq!(world.gate.settled(purged).await, 1);
    world.gate.live().records.put_missing([Arc::new(read)]);
    assert_eq!(world.asks(&token, "GET", "/").await.reason, Reason::SessionEnded);
}

/// The panel's own session is not opened a second time, and one that was revoked stays so.
#[tokio::test]
async fn r12_a_session_of_the_panels_own_is_found_before_it_is_in_memory() {
    let world = World::new().await;
    world.trust_the_panel();
    world.account("user", false).await;
    let token = panel_token("user", "s-1", 3600);
    let cookie = format!("panel_jwt={token}");
    let asks = async || world.gate.decide(&world.visit("GET", "/", &[("cookie", &cookie)])).await;
    assert!(allowed(&asks().await));
    world.restart().await;
    assert!(allowed(&asks().await));
    let sessions = world.gate.store().everything().await.unwrap().sessions;
    assert_eq!(sessions.len(), 1, "it was opened again");
    world.end(Which::One(sessions[0].sid)).await;
    world.restart().await;
    assert_eq!(asks().await.reason, Reason::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn whoever_needs_all_sessions_waits_until_they_are_here_but_not_for_ever() {
    let world = World::new().await;
    let (sid, _) = world.session(world.account("root", true).await, 1).await;
    world.restart().await;
    assert_eq!(world.gate.whole().await.err(), Some(Reason::StoreUnavailable));
    let live = Arc::clone(world.gate.live());
    let session: Option<Session> = world.gate.store().session(&sid).await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        live.records.put_missing(session.map(Arc::new));
        live.records.end_loading();
    });
    assert_eq!(world.gate.whole().await.ok().unwrap().sessions().len(), 1);
}

/// A record must not go into memory before the changes that it has in it: they would come after it and undo it.
#[tokio::test(start_paused = true)]
async fn r12_a_read_that_is_ahead_of_the_stream_waits_for_it() {
    let world = World::new().await;
    let found: Found<_> = world.gate.store().session_at(&Sid([1; 32])).await.unwrap();
    assert!(world.gate.reached(found.cursor).await.is_ok());
    let ahead = crate::store::Cursor(found.cursor.0 + 1);
    assert_eq!(world.gate.reached(ahead).await.err(), Some(Reason::StoreUnavailable));
    let live = Arc::clone(world.gate.live());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        live.records.apply(ahead, Change::HighSecurity(true));
    });
    assert!(world.gate.reached(ahead).await.is_ok());
}
