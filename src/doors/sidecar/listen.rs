//! Accepting: TCP, TLS with client certificates, and the Unix socket with peer ids.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, header::CONNECTION};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    service::{Service, Silence},
    trust::Channel,
};
use crate::doors::each_peer;

/// For a whole request head (R25).
const HEAD: Duration = Duration::from_secs(10);
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
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
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

async fn serve<S>(stream: S, channel: Channel, service: Service, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let serving = stop.serving.clone();
    let answering = Arc::new((service, stop.accepting));
    let answer = hyper::service::service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move {
            let (service, accepting) = &*answering;
            let mut answer = service.answer(channel, request).await?;
            if accepting.is_cancelled() {
                // A connection that is closed between two requests loses the second one.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Silence>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A proxy that breaks off its own question is not worth a log line.
            _ = connection.as_mut() => return,
            () = serving.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
