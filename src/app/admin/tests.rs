//! The handler alone, and a whole daemon behind its socket.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{
    AdminAnswer, AdminRequest, Handler, Policies, SessionLine, StreamRequest, UserLine, handler::Ground,
    receive, socket,
};
use crate::{
    app::{
        self,
        backup::{Desk as Backups, Source, verify},
    },
    clock::{Clock, ManualClock, Wall},
    config,
    entropy::SeededEntropy,
    feeds::keys,
    rules::{
        ban::{Sight, Spared},
        factor::{backup, totp},
        identity::{Totp, UserName},
        login::{Jar, SetCookie},
        session::{
            Elevation, Enrolment, Factor, Family, Origin, PanelLogin, PublicId, Session, SessionChange, Sid,
        },
    },
    secret::SecretBytes,
    store::{MemoryStore, RedbStore, Store, UserChange},
};

const HASH: &str = "$2b$12$V.JWiJ/GLFQAZJh0hqoAhupos/9URJby0mbd6hTrg0pNWqbfu5vKm";
const NOW: Wall = Wall::from_secs(1_800_000_000);

struct Desk {
    folder: tempfile::TempDir,
    handler: Arc<Handler>,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
}

fn desk() -> Desk {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::at(NOW));
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::Alone {
        policies: policies(),
        keys: folder.path().join("keys"),
        master: None,
        spared: Spared::default(),
        sight: Sight::default(),
        lockout: Arc::default(),
    };
    let entropy = Arc::new(SeededEntropy::new(1));
    let handler = Handler::new(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, entropy, ground);
    Desk { folder, handler: Arc::new(handler), store, clock }
}

fn policies() -> Policies {
    Policies { roles: vec!["root".into(), "user".into()], ..Policies::default() }
}

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

fn add(text: &str, role: &str) -> AdminRequest {
    AdminRequest::AddUser {
        name: name(text),
        role: role.into(),
        display: "Some Body".into(),
        email: "s@example.org".into(),
        password_hash: HASH.into(),
    }
}

impl Desk {
    async fn ask(&self, request: AdminRequest) -> AdminAnswer {
        self.handler.handle(request, 0).await
    }

    async fn users(&self) -> Vec<UserLine> {
        let AdminAnswer::Users { users } = self.ask(AdminRequest::ListUsers).await else { panic!() };
        users
    }

    async fn sessions(&self, ended: bool) -> Vec<SessionLine> {
        let request = AdminRequest::ListSessions { user: None, ended };
        let AdminAnswer::Sessions { sessions, .. } = self.ask(request).await else { panic!() };
        sessions
    }

