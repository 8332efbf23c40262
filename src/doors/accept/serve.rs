//! The accept loop, and the way of one connection from the socket to the HTTP engine.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use pingora_core::{
    apps::{HttpPersistentSettings, HttpServerApp, ServerApp as _},
    protocols::http::ServerSession,
    server::ShutdownWatch,
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Certificates, Limits,
    caps::{Caps, Permits},
    conn::Conn,
    guard::{Deadlines, Guard},
    proxy_header,
    tls::config_for,
};
use crate::rules::address::TrustedProxies;

/// For the preface of HTTP/2, once the handshake is done.
const PREFACE: Duration = Duration::from_secs(5);
/// How long to wait when the system has no more sockets to give.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// Whether an address is banned.
pub(crate) type TurnsAway = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What all listeners of one edge share.
pub(crate) struct Reception<A> {
    /// The HTTP engine.
    pub(crate) app: Arc<A>,
    /// TLS, without certificates.
    pub(crate) tls: ServerConfig,
    /// Certificates.
    pub(crate) certificates: Certificates,
    /// Who begins with a PROXY protocol header.
    pub(crate) proxy_protocol_from: TrustedProxies,
    /// Whom to hang up on before a handshake is spent on them.
    pub(crate) turns_away: TurnsAway,
    /// Caps and deadlines.
    pub(crate) limits: Limits,
    /// Counts connections.
    caps: Caps,
    /// Counts tasks.
    pub(crate) tracker: TaskTracker,
    /// Turns true when no more connections are taken, and those that are open are to end.
    pub(crate) stop: ShutdownWatch,
    /// Ends what has not asked for anything yet.
    pub(crate) halt: CancellationToken,
    /// Ends everything that still runs.
    pub(crate) root: CancellationToken,
}

impl<A: HttpServerApp + Send + Sync + 'static> Reception<A> {
    pub(crate) fn new(
        app: Arc<A>,
        certificates: Certificates,
        proxy_protocol_from: TrustedProxies,
        turns_away: TurnsAway,
        limits: Limits,
        stop: ShutdownWatch,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            app,
            tls: super::tls::server_config()?,
            certificates,
            proxy_protocol_from,
            turns_away,
            limits,
            caps: Caps::new(limits.connections, limits.per_address),
            tracker: TaskTracker::new(),
            stop,
            halt: CancellationToken::new(),
            root: CancellationToken::new(),
        })
    }

    /// Accepts until the edge stops.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stopping| *stopping) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    if let Some(place) = self.caps.enter() {
                        self.tracker.spawn(Arc::clone(&self).receive(socket, peer, place));
                    } else {
                        tracing::warn!(%peer, "connection refused: there are too many");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(EXHAUSTED).await;
                }
            }
        }
    }

    async fn receive(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let kill = self.root.child_token();
        let ready = tokio::select! {
            biased;
            () = kill.cancelled() => return,
            () = self.halt.cancelled() => return,
            // Apart, so that the handshake takes no room in what a connection keeps.
            ready = Box::pin(self.greet(socket, peer, place, &kill)) => ready,
        };
        match ready {
            Ok(Some(guard)) => self.serve(guard, kill).await,
            Ok(None) => tracing::warn!(%peer, "connection refused: there are too many from its network"),
            Err(error) => tracing::debug!(%peer, %error, "connection ended before its first request"),
        }
    }

    /// Everything before the first byte of HTTP: PROXY protocol, bans, the network's cap, TLS.
    async fn greet(
        &self,
        mut socket: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
        kill: &CancellationToken,
    ) -> io::Result<Option<Box<Guarded>>> {
        socket.set_nodelay(true)?;
        let local = socket.local_addr()?.ip().to_canonical();
        let greeting = async {
            let announced = if self.proxy_protocol_from.contains(peer.ip()) {
                proxy_header::read(&mut socket).await?
            } else {
                None
            };
            if (self.turns_away)(announced.unwrap_or(peer.ip())) {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client is banned"));
            }
            let Some(permits) = self.caps.admit(announced.unwrap_or(peer.ip()), place) else {
                return Ok(None);
            };
            let config = config_for(&self.tls, &self.certificates, local);
            let tls = TlsAcceptor::from(config).accept(socket).await?;
            self.guarded(tls, (peer, announced), kill, permits).map(Some)
        };
        timeout(self.limits.handshake, greeting).await?
    }

    fn guarded(
        &self,
        tls: TlsStream<TcpStream>,
        (peer, announced): (SocketAddr, Option<IpAddr>),
        kill: &CancellationToken,
        permits: Permits,
    ) -> io::Result<Box<Guarded>> {
        let session = tls.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
        let conn = Arc::new(Conn::new(peer, announced, server_name, kill.clone(), permits));
        let Limits { head, keep_alive, .. } = self.limits;
        let deadlines = Deadlines { head, idle: keep_alive, preface: PREFACE };
        Guard::new(tls, http2, conn, deadlines).map(Box::new)
    }

    async fn serve(&self, guard: Box<Guarded>, kill: CancellationToken) {
        let http2 = guard.is_http2();
        let serving = async {
            if http2 {
                self.app.process_new(guard, &self.stop).await;
            } else {
                self.converse(guard).await;
            }
        };
        tokio::select! {
            biased;
            // Dropping the engine's future closes the sockets on both sides at once, even where a pipe is full.
            () = kill.cancelled() => {}
            () = serving => {}
        }
    }

    /// HTTP/1, one request after the other. Between two of them the engine is not there at all: its session and its
    /// state would be most of what an idle connection costs.
    async fn converse(&self, mut guard: Box<Guarded>) {
        let mut halted = pin!(self.halt.cancelled());
        let mut kept: Option<HttpPersistentSettings> = None;
        let left = Left(guard.conn());
        loop {
            let comes = tokio::select! {
                biased;
                comes = poll_fn(|cx| guard.poll_request(cx)) => comes,
                () = halted.as_mut() => return,
            };
            if !matches!(comes, Ok(true)) {
                return;
            }
            let mut session = ServerSession::new_http1(guard);
            if let Some(kept) = kept {
                kept.apply_to_session(&mut session);
            } else {
                session.set_keepalive(Some(self.limits.keep_alive.as_secs().max(1)));
                let limit = self.app.server_options().and_then(|options| options.keepalive_request_limit);
                session.set_keepalive_reuses_remaining(limit);
            }
            let Some(reused) = self.app.process_new_http(session, &self.stop).await else {
                if let Some(next) = left.0.take_over() {
                    next.await;
                }
                return;
            };
            let (stream, settings) = reused.consume();
            let Ok(same) = stream.into_any().downcast::<Guarded>() else { return };
            (guard, kept) = (same, settings);
            guard.expect_head();
        }
    }
}

/// A connection that may be left to somebody. Whoever it is holds the connection itself, so it must not be forgotten
/// there.
struct Left(Arc<Conn>);

impl Drop for Left {
    fn drop(&mut self) {
        drop(self.0.take_over());
    }
}

/// What a client connection is from its handshake on.
type Guarded = Guard<TlsStream<TcpStream>>;
