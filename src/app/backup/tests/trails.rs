//! What a restore does to the audit trail: it goes on, or is put aside as a whole.

use std::fs;

use super::Home;
use crate::{
    app::backup::History,
    rules::trail::{CHECKPOINT, Query},
    telemetry::trail,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_went_on_since_goes_on_and_says_what_is_undone() {
    let home = Home::with(2).await;
    let file = home.folder.path().join("b.tar.gz");
    home.back_up(&file).await;
    home.account(&["user-disabled", "session-opened", "api-key-deleted"]);
    let report = home.restore(&file, true, true).await.unwrap();
    assert_eq!(report.trail, History::Kept);
    let undone: Vec<_> =
        report.undone.iter().map(|one| (one.seq, one.event.as_str(), one.what.as_str())).collect();
    assert_eq!(undone, [(7, "user-disabled", "carol"), (9, "api-key-deleted", "carol")]);
    let first = ["one", "two", "three", "four", "five"];
    let then = ["user-disabled", "session-opened", "api-key-deleted", "restored"];
    assert_eq!(home.events(), [&first[..], &then[..]].concat());
    // And once more: a second restore is a second record.
    home.restore(&file, true, true).await.unwrap();
    assert_eq!(home.events().iter().filter(|event| *event == "restored").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_trail_is_put_aside_and_named() {
    let (old, new) = (Home::with(2).await, Home::with(1).await);
    new.account(&["six", "seven"]);
    let file = old.folder.path().join("b.tar.gz");
    old.back_up(&file).await;
    let report = new.restore(&file, true, true).await.unwrap();
    assert_eq!(report.trail, History::FromBackup);
    assert_eq!(new.events(), ["one", "two", "three", "four", "five", "restored"]);
    let aside = report.aside.unwrap().join("audit");
    let found: Vec<_> =
        trail::files(&aside).unwrap().iter().flat_map(|file| trail::read_file(file).unwrap()).collect();
    let theirs: Vec<_> =
        found.iter().map(|record| record.event.as_str()).filter(|event| *event != CHECKPOINT).collect();
    assert_eq!(theirs, ["one", "two", "three", "four", "five", "six", "seven"]);
    let record = trail::newest(
        &trail::folder(&new.data()),
        &Query { event: Some("restored".into()), ..Query::default() },
        1,
    )
    .unwrap();
    assert_eq!(record[0].text("other_trail_seq").as_deref(), Some("9"));
    assert_eq!(record[0].text("other_trail_hash"), Some(data_encoding::HEXLOWER.encode(&found[8].hash)));
}

/// Whoever has changed the trail on the disk does not get it carried on.
#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_was_tampered_with_is_replaced_by_the_backups_and_kept_aside() {
    let home = Home::with(2).await;
    let file = home.folder.path().join("b.tar.gz");
    home.back_up(&file).await;
    home.account(&["six"]);
    let path = trail::files(&trail::folder(&home.data())).unwrap().remove(0);
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("carol", "mallo")).unwrap();
    let report = home.restore(&file, true, true).await.unwrap();
    assert_eq!(report.trail, History::FromBackup);
    assert_eq!(home.events(), ["one", "two", "three", "four", "five", "restored"]);
    let aside = report.aside.unwrap().join("audit").join(path.file_name().unwrap());
    assert!(fs::read_to_string(aside).unwrap().contains("mallo"));
}

/// Old files were archived; what is there is newer than the backup.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_on_the_disk_stays_and_one_that_is_missing_comes_back() {
    let (old, new) = (Home::with(1).await, Home::empty());
    let journal = old.data().join("journal");
    fs::create_dir(&journal).unwrap();
    fs::write(journal.join("refused-0001795577055123-0.journal"), b"records").unwrap();
    let file = old.folder.path().join("b.tar.gz");
    old.back_up(&file).await;
    fs::write(journal.join("refused-0001795577055123-0.journal"), b"records and more").unwrap();
    assert_eq!(new.restore(&file, false, true).await.unwrap().journal, History::FromBackup);
    let restored = fs::read(new.data().join("journal/refused-0001795577055123-0.journal")).unwrap();
    assert_eq!(restored, b"records");
    assert_eq!(old.restore(&file, true, true).await.unwrap().journal, History::Kept);
    assert_eq!(fs::read(journal.join("refused-0001795577055123-0.journal")).unwrap(), b"records and more");
}