    /// Opens a session of an account.
    async fn sign_in(&self, who: &str, n: u8) -> PublicId {
        let user = self.store.user_by_name(&name(who)).await.unwrap().unwrap();
        let now = self.clock.wall();
        let session = Session {
            sid: Sid([n; 32]),
            user: user.id,
            site: "panel".into(),
            origin: Origin::Portal,
            opened: now,
            seen: now,
            idle_millis: 600_000,
            expires: now.plus(Duration::from_secs(6000)),
            family: Family {
                seed: SecretBytes::new([n; 32]),
                key: "k".into(),
                generation: 1,
                current_seen: None,
            },
            elevation: Some(Elevation { at: now, by: Factor::Totp }),
            device: "Firefox".into(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            impersonation: None,
            enrolment: None,
            panel: None,
            ended: None,
        };
        let id = session.sid.public();
        self.store.open_session(session).await.unwrap();
        id
    }
}

fn is_no(answer: &AdminAnswer, part: &str) -> bool {
    matches!(answer, AdminAnswer::No { why } if why.contains(part))
}

#[tokio::test]
async fn accounts_are_made_once_and_with_a_role_that_exists() {
    let desk = desk();
    assert_eq!(desk.ask(add("carol", "root")).await, AdminAnswer::Done);
    assert!(is_no(&desk.ask(add("carol", "user")).await, "already"));
    let unknown = desk.ask(add("dave", "rooot")).await;
    assert!(is_no(&unknown, "`root`, `user`"), "{unknown:?}");
    let AdminRequest::AddUser { name, role, display, email, .. } = add("erin", "user") else { panic!() };
    let plain = AdminRequest::AddUser { name, role, display, email, password_hash: "secret".into() };
    assert!(is_no(&desk.ask(plain).await, "bcrypt"));
    let users = desk.users().await;
    assert_eq!(users.len(), 1);
    assert_eq!(
        (users[0].name.as_str(), users[0].role.as_str(), users[0].created),
        ("carol", "root", NOW.secs())
    );
}

#[tokio::test]
async fn what_is_changed_shows_in_the_list() {
    let desk = desk();
    desk.ask(add("carol", "user")).await;
    desk.ask(AdminRequest::SetRole { name: name("carol"), role: "root".into() }).await;
    desk.ask(AdminRequest::SetDisabled { name: name("carol"), disabled: true }).await;
    let users = desk.users().await;
    assert_eq!((users[0].role.as_str(), users[0].disabled), ("root", true));
    desk.ask(AdminRequest::SetDisabled { name: name("carol"), disabled: false }).await;
    assert!(!desk.users().await[0].disabled);
    let unknown = desk.ask(AdminRequest::SetRole { name: name("carol"), role: "boss".into() }).await;
    assert!(is_no(&unknown, "no policy knows the role `boss`"));
}

#[tokio::test]
async fn every_request_about_nobody_is_answered_with_no() {
    let desk = desk();
    let nobody = || name("nobody");
    let requests = [
        AdminRequest::ShowUser { name: nobody() },
        AdminRequest::SetPassword { name: nobody(), password_hash: HASH.into() },
        AdminRequest::SetRole { name: nobody(), role: "root".into() },
        AdminRequest::SetDisabled { name: nobody(), disabled: true },
        AdminRequest::RemoveFactor { name: nobody() },
        AdminRequest::ListSessions { user: Some(nobody()), ended: true },
        AdminRequest::RevokeSessionsOf { user: nobody() },
        AdminRequest::RevokeSession { id: PublicId("nothing".into()) },
    ];
    for request in requests {
        assert!(is_no(&desk.ask(request).await, "panelgate"));
    }
}

#[tokio::test]
async fn a_second_factor_is_removed_with_its_backup_codes() {
    let desk = desk();
    desk.ask(add("carol", "user")).await;
    assert!(is_no(&desk.ask(AdminRequest::RemoveFactor { name: name("carol") }).await, "no second factor"));
    let carol = desk.store.user_by_name(&name("carol")).await.unwrap().unwrap();
    let totp = Some(Some(Totp { sealed_secret: SecretBytes::new([1; 40]), last_step: 0 }));
    let change = UserChange { totp, backup_codes: Some(vec![[1; 32]; 10]), ..UserChange::default() };
    desk.store.change_user(carol.id, change, NOW).await.unwrap();
    assert_eq!((desk.users().await[0].second_factor, desk.users().await[0].backup_codes), (true, 10));
    assert_eq!(desk.ask(AdminRequest::RemoveFactor { name: name("carol") }).await, AdminAnswer::Done);
    assert_eq!((desk.users().await[0].second_factor, desk.users().await[0].backup_codes), (false, 0));
}

#[tokio::test]
async fn sessions_are_listed_with_their_state_and_revoked_by_public_id_or_account() {
    let desk = desk();
    desk.ask(add("carol", "user")).await;
    desk.ask(add("dave", "user")).await;
    let first = desk.sign_in("carol", 1).await;
    desk.clock.advance(Duration::from_secs(1));
    desk.sign_in("carol", 2).await;
    desk.sign_in("dave", 3).await;
    let listed = desk.sessions(false).await;
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|line| line.state == "alive" && !line.id.contains("AQEB")));
    assert_eq!(listed[2].id, first.to_string(), "newest first");
    let revoked = desk.ask(AdminRequest::RevokeSession { id: first.clone() }).await;
    assert_eq!(revoked, AdminAnswer::Ended { sessions: 1 });
    let again = desk.ask(AdminRequest::RevokeSession { id: first }).await;
    assert_eq!(again, AdminAnswer::Ended { sessions: 0 });
    let rest = desk.ask(AdminRequest::RevokeSessionsOf { user: name("carol") }).await;
    assert_eq!(rest, AdminAnswer::Ended { sessions: 1 });
    assert_eq!(desk.sessions(false).await.len(), 1);
    desk.clock.advance(Duration::from_secs(700));
    let states: Vec<_> = desk.sessions(true).await.into_iter().map(|line| line.state).collect();
    assert_eq!(states.iter().filter(|state| *state == "revoked").count(), 2);
    assert_eq!(states.iter().filter(|state| *state == "idle").count(), 1);
}

#[tokio::test]
async fn without_a_daemon_there_is_nothing_to_reload() {
    assert!(is_no(&desk().ask(AdminRequest::Reload).await, "no panelgate is running"));
}

