//! What is known about one client connection, and how it is ended from above.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
};

use tokio_util::sync::CancellationToken;

use super::caps::Permits;

type Next = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One client connection. Everything that runs on it shares this.
pub(crate) struct Conn {
    /// The TCP peer.
    pub(crate) peer: SocketAddr,
    /// The client, if a listed peer said so by the PROXY protocol.
    pub(crate) announced: Option<IpAddr>,
    /// The name the client asked for in its TLS handshake, lower case.
    pub(crate) server_name: Option<Arc<str>>,
    /// Cancel it, and the connection is gone, whatever it is doing.
    pub(crate) kill: CancellationToken,
    /// What the connection is for when the engine is done with it.
    next: Mutex<Option<Next>>,
    /// Given back when the connection is gone.
    _permits: Permits,
}

impl Conn {
    pub(super) fn new(
        peer: SocketAddr,
        announced: Option<IpAddr>,
        server_name: Option<Arc<str>>,
        kill: CancellationToken,
        permits: Permits,
    ) -> Self {
        Self { peer, announced, server_name, kill, next: Mutex::default(), _permits: permits }
    }

    /// From within a request: leaves the connection to `next` as soon as the engine has let go of it.
    pub(crate) fn hand_over(&self, next: impl Future<Output = ()> + Send + 'static) {
        if let Ok(mut place) = self.next.lock() {
            *place = Some(Box::pin(next));
        }
    }

    pub(super) fn take_over(&self) -> Option<Next> {
        self.next.lock().ok()?.take()
    }
}
