//! The configuration as a whole, and its smaller sections.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ClaimNames, IssuerSettings, KeySource, LogFormat, LogSettings, Settings, listeners, sites,
    sources::Sources,
};
use crate::{
    feeds::jwks::Source,
    live::Quotas,
    rules::{
        limit::Quota,
        written::{Codes, Fields, Key, Node, Written, hint, scalar},
    },
    secret::SecretBytes,
};

/// Codes of mistakes in the shape of the configuration.
pub(super) const CODES: Codes =
    Codes { kind: "C002", unknown: "C003", duplicate: "C004", missing: "C005", value: "C006" };

/// Where relative paths start: the folder of the configuration file.
#[derive(Clone, Copy)]
pub(super) struct Base<'p>(pub(super) &'p Path);

impl Base<'_> {
    pub(super) fn path(self, text: &Written<&str>) -> PathBuf {
        self.0.join(text.value)
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
    let data_dir = data_dir.map_or_else(|| PathBuf::from("/var/lib/panelgate"), |text| base.path(&text));
    let issuers = issuers(&mut fields, base, sources);
    let sites = sites::read(&mut fields, base, &issuers, sources);
    let sidecar = listeners::sidecar(&mut fields, base, sources);
    let edge = listeners::edge(&mut fields, base, &sites, sources);
    if sidecar.is_none() && edge.is_none() && !sources.found.any_errors() {
        sources.found.error(
            "C030",
            &fields.at,
            "neither `sidecar` nor `edge` is on",
            "write at least one of them",
        );
    }
    let admin_socket = admin(&mut fields, base, sources).unwrap_or_else(|| data_dir.join("admin.socket"));
    let metrics = metrics(&mut fields, sources);
    let quotas = quotas(&mut fields, sources);
    let log = log(&mut fields, sources);
    fields.finish(&mut sources.found);
    let (file, watched) = (file.to_owned(), sources.files.clone());
    Some(Settings {
        file,
        data_dir,
        sites,
        sidecar,
        edge,
        admin_socket,
        metrics,
        quotas,
        issuers,
        log,
        watched,
    })
}

/// An address with its port.
pub(super) fn address(text: &Written<&str>, key: &str, sources: &mut Sources<'_>) -> Option<SocketAddr> {
    let address = text.value.parse().ok();
    if address.is_none() {
        let what = format!("`{}` is not an address that `{key}` can have", text.value);
        sources.found.error(
            "C006",
            &text.at,
            what,
            "write an address and a port: `127.0.0.1:9091`, `[::]:8443`",
        );
    }
    address
}

