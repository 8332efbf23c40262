//! The `sidecar` and `edge` sections.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    EdgeLimits, EdgeSettings, ProxySecret, SidecarSettings, SidecarTls, SiteSettings,
    named::FileKind,
    read::{Base, CODES, address},
    secrets::{self, SECRET},
    sources::Sources,
};
use crate::rules::written::{Fields, Findings, Node, Value, Written};

/// Reads the `sidecar` section.
pub(super) fn sidecar(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<SidecarSettings> {
    let mut section = fields.sub("sidecar", &mut sources.found)?;
    let listen = section.text("listen", &mut sources.found);
    let listen = listen.and_then(|text| address(&text, "sidecar.listen", sources));
    let socket = section.text("socket", &mut sources.found);
    let socket = socket.map(|text| base.socket(text.value, &text.at, &mut sources.found));
    let socket_peers = section.texts("socket_peers", &mut sources.found);
    let socket_peers = socket_peers.iter().filter_map(|text| user(text, &mut sources.found)).collect();
    let trusted_proxies = networks(&mut section, "trusted_proxies", &mut sources.found);
    let nodes = section.nodes("secrets", &mut sources.found);
    let secrets: Vec<ProxySecret> = nodes.iter().filter_map(|node| secret(node, base, sources)).collect();
    let tls = tls(&mut section, base, sources);
    check_trust(&mut section, &mut sources.found);
    section.finish(&mut sources.found);
    Some(SidecarSettings { listen, socket, socket_peers, trusted_proxies, secrets, tls })
}

/// Whether the sidecar can be asked at all, and knows whom to believe (R1). Looks at what is written: what is wrong with
/// that has been said.
fn check_trust(section: &mut Fields<'_>, found: &mut Findings) {
    let mut written = |key| section.get(key).is_some_and(|node| node.value != Value::List(Vec::new()));
    let (port, socket) = (written("listen"), written("socket"));
    let (networks, secrets, tls) = (written("trusted_proxies"), written("secrets"), written("tls"));
    let at = &section.at;
    if !port && !socket {
        found.error("C050", at, "the sidecar listens nowhere", "write `socket:` or `listen:`");
    }
    if port && !networks && !secrets && !tls {
        let what = "the sidecar listens on a port, and nothing says whose headers it may believe";
        let help = "list the proxy in `trusted_proxies` (for example [\"127.0.0.1/32\"]), or give it a secret under \
                    `secrets`, or a certificate under `tls`, or use `socket:` alone";
        found.error("C051", at, what, help);
    }
    if !port && socket && (secrets || tls) {
        let what = "`secrets` and `tls` belong to `listen:`, and the sidecar has none";
        found.error(
            "C055",
            at,
            what,
            "add `listen:`, or take them out; on the socket the peer's user counts",
        );
    }
}

/// Reads the `edge` section.
pub(super) fn edge(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    sites: &[SiteSettings],
    sources: &mut Sources<'_>,
) -> Option<EdgeSettings> {
    let mut section = fields.sub("edge", &mut sources.found)?;
    section.require("listen", "write `listen: [\"0.0.0.0:8443\"]`", &mut sources.found);
    let listen = addresses(&mut section, "listen", sources);
    let redirect_from = addresses(&mut section, "redirect_from", sources);
    section.require("certificates", "name the folder of NAME.crt and NAME.key files", &mut sources.found);
    let certificates = section.text("certificates", &mut sources.found);
    let trusted_proxies = networks(&mut section, "trusted_proxies", &mut sources.found);
    let proxy_protocol_from = networks(&mut section, "proxy_protocol_from", &mut sources.found);
    let limits = limits(&mut section, &mut sources.found);
    section.finish(&mut sources.found);
    for site in sites.iter().filter(|site| site.upstream.is_none()) {
        let what = format!("the edge does not know where the panel of `{}` is", site.site.id);
        sources.found.error("C052", &site.at, what, "give the site an `upstream:`, or take `edge:` out");
    }
    let place = certificates?;
    let certificates = base.path(&place);
    sources.name(FileKind::CertificateFolder, &certificates, &place.at);
    Some(EdgeSettings { listen, redirect_from, certificates, trusted_proxies, proxy_protocol_from, limits })
}

fn addresses(section: &mut Fields<'_>, key: &'static str, sources: &mut Sources<'_>) -> Vec<SocketAddr> {
    let texts = section.texts(key, &mut sources.found);
    texts.iter().filter_map(|text| address(text, key, sources)).collect()
}

fn networks(section: &mut Fields<'_>, key: &'static str, found: &mut Findings) -> Vec<IpNet> {
    section.texts(key, found).iter().filter_map(|text| network(text, found)).collect()
}

fn network(text: &Written<&str>, found: &mut Findings) -> Option<IpNet> {
    let network = text.value.parse::<IpNet>();
    let network = network.or_else(|_| text.value.parse::<IpAddr>().map(IpNet::from)).ok();
    let Some(network) = network else {
        let what = format!("`{}` is not a network", text.value);
        found.error("C006", &text.at, what, "write `10.0.0.0/8`, `127.0.0.1/32` or `\"2001:db8::/32\"`");
        return None;
    };
    if is_nearly_everybody(network) {
        let what = format!("`{}` is everybody, or nearly: any client could then say who it is", text.value);
        found.error("C053", &text.at, what, "list the proxies' own addresses");
        return None;
    }
    Some(network)
}

/// Believing everybody is believing nobody's proxy (R1). The largest networks that are anybody's own are 10.0.0.0/8
/// and fc00::/7; IPv4 in the clothes of IPv6 counts as IPv4.
fn is_nearly_everybody(network: IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) if network.network().to_ipv4_mapped().is_some() => network.prefix_len() < 96 + 8,
        IpNet::V6(network) => network.prefix_len() < 7,
    }
}

