use super::*;
use crate::{
    clock::Wall,
    live::{Quotas, Snapshot},
    rules::{
        identity::{User, UserId, UserName, UserSource},
        limit::Quota,
        session::{Family, Origin, Session, Sid},
    },
    secret::SecretBytes,
    store::MemoryStore,
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
