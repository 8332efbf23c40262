//! The sidecar: other proxies ask here about every request (forward auth), and send `/_gate/**` here.

mod listen;
mod question;
mod reply;
mod rewound;
mod service;
#[cfg(test)]
mod tests;
mod trust;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::service::Service;
pub use self::trust::{ProxySecret, Vouchers};
use super::{PortalService, Sockets};
use crate::gate::Gate;

/// Who may connect to the socket is checked by user id.
pub const EVERYBODY: u32 = 0o666;

/// Where the sidecar listens, and who may ask besides the snapshot's trusted networks (R1).
#[derive(Clone)]
pub struct SidecarSettings {
    /// TCP.
    pub listen: Option<SocketAddr>,
    /// A Unix socket; a stale file in its place is replaced.
    pub socket: Option<PathBuf>,
    /// User ids that may connect to the socket, besides our own and root.
    pub socket_peers: Vec<u32>,
    /// Shared secrets that a proxy may present in `X-Gate-Proxy-Secret`.
    pub secrets: Vec<ProxySecret>,
    /// TLS on the TCP listener; it demands a client certificate.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Gives the listeners.
    pub sockets: Arc<Sockets>,
}

/// A running sidecar.
pub struct Sidecar {
    /// The TCP address it listens on; the real port where 0 was asked for.
    pub address: Option<SocketAddr>,
    /// The socket's path.
    pub socket: Option<PathBuf>,
    vouchers: Arc<Vouchers>,
    stop: listen::Stop,
    tasks: TaskTracker,
}

impl Sidecar {
    /// Binds and starts to answer.
    ///
    /// # Errors
    /// With the address or path that cannot be bound.
    pub fn start(settings: SidecarSettings, gate: Arc<Gate>, portal: PortalService) -> io::Result<Self> {
        let stop = listen::Stop::default();
        let tasks = TaskTracker::new();
        let vouchers = Arc::new(Vouchers::new(settings.secrets, settings.tls));
        let service = Service::new(gate, portal, Arc::clone(&vouchers));
        let address = match settings.listen {
            Some(listen) => {
                let listener = settings.sockets.tcp(listen)?;
                let bound = listener.local_addr()?;
                let (service, places) = (service.clone(), places());
                let run = listen::serve_tcp(listener, service, places, stop.clone(), tasks.clone());
                tasks.spawn(run);
                Some(bound)
            }
            None => None,
        };
        if let Some(path) = &settings.socket {
            let listener = settings.sockets.unix(path, EVERYBODY)?;
            let peers = settings.socket_peers;
            tasks.spawn(listen::serve_unix(listener, peers, service, places(), stop.clone(), tasks.clone()));
        }
        Ok(Self { address, socket: settings.socket, vouchers, stop, tasks })
    }

    /// What proxies prove themselves with, to be replaced.
    pub fn vouchers(&self) -> &Arc<Vouchers> {
        &self.vouchers
    }

    /// Takes no more connections. Those that are open end with their next answer, or when they have been idle.
    pub fn drain(&self) {
        self.stop.accepting.cancel();
    }

    /// Waits until every connection has ended, but not longer than `deadline`.
    pub async fn drained(&self, deadline: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(deadline, self.tasks.wait()).await.is_ok()
    }

    /// Stops accepting, lets requests in flight finish, and cuts what is left after `deadline`.
    pub async fn stop(self, deadline: Duration) {
        self.stop.accepting.cancel();
        self.stop.serving.cancel();
        if !self.drained(deadline).await {
            tracing::warn!("requests at the sidecar did not finish in time");
        }
    }
}

fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(listen::CONNECTIONS))
}

impl SidecarSettings {
    /// Where it listens, for messages.
    pub fn address_text(&self) -> String {
        let socket = self.socket.as_ref().map(|path| path.display().to_string());
        let address = self.listen.map(|address| address.to_string());
        [address, socket].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}
