//! What goes out to a client is gathered here first, so that the head and the beginning of the body of an answer leave
//! in one TLS record.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much as a TLS record holds.
const FULL: usize = 16 * 1024;
/// What most answers need.
const USUAL: usize = 512;

/// A stream with a buffer for writing that takes no memory while there is nothing to write.
pub(super) struct Outbox<S> {
    pub(super) io: S,
    waiting: BytesMut,
}

impl<S> Outbox<S> {
    pub(super) fn new(io: S) -> Self {
        Self { io, waiting: BytesMut::new() }
    }
}

impl<S: AsyncWrite + Unpin> Outbox<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.has_remaining() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.waiting.advance(sent),
            }
        }
        // Most connections are idle most of the time: they keep nothing.
        self.waiting = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outbox<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.waiting.len() + buf.len() > FULL {
            ready!(this.poll_send(cx))?;
        }
        if buf.len() >= FULL {
            return Pin::new(&mut this.io).poll_write(cx, buf);
        }
        if this.waiting.is_empty() {
            this.waiting.reserve(buf.len().max(USUAL));
        }
        this.waiting.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outbox<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{FULL, Outbox, USUAL};

    #[tokio::test]
    async fn small_writes_wait_for_the_flush_and_the_buffer_is_given_back() {
        let (ours, mut theirs) = duplex(4 * FULL);
        let mut outbox = Outbox::new(ours);
        outbox.write_all(b"head, ").await.unwrap();
        outbox.write_all(&[b'b'; 2 * USUAL]).await.unwrap();
        assert_eq!(outbox.waiting.len(), 6 + 2 * USUAL);
        outbox.flush().await.unwrap();
        assert_eq!(outbox.waiting.capacity(), 0);
        let mut got = vec![0; 6 + 2 * USUAL];
        theirs.read_exact(&mut got).await.unwrap();
        assert!(got.starts_with(b"head, b"));
    }

    #[tokio::test]
    async fn order_is_kept_where_large_writes_pass_the_buffer_by_and_the_pipe_is_narrow() {
        let (ours, mut theirs) = duplex(100);
        let mut outbox = Outbox::new(ours);
        let sent: Vec<u8> = (0..5 * FULL).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let expected = sent.clone();
        let writing = async move {
            for piece in [&sent[..10], &sent[10..FULL], &sent[FULL..4 * FULL], &sent[4 * FULL..]] {
                outbox.write_all(piece).await.unwrap();
            }
            outbox.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let ((), read) = tokio::join!(writing, theirs.read_to_end(&mut got));
        read.unwrap();
        assert_eq!(got, expected);
    }
}
