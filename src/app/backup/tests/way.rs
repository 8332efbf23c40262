//! There and back.

use std::{fs, os::unix::fs::MetadataExt, sync::Arc};

use super::{Home, back_up, now, session, user};
use crate::{
    app::backup::{Failure, History, make, unpack, verify},
    feeds::keys::GivenMaster,
    rules::{factor::totp, session::EndReason},
    secret::SecretBytes,
    store::{RedbStore, Store},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_is_there_again_and_its_sessions_are_over() {
    let (old, new) = (Home::with(5).await, Home::empty());
    let file = old.folder.path().join("b.tar.gz");
    let made = old.back_up(&file).await;
    assert_eq!((made.manifest.store.users, made.manifest.store.sessions, made.manifest.trail.seq), (5, 5, 6));
    let names: Vec<_> = made.manifest.members.iter().map(|member| member.name.as_str()).collect();
    for name in ["config/config.yaml", "config/policies/panel.yaml", "config/policies/panel.test.yaml"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(fs::metadata(&file).unwrap().len(), made.bytes);
    let before = old.everything().await;
    let report = new.restore(&file, false, true).await.unwrap();
    let after = new.everything().await;
    assert_eq!((report.sessions_ended, report.codes_spent, report.aside), (5, 5, None));
    assert_eq!((report.trail, report.journal), (History::FromBackup, History::None));
    for (now_there, was) in after.users.iter().zip(&before.users) {
        let mut expected = was.clone();
        // R14: a code that may have been used since does not count again.
        expected.totp.as_mut().unwrap().last_step = now_there.totp.as_ref().unwrap().last_step;
        assert_eq!(*now_there, expected);
        assert!(now_there.totp.as_ref().unwrap().last_step >= totp::newest_step(now()) - 1);
    }
    assert!(after.sessions.iter().all(|one| one.ended.is_some_and(|end| end.why == EndReason::Revoked)));
    assert_eq!(
        fs::read(new.data().join("keys/keys.json")).unwrap(),
        fs::read(old.data().join("keys/keys.json")).unwrap()
    );
    assert_eq!(new.events(), ["one", "two", "three", "four", "five", "restored"]);
    for (path, _) in new.contents() {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(fs::metadata(new.data().join("keys")).unwrap().mode() & 0o777, 0o700);
    let left: Vec<_> = fs::read_dir(new.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

/// A gate that never ran has accounts, and keys are made when they are needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_keys_is_backed_up_too() {
    let (old, new) = (Home::empty(), Home::empty());
    let file = old.folder.path().join("b.tar.gz");
    let made = old.back_up(&file).await;
    assert!(!made.manifest.members.iter().any(|member| member.name.starts_with("keys/")), "{made:?}");
    new.restore(&file, false, true).await.unwrap();
    assert!(new.data().join("keys/keys.json").exists());
    assert_eq!(new.events(), ["restored"]);
}

/// Policies may lie anywhere, and the configuration may be named in any way.
#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_configuration_gets_a_name_that_stays_inside() {
    let home = Home::with(0).await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("far.yaml"), super::POLICY).unwrap();
    let folder = home.folder.path();
    let far = outside.path().join("far.yaml").display().to_string();
    for policy in ["policies/../policies/panel.yaml", "./policies/panel.yaml", &far] {
        let text = super::CONFIG.replace("policies/panel.yaml", policy);
        fs::write(folder.join("config.yaml"), text).unwrap();
        let store = home.store();
        let mut source = home.source(store.clone());
        source.config = folder.join("policies/../config.yaml");
        let file = folder.join("b.tar.gz");
        back_up(&source, &file).await;
        store.close().await.unwrap();
        let made = verify(&mut fs::File::open(&file).unwrap(), &mut |_| ()).unwrap();
        let policies = made
            .manifest
            .members
            .iter()
            .filter(|member| member.name.ends_with("l.yaml") || member.name.ends_with("far.yaml"));
        assert_eq!(policies.count(), 1, "{policy}: {:?}", made.manifest.members);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_kept_when_somebody_says_so() {
    let (old, new) = (Home::with(3).await, Home::empty());
    let file = old.folder.path().join("b.tar.gz");
    old.back_up(&file).await;
    assert_eq!(new.restore(&file, false, false).await.unwrap().sessions_ended, 0);
    assert_eq!(new.everything().await.sessions, old.everything().await.sessions);
}

/// Accounts and sessions are written all the while. Each write moves the position by one, so a copy that is of one moment
/// holds exactly as many records as its position says, and they are the first ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_write_load_a_backup_is_one_moment() {
    let home = Home::with(0).await;
    let (store, keys) = (home.store(), Arc::new(home.keys()));
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0_u16.. {
                let user = user(n, &keys);
                let opened = store.add_user(user.clone()).await.is_ok()
                    && store.open_session(session(n, &user)).await.is_ok();
                if !opened {
                    return n;
                }
            }
            0
        }
    });
    let mut seen = 0;
    for round in 0..5 {
        while store.everything().await.unwrap().users.len() < seen + 40 {
            tokio::task::yield_now().await;
        }
        let file = home.folder.path().join(format!("{round}.tar.gz"));
        let made = back_up(&home.source(store.clone()), &file).await;
        let counts = made.manifest.store;
        assert_eq!(counts.cursor, counts.users + counts.sessions, "{counts:?}");
        let copy = Home::empty();
        copy.restore(&file, false, false).await.unwrap();
        let found = copy.everything().await;
        assert_eq!((found.users.len() as u64, found.sessions.len() as u64), (counts.users, counts.sessions));
        assert!(found.users.len() >= seen + 40 && found.users.len() - found.sessions.len() <= 1);
        let mut numbers: Vec<u16> =
            found.users.iter().map(|user| u16::from_be_bytes([user.id.0[0], user.id.0[1]])).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().zip(0..).all(|(number, expected)| *number == expected), "none is missing");
        seen = found.users.len();
    }
    store.close().await.unwrap();
    assert!(usize::from(writing.await.unwrap()) >= seen, "it was never stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten_unasked_and_what_was_there_is_put_aside() {
    let (old, new) = (Home::with(2).await, Home::with(7).await);
    let file = old.folder.path().join("b.tar.gz");
    old.back_up(&file).await;
    let before = new.contents();
    let refused = new.restore(&file, false, true).await.unwrap_err();
    assert!(
        matches!(&refused, Failure::NotEmpty { .. }) && refused.to_string().contains("--yes"),
        "{refused}"
    );
    assert_eq!(new.contents(), before);
    let report = new.restore(&file, true, true).await.unwrap();
    assert_eq!(new.everything().await.users.len(), 2);
    let aside = RedbStore::open(&report.aside.unwrap().join("panelgate.redb")).unwrap();
    assert_eq!(aside.everything().await.unwrap().users.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_somebody_has_open_is_left_alone() {
    let (old, new) = (Home::with(2).await, Home::with(3).await);
    let file = old.folder.path().join("b.tar.gz");
    old.back_up(&file).await;
    let held = new.store();
    let refused = new.restore(&file, true, true).await.unwrap_err();
    assert!(
        matches!(&refused, Failure::InUse(_)) && refused.to_string().contains("systemctl stop"),
        "{refused}"
    );
    assert_eq!(held.everything().await.unwrap().users.len(), 3);
    held.close().await.unwrap();
    // A store that is damaged is what restores are for.
    fs::write(new.data().join("panelgate.redb"), b"nonsense").unwrap();
    new.restore(&file, true, true).await.unwrap();
    assert_eq!(new.everything().await.users.len(), 2);
}

/// The key is not in the backup, which says so; without it nothing is restored, and with another one it is said whose
/// second factors are lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_from_outside_has_to_be_given_again() {
    let key = |byte| GivenMaster {
        from: "PANELGATE_MASTER_KEY".into(),
        current: SecretBytes::new([byte; 32]),
        older: None,
    };
    let mut old = Home::empty();
    old.master = Some(key(1));
    let store = old.store();
    store.add_user(user(1, &old.keys())).await.unwrap();
    let mut source = old.source(store.clone());
    let value = data_encoding::BASE64.encode(&[1; 32]);
    source.environment.insert("PANELGATE_MASTER_KEY".into(), value.clone());
    let file = old.folder.path().join("b.tar.gz");
    let made = back_up(&source, &file).await;
    store.close().await.unwrap();
    assert_eq!(made.manifest.master_key_from.as_deref(), Some("PANELGATE_MASTER_KEY"));
    assert!(
        made.manifest.left_out.iter().any(|line| line.contains("PANELGATE_MASTER_KEY")),
        "{:?}",
        made.manifest
    );
    assert!(!made.manifest.members.iter().any(|member| member.name.contains("master")));
    assert!(!serde_json::to_string(&made.manifest).unwrap().contains(&value));
    let mut new = Home::empty();
    let refused = new.restore(&file, false, true).await.unwrap_err();
    assert!(refused.to_string().contains("no master key"), "{refused}");
    assert!(!new.data().join("panelgate.redb").exists());
    new.master = Some(key(2));
    assert_eq!(new.restore(&file, false, true).await.unwrap().apps_lost, ["user-1"]);
    new.master = Some(key(1));
    assert_eq!(new.restore(&file, true, true).await.unwrap().apps_lost, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_unpacked_to_be_looked_at() {
    let home = Home::with(2).await;
    let file = home.folder.path().join("b.tar.gz");
    let made = home.back_up(&file).await;
    let into = home.folder.path().join("look");
    let unpacked = unpack(&mut fs::File::open(&file).unwrap(), &into, &mut |_| ()).unwrap();
    assert_eq!(unpacked, made);
    assert_eq!(fs::read_to_string(into.join("config/policies/panel.yaml")).unwrap(), super::POLICY);
    assert!(into.join("audit/head").exists() && into.join("panelgate.redb").exists());
    let again = unpack(&mut fs::File::open(&file).unwrap(), &into, &mut |_| ());
    assert!(matches!(again, Err(Failure::NotEmpty { .. })));
}

/// What the configuration names as `jwks_file` is public, and without it nobody comes in with a token of that issuer.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_set_of_a_trusted_issuer_is_in_the_backup_or_said_not_to_be() {
    let home = Home::with(1).await;
    let issuer = "issuers:
  - { name: p, issuer: i, audience: a, cookies: [c], algorithms: [EdDSA], jwks_file: jwks.json }
";
    fs::write(home.folder.path().join("config.yaml"), format!("{}{issuer}", super::CONFIG)).unwrap();
    fs::write(home.folder.path().join("jwks.json"), "{}").unwrap();
    let file = home.folder.path().join("b.tar.gz");
    let made = home.back_up(&file).await;
    assert!(made.manifest.members.iter().any(|member| member.name == "config/jwks.json"), "{made:?}");
    assert_eq!(made.manifest.left_out, Vec::<String>::new());
    fs::remove_file(home.folder.path().join("jwks.json")).unwrap();
    let made = home.back_up(&file).await;
    assert!(made.manifest.left_out.iter().any(|line| line.starts_with("the key set in ")), "{made:?}");
}

/// Whoever waited for the backup has gone away.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_nobody_waits_for_is_ended() {
    let home = Home::with(2).await;
    let store = home.store();
    let mut told = |_, _| Err(std::io::Error::other("gone"));
    let source = home.source(store.clone());
    let ended = make(&source, super::Contents::default(), None, Vec::new(), &mut told).unwrap_err();
    assert_eq!(ended.to_string(), "gone");
    assert!(store.add_user(user(9, &home.keys())).await.unwrap().value, "the store goes on");
    store.close().await.unwrap();
}
