//! What the two processes say to each other: a length in four bytes, then postcard.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
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
    clock::Wall,
    doors::{Place, Socket},
    live::CounterLevels,
    rules::{
        api_key::{KeyId, KeyUse},
        session::Sid,
    },
    store::{Change, Cursor},
};

/// Counts up whenever what is said, records included, changes its form.
pub(super) const PROTOCOL: u32 = 2;

/// The longest message; a whole store may be told at once.
const LONGEST: u32 = 1 << 30;

/// The old process speaks.
#[derive(Serialize, Deserialize)]
pub(super) enum ToNew {
    /// The store is free; this is what was counted until now.
    Yours(Box<CounterLevels>),
    /// What was counted since.
    Counted(Box<CounterLevels>),
    /// Sessions and keys were used by connections that are still open.
    Used(Vec<(Sid, Wall)>, Vec<(KeyId, KeyUse)>),
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
}

/// The first message, whose form never changes.
#[derive(Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    sockets: Vec<(Place, bool)>,
}

/// Passes listening sockets, with which the conversation begins.
pub(super) fn send_sockets(to: &UnixStream, sockets: Vec<Socket>) -> io::Result<()> {
    let places = sockets.iter().map(|socket| (socket.place.clone(), socket.own_file)).collect();
    let hello = Hello { protocol: PROTOCOL, sockets: places };
    (&*to).write_all(&frame(&hello)?)?;
    for socket in sockets {
        let fds = [socket.socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Takes the listening sockets that are passed.
pub(super) fn receive_sockets(from: &UnixStream) -> io::Result<Vec<Socket>> {
    let mut head = [0; 4];
    (&*from).read_exact(&mut head)?;
    let mut bytes = vec![0; length(head)?];
    (&*from).read_exact(&mut bytes)?;
    let hello: Hello = parse(&bytes)?;
    if hello.protocol != PROTOCOL {
        let (theirs, ours) = (hello.protocol, PROTOCOL);
        let text = format!(
            "the running panelgate hands over by protocol {theirs}, this one knows {ours}: stop it and start this one"
        );
        return Err(io::Error::other(text));
    }
    let take = |(place, own_file)| Ok(Socket { place, socket: receive_one(from)?, own_file });
    hello.sockets.into_iter().map(take).collect()
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
    to.write_all(&frame(message)?).await
}

/// Receives a message.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut bytes = vec![0; length(head)?];
    from.read_exact(&mut bytes).await?;
    parse(&bytes)
}

/// Sends a message before there is a runtime.
pub(super) fn send_blocking<T: Serialize>(mut to: &UnixStream, message: &T) -> io::Result<()> {
    to.write_all(&frame(message)?)
}

fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("a message is too long"))?;
    Ok([&length.to_be_bytes()[..], &body].concat())
}

fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head);
    usize::try_from(length)
        .ok()
        .filter(|_| length <= LONGEST)
        .ok_or_else(|| io::Error::other("a message is too long"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| io::Error::other(format!("a message cannot be read: {error}")))
}
