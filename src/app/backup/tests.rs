//! Backups that are made, damaged and restored.

mod archive;
mod interrupted;
mod trails;
mod way;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Contents, Failure, Made, Report, Source, Wanted, make, restore};
use crate::{
    app::compose,
    clock::{Clock, SystemClock, Wall},
    config::Environment,
    entropy::SeededEntropy,
    feeds::keys::{self, GivenMaster},
    rules::{
        factor::totp,
        identity::{Totp, User, UserId, UserName, UserSource},
        session::{Family, Origin, Session, Sid},
        trail::{CHECKPOINT, Fields},
    },
    secret::SecretBytes,
    store::{Everything, RedbStore, Store},
    telemetry::trail,
};

const CONFIG: &str = "\
version: 1
data_dir: data
sites:
  - { name: panel, title: Panel, origins: [\"https://panel.example.com\"], policy: policies/panel.yaml }
sidecar: { socket: sidecar.sock }
";
const POLICY: &str = "\
version: 1
roles: [root, user]
pages:
  - { name: all, paths: [\"/**\"], access: { root: full, user: read } }
";

/// A place with a configuration, keys, a store with accounts and sessions, and an audit trail.
struct Home {
    folder: tempfile::TempDir,
    master: Option<GivenMaster>,
}

fn now() -> Wall {
    SystemClock::new().wall()
}

fn user(n: u16, keys: &crate::rules::token::KeySet) -> User {
    let id = UserId([n.to_be_bytes(); 8].concat().try_into().unwrap());
    let sealed_secret = totp::seal(keys.master(), &id, &[7; 20], [2; 12]);
    User {
        id,
        name: UserName::parse(&format!("user-{n}")).unwrap(),
        display: String::new(),
        email: String::new(),
        role: "user".into(),
        source: UserSource::Embedded,
        password: Some("hash".into()),
        disabled: false,
        totp: Some(Totp { sealed_secret, last_step: 100 }),
        backup_codes: vec![[1; 32]],
        created: Wall::from_secs(1_700_000_000),
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    }
}

fn session(n: u16, owner: &User) -> Session {
    Session {
        sid: Sid([n.to_be_bytes(); 16].concat().try_into().unwrap()),
        user: owner.id,
        site: "panel".into(),
        origin: Origin::Portal,
        opened: now(),
        seen: now(),
        idle_millis: 600_000,
        expires: now().plus(Duration::from_secs(3600)),
        family: Family {
            seed: SecretBytes::new([3; 32]),
            key: "k1".into(),
            generation: 1,
            current_seen: None,
        },
        elevation: None,
        device: "Firefox on Linux".into(),
        address: Ipv4Addr::LOCALHOST.into(),
        impersonation: None,
        enrolment: None,
        panel: None,
        ended: None,
    }
}

impl Home {
    /// An empty data directory and a configuration.
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("policies")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("config.yaml"), CONFIG).unwrap();
        fs::write(folder.path().join("policies/panel.yaml"), POLICY).unwrap();
        fs::write(folder.path().join("policies/panel.test.yaml"), "tests: []\n").unwrap();
        Self { folder, master: None }
    }

    /// With so many accounts, each of which has a session, and five records.
    async fn with(users: u16) -> Self {
        let home = Self::empty();
        let keys = home.keys();
        let store = home.store();
        for n in 0..users {
            let user = user(n, &keys);
            store.add_user(user.clone()).await.unwrap();
            store.open_session(session(n, &user)).await.unwrap();
        }
        store.close().await.unwrap();
        home.account(&["one", "two", "three", "four", "five"]);
        home
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn keys(&self) -> crate::rules::token::KeySet {
        let dir = self.data().join("keys");
        keys::load_or_create_under(&dir, self.master.as_ref(), &SeededEntropy::new(4), now()).unwrap()
    }

    fn store(&self) -> RedbStore {
        RedbStore::open(&self.data().join("panelgate.redb")).unwrap()
    }

    async fn everything(&self) -> Everything {
        let store = self.store();
        let everything = store.everything().await.unwrap();
        store.close().await.unwrap();
        everything
    }

    fn account(&self, events: &[&str]) {
        let trail = compose::open_trail_alone(&self.data()).unwrap();
        for event in events {
            let mut fields = Fields::new();
            fields.insert("user".into(), "carol".into());
            trail.write(now(), (*event).to_owned(), fields);
        }
        assert!(trail.flush());
        drop(trail);
    }

    /// The events of the trail, which must be whole and signed; without checkpoints.
    fn events(&self) -> Vec<String> {
        let folder = trail::folder(&self.data());
        let signer = keys::signer(&compose::keys_dir(&self.data())).unwrap().unwrap();
        let check = trail::Check { keys: vec![signer.public()], ..trail::Check::default() };
        let found = trail::verify(&folder, &check, |_| ()).unwrap().found;
        assert_eq!(found.findings, [], "`audit verify`");
        let files = trail::files(&folder).unwrap();
        let records = files.iter().flat_map(|file| trail::read_file(file).unwrap());
        records.map(|record| record.event).filter(|event| event != CHECKPOINT).collect()
    }

    fn source(&self, store: RedbStore) -> Source {
        let (config, environment) = (self.folder.path().join("config.yaml"), Environment::new());
        Source { store, data_dir: self.data(), config, environment }
    }

    /// Backs up a store that nobody has open.
    async fn back_up(&self, to: &Path) -> Made {
        let store = self.store();
        let made = back_up(&self.source(store.clone()), to).await;
        store.close().await.unwrap();
        made
    }

    async fn restore(&self, from: &Path, replace: bool, end_sessions: bool) -> Result<Report, Failure> {
        let (from, data, master) = (from.to_owned(), self.data(), self.master.clone());
        let working = tokio::task::spawn_blocking(move || {
            let mut file = File::open(from).unwrap();
            let (data_dir, master) = (data.as_path(), master.as_ref());
            let wanted = Wanted { file: &mut file, data_dir, master, replace, end_sessions, by: 0 };
            restore(wanted, &mut |_| ())
        });
        working.await.unwrap()
    }

    /// Every file with its content, as far as it is not a lock.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        list(&self.data(), &mut found);
        found.retain(|path, _| !path.ends_with("lock"));
        found
    }
}

fn list(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
}

async fn back_up(source: &Source, to: &Path) -> Made {
    let out = File::create(to).unwrap();
    tokio::task::block_in_place(|| {
        make(source, Contents { journal: true }, None, out, &mut |_, _| Ok(())).unwrap()
    })
}
