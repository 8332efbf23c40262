//! Settings after every check: what `app` builds sites, doors and feeds from.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{GeoipSettings, NoticeSettings, Outline, TraceSettings};
use crate::{
    feeds::keys::GivenMaster,
    live::Quotas,
    rules::{
        failures::Lockout,
        record::Limits,
        site::Site,
        traps::Traps,
        written::{At, Written},
    },
    secret::{SecretBytes, SecretText},
};

/// Everything that the configuration says, checked, with defaults filled in and paths made absolute.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration file.
    pub file: PathBuf,
    /// Holds the store, `keys/` and, unless named elsewhere, `admin.socket`.
    pub data_dir: PathBuf,
    /// At least one.
    pub sites: Vec<SiteSettings>,
    /// Forward auth, if it is on.
    pub sidecar: Option<SidecarSettings>,
    /// The edge, if it is on.
    pub edge: Option<EdgeSettings>,
    /// Where the CLI reaches the daemon.
    pub admin_socket: PathBuf,
    /// Metrics and health, if they are on.
    pub metrics: Option<SocketAddr>,
    /// Rate limits.
    pub quotas: Quotas,
    /// Whom no ban reaches.
    pub bans_allow: Vec<IpNet>,
    /// How wrong passwords and codes are answered.
    pub lockout: Arc<Lockout>,
    /// Paths that only scanners ask for.
    pub traps: Arc<Traps>,
    /// Trusted issuers.
    pub issuers: Vec<IssuerSettings>,
    /// The master key, if it comes from outside the keys directory.
    pub master_key: Option<GivenMaster>,
    /// The databases that say where addresses are, as far as there are any.
    pub geoip: GeoipSettings,
    /// How people are told about sign-ins from somewhere new.
    pub notices: NoticeSettings,
    /// Where spans of traces go, if they are on.
    pub traces: Option<TraceSettings>,
    /// How much of the journal of decisions is kept.
    pub journal: Limits,
    /// Logs.
    pub log: LogSettings,
    /// How long live connections stay with a process that was replaced.
    pub drain: Duration,
    /// For telling what a reload changes.
    pub outline: Outline,
}

/// One site with what the doors need beside it.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    /// Where it stands, for problems.
    pub at: At,
    /// What decisions need; its policy is compiled.
    pub site: Site,
    /// Where the edge sends what it lets through.
    pub upstream: Option<Upstream>,
    /// The policy's file.
    pub policy_file: PathBuf,
    /// The candidate's file, if there is one.
    pub shadow_file: Option<PathBuf>,
}

/// A panel's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Over TCP, with TLS if `secure`.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether to speak TLS.
        secure: bool,
    },
    /// Over a Unix socket, plain.
    Unix(PathBuf),
}

/// The sidecar's listeners and who may ask (R1). At least one of the four ways to be believed is configured.
#[derive(Clone, Debug)]
pub struct SidecarSettings {
    /// TCP.
    pub listen: Option<SocketAddr>,
    /// Unix socket.
    pub socket: Option<PathBuf>,
    /// User ids that may connect to the socket, besides our own and root.
    pub socket_peers: Vec<u32>,
    /// Networks that are believed without further proof.
    pub trusted_proxies: Vec<IpNet>,
    /// Shared secrets (`X-Gate-Proxy-Secret`).
    pub secrets: Vec<ProxySecret>,
    /// TLS with client certificates.
    pub tls: Option<SidecarTls>,
}

/// One proxy's shared secret; at least 32 characters.
#[derive(Clone, Debug)]
pub struct ProxySecret {
    /// For logs.
    pub name: String,
    /// The file's content without surrounding white space.
    pub secret: SecretText,
}

/// PEM files; readable and of the right kind when the configuration was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarTls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the proxies' certificates.
    pub client_ca: PathBuf,
}

/// The edge's listeners.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// TLS; at least one.
    pub listen: Vec<SocketAddr>,
    /// Plain listeners that only redirect to https.
    pub redirect_from: Vec<SocketAddr>,
    /// A folder of `NAME.crt` and `NAME.key` (PEM).
    pub certificates: PathBuf,
    /// Whose `X-Forwarded-For` the edge believes.
    pub trusted_proxies: Vec<IpNet>,
    /// Peers that start with a PROXY v1 or v2 header.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Caps and deadlines (R25).
    pub limits: EdgeLimits,
}

/// Caps and deadlines of the edge (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Connections altogether.
    pub connections: usize,
    /// Connections from one client address.
    pub per_address: usize,
    /// For a whole request head.
    pub head: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Between two pieces of a body.
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

/// A trusted issuer of the panel's own tokens.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Where it stands, for problems.
    pub at: At,
    /// Its name in the configuration.
    pub name: String,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// Allowed `alg` values; never empty, never `none` or a shared-secret one (R10).
    pub algorithms: Vec<String>,
    /// Cookies that may hold a token.
    pub cookies: Vec<String>,
    /// Header fields that may hold a token, lower case.
    pub headers: Vec<String>,
    /// Which claim says what.
    pub claims: ClaimNames,
    /// The issuer's role → ours; empty: taken as it is.
    pub roles: Vec<(String, String)>,
    /// Our roles of [`Self::roles`] with their places, for problems.
    pub role_places: Vec<Written<String>>,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A JWKS file.
    File(PathBuf),
    /// A JWKS address.
    Url(String),
    /// A secret shared with the issuer; at least 32 bytes, for HS256 alone.
    Secret(SecretBytes),
}

/// Which claim says what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The account name.
    pub user: String,
    /// What identifies the session across renewals.
    pub session: String,
    /// The role; `None`: every account gets the role that it has here.
    pub role: Option<String>,
    /// The mail address.
    pub email: Option<String>,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