fn user(text: &Written<&str>, found: &mut Findings) -> Option<u32> {
    let uid = text.value.parse().ok().or_else(|| uid_of(text.value));
    if uid.is_none() {
        let what = format!("this machine has no user `{}`", text.value);
        found.error("C054", &text.at, what, "write the user that the proxy runs as, by name or number");
    }
    uid
}

fn uid_of(name: &str) -> Option<u32> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn secret(node: &Node, base: Base<'_>, sources: &mut Sources<'_>) -> Option<ProxySecret> {
    let mut fields = Fields::of(node, "a secret", CODES, &mut sources.found)?;
    fields.require("name", "name the proxy, for the log", &mut sources.found);
    let name = fields.text("name", &mut sources.found);
    let help = "make one with `openssl rand -hex 32 > FILE`, and name that file";
    let secret = secrets::require(&mut fields, SECRET, base, help, sources);
    fields.finish(&mut sources.found);
    Some(ProxySecret { name: name?.value.to_owned(), secret: secret? })
}

fn tls(section: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<SidecarTls> {
    let mut fields = section.sub("tls", &mut sources.found)?;
    let mut file = |key| {
        fields.require(key, "name a PEM file", &mut sources.found);
        let text = fields.text(key, &mut sources.found)?;
        Some(if key == "key" {
            sources.key(sources.secret_path(base, &text), &text.at)
        } else {
            sources.certificates(base.path(&text), &text.at)
        })
    };
    let (certificate, key, client_ca) = (file("certificate"), file("key"), file("client_ca"));
    fields.finish(&mut sources.found);
    Some(SidecarTls { certificate: certificate?, key: key?, client_ca: client_ca? })
}

fn limits(section: &mut Fields<'_>, found: &mut Findings) -> EdgeLimits {
    let secs = Duration::from_secs;
    let mut limits = EdgeLimits {
        connections: 4096,
        per_address: 256,
        head: secs(10),
        handshake: secs(5),
        body_idle: secs(15),
        keep_alive: secs(60),
        websocket_idle: secs(600),
        upstream_connect: secs(3),
        upstream_read: secs(60),
    };
    let Some(mut fields) = section.sub("limits", found) else { return limits };
    for (key, place) in [("connections", &mut limits.connections), ("per_address", &mut limits.per_address)] {
        if let Some(count) = fields.count(key, found) {
            *place = count.value;
        }
    }
    for (key, place) in [
        ("head", &mut limits.head),
        ("handshake", &mut limits.handshake),
        ("body_idle", &mut limits.body_idle),
        ("keep_alive", &mut limits.keep_alive),
        ("websocket_idle", &mut limits.websocket_idle),
        ("upstream_connect", &mut limits.upstream_connect),
        ("upstream_read", &mut limits.upstream_read),
    ] {
        if let Some(duration) = fields.duration(key, secs(1), found) {
            *place = duration.value;
        }
    }
    fields.finish(found);
    limits
}
