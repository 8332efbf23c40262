//! Stands between TLS and the HTTP engine: times and checks request heads in the byte stream (R22, R25).

use std::{
    fmt,
    future::Future,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType, raw_connect::ProxyDigest,
};
use pingora_http::ResponseHeader;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Sleep, sleep, timeout},
};

use super::{
    chunks::Chunks,
    conn::Conn,
    head::{self, BadHead, Scan},
    outbox::Outbox,
};

/// The client preface of HTTP/2 (RFC 9113, section 3.4) has this many bytes.
const PREFACE: usize = 24;
/// How long a connection is listened to after the last answer, so that the answer is not lost in a reset.
const LINGER: Duration = Duration::from_secs(1);
/// What is read at once.
const PIECE: usize = 8 * 1024;
/// How many bytes are thrown away meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For a whole request head.
    pub(super) head: Duration,
    /// For the first byte of the next one.
    pub(super) idle: Duration,
    /// For the preface of HTTP/2.
    pub(super) preface: Duration,
}

/// The stream that the HTTP engine is given.
pub(super) struct Guard<S> {
    io: Outbox<S>,
    conn: Arc<Conn>,
    http2: bool,
    phase: Phase,
    /// Looks at the chunks of the body that is under way.
    chunks: Option<Chunks>,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer means anything.
    timed: bool,
    /// No head has come yet.
    first: bool,
    deadlines: Deadlines,
    /// Carries the [`Conn`] to where a request is handled, also over HTTP/2, whose requests run in tasks of their own.
    digest: Arc<ProxyDigest>,
}

