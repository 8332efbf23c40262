use std::os::unix::fs::MetadataExt as _;

use super::*;

#[tokio::test]
async fn a_socket_that_was_passed_to_us_is_used_and_others_are_bound() {
    let passed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = passed.local_addr().unwrap();
    let socket = Socket { place: Place::Tcp(address), socket: passed.into(), own_file: false };
    let sockets = Sockets::inheriting(vec![socket]);
    assert_eq!(sockets.tcp(address).unwrap().local_addr().unwrap(), address);
    let other = sockets.tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    assert_ne!(other.local_addr().unwrap(), address);
    assert!(sockets.take_unused().is_empty());
    assert_eq!(sockets.copies().unwrap().len(), 2);
}

#[tokio::test]
async fn what_nobody_asked_for_is_named_and_a_near_miss_is_explained() {
    let passed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = passed.local_addr().unwrap();
    let socket = Socket { place: Place::Tcp(address), socket: passed.into(), own_file: false };
    let sockets = Sockets::inheriting(vec![socket]);
    let near = SocketAddr::from(([0, 0, 0, 0], address.port()));
    let error = sockets.tcp(near).unwrap_err().to_string();
    assert!(error.contains(&format!("a socket of {address} was passed to us")), "{error}");
    assert_eq!(sockets.take_unused(), [Place::Tcp(address)]);
}

#[tokio::test]
async fn a_unix_socket_replaces_what_was_left_over_and_its_file_goes_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    fs::write(&path, "somebody's").unwrap();
    let sockets = Sockets::default();
    assert!(sockets.unix(&path, 0o600).is_err(), "a file is not ours to remove");
    fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let _listener = sockets.unix(&path, 0o600).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let heir = Sockets::inheriting(sockets.copies().unwrap());
    let _same = heir.unix(&path, 0o600).unwrap();
    sockets.forget();
    sockets.remove_files();
    assert!(path.exists(), "another process listens there");
    heir.remove_files();
    assert!(!path.exists());
}

/// As the reference configuration has it.
#[tokio::test]
async fn every_address_of_both_families_can_be_listened_on_with_one_port() {
    let sockets = Sockets::default();
    let first = sockets.tcp("[::]:0".parse().unwrap()).unwrap().local_addr().unwrap();
    let second = sockets.tcp(SocketAddr::from(([0, 0, 0, 0], first.port()))).unwrap();
    assert_eq!(second.local_addr().unwrap().port(), first.port());
}

/// At a stop, proxies were connected to nobody until the process was gone, instead of being told so.
#[tokio::test]
async fn nobody_is_connected_to_a_listener_that_has_ended() {
    let sockets = Sockets::default();
    let listener = sockets.tcp(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(tokio::net::TcpStream::connect(address).await.is_ok(), "the copy still listens");
    sockets.forget_tcp();
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
