//! What is known about one client connection, and the two things that can be done to it from above.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::caps::Permits;

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
    /// The next byte that arrives begins a request head.
    next_head: AtomicBool,
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
        Self { peer, announced, server_name, kill, next_head: AtomicBool::new(false), _permits: permits }
    }

    /// A request is over and the connection stays: what comes next is a head, and is timed and checked as one.
    pub(crate) fn expect_head(&self) {
        self.next_head.store(true, Ordering::Release);
    }

    pub(super) fn take_expected_head(&self) -> bool {
        self.next_head.swap(false, Ordering::AcqRel)
    }
}
