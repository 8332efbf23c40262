use futures_util::stream;
use tokio::sync::oneshot;

use super::*;
use crate::{
    clock::Wall,
    live::{Quotas, Snapshot},
    rules::{
        identity::{User, UserId, UserName, UserSource},
        judge::View as _,
        limit::Quota,
        session::{EndReason, Family, Impersonation, Origin, Session, SessionChange, Sid},
    },
    secret::SecretBytes,
    store::{MemoryStore, Piece, Which},
};

const OPENED: Wall = Wall::from_secs(1_764_000_000);

fn user() -> User {
    User {
        id: UserId([1; 16]),
        name: UserName::parse("alice").unwrap(),
        display: String::new(),
        email: String::new(),
        role: "user".into(),
        source: UserSource::Embedded,
        password: None,
        disabled: false,
        totp: None,
        backup_codes: Vec::new(),
        created: OPENED,
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    }
}

fn session() -> Session {
    Session {
        sid: Sid([2; 32]),
        user: UserId([1; 16]),
        site: "panel".into(),
        origin: Origin::Portal,
        opened: OPENED,
        seen: OPENED,
        idle_millis: 86_400_000,
        expires: OPENED.plus(Duration::from_secs(86_400)),
        family: Family {
            seed: SecretBytes::new([3; 32]),
            key: "r1".into(),
            generation: 0,
            current_seen: None,
        },
        elevation: None,
        device: "curl".into(),
        address: "192.0.2.1".parse().unwrap(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

/// However many requests there are, the store hears of them once in five seconds, and once more at the end.
#[tokio::test(start_paused = true)]
async fn uses_of_a_session_are_written_down_all_at_once_and_not_one_by_one() {
    let quota = Quota { count: std::num::NonZeroU32::MIN, per: Duration::from_secs(1) };
    let quotas = Quotas::all(quota);
    let live = Arc::new(Live::new(Snapshot::default(), quotas));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    store.add_user(user()).await.unwrap();
    store.open_session(session()).await.unwrap();
    let stop = CancellationToken::new();
    let writing = tokio::spawn(write_touches(Arc::clone(&live), Arc::clone(&store), stop.clone()));
    // The first tick comes at once, and there is nothing yet.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = store.everything().await.unwrap().cursor;
    for n in 1..=1000 {
        live.records.touch(Sid([2; 32]), OPENED.plus(Duration::from_millis(n)));
    }
    assert_eq!(store.everything().await.unwrap().cursor, before, "no write for a request");
    assert_eq!(live.records.last_seen(&session()), OPENED.plus(Duration::from_secs(1)), "and yet it shows");
    tokio::time::sleep(TOUCHES).await;
    let seen = async || store.session(&Sid([2; 32])).await.unwrap().unwrap().seen;
    assert_eq!(seen().await, OPENED.plus(Duration::from_secs(1)));
    assert_eq!(store.everything().await.unwrap().cursor.0, before.0 + 1, "one write for a thousand requests");
    live.records.touch(Sid([2; 32]), OPENED.plus(Duration::from_secs(9)));
    stop.cancel();
    writing.await.unwrap();
    assert_eq!(seen().await, OPENED.plus(Duration::from_secs(9)), "a stop forgets nothing");
}

fn live() -> Arc<Live> {
    let quota = Quota { count: std::num::NonZeroU32::MIN, per: Duration::from_secs(1) };
    Arc::new(Live::new(Snapshot::default(), Quotas::all(quota)))
}

async fn store_of(sessions: &[u8]) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    store.add_user(user()).await.unwrap();
    for n in sessions {
        store.open_session(Session { sid: Sid([*n; 32]), ..session() }).await.unwrap();
    }
    store
}

async fn applied(live: &Live, at: Cursor) {
    live.records.applied().wait_for(|cursor| *cursor >= at).await.unwrap();
}

/// R12: sessions are revoked, purged and opened between the start and the moment that the sessions are read; the reads are
/// of the start.
#[tokio::test]
async fn r12_what_ends_while_sessions_are_loaded_stays_ended() {
    let (live, store, stop) = (live(), store_of(&[1, 2, 3]).await, CancellationToken::new());
    let (follow, load) = begin(&live, &store, &stop).await.unwrap();
    assert!(live.records.whole().is_none());
    tokio::spawn(follow);
    store.end(Which::One(Sid([1; 32])), EndReason::Revoked, OPENED).await.unwrap();
    store.touch(vec![(Sid([3; 32]), OPENED.plus(Duration::from_secs(86_000)))]).await.unwrap();
    let at = store.open_session(Session { sid: Sid([4; 32]), ..session() }).await.unwrap().cursor;
    applied(&live, at).await;
    let all_over = OPENED.plus(Duration::from_secs(10 * 86_400));
    let at = store.purge(all_over, 2).await.unwrap().cursor;
    applied(&live, at).await;
    let (found, _acting) = oneshot::channel();
    load.run(found, stop.clone()).await;
    let mut stored = store.everything().await.unwrap().sessions;
    let mut loaded = live.records.whole().unwrap().sessions();
    stored.sort_by_key(|session| session.sid);
    loaded.sort_by_key(|session| session.sid);
    assert_eq!(loaded, stored);
    stop.cancel();
}

/// Otherwise the trail would not say how an impersonation ended that was there at the start.
#[tokio::test]
async fn who_acts_for_somebody_at_the_start_is_known_though_it_ended_before_all_sessions_were_here() {
    let (live, store, stop) = (live(), store_of(&[1, 2]).await, CancellationToken::new());
    let impersonation = Impersonation {
        user: UserId([7; 16]),
        reason: "ticket 7".into(),
        write: false,
        since: OPENED,
        until: OPENED.plus(Duration::from_secs(1800)),
    };
    let acts = SessionChange { impersonation: Some(Some(impersonation)), ..SessionChange::default() };
    assert!(store.change_session(Sid([2; 32]), acts, OPENED).await.unwrap().value);
    let (follow, load) = begin(&live, &store, &stop).await.unwrap();
    tokio::spawn(follow);
    let started = *live.records.applied().borrow();
    let ended = store.end(Which::One(Sid([2; 32])), EndReason::Revoked, OPENED).await.unwrap();
    applied(&live, ended.cursor).await;
    let (found, acting) = oneshot::channel();
    load.run(found, stop.clone()).await;
    let Acting { at, sessions } = acting.await.unwrap();
    assert_eq!(at, started, "the end of it is still to come");
    assert_eq!(sessions.iter().map(|session| session.sid).collect::<Vec<_>>(), [Sid([2; 32])]);
    assert!(live.records.session(&Sid([2; 32])).unwrap().ended.is_some());
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn sessions_that_cannot_be_read_at_first_are_read_again_and_what_is_damaged_is_counted() {
    let (live, store, stop) = (live(), store_of(&[1, 2]).await, CancellationToken::new());
    let (follow, mut load) = begin(&live, &store, &stop).await.unwrap();
    tokio::spawn(follow);
    load.sessions = stream::iter([Err(StoreError::Unavailable("the disk".into()))]).boxed();
    let (found, _acting) = oneshot::channel();
    load.run(found, stop.clone()).await;
    assert_eq!(live.records.whole().unwrap().sessions().len(), 2);
    assert_eq!(live.records.unreadable(), 0);
    let (_, mut load) = begin(&live, &store, &stop).await.unwrap();
    let damaged = Piece { unreadable: vec!["abc: a session cannot be read".into()], ..Piece::default() };
    load.sessions = stream::iter([Ok(damaged)]).boxed();
    let (found, _acting) = oneshot::channel();
    load.run(found, stop.clone()).await;
    assert_eq!(live.records.unreadable(), 1);
    stop.cancel();
}
