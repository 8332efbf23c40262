//! The demo's directory and ports.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::DemoError;
use crate::config::schema;

/// The policy of the sample panel, as shipped.
const POLICY: &str = include_str!("../../policies/demo.yaml");
/// Its tests.
const TESTS: &str = include_str!("../../policies/demo.test.yaml");

/// The edge's port unless `--port-base` says otherwise, and those of the others.
const USUAL: Ports = Ports { edge: 8443, sidecar: 9091, panel: 8080, metrics: 9959 };

/// Where everything of the demo is kept.
pub(super) struct Place {
    root: PathBuf,
    /// Removes the directory with everything in it at the end.
    _temporary: Option<TempDir>,
}

impl Place {
    /// The given directory, made if need be, or a temporary one.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, DemoError> {
        let (root, temporary) = if let Some(dir) = dir {
            (dir.to_owned(), None)
        } else {
            let made = tempfile::Builder::new().prefix("panelgate-demo-").tempdir();
            let made = made.map_err(|source| DemoError::File { path: std::env::temp_dir(), source })?;
            (made.path().to_owned(), Some(made))
        };
        make_folder(&root)?;
        let root = fs::canonicalize(&root).map_err(|source| DemoError::File { path: root, source })?;
        Ok(Self { root, _temporary: temporary })
    }

    /// Held while the demo runs: another one here would write its own ports into a configuration that is read again.
    pub(super) fn lock(&self) -> Result<fs::File, DemoError> {
        let path = self.path("demo.lock");
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|source| DemoError::File { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(DemoError::Other(format!(
                "another demo runs in {}; stop it, or name another directory with --dir",
                self.root.display()
            ))),
            Err(fs::TryLockError::Error(source)) => Err(DemoError::File { path, source }),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path("config.yaml")
    }

    /// Writes the configuration anew, and the policy with its tests unless there is one, so that it can be played with.
    pub(super) fn write_configuration(&self, ports: Ports, panel_login: bool) -> Result<(), DemoError> {
        let mut text = configuration(ports);
        if panel_login {
            let site = "    issuers: [panel-jwt]\n";
            text = text.replace(site, &format!("{site}    identities: {LOGIN}\n"));
            text.push('\n');
            text.push_str(&login(ports.panel));
        }
        self.write("config.yaml", &text)?;
        self.write("schemas/config.schema.json", schema::CONFIG)?;
        self.write("schemas/policy.schema.json", schema::POLICY)?;
        self.write("schemas/test.schema.json", schema::TESTS)?;
        if self.path("policies/demo.yaml").exists() {
            Ok(())
        } else {
            let here = |text: &str| text.replace("../deploy/schemas/", "../schemas/");
            self.write("policies/demo.test.yaml", &here(TESTS))?;
            self.write("policies/demo.yaml", &here(POLICY))
        }
    }

    /// Writes a file that only we may read, folders included.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| DemoError::File { path, source })
    }

    /// Reads a file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, DemoError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DemoError::File { path, source }),
        }
    }
}

fn make_folder(path: &Path) -> Result<(), DemoError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DemoError::File { path: path.to_owned(), source })
}

/// Loopback ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) edge: u16,
    pub(super) sidecar: u16,
    pub(super) panel: u16,
    pub(super) metrics: u16,
}

impl Ports {
    /// The ports to use, with the panel's listener on its one already.
    pub(super) async fn choose(base: Option<u16>) -> Result<(Self, TcpListener), DemoError> {
        let ports = match base {
            Some(0) => free().await?,
            Some(base) => Self::from_base(base),
            None => USUAL,
        };
        // A port that is taken is found here, where the mend is known.
        for port in [ports.edge, ports.sidecar, ports.metrics] {
            bind(port).await?;
        }
        Ok((ports, bind(ports.panel).await?))
    }

    /// Four in a row, the edge first.
    pub(super) fn from_base(base: u16) -> Self {
        let [sidecar, panel, metrics] = [1, 2, 3].map(|more| base.saturating_add(more));
        Self { edge: base, sidecar, panel, metrics }
    }
}

/// Four ports that were free a moment ago, all different.
async fn free() -> Result<Ports, DemoError> {
    let held = [bind(0).await?, bind(0).await?, bind(0).await?, bind(0).await?];
    let [edge, sidecar, panel, metrics] =
        held.each_ref().map(|listener| listener.local_addr().map_or(0, |address| address.port()));
    Ok(Ports { edge, sidecar, panel, metrics })
}

async fn bind(port: u16) -> Result<TcpListener, DemoError> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| DemoError::Port { port, source })
}

/// What the sample panel's own login is called.
pub(super) const LOGIN: &str = "harbor";

/// How the sample panel's own login is asked.
fn login(panel: u16) -> String {
    format!(
        r#"logins:
  - name: {LOGIN}
    url: http://127.0.0.1:{panel}/login
    form: {{ user: "{{username}}", pass: "{{password}}" }}
    success: {{ status: [200], json: {{ pointer: /ok, equals: "true" }} }}
    claims: {{ name: /user/name, role: /user/role }}
    pass_on: {{ cookies: [{cookie}] }}
    signed_out: {{ location: /login }}
    renew: true                                     # Harbor's own sessions last 15 s, so that their renewal can be watched
"#,
        cookie = super::panel::sign_in::COOKIE,
    )
}

/// What a configuration of the demo looks like.
#[cfg(test)]
pub(crate) fn sample_configuration() -> String {
    configuration(USUAL)
}

fn configuration(ports: Ports) -> String {
    let Ports { edge, sidecar, panel, metrics } = ports;
    format!(
        r#"# yaml-language-server: $schema=schemas/config.schema.json
# Written by `panelgate demo` at every start. policies/demo.yaml is written once: change it and watch the gate follow.
version: 1
data_dir: data

sites:
  - name: demo
    title: Harbor
    origins: ["https://localhost:{edge}", "https://127.0.0.1:{edge}", "https://panel.localhost:{edge}"]
    policy: policies/demo.yaml
    upstream: http://127.0.0.1:{panel}
    issuers: [panel-jwt]

second_factor: {{ at_sign_in: never }}              # so that read-only and blocked pages show themselves

sidecar:
  listen: 127.0.0.1:{sidecar}
  trusted_proxies: [127.0.0.0/8]                  # for a demo: on a real machine every local user could ask

edge:
  listen: [127.0.0.1:{edge}]
  certificates: certs
  trusted_proxies: [127.0.0.0/8]

metrics: {{ listen: 127.0.0.1:{metrics} }}

issuers:
  - name: panel-jwt
    issuer: {issuer}
    audience: {audience}
    jwks_file: issuer/jwks.json
    algorithms: [EdDSA]
    cookies: [{cookie}]
    headers: [authorization]
    claims: {{ user: sub, session: sid }}

log: {{ level: warn }}
"#,
        issuer = super::issuer::ISSUER,
        audience = super::issuer::AUDIENCE,
        cookie = super::issuer::COOKIE,
    )
}
