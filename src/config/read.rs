//! The configuration as a whole, and its smaller sections.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    LogFormat, LogSettings, Settings, SiteSettings, geoip, issuers, journal, limits, listeners, logins,
    master_key, named::FileKind, notices, sites, sources::Sources, traces,
};
use crate::rules::written::{At, Codes, Fields, Findings, Node, Written};

/// Codes of mistakes in the shape of the configuration.
pub(super) const CODES: Codes =
    Codes { kind: "C002", unknown: "C003", duplicate: "C004", missing: "C005", value: "C006" };

/// What a site says for itself alone.
const OF_SITES: [&str; 8] =
    ["name", "title", "origins", "policy", "upstream", "portal", "identities", "cookies"];

/// `sun_path` of Linux, without the byte that ends it.
const LONGEST_SOCKET: usize = 107;

/// Where relative paths start: the folder of the configuration file.
#[derive(Clone, Copy)]
pub(super) struct Base<'p>(pub(super) &'p Path);

impl Base<'_> {
    pub(super) fn path(self, text: &Written<&str>) -> PathBuf {
        self.0.join(text.value)
    }

    /// The path of a Unix socket, which the kernel bounds.
    pub(super) fn socket(self, path: &str, at: &At, found: &mut Findings) -> PathBuf {
        let path = self.0.join(path);
        if path.as_os_str().len() > LONGEST_SOCKET {
            let what = format!("the path of the socket is longer than {LONGEST_SOCKET} bytes");
            found.error("C034", at, what, "name one in a shorter place, such as /run/panelgate/");
        }
        path
    }
}

/// Reads everything, going on after every mistake.
pub(super) fn settings(root: &Node, file: &Path, sources: &mut Sources<'_>) -> Option<Settings> {
    let folder = std::path::absolute(file).ok()?;
    let base = Base(folder.parent()?);
    let mut fields = Fields::of(root, "the configuration", CODES, &mut sources.found)?;
    fields.require("version", "write `version: 1`", &mut sources.found);
    fields.one_of("version", &[("1", ())], &mut sources.found);
    let data_dir = fields.text("data_dir", &mut sources.found);
    let data_place = data_dir.as_ref().map_or(&fields.at, |text| &text.at).clone();
    let data_dir = data_dir.map_or_else(|| PathBuf::from("/var/lib/panelgate"), |text| base.path(&text));
    sources.name(FileKind::DataDir, &data_dir, &data_place);
    let issuers = issuers::read(&mut fields, base, sources);
    let logins = logins::read(&mut fields, base, sources);
    let master_key = master_key::read(&mut fields, base, sources);
    let sites = sites::read(&mut fields, base, &issuers, &logins, sources);
    let sidecar = listeners::sidecar(&mut fields, base, sources);
    let edge = listeners::edge(&mut fields, base, &sites, sources);
    let (admin_socket, admin_place) =
        admin(&mut fields, base, sources).unwrap_or_else(|| (data_dir.join("admin.socket"), data_place));
    sources.name(FileKind::AdminSocket, &admin_socket, &admin_place);
    let metrics = metrics(&mut fields, sources);
    let quotas = limits::quotas(&mut fields, &mut sources.found);
    let (bans_allow, traps, lockout) = limits::failures(&mut fields, &mut sources.found);
    let log = log(&mut fields, sources);
    let drain = drain(&mut fields, sources);
    let journal = journal::read(&mut fields, sources);
    let geoip = geoip::read(&mut fields, base, sources);
    if geoip.city.is_none() {
        for site in &sites {
            countries(site, &mut sources.found);
        }
    }
    let notices = notices::read(&mut fields, base, sources);
    let traces = traces::read(&mut fields, base, sources);
    let start = fields.at.clone();
    for key in OF_SITES {
        let what = format!("`{key}` belongs to a site");
        fields.refuse(key, CODES.unknown, &what, "move it into an entry of `sites`", &mut sources.found);
    }
    fields.finish(&mut sources.found);
    if sidecar.is_none() && edge.is_none() && !sources.found.any_errors() {
        let help = "write at least one of them: without a door nobody can ask";
        sources.found.error("C030", &start, "neither `sidecar` nor `edge` is on", help);
    }
    Some(Settings {
        file: file.to_owned(),
        data_dir,
        sites,
        sidecar,
        edge,
        admin_socket,
        metrics,
        quotas,
        bans_allow,
        lockout: Arc::new(lockout),
        traps: Arc::new(traps),
        issuers,
        master_key,
        geoip,
        notices,
        traces,
        journal,
        log,
        drain,
        outline: super::Outline::default(),
    })
}