fn admin(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<PathBuf> {
    let mut section = fields.sub("admin", &mut sources.found)?;
    let socket = section.text("socket", &mut sources.found);
    section.finish(&mut sources.found);
    socket.map(|text| base.path(&text))
}

fn metrics(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Option<SocketAddr> {
    let mut section = fields.sub("metrics", &mut sources.found)?;
    let listen = section.text("listen", &mut sources.found);
    section.finish(&mut sources.found);
    address(&listen?, "metrics.listen", sources)
}

fn quotas(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Quotas {
    let mut section = fields.sub("limits", &mut sources.found);
    let mut read = |key: &'static str, count: u32, seconds: u64| {
        let count = std::num::NonZeroU32::new(count).unwrap_or(std::num::NonZeroU32::MIN);
        let standard = Quota { count, per: Duration::from_secs(seconds) };
        let text = section.as_mut().and_then(|section| section.text(key, &mut sources.found));
        text.and_then(|text| {
            let quota = Quota::parse(text.value);
            quota
                .map_err(|error| sources.found.error("C006", &text.at, error.to_string(), "write `600/min`"))
                .ok()
        })
        .unwrap_or(standard)
    };
    let quotas = Quotas {
        request: read("requests", 1200, 60),
        sign_in: read("sign_in", 20, 60),
        second_factor: read("second_factor", 5, 15 * 60),
        refresh: read("refresh", 120, 60),
    };
    if let Some(section) = section {
        section.finish(&mut sources.found);
    }
    quotas
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

fn issuers(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Vec<IssuerSettings> {
    let nodes = fields.nodes("issuers", &mut sources.found);
    let mut issuers: Vec<IssuerSettings> = Vec::new();
    for node in nodes {
        let Some(issuer) = issuer(node, base, sources) else { continue };
        if issuers.iter().any(|other| other.name == issuer.name) {
            let what = format!("two issuers are called `{}`", issuer.name);
            sources.found.error("C033", &node.at, what, "sites refer to the name: choose another");
        }
        issuers.push(issuer);
    }
    issuers
}

fn issuer(node: &Node, base: Base<'_>, sources: &mut Sources<'_>) -> Option<IssuerSettings> {
    let mut fields = Fields::of(node, "an issuer", CODES, &mut sources.found)?;
    for (key, help) in [
        ("name", "sites refer to it by its name"),
        ("issuer", "write the exact `iss` of its tokens"),
        ("audience", "write what `aud` of its tokens must be or contain"),
    ] {
        fields.require(key, help, &mut sources.found);
    }
    let name = fields.text("name", &mut sources.found);
    let issuer = fields.text("issuer", &mut sources.found);
    let audience = fields.text("audience", &mut sources.found);
    let keys = key_source(&mut fields, base, sources);
    let shared = matches!(keys, Some(KeySource::Secret(_)));
    let algorithms = algorithms(&mut fields, shared, sources);
    let cookies = owned(fields.texts("cookies", &mut sources.found));
    let headers: Vec<String> = owned(fields.texts("headers", &mut sources.found));
    if cookies.is_empty() && headers.is_empty() {
        let help = "write `cookies: [panel_jwt]` or `headers: [authorization]`";
        sources.found.error("C031", &fields.at, "nothing says where this issuer's tokens are found", help);
    }
    let claims = claims(&mut fields, sources);
    let roles = roles(&mut fields, sources);
    fields.finish(&mut sources.found);
    Some(IssuerSettings {
        name: name?.value.to_owned(),
        issuer: issuer?.value.to_owned(),
        audience: audience?.value.to_owned(),
        keys: keys?,
        algorithms,
        cookies,
        headers: headers.into_iter().map(|name| name.to_ascii_lowercase()).collect(),
        claims,
        roles: roles.iter().map(|(theirs, ours)| (theirs.clone(), ours.value.clone())).collect(),
        role_places: roles.into_iter().map(|(_, ours)| ours).collect(),
    })
}

fn owned(texts: Vec<Written<&str>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value.to_owned()).collect()
}

fn key_source(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Option<KeySource> {
    const WAYS: [&str; 3] = ["jwks_file", "jwks_url", "secret_file"];
    let written = WAYS.map(|key| fields.text(key, &mut sources.found));
    let mut ways = written.iter().flatten();
    if let (Some(_), Some(second)) = (ways.next(), ways.next()) {
        let what = format!("only one of `{}` can be there", WAYS.join("`, `"));
        sources.found.error("C032", &second.at, what, "keep one of them");
        return None;
    }
    let [file, url, secret] = written;
    if let Some(file) = file {
        return Some(KeySource::File(sources.file(base.path(&file), &file.at)));
    }
    if let Some(secret) = secret {
        let text = sources.secret(&base.path(&secret), &secret.at)?;
        return Some(KeySource::Secret(SecretBytes::new(text.expose().as_bytes())));
    }
    let Some(url) = url else {
        let what = "nothing says where this issuer's keys come from";
        let help = "write `jwks_file: …`, `jwks_url: …` or, for HS256, `secret_file: …`";
        sources.found.error("C005", &fields.at, what, help);
        return None;
    };
    if let Err(error) = Source::url(url.value) {
        sources.found.error("C006", &url.at, error.to_string(), "write an https address");
        return None;
    }
    Some(KeySource::Url(url.value.to_owned()))
}

/// HS256 goes with a shared secret and nothing else, every other algorithm with public keys (R10).
fn algorithms(fields: &mut Fields<'_>, shared: bool, sources: &mut Sources<'_>) -> Vec<String> {
    const PUBLIC: [&str; 9] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    const SHARED: [&str; 1] = ["HS256"];
    let known: &[&str] = if shared { &SHARED } else { &PUBLIC };
    fields.require("algorithms", "list what it signs with: `algorithms: [RS256]`", &mut sources.found);
    let mut chosen = Vec::new();
    for text in fields.texts("algorithms", &mut sources.found) {
        if known.contains(&text.value) {
            chosen.push(text.value.to_owned());
        } else {
            let what = format!("`{}` is not an algorithm that this issuer may sign with", text.value);
            let help = if SHARED.contains(&text.value) {
                "a shared secret is named by `secret_file:`, not by a key set".to_owned()
            } else {
                hint(text.value, known)
            };
            sources.found.error("C006", &text.at, what, help);
        }
    }
    chosen
}

fn claims(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> ClaimNames {
    let mut names = ClaimNames { user: "sub".into(), session: "sid".into(), role: None, email: None };
    let Some(mut section) = fields.sub("claims", &mut sources.found) else { return names };
    if let Some(user) = section.text("user", &mut sources.found) {
        names.user = user.value.into();
    }
    if let Some(session) = section.text("session", &mut sources.found) {
        names.session = session.value.into();
    }
    names.role = section.text("role", &mut sources.found).map(|text| text.value.to_owned());
    names.email = section.text("email", &mut sources.found).map(|text| text.value.to_owned());
    section.finish(&mut sources.found);
    names
}

/// The issuer's role and ours, as written.
fn roles(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Vec<(String, Written<String>)> {
    let Some(section) = fields.sub("roles", &mut sources.found) else { return Vec::new() };
    let ours = |(key, node): &(&Key, &Node)| {
        let ours = scalar(node, "roles", CODES, &mut sources.found)?;
        Some((key.text.clone(), Written { at: ours.at, value: ours.value.to_owned() }))
    };
    section.entries().iter().filter_map(ours).collect()
}
