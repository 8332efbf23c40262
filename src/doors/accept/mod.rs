//! Sockets up to the first byte of a request that may be believed: caps, PROXY protocol, TLS, deadlines, and the
//! strict check of request heads.

mod caps;
mod chunks;
mod conn;
mod guard;
mod head;
mod outbox;
mod proxy_header;
mod redirect;
mod serve;
mod tls;

use std::time::Duration;

pub use self::tls::Certificates;
pub(crate) use self::{
    conn::Conn,
    guard::conn_of,
    head::{MAX_FIELDS, Scan, scan},
    redirect::{OriginOf, redirect},
    serve::{Reception, TurnsAway},
    tls::make_default,
};

/// Caps and deadlines of the edge (R25).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections altogether.
    pub connections: usize,
    /// Connections from one client network (an address, or the /64 of an IPv6 address).
    pub per_address: usize,
    /// For a TLS handshake, the PROXY protocol header included.
    pub handshake: Duration,
    /// For a whole request head.
    pub head: Duration,
    /// Between two pieces of a request body.
    pub body_idle: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// A WebSocket without a byte in either direction.
    pub websocket_idle: Duration,
    /// For connecting to the panel.
    pub upstream_connect: Duration,
    /// Until the panel answers, and between two pieces of its answer.
    pub upstream_read: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: 256,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            body_idle: Duration::from_secs(15),
            keep_alive: Duration::from_secs(60),
            websocket_idle: Duration::from_secs(3600),
            upstream_connect: Duration::from_secs(3),
            upstream_read: Duration::from_secs(60),
        }
    }
}
