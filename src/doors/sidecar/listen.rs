//! Accepting: TCP, TLS with client certificates, and the Unix socket with peer ids.

use std::{future::poll_fn, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    question::{self, Deadlines, Heads, Next},
    reply::{Replies, Reply},
    rewound::Rewound,
    service::Service,
    trust::Channel,
};
use crate::doors::each_peer;

/// For a whole request head (R25); and between two, longer than nginx (60 s), Traefik (90 s) and Caddy (2 min) keep a
/// connection that they do not use, so that none of them asks on one that is just being closed.
const DEADLINES: Deadlines = Deadlines { head: Duration::from_secs(10), idle: Duration::from_secs(180) };
/// For a proxy to take an answer (R25).
const WRITE: Duration = Duration::from_secs(10);
/// For a TLS handshake (R25).
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A head of more bytes, or of more than the 100 fields that hyper reads without allocating, is refused with 431;
/// panels have large cookies.
const HEAD_BYTES: usize = 64 << 10;
/// Connections to one listener at one time (R25): whoever can reach the port must not take the edge's descriptors.
pub(super) const CONNECTIONS: usize = 4096;
/// How long to wait when the process has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(200);

pub(super) async fn serve_tcp(
    listener: TcpListener,
    service: Service,
    places: Arc<Semaphore>,
    stop: Stop,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.accepting.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(EXHAUSTED).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%peer, "a connection to the sidecar was refused: there are too many");
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (service, stop, peer) = (service.clone(), stop.clone(), peer.ip().to_canonical());
        let tls = service.vouchers.tls().map(TlsAcceptor::from);
        tasks.spawn(async move {
            let _place = place;
            match tls {
                None => serve(stream, Channel::Tcp(peer), service, stop).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                        serve(stream, Channel::Certificate(peer), service, stop).await;
                    }
                }
            }
        });
    }
}

pub(super) async fn serve_unix(
    listener: UnixListener,
    peers: Vec<u32>,
    service: Service,
    places: Arc<Semaphore>,
    stop: Stop,
    tasks: TaskTracker,
) {
    let accepting = stop.accepting.clone();
    each_peer(listener, "sidecar.socket", &peers, accepting, |stream, _| {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("a connection to the sidecar's socket was refused: there are too many");
            return;
        };
        let (service, stop) = (service.clone(), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            serve(stream, Channel::Unix, service, stop).await;
        });
    })
    .await;
}

/// How the sidecar ends.
#[derive(Clone, Default)]
pub(super) struct Stop {
    /// No more connections are taken, and each that is open ends with its next answer.
    pub(super) accepting: CancellationToken,
    /// Connections end, at once where nothing is asked.
    pub(super) serving: CancellationToken,
}

async fn serve<S>(mut stream: S, channel: Channel, service: Service, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Some(held) = converse(&mut stream, channel, &service, &stop).await {
        // Apart, so that an idle connection takes no room for the engine.
        Box::pin(engage(Rewound::new(held, stream), channel, service, stop)).await;
    }
}

/// Answers plain questions. When something else comes, gives back everything that was read and not answered.
async fn converse<S>(stream: &mut S, channel: Channel, service: &Service, stop: &Stop) -> Option<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut heads, mut replies) = (Heads::new(DEADLINES), Replies::default());
    let mut draining = pin!(stop.accepting.cancelled());
    let mut closing = pin!(stop.serving.cancelled());
    let (mut drains, mut closes) = (false, false);
    loop {
        let next = tokio::select! {
            biased;
            next = poll_fn(|cx| heads.poll(stream, cx)) => next,
            () = closing.as_mut(), if !closes => {
                // What is being asked is answered.
                closes = true;
                if heads.have_begun() {
                    continue;
                }
                return None;
            }
            () = draining.as_mut(), if !drains => {
                drains = true;
                heads.hurry();
                continue;
            }
        };
        let head = match next {
            Next::Head(head) => head,
            Next::Odd => return Some(heads.into_held(&[])),
            Next::Over => return None,
        };
        let Some(question) = question::read(&head) else { return Some(heads.into_held(&head)) };
        let to_head = question.parts.method == Method::HEAD;
        let reply = service.question(question.dialect, channel, question.parts).await.ok()?;
        // A connection that is closed between two requests loses the second one.
        let last =
            question.last || matches!(reply, Reply::Leave(_)) || closes || stop.accepting.is_cancelled();
        let reply = replies.write(&reply, service.wall(), to_head, last);
        timeout(WRITE, send(stream, &reply, last)).await.ok()?.ok()?;
        if last {
            return None;
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, reply: &[u8], last: bool) -> io::Result<()> {
    stream.write_all(reply).await?;
    stream.flush().await?;
    if last { stream.shutdown().await } else { Ok(()) }
}

/// Has the HTTP engine answer one request, after which the connection ends: the next one may be a plain question again.
async fn engage<S>(stream: Rewound<S>, channel: Channel, service: Service, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = Arc::new(service);
    let answer = hyper::service::service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { service.answer(channel, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DEADLINES.head)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A proxy that breaks off its own question is not worth a log line.
            _ = connection.as_mut() => return,
            () = stop.serving.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
