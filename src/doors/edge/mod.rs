//! Our own edge: TLS, the gate, and what is let through goes on to the panel. pingora is the HTTP engine, used as a
//! library on our own accept loop ([`accept`](super::accept)).

mod forward;
mod gateway;
mod inject;
mod local;
mod panel;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod tunnel;
mod upstream;
mod watch;

use std::{collections::HashMap, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use pingora_core::{
    apps::{HttpServerApp, HttpServerOptions},
    protocols::http::v2::server::default_h2_options,
    server::configuration::ServerConf,
};
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::{net::TcpListener, sync::watch as channel, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{gateway::Gateway, upstream::Upstream, watch::Watch};
pub use self::{
    inject::{Mark, Marks},
    upstream::{UpstreamAddress, UpstreamSettings},
};
pub use super::accept::{Certificates, Limits};
use super::{
    PortalService, Sockets,
    accept::{Reception, TurnsAway, make_default, redirect},
};
use crate::{
    gate::Gate,
    rules::{address::TrustedProxies, session::SiteId},
};

/// Requests on one connection (R25).
const REQUESTS_PER_CONNECTION: u32 = 1000;

/// What an edge is made of.
#[derive(Clone)]
pub struct EdgeSettings {
    /// TLS listeners; port 0 takes any free port.
    pub listen: Vec<SocketAddr>,
    /// Plain listeners that only redirect to https.
    pub redirect_from: Vec<SocketAddr>,
    /// Which certificate to show.
    pub certificates: Certificates,
    /// The panel of each site.
    pub upstreams: HashMap<SiteId, UpstreamSettings>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Peers that begin with a PROXY protocol header.
    pub proxy_protocol_from: TrustedProxies,
    /// Caps and deadlines.
    pub limits: Limits,
    /// Whether `/_gate/client.js` is put into the HTML of signed-in users.
    pub client_script: bool,
    /// What the pages of signed-in users show about their session.
    pub marks: Marks,
    /// Gives the listeners.
    pub sockets: Arc<Sockets>,
}

/// The edge could not start, or could not take new upstreams.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener.
    #[error(
        "cannot listen on {address}: {source} (is another program using the port, or may this user not?)"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// A panel.
    #[error("upstream {upstream}: {why}")]
    Upstream {
        /// Its host or path.
        upstream: String,
        /// What is wrong with it.
        why: String,
    },
}

impl StartError {
    fn upstream(upstream: &impl fmt::Display, why: &(impl fmt::Display + ?Sized)) -> Self {
        Self::Upstream { upstream: upstream.to_string(), why: why.to_string() }
    }
}

/// The edge.
#[derive(Clone, Copy, Debug)]
pub struct Edge;

/// A running edge. Dropping it leaves it running; [`EdgeHandle::stop`] ends it.
pub struct EdgeHandle {
    addresses: Vec<SocketAddr>,
    redirect_addresses: Vec<SocketAddr>,
    upstreams: Arc<Upstreams>,
    limits: Limits,
    proxy: Arc<HttpProxy<Gateway>>,
    stop: channel::Sender<bool>,
    halt: CancellationToken,
    tracker: TaskTracker,
    root: CancellationToken,
}

impl Edge {
    /// Binds every listener and starts to serve.
    ///
    /// # Errors
    /// When a listener cannot be bound or an upstream's name cannot be resolved; nothing is left running then.
    pub async fn start(
        settings: EdgeSettings,
        gate: Arc<Gate>,
        portal: PortalService,
    ) -> Result<EdgeHandle, StartError> {
        let EdgeSettings { listen, redirect_from, certificates, upstreams, trusted_proxies, .. } = settings;
        let limits = settings.limits;
        make_default(&Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let upstreams = Arc::new(Upstreams::prepare(upstreams, &limits).await?);
        let listeners = bind(&settings.sockets, &listen)?;
        let redirectors = bind(&settings.sockets, &redirect_from)?;
        let watch = Arc::new(Watch::new(Arc::clone(&gate), limits.body_idle));
        let (stop, stopping) = channel::channel(false);
        let gateway = Gateway {
            gate: Arc::clone(&gate),
            portal,
            upstreams: Arc::clone(&upstreams),
            trusted: trusted_proxies,
            limits,
            client_script: settings.client_script,
            marks: settings.marks,
            watch: Arc::clone(&watch),
        };
        let proxy = Arc::new(engine(gateway, &limits));
        let reception = Reception::new(
            Arc::clone(&proxy),
            certificates,
            settings.proxy_protocol_from,
            turns_away(&gate),
            limits,
            stopping.clone(),
        )?;
        let (tracker, root) = (reception.tracker.clone(), reception.root.clone());
        let halt = reception.halt.clone();
        let reception = Arc::new(reception);
        let (addresses, redirect_addresses) = (addresses(&listeners)?, addresses(&redirectors)?);
        for listener in listeners {
            tracker.spawn(Arc::clone(&reception).accept(listener));
        }
        let origin_of = request::origins(gate);
        for listener in redirectors {
            tracker.spawn(redirect(listener, Arc::clone(&origin_of), tracker.clone(), stopping.clone()));
        }
        tokio::spawn(watch.run(root.clone()));
        Ok(EdgeHandle { addresses, redirect_addresses, upstreams, limits, proxy, stop, halt, tracker, root })
    }
}

impl EdgeHandle {
    /// Where it listens for TLS, in the order of the settings.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens to redirect.
    pub fn redirect_addresses(&self) -> &[SocketAddr] {
        &self.redirect_addresses
    }

    /// The way to send requests to other panels.
    pub fn switch(&self) -> Switch {
        Switch { upstreams: Arc::clone(&self.upstreams), limits: self.limits }
    }

    /// Takes no more connections. Those that are open end with their next answer (HTTP/2 is told by GOAWAY), or when
    /// they have been idle; live connections stay.
    pub fn drain(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until every connection has ended, but not longer than `deadline`; what is left then is cut. Whether
    /// everything ended in time.
    pub async fn drained(&self, deadline: Duration) -> bool {
        self.tracker.close();
        let drained = timeout(deadline, self.tracker.wait()).await.is_ok();
        self.root.cancel();
        if !drained {
            // Cut connections end at once; this only waits for their tasks to notice.
            let _ = timeout(Duration::from_secs(1), self.tracker.wait()).await;
        }
        drained
    }

    /// Stops: takes no more connections, ends those that are idle or not yet greeted, lets running requests finish, and
    /// cuts what is left after `deadline`. Whether everything finished in time.
    pub async fn stop(self, deadline: Duration) -> bool {
        self.drain();
        self.halt.cancel();
        self.proxy.http_cleanup().await;
        self.drained(deadline).await
    }
}

/// Sends requests to other panels, in two steps, so that nothing is sent anywhere else before all is known to be good.
#[derive(Clone)]
pub struct Switch {
    upstreams: Arc<Upstreams>,
    limits: Limits,
}

/// Panels that can be switched to.
pub struct Switchable(Table);

impl Switch {
    /// Looks everything up.
    ///
    /// # Errors
    /// When the name of a panel that is new cannot be resolved. One that was there before keeps the address that it had.
    pub async fn prepare(
        &self,
        settings: HashMap<SiteId, UpstreamSettings>,
    ) -> Result<Switchable, StartError> {
        let now = self.upstreams.current.load_full();
        Table::prepare(settings, Some(&now), &self.limits).await.map(Switchable)
    }

    /// Sends requests there from now on.
    pub fn turn(&self, to: Switchable) {
        self.upstreams.current.store(Arc::new(to.0));
    }
}

/// The panels of all sites.
pub(super) struct Upstreams {
    current: ArcSwap<Table>,
}

struct Table {
    generation: u64,
    by_site: HashMap<SiteId, Arc<Upstream>>,
}

impl Upstreams {
    async fn prepare(
        settings: HashMap<SiteId, UpstreamSettings>,
        limits: &Limits,
    ) -> Result<Self, StartError> {
        Ok(Self { current: ArcSwap::from_pointee(Table::prepare(settings, None, limits).await?) })
    }

    fn of(&self, site: &SiteId) -> Option<Arc<Upstream>> {
        self.current.load().by_site.get(site).cloned()
    }
}

impl Table {
    async fn prepare(
        settings: HashMap<SiteId, UpstreamSettings>,
        before: Option<&Self>,
        limits: &Limits,
    ) -> Result<Self, StartError> {
        let generation = before.map_or(0, |before| before.generation + 1);
        let mut by_site = HashMap::new();
        for (index, (site, settings)) in (0_u64..).zip(settings) {
            let known = before.and_then(|before| before.by_site.get(&site));
            let known = known.filter(|known| known.settings == settings);
            // Unlike keys: no pooled connection is shared between sites, or leads to where a panel was before.
            let key = (generation << 16) | index;
            let upstream = match (Upstream::prepare(settings, key, limits).await, known) {
                (Ok(fresh), Some(known)) if fresh.address() == known.address() => Arc::clone(known),
                (Ok(fresh), _) => Arc::new(fresh),
                (Err(error), Some(known)) => {
                    tracing::warn!(%site, %error, "the panel stays where it was");
                    Arc::clone(known)
                }
                (Err(error), None) => return Err(error),
            };
            by_site.insert(site, upstream);
        }
        Ok(Self { generation, by_site })
    }
}

fn turns_away(gate: &Arc<Gate>) -> TurnsAway {
    let gate = Arc::clone(gate);
    Arc::new(move |ip| gate.turns_away(ip))
}

fn engine(gateway: Gateway, limits: &Limits) -> HttpProxy<Gateway> {
    let conf = ServerConf { max_retries: 2, threads: 2, ..ServerConf::default() };
    let mut proxy = http_proxy(&Arc::new(conf), gateway);
    let mut options = HttpServerOptions::default();
    // The gateway refuses CONNECT itself, with an answer of our own.
    options.allow_connect_method_proxying = true;
    options.keepalive_request_limit = Some(REQUESTS_PER_CONNECTION);
    options.h2_idle_timeout = Some(limits.keep_alive);
    proxy.server_options = Some(options);
    let mut http2 = default_h2_options();
    http2.max_header_list_size(16 * 1024).max_concurrent_streams(100);
    proxy.h2_options = Some(http2);
    proxy
}

fn bind(sockets: &Sockets, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    let bind = |address: &SocketAddr| {
        sockets.tcp(*address).map_err(|source| StartError::Listen { address: *address, source })
    };
    addresses.iter().map(bind).collect()
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, StartError> {
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_err(|source| StartError::Listen { address: ([0, 0, 0, 0], 0).into(), source })
    };
    listeners.iter().map(address).collect()
}