async fn say(path: &Path, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(line).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(30), read).await.unwrap().unwrap();
    answer
}

async fn told(path: &Path, request: &AdminRequest) -> AdminAnswer {
    let line = serde_json::to_string(request).unwrap() + "\n";
    serde_json::from_str(&say(path, line.as_bytes()).await).unwrap()
}

fn backups(data_dir: &Path) -> Arc<Backups> {
    let store = RedbStore::open(&data_dir.join("panelgate.redb")).unwrap();
    let (config, environment) = (data_dir.join("none.yaml"), config::Environment::new());
    let source = Source { store, data_dir: data_dir.to_owned(), config, environment };
    Arc::new(Backups::new(source, tokio::sync::watch::Sender::new("".into()).subscribe()))
}

#[tokio::test]
async fn the_socket_is_private_answers_nonsense_with_a_failure_and_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (stop, tasks) = (tokio_util::sync::CancellationToken::new(), tokio_util::task::TaskTracker::new());
    let sockets = crate::doors::Sockets::default();
    let listener = sockets.unix(&path, 0o600).unwrap();
    let backups = backups(folder.path());
    tasks.spawn(socket::serve(listener, desk().handler, backups, stop.clone(), tasks.clone()));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let long = vec![b'x'; 70_000];
    let nonsense: [&[u8]; 4] = [b"\n", b"nonsense\n", b"{\"do\":\"dance\"}\n", &long[..65_536]];
    for line in nonsense {
        let answer = say(&path, line).await;
        assert!(answer.contains("\"failed\""), "{answer}");
    }
    assert_eq!(told(&path, &AdminRequest::ListUsers).await, AdminAnswer::Users { users: vec![] });
    let answer = say(&path, b"{\"do\":\"backup\",\"journal\":false}\n").await;
    assert!(answer.starts_with("{\"answer\":\"failed\"") && answer.contains("none.yaml"), "{answer}");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    sockets.remove_files();
    assert!(!path.exists());
}

