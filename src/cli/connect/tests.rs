//! The verbs from the command line to the store, with and without somebody at the socket.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use super::{AdminAnswer, AdminRequest, BETWEEN_TRIES, Named, Place, Policies, TRIES};
use crate::cli::verdict::Trouble;

/// A place with the roles `root` and `user`, and a site `panel` whose policy has two scopes.
pub(in crate::cli) fn place(data_dir: &Path) -> Place {
    Place {
        socket: data_dir.join("admin.socket"),
        data_dir: data_dir.to_owned(),
        patience: super::PATIENCE,
        named: Named {
            policies: Policies {
                roles: vec!["root".into(), "user".into()],
                scopes: [("panel".into(), ["users:read".into(), "users:write".into()].into())].into(),
            },
            ..Named::default()
        },
    }
}

/// A listener that answers one request with `answer`.
fn one_answer(place: &Place, answer: &'static [u8]) -> std::thread::JoinHandle<Vec<u8>> {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::os::unix::net::UnixListener::bind(&place.socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = Vec::new();
        BufReader::new(&stream).read_until(b'\n', &mut line).unwrap();
        stream.write_all(answer).unwrap();
        line
    })
}

#[test]
fn without_a_daemon_the_store_is_opened_and_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    for _ in 0..2 {
        let answer = place.ask(AdminRequest::ListUsers).unwrap();
        assert_eq!(answer, AdminAnswer::Users { users: vec![] });
    }
    assert_eq!(fs::metadata(folder.path().join("panelgate.redb")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_daemon_is_asked_first_and_the_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let listener = one_answer(&place, b"{\"answer\":\"ended\",\"sessions\":3}\n");
    let answer = place.ask(AdminRequest::Reload).unwrap();
    assert_eq!(answer, AdminAnswer::Ended { sessions: 3 });
    assert_eq!(listener.join().unwrap(), b"{\"do\":\"reload\"}\n");
    assert!(!folder.path().join("panelgate.redb").exists());
}

#[test]
fn a_socket_that_was_left_over_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    drop(std::os::unix::net::UnixListener::bind(&place.socket).unwrap());
    place.ask(AdminRequest::ListUsers).unwrap();
}

#[test]
fn a_daemon_that_hangs_up_or_talks_nonsense_is_a_failure() {
    for nonsense in [&b""[..], b"nonsense\n", b"{\"answer\":\"what\"}\n"] {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let listener = one_answer(&place, nonsense);
        assert!(matches!(place.ask(AdminRequest::ListUsers), Err(Trouble::Failed(_))));
        listener.join().unwrap();
    }
}

#[test]
fn a_store_that_somebody_holds_without_a_socket_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let held = crate::store::RedbStore::open(&folder.path().join("panelgate.redb")).unwrap();
    let Err(Trouble::Failed(why)) = place(folder.path()).ask(AdminRequest::ListUsers) else { panic!() };
    assert!(why.contains("admin.socket"), "{why}");
    drop(held);
}

/// Some of eight were told that something does not listen at `admin.socket`.
#[test]
fn many_commands_at_once_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever is first holds the store for longer than anybody tries to open it.
    let first = place(folder.path());
    first.ask(AdminRequest::ListUsers).unwrap();
    let (turn, held) =
        (first.turn().unwrap(), crate::store::RedbStore::open(&store_of(folder.path())).unwrap());
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..8).map(|_| scope.spawn(|| place(folder.path()).ask(AdminRequest::ListUsers))).collect();
        std::thread::park_timeout(TRIES * BETWEEN_TRIES + std::time::Duration::from_millis(500));
        drop((held, turn));
        for asked in asking {
            asked.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_command_that_keeps_the_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { patience: std::time::Duration::from_millis(50), ..place(folder.path()) };
    let _turn = place.turn().unwrap().unwrap();
    let Err(Trouble::Failed(why)) = place.ask(AdminRequest::ListUsers) else { panic!() };
    assert!(why.contains("another panelgate command holds the store in"), "{why}");
}

fn store_of(folder: &Path) -> PathBuf {
    folder.join("panelgate.redb")
}

/// As root, everything that is written belongs to the owner of the directory afterwards, so that the daemon can read
/// it. Only the asking thread changes its user.
#[test]
fn root_becomes_the_owner_of_the_data_before_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (uid, path) = (owner_for_test(folder.path()), folder.path().to_owned());
    let asking = std::thread::spawn(move || place(&path).ask(AdminRequest::ListUsers));
    asking.join().unwrap().unwrap();
    assert_eq!(fs::metadata(folder.path().join("panelgate.redb")).unwrap().uid(), uid);
}

/// Gives the folder to somebody else if we may: then the change of user is real.
fn owner_for_test(folder: &Path) -> u32 {
    let me = rustix::process::geteuid();
    if me.is_root() {
        chown(folder, Some(65_534), Some(65_534)).unwrap();
        return 65_534;
    }
    me.as_raw()
}

#[test]
fn a_listener_that_is_neither_root_nor_the_owner_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (socket, place) = (folder.path().join("admin.socket"), place(folder.path()));
    let (ready, wait) = std::sync::mpsc::channel();
    let stranger = std::thread::spawn(move || listen_as_stranger(socket, &ready));
    wait.recv().unwrap();
    let Err(Trouble::Failed(why)) = place.ask(AdminRequest::ListUsers) else { panic!() };
    assert!(why.contains("uid 65533"), "{why}");
    assert_eq!(stranger.join().unwrap(), 0, "bytes that the stranger got");
}

fn listen_as_stranger(socket: PathBuf, ready: &std::sync::mpsc::Sender<()>) -> usize {
    super::drop_to(65_533, 65_533).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    ready.send(()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    std::io::Read::read_to_end(&mut stream, &mut Vec::new()).unwrap()
}

#[test]
fn root_does_not_guess_whose_a_missing_directory_is() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("data");
    let answer = place(&missing).ask(AdminRequest::ListUsers);
    if rustix::process::geteuid().is_root() {
        let Err(Trouble::Failed(why)) = answer else { panic!() };
        assert!(why.contains("install -d -m 700"), "{why}");
    } else {
        answer.unwrap();
        assert_eq!(fs::metadata(missing).unwrap().mode() & 0o777, 0o700);
    }
}
