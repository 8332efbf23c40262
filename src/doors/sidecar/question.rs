//! Plain questions, one after the other, without the HTTP engine: they are nearly all that a sidecar is asked, and the
//! engine would be half of what each of them costs.
//!
//! A plain question can be read in one way only: HTTP/1.1, no body, nothing that is about the connection. Whatever else
//! comes is left to the engine as it arrived.

#[cfg(test)]
mod tests;

use std::{
    future::Future as _,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use httparse::Status;
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

use crate::doors::{
    accept::{MAX_FIELDS, Scan, scan},
    dialect::Dialect,
};

/// What is read at once.
const PIECE: usize = 8 << 10;

/// How long a proxy may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For a whole head, from its first byte on; of the first one, from the beginning (R25).
    pub(super) head: Duration,
    /// For the first byte of the next one.
    pub(super) idle: Duration,
}

/// What comes next on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole head, in its bytes.
    Head(Bytes),
    /// Something for the engine, which also says what is wrong.
    Odd,
    /// Nothing: the peer is gone, or was too slow.
    Over,
}

/// What the timer is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timed {
    Head,
    Idle,
}

/// Reads heads from a connection. It keeps no memory while nothing comes.
pub(super) struct Heads {
    held: BytesMut,
    /// So much of it was searched for the end of a head.
    searched: usize,
    timer: Pin<Box<Sleep>>,
    timed: Option<Timed>,
    deadlines: Deadlines,
}

impl Heads {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        let timer = Box::pin(sleep(deadlines.head));
        Self { held: BytesMut::new(), searched: 0, timer, timed: Some(Timed::Head), deadlines }
    }

    /// What was read and not answered: a head that turned out to be no plain question, and what came after it.
    pub(super) fn into_held(self, head: &[u8]) -> Bytes {
        [head, &self.held].concat().into()
    }

    /// Whether a head is on its way.
    pub(super) fn have_begun(&self) -> bool {
        !self.held.is_empty()
    }

    /// From now on nobody is waited for longer than for a head.
    pub(super) fn hurry(&mut self) {
        self.deadlines.idle = self.deadlines.head;
        if self.timed == Some(Timed::Idle) {
            self.time(Timed::Idle);
        }
    }

    /// Waits for a head. To be asked again later is all that it takes to go on.
    pub(super) fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            if self.held.len() > self.searched {
                match scan(&self.held, self.searched) {
                    Ok(Scan::Complete(end)) => return Poll::Ready(Next::Head(self.take(end))),
                    Ok(Scan::More) => self.searched = self.held.len(),
                    Err(_) => return Poll::Ready(Next::Odd),
                }
                if self.timed != Some(Timed::Head) {
                    self.time(Timed::Head);
                }
            }
            if self.timed.is_some() && self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Next::Over);
            }
            match self.read(stream, cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false) | Err(_)) => return Poll::Ready(Next::Over),
                Poll::Pending if self.timed.is_some() => return Poll::Pending,
                // Once more, so that the timer wakes us.
                Poll::Pending => self.time(Timed::Idle),
            }
        }
    }

    /// Whether anything came.
    fn read<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        ready!(Pin::new(stream).poll_read(cx, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(!piece.filled().is_empty()))
    }

    fn take(&mut self, end: usize) -> Bytes {
        (self.searched, self.timed) = (0, None);
        let rest = self.held.split_off(end.min(self.held.len()));
        std::mem::replace(&mut self.held, rest).freeze()
    }

    fn time(&mut self, what: Timed) {
        let limit = match what {
            Timed::Head => self.deadlines.head,
            Timed::Idle => self.deadlines.idle,
        };
        // A later deadline for the same timer costs nothing; a timer for each question would.
        self.timer.as_mut().reset(sleep(limit).deadline());
        self.timed = Some(what);
    }
}

/// A question that was read.
#[derive(Debug)]
pub(super) struct Question {
    /// Whom it is to.
    pub(super) dialect: Dialect,
    /// Its head.
    pub(super) parts: Parts,
    /// The proxy says that nothing comes after it.
    pub(super) last: bool,
}

/// Reads a head, if it is a plain question to one of the dialects.
pub(super) fn read(head: &Bytes) -> Option<Question> {
    let mut space = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let whole = request.parse_with_uninit_headers(head, &mut space).ok()? == Status::Complete(head.len());
    let target = request.path.filter(|target| target.starts_with('/'))?;
    let method = Method::from_bytes(request.method?.as_bytes()).ok()?;
    if !whole || request.version != Some(1) || method == Method::CONNECT {
        return None;
    }
    let uri = Uri::from_maybe_shared(head.slice_ref(target.as_bytes())).ok()?;
    let dialect = Dialect::of(uri.path()).filter(|dialect| *dialect != Dialect::Portal)?;
    let (mut headers, mut last) = (HeaderMap::with_capacity(request.headers.len()), false);
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if !is_plain(&name, field.value) || is_said_once(&name) && headers.contains_key(&name) {
            return None;
        }
        last |= name == CONNECTION && field.value.eq_ignore_ascii_case(b"close");
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).ok()?;
        headers.append(name, value);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.headers) = (method, uri, headers);
    Some(Question { dialect, parts, last })
}

/// Whether a field leaves the connection and the body as they are.
fn is_plain(name: &HeaderName, value: &[u8]) -> bool {
    match *name {
        CONNECTION => [&b"keep-alive"[..], b"close"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        CONTENT_LENGTH => value == b"0",
        TRANSFER_ENCODING | EXPECT | UPGRADE => false,
        _ => true,
    }
}

fn is_said_once(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH].contains(name)
}