enum Phase {
    /// HTTP/2: the preface is due.
    Preface { seen: usize },
    /// HTTP/1: a head is due. It is held back until it is whole.
    Head(Vec<u8>),
    /// A head has passed the check; so much of it is with the engine.
    Release(Vec<u8>, usize),
    /// Body bytes, or HTTP/2 frames.
    Pass,
    /// The answer to a bad head is on its way out.
    Refuse(Bytes),
    /// The answer is out.
    Linger { left: usize },
    /// Nothing more comes.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(super) fn new(io: S, http2: bool, conn: Arc<Conn>, deadlines: Deadlines) -> io::Result<Self> {
        let (phase, first) = if http2 {
            (Phase::Preface { seen: 0 }, deadlines.preface)
        } else {
            (Phase::Head(Vec::new()), deadlines.head)
        };
        let blank = ResponseHeader::build(200, Some(0)).map_err(io::Error::other)?;
        let digest = Arc::new(ProxyDigest::new(Box::new(blank), Some(Box::new(Arc::clone(&conn)))));
        let (io, timer) = (Outbox::new(io), Box::pin(sleep(first)));
        Ok(Self { io, conn, http2, phase, chunks: None, timer, timed: true, first: true, deadlines, digest })
    }

    pub(super) fn conn(&self) -> Arc<Conn> {
        Arc::clone(&self.conn)
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// A request is over and the connection stays: what comes next is a head, and is timed and checked as one.
    pub(super) fn expect_head(&mut self) {
        self.phase = Phase::Head(Vec::new());
        self.chunks = None;
        self.timed = false;
    }

    /// Waits for a whole head that has passed the check; false when there will be none.
    pub(super) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match &mut self.phase {
                Phase::Head(_) => ready!(self.poll_head(cx))?,
                Phase::Refuse(_) => ready!(self.poll_refuse(cx))?,
                Phase::Linger { left } => {
                    let left = *left;
                    ready!(self.poll_linger(cx, left))?;
                }
                Phase::Preface { .. } | Phase::Release(..) | Phase::Pass => return Poll::Ready(Ok(true)),
                Phase::Ended => return Poll::Ready(Ok(false)),
            }
        }
    }

    fn time(&mut self, limit: Duration) {
        // A later deadline for the same timer costs nothing; a timer for each request would.
        self.timer.as_mut().reset(sleep(limit).deadline());
        self.timed = true;
    }

    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        self.timed && self.timer.as_mut().poll(cx).is_ready()
    }

    fn refuse(&mut self, bad: BadHead) {
        tracing::debug!(peer = %self.conn.peer, status = bad.status, what = bad.what, "request head refused");
        self.time(LINGER);
        self.phase = Phase::Refuse(bad.answer());
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        self.timed = false;
    }

    fn poll_preface(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        seen: usize,
    ) -> Poll<io::Result<()>> {
        if self.late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let seen = seen + buf.filled().len() - before;
        if seen < PREFACE {
            self.phase = Phase::Preface { seen };
        } else {
            self.phase = Phase::Pass;
            self.timed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let late = self.late(cx);
        let Phase::Head(held) = &mut self.phase else { return Poll::Ready(Ok(())) };
        if late {
            if held.is_empty() {
                self.end();
            } else {
                self.refuse(BadHead::LATE);
            }
            return Poll::Ready(Ok(()));
        }
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut read = ReadBuf::uninit(&mut space);
        if Pin::new(&mut self.io).poll_read(cx, &mut read)?.is_pending() {
            if !self.timed {
                self.time(self.deadlines.idle);
                // So that it wakes us.
                return if self.late(cx) { self.poll_head(cx) } else { Poll::Pending };
            }
            return Poll::Pending;
        }
        if read.filled().is_empty() {
            self.end();
            return Poll::Ready(Ok(()));
        }
        let looked_at = held.len();
        held.extend_from_slice(read.filled());
        let verdict = match head::scan(held, looked_at) {
            Ok(Scan::More) => None,
            Ok(Scan::Complete(end)) => {
                let (head, body) = held.split_at_checked(end).unwrap_or_default();
                Some(head::check(head).and_then(|chunks| begin(chunks, body)))
            }
            Err(bad) => Some(Err(bad)),
        };
        match verdict {
            // The first head has its time from the handshake on, the others from their first byte.
            None if looked_at == 0 && !self.first => self.time(self.deadlines.head),
            None => {}
            Some(Ok(chunks)) => {
                self.chunks = chunks;
                self.phase = Phase::Release(std::mem::take(held), 0);
                self.timed = false;
                self.first = false;
            }
            Some(Err(bad)) => self.refuse(bad),
        }
        Poll::Ready(Ok(()))
    }

    /// The engine is more lenient about the lines between chunks than R22 allows, so it never gets to see bad ones.
    fn poll_pass(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(Ok(())) };
        if let Err(bad) = chunks.look_at(buf.filled().get(before..).unwrap_or_default()) {
            tracing::debug!(peer = %self.conn.peer, what = bad.what, "request body refused");
            buf.set_filled(before);
            self.end();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, bad.what)));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.late(cx) {
            self.end();
            return Poll::Ready(Ok(()));
        }
        let Phase::Refuse(answer) = &mut self.phase else { return Poll::Ready(Ok(())) };
        while answer.has_remaining() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, answer))?;
            answer.advance(written);
        }
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        self.phase = Phase::Linger { left: LINGER_BYTES };
        Poll::Ready(Ok(()))
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>, left: usize) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut read = ReadBuf::uninit(&mut space);
        let late = self.late(cx);
        if !late && left > 0 {
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        }
        if read.filled().is_empty() {
            self.end();
        } else {
            self.phase = Phase::Linger { left: left.saturating_sub(read.filled().len()) };
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !ready!(this.poll_request(cx))? {
            return Poll::Ready(Ok(()));
        }
        if let Phase::Preface { seen } = this.phase {
            return this.poll_preface(cx, buf, seen);
        }
        let Phase::Release(bytes, at) = &mut this.phase else { return this.poll_pass(cx, buf) };
        let rest = bytes.get(*at..).unwrap_or_default();
        let part = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(part);
        *at += part.len();
        if *at == bytes.len() {
            this.phase = Phase::Pass;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Looks at the part of a body that came with its head.
fn begin(chunks: Option<Chunks>, body: &[u8]) -> Result<Option<Chunks>, BadHead> {
    let Some(mut chunks) = chunks else { return Ok(None) };
    chunks.look_at(body)?;
    Ok(Some(chunks))
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Shutdown for Guard<S> {
    async fn shutdown(&mut self) {
        let lingering = async {
            self.io.shutdown().await?;
            let mut rest = (&mut self.io).take(LINGER_BYTES as u64);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // A client that is gone, or that keeps the connection open, is no concern any more.
        let _ = timeout(LINGER, lingering).await;
    }
}

impl<S> UniqueID for Guard<S> {
    fn id(&self) -> UniqueIDType {
        i32::from(self.conn.peer.port())
    }
}

impl<S> Ssl for Guard<S> {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.http2 { ALPN::H2 } else { ALPN::H1 })
    }
}

impl<S> GetTimingDigest for Guard<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<S> GetProxyDigest for Guard<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl<S> GetSocketDigest for Guard<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl<S> Peek for Guard<S> {}

impl<S> fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.conn.peer)
    }
}

/// The connection that a request came on.
pub(crate) fn conn_of(digest: &pingora_core::protocols::Digest) -> Option<Arc<Conn>> {
    let carried = digest.proxy_digest.as_ref()?.user_data.as_ref()?;
    carried.downcast_ref::<Arc<Conn>>().cloned()
}
