use std::fs;

use super::*;
use crate::{
    clock::ManualClock,
    gate::journal::Entry,
    live::{Quotas, Snapshot},
    rules::{limit::Quota, record::tests::sample},
};

const NOON: Wall = Wall::from_secs(1_795_608_000);

struct Rig {
    live: Arc<Live>,
    queue: mpsc::Sender<Item>,
    archive: Arc<dyn Archive>,
    stop: CancellationToken,
    tasks: TaskTracker,
    folder: tempfile::TempDir,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let quota = Quota::parse("10/min").unwrap();
    let quotas = Quotas::all(quota);
    let live = Arc::new(Live::new(Snapshot::default(), quotas));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOON));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let path = folder.path().join("journal");
    let (queue, archive) = start(&path, &live, &clock, &stop, &tasks).unwrap();
    Rig { live, queue, archive, stop, tasks, folder }
}

fn entry(number: u8) -> Item {
    let record = Record { decision: DecisionId([number; 5]), at: NOON, ..sample("GET", "/users/7") };
    Item::Decision(Box::new(Entry::Bare(Box::new(record))))
}

#[tokio::test]
async fn what_was_decided_can_be_asked_for_at_once() {
    let rig = rig();
    for number in 0..100 {
        rig.queue.send(entry(number)).await.unwrap();
    }
    let found = rig.archive.find(DecisionId([99; 5])).await;
    assert_eq!(found.len(), 1);
    assert_eq!(rig.archive.since("panel".into(), NOON, 10).await.len(), 10);
    assert_eq!(rig.archive.since("other".into(), NOON, 10).await.len(), 0);
    let wanted = Wanted { site: "panel".into(), reason: None, user: Some("bob".into()), page: None, most: 3 };
    assert_eq!(rig.archive.latest(wanted.clone()).await.len(), 3);
    assert_eq!(rig.archive.latest(Wanted { user: Some("eve".into()), ..wanted.clone() }).await.len(), 0);
    assert_eq!(rig.archive.latest(Wanted { site: "other".into(), ..wanted }).await.len(), 0);
    assert_eq!(rig.live.journal.read().written, 100);
    assert_eq!(rig.live.traffic.last("panel", NOON, 60, 1).total.refused, 100);
}

#[tokio::test]
async fn the_last_decisions_before_the_end_are_written() {
    let rig = rig();
    rig.queue.send(entry(7)).await.unwrap();
    rig.stop.cancel();
    rig.tasks.close();
    tokio::time::timeout(Duration::from_secs(10), rig.tasks.wait()).await.expect("it ends");
    let reader = Reader::new(&rig.folder.path().join("journal"));
    assert_eq!(reader.find(DecisionId([7; 5]), NOON).len(), 1);
}

#[tokio::test]
async fn what_found_no_room_or_no_disk_is_counted_and_admitted() {
    let rig = rig();
    rig.live.journal.drop_one(NOON);
    rig.live.journal.drop_one(NOON);
    rig.queue.send(entry(1)).await.unwrap();
    let span = rig.archive.span().await;
    assert_eq!(span.gaps, [Gap { since: NOON, until: NOON, missing: 2, why: Missing::Busy }]);

    let path = rig.folder.path().join("journal");
    fs::remove_dir_all(&path).unwrap();
    rig.queue.send(entry(2)).await.unwrap();
    assert!(rig.archive.find(DecisionId([2; 5])).await.is_empty());
    fs::create_dir(&path).unwrap();
    rig.queue.send(entry(3)).await.unwrap();
    assert_eq!(rig.archive.find(DecisionId([3; 5])).await.len(), 1);
    let span = rig.archive.span().await;
    assert_eq!(span.gaps, [Gap { since: NOON, until: NOON, missing: 1, why: Missing::Disk }]);
    let counts = rig.live.journal.read();
    assert_eq!((counts.written, counts.dropped, counts.lost), (2, 2, 1));
}