const CONFIG: &str = "\
version: 1
data_dir: data
metrics: { listen: \"127.0.0.1:0\" }
sites:
  - { name: panel, title: Panel, origins: [\"https://panel.example.com\"], policy: policy.yaml }
sidecar: { socket: sidecar.sock }
";
const POLICY: &str = "\
version: 1
roles: [root, user]
pages:
  - { name: all, paths: [\"/**\"], access: { root: full, user: read } }
";

/// What the command line is told is true at the gate at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_shows_what_it_was_told_before_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, CONFIG).unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let environment = config::Environment::new();
    let settings = config::load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}")).settings;
    let socket = settings.admin_socket.clone();
    let running = app::start(settings, environment).await.unwrap();
    for round in 0..20 {
        let who = format!("user-{round}");
        assert_eq!(told(&socket, &add(&who, "root")).await, AdminAnswer::Done);
        assert_eq!(&*running.gate.live().records.user_by_name(&name(&who)).unwrap().role, "root");
        told(&socket, &AdminRequest::SetRole { name: name(&who), role: "user".into() }).await;
        assert_eq!(&*running.gate.live().records.user_by_name(&name(&who)).unwrap().role, "user");
    }
    assert!(is_no(&told(&socket, &add("x", "boss")).await, "`root`, `user`"));
    fs::write(folder.path().join("policy.yaml"), POLICY.replace("[root, user]", "[root, user, boss]"))
        .unwrap();
    assert_eq!(told(&socket, &AdminRequest::Reload).await, AdminAnswer::Done);
    assert_eq!(told(&socket, &add("x", "boss")).await, AdminAnswer::Done);
    fs::write(folder.path().join("policy.yaml"), "version: 1\nroles: 7\n").unwrap();
    assert!(is_no(&told(&socket, &AdminRequest::Reload).await, "policy.yaml"));
    running.stop().await;
    assert!(!socket.exists());
}

/// The daemon's backup arrives whole while it serves, and says which configuration is in force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_comes_over_the_socket_while_the_daemon_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, CONFIG).unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let environment = config::Environment::new();
    let settings = config::load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}")).settings;
    let socket = settings.admin_socket.clone();
    let running = app::start(settings, environment).await.unwrap();
    told(&socket, &add("carol", "root")).await;
    let receive = || {
        let mut out = tempfile::tempfile().unwrap();
        let stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        let mut done = (0, 0);
        let mut progress = |at, of| done = (at, of);
        let made = receive(stream, StreamRequest::Backup { journal: true }, &mut out, &mut progress);
        let made = made.unwrap().unwrap();
        assert_eq!(verify(&mut out, &mut |_| ()).unwrap(), made);
        assert!(done.0 > 0 && done.0 <= done.1, "{done:?}");
        made.manifest
    };
    let manifest = tokio::task::block_in_place(receive);
    assert!(manifest.configuration_in_force && manifest.store.users == 1, "{manifest:?}");
    // A mistake keeps the old configuration in force.
    fs::write(folder.path().join("policy.yaml"), "version: 1\nroles: 7\n").unwrap();
    assert!(!tokio::task::block_in_place(receive).configuration_in_force);
    assert_eq!(told(&socket, &add("dave", "root")).await, AdminAnswer::Done);
    running.stop().await;
}

#[tokio::test]
async fn an_enrolled_factor_is_shown_once_and_its_codes_open_the_account_it_was_made_for() {
    let desk = desk();
    assert_eq!(desk.ask(add("ada", "root")).await, AdminAnswer::Done);
    let enrol = AdminRequest::Enrol { name: name("ada") };
    let AdminAnswer::Enrolled { url, secret, backup_codes } = desk.ask(enrol.clone()).await else { panic!() };
    assert!(url.starts_with("otpauth://totp/") && url.contains(&secret) && url.contains("ada"), "{url}");
    let user = desk.store.user_by_name(&name("ada")).await.unwrap().unwrap();
    let keys = keys::load_or_create(&desk.folder.path().join("keys"), &SeededEntropy::new(2), NOW);
    let sealed = user.totp.clone().unwrap();
    let opened = totp::open(keys.unwrap().master(), &user.id, &sealed.sealed_secret).unwrap();
    assert_eq!(data_encoding::BASE32_NOPAD.encode(opened.expose()), secret);
    let code = totp::code(opened.expose(), NOW);
    assert!(totp::check(opened.expose(), &code, NOW, sealed.last_step).is_some());
    assert_eq!(backup_codes.len(), 10);
    for code in &backup_codes {
        assert!(user.backup_codes.contains(&backup::hash(&user.id, code)), "{code}");
    }
    assert!(is_no(&desk.ask(enrol).await, "has a second factor already"));
    assert!(is_no(&desk.ask(AdminRequest::Enrol { name: name("eve") }).await, "eve"));
}

#[tokio::test]
async fn all_that_is_sealed_is_sealed_again_after_the_master_key_was_rotated() {
    let desk = desk();
    desk.ask(add("ada", "root")).await;
    desk.ask(AdminRequest::Enrol { name: name("ada") }).await;
    desk.sign_in("ada", 1).await;
    let (folder, sid) = (desk.folder.path().join("keys"), Sid([1; 32]));
    let load = || keys::load_or_create(&folder, &SeededEntropy::new(2), NOW).unwrap();
    let (before, ada) = (load(), desk.store.user_by_name(&name("ada")).await.unwrap().unwrap());
    let mut jar = Jar::default();
    jar.take(&[SetCookie::parse(b"sid=7").unwrap()], &["sid".to_owned()]);
    let panel = PanelLogin { sealed: jar.seal(before.master(), &sid, [1; 12]), at: NOW };
    let sealed_secret = totp::seal(before.master(), &ada.id, &[7; 20], [2; 12]);
    let enrolment = Some(Some(Enrolment { sealed_secret, until: NOW, replaces: None }));
    let change = SessionChange { panel: Some(Some(panel)), enrolment, ..SessionChange::default() };
    assert!(desk.store.change_session(sid, change, NOW).await.unwrap().value);

    keys::rotate_master(&folder, &SeededEntropy::new(9), NOW).unwrap();
    for renewed in [3, 0] {
        let answer = desk.ask(AdminRequest::Reseal).await;
        assert_eq!(answer, AdminAnswer::Resealed { sealed: 3, renewed, lost: vec![] });
    }
    keys::drop_old_master(&folder, None).unwrap();
    let session = desk.store.session(&sid).await.unwrap().unwrap();
    assert_eq!(Jar::open(load().master(), &sid, &session.panel.unwrap().sealed), Some(jar));
    let secret = session.enrolment.unwrap().sealed_secret;
    assert_eq!(totp::open(load().master(), &ada.id, &secret).unwrap().expose(), [7; 20]);
    assert_eq!(totp::open(before.master(), &ada.id, &secret), None, "the old key opens nothing new");
}