/// A condition that cannot be evaluated is not met (R17): whoever wrote it wants to know.
fn countries(site: &SiteSettings, found: &mut Findings) {
    let Some(page) = site.site.policy.pages().iter().find(|page| page.asks_for_country()) else { return };
    let what = format!(
        "the page `{}` ({}:{}) asks for countries, and nothing says where addresses are",
        page.name, page.file, page.line
    );
    let help = "name a database under `geoip: { city: … }`: without one such a condition is never met";
    found.warning("C037", &site.at, what, help);
}

/// An address with its port, where nothing else listens.
pub(super) fn address(text: &Written<&str>, key: &str, sources: &mut Sources<'_>) -> Option<SocketAddr> {
    let Ok(address) = text.value.parse::<SocketAddr>() else {
        let what = format!("`{}` is not an address that `{key}` can have", text.value);
        sources.found.error("C006", &text.at, what, for_address(text.value));
        return None;
    };
    if let Some(before) = sources.listening.iter().find(|before| meet(before.value, address)) {
        let what = format!("`{address}` cannot be listened on: `{}` is, already", before.value);
        let help = format!("choose another port; the other one is {}", place(&before.at));
        sources.found.error("C057", &text.at, what, help);
    }
    sources.listening.push(Written { at: text.at.clone(), value: address });
    Some(address)
}

/// Whether only one of two addresses can be listened on. The system chooses a free port for 0.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let wide = one.ip().is_unspecified() || other.ip().is_unspecified();
    let same = one.ip() == other.ip() || wide && one.is_ipv4() == other.is_ipv4();
    one.port() == other.port() && one.port() != 0 && same
}

fn place(at: &At) -> String {
    // The environment has no lines.
    if at.line == 0 { format!("in the {}", at.source) } else { format!("on line {}", at.line) }
}

/// How to write an address.
fn for_address(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let number = port.parse::<u16>().is_ok();
    match host {
        "" | "*" if number => {
            format!(
                "write the address as well: `127.0.0.1:{port}` for this machine, `0.0.0.0:{port}` for all"
            )
        }
        "localhost" if number => format!("write `127.0.0.1:{port}`"),
        _ if number && host.contains(':') => format!("write brackets around the address: `[{host}]:{port}`"),
        _ if number => "write an address, not a name: `127.0.0.1:9091`, `[::]:8443`".to_owned(),
        _ => "write an address and a port: `127.0.0.1:9091`, `[::]:8443`".to_owned(),
    }
}

fn admin(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<(PathBuf, At)> {
    let mut section = fields.sub("admin", &mut sources.found)?;
    let socket = section.text("socket", &mut sources.found);
    section.finish(&mut sources.found);
    socket.map(|text| (base.socket(text.value, &text.at, &mut sources.found), text.at))
}

fn metrics(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Option<SocketAddr> {
    let mut section = fields.sub("metrics", &mut sources.found)?;
    let listen = section.text("listen", &mut sources.found);
    section.finish(&mut sources.found);
    address(&listen?, "metrics.listen", sources)
}

fn log(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> LogSettings {
    const LEVELS: [(&str, &str); 5] =
        [("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")];
    let mut settings = LogSettings { format: LogFormat::Text, level: "info".into() };
    if let Some(mut section) = fields.sub("log", &mut sources.found) {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        if let Some(format) = section.one_of("format", &formats, &mut sources.found) {
            settings.format = format.value;
        }
        if let Some(level) = section.one_of("level", &LEVELS, &mut sources.found) {
            settings.level = level.value.into();
        }
        section.finish(&mut sources.found);
    }
    settings
}

/// `restart.drain`.
fn drain(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Duration {
    const USUAL: Duration = Duration::from_secs(300);
    let Some(mut section) = fields.sub("restart", &mut sources.found) else { return USUAL };
    let drain = section.duration("drain", Duration::from_secs(1), &mut sources.found);
    section.finish(&mut sources.found);
    drain.map_or(USUAL, |drain| drain.value)
}
