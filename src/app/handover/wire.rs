//! What the two processes say to each other.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    doors::{Place, Socket},
    frames,
    live::CounterLevels,
    store::{Change, Cursor, SCHEMA},
    telemetry::Distant,
};

/// Counts up whenever what is said, records included, changes its form. The store's layout is a part of it: operations
/// of the old process work on the new one's tables.
pub(super) const PROTOCOL: u32 = (SCHEMA << 16) | 5;

/// The old process speaks.
#[derive(Serialize, Deserialize)]
pub(super) enum ToNew {
    /// The store is free; this is what was counted until now.
    Yours(Box<CounterLevels>),
    /// What was counted since.
    Counted(Box<CounterLevels>),
    /// Something that has to be accounted for.
    Account(Distant),
}

/// The new process speaks.
#[derive(Serialize, Deserialize)]
pub(super) enum ToOld {
    /// It cannot be done, and why.
    Refused(String),
    /// Configuration, policies, keys and certificates are good.
    Prepared,
    /// It has the store and accepts.
    Ready,
    /// The store has changed.
    Changed(Cursor, Change),
    /// The files with this digest are in force.
    InForce(String),
    /// Everything up to this ticket is in the audit trail.
    Accounted(u64),
    /// Why the audit trail takes nothing; `None`: it does again.
    Unaccounted(Option<String>),
}

/// The first message, whose form never changes.
#[derive(Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    sockets: Vec<(Place, bool)>,
}

/// Passes listening sockets, with which the conversation begins, and the line on which the store is asked later.
pub(super) fn send_sockets(to: &UnixStream, sockets: Vec<Socket>, store: &OwnedFd) -> io::Result<()> {
    let places = sockets.iter().map(|socket| (socket.place.clone(), socket.own_file)).collect();
    let hello = Hello { protocol: PROTOCOL, sockets: places };
    frames::write(to, &hello)?;
    for socket in sockets.iter().map(|socket| &socket.socket).chain([store]) {
        let fds = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Takes what [`send_sockets`] passes.
pub(super) fn receive_sockets(from: &UnixStream) -> io::Result<(Vec<Socket>, OwnedFd)> {
    let hello: Hello = frames::read(from)?;
    if hello.protocol != PROTOCOL {
        let (theirs, ours) = (hello.protocol, PROTOCOL);
        let text = format!(
            "the running panelgate hands over by protocol {theirs}, this one knows {ours}: stop it and start this one"
        );
        return Err(io::Error::other(text));
    }
    let take = |(place, own_file)| Ok(Socket { place, socket: receive_one(from)?, own_file });
    let sockets = hello.sockets.into_iter().map(take).collect::<io::Result<_>>()?;
    Ok((sockets, receive_one(from)?))
}

fn receive_one(from: &UnixStream) -> io::Result<OwnedFd> {
    let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let passed = control.drain().find_map(|message| {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message { fds.next() } else { None }
    });
    passed.ok_or_else(|| io::Error::other("a socket was announced but not passed"))
}

/// Sends a message.
pub(super) async fn send<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    to.write_all(&frames::encode(message)?).await
}

/// Receives a message.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut bytes = vec![0; frames::length(head)?];
    from.read_exact(&mut bytes).await?;
    frames::decode(&bytes)
}
