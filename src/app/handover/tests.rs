use std::{net::TcpListener, os::unix::net::UnixStream};

use super::wire::{self, ToOld};
use crate::{
    doors::{Place, Socket, Sockets},
    rules::session::Sid,
    store::{Change, Cursor},
};

#[tokio::test]
async fn listening_sockets_are_passed_with_their_places() {
    let (old, new) = UnixStream::pair().unwrap();
    let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let sockets = listeners.map(|listener| {
        let place = Place::Tcp(listener.local_addr().unwrap());
        Socket { place, socket: listener.into(), own_file: false }
    });
    let (mut store, theirs) = UnixStream::pair().unwrap();
    wire::send_sockets(&old, sockets.into(), &theirs.into()).unwrap();
    let (passed, line) = wire::receive_sockets(&new).unwrap();
    std::io::Write::write_all(&mut UnixStream::from(line), b"asked").unwrap();
    let mut asked = [0; 5];
    std::io::Read::read_exact(&mut store, &mut asked).unwrap();
    assert_eq!(&asked, b"asked");
    let passed = Sockets::inheriting(passed);
    for address in addresses {
        let listener = passed.tcp(address).unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        listener.accept().await.unwrap();
    }
}

#[test]
fn a_process_that_speaks_another_protocol_is_told_so() {
    let (old, new) = UnixStream::pair().unwrap();
    // The first message is a length, the protocol, and a list without entries.
    std::io::Write::write_all(&mut &old, &[0, 0, 0, 2, 99, 0]).unwrap();
    let error = wire::receive_sockets(&new).unwrap_err().to_string();
    assert!(error.contains("protocol 99"), "{error}");
}

#[tokio::test]
async fn messages_arrive_as_they_were_sent_and_nonsense_is_an_error() {
    let (mut near, mut far) = tokio::io::duplex(1024);
    wire::send(&mut near, &ToOld::Changed(Cursor(7), Change::SessionGone(Sid([7; 32])))).await.unwrap();
    let Ok(ToOld::Changed(Cursor(7), Change::SessionGone(sid))) = wire::receive(&mut far).await else {
        panic!("something else came")
    };
    assert_eq!(sid, Sid([7; 32]));
    tokio::io::AsyncWriteExt::write_all(&mut near, &[0, 0, 0, 1, 250]).await.unwrap();
    assert!(wire::receive::<ToOld>(&mut far).await.is_err());
    drop(near);
    assert!(wire::receive::<ToOld>(&mut far).await.is_err(), "an end is no message");
}
