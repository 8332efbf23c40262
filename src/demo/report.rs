//! What the demo tells: to a person at a terminal, or as one line of JSON.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    certificates,
    people::Person,
    place::{Place, Ports},
    until_next_code,
};
use crate::clock::Wall;

/// Everything that is needed to use the demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The public origin that both doors protect.
    pub(super) site: String,
    pub(super) edge: String,
    pub(super) sidecar: String,
    pub(super) panel: String,
    pub(super) metrics: String,
    /// The PEM file to trust.
    pub(super) ca: PathBuf,
    pub(super) config: PathBuf,
    pub(super) admin_socket: PathBuf,
    pub(super) users: Vec<Person>,
    pub(super) pid: u32,
}

impl Report {
    pub(super) fn new(place: &Place, ports: Ports, admin_socket: &Path, people: &[Person]) -> Self {
        let site = format!("https://localhost:{}", ports.edge);
        Self {
            edge: site.clone(),
            site,
            sidecar: format!("http://127.0.0.1:{}", ports.sidecar),
            panel: format!("http://127.0.0.1:{}", ports.panel),
            metrics: format!("http://127.0.0.1:{}", ports.metrics),
            ca: place.path(certificates::AUTHORITY),
            config: place.config(),
            admin_socket: admin_socket.to_owned(),
            users: people.to_vec(),
            pid: std::process::id(),
        }
    }

    /// Prints everything, to standard output.
    pub(super) fn print(&self, as_json: bool, now: Wall) {
        let text = if as_json { self.json() } else { self.text(now) };
        say(&text);
    }

    /// Prints the codes alone.
    pub(super) fn print_codes(&self, now: Wall) {
        say(&self.codes(now));
    }

    pub(super) fn json(&self) -> String {
        format!("{}\n", serde_json::to_string(self).unwrap_or_default())
    }

    pub(super) fn text(&self, now: Wall) -> String {
        let width = self.users.iter().map(|person| person.name.len()).max().unwrap_or(0);
        let mut people = String::new();
        for Person { name, password, totp_secret, .. } in &self.users {
            // Writing to a String cannot fail.
            let _ = match totp_secret {
                Some(secret) => writeln!(people, "    {name:width$}  {password}  authenticator key {secret}"),
                None => writeln!(people, "    {name:width$}  {password}  no second factor"),
            };
        }
        format!(
            "\n  Open  {site}\n\n  Sign in as\n{people}\n{codes}\n  \
             Your browser does not know the demo's certificate: go on regardless, or trust {ca}.\n\n  \
             sidecar  {sidecar}   what nginx, Caddy, Traefik, HAProxy and Envoy ask\n  \
             panel    {panel}   the panel itself, without the gate\n  \
             metrics  {metrics}/metrics\n  \
             config   {config}   (try changing policies/demo.yaml beside it)\n\n  \
             Ctrl-C stops everything. `panelgate demo --tour` plays the whole story by itself.\n\n",
            site = self.site,
            codes = self.codes(now),
            ca = self.ca.display(),
            sidecar = self.sidecar,
            panel = self.panel,
            metrics = self.metrics,
            config = self.config.display(),
        )
    }

    /// `current code for root: 123 456 (new in 12 s)`
    fn codes(&self, now: Wall) -> String {
        let left = until_next_code(now).as_millis().div_ceil(1000);
        let lines = self.users.iter().filter_map(|person| {
            let code = person.code(now)?;
            let (first, second) = code.split_at_checked(3)?;
            Some(format!("  current code for {}: {first} {second} (new in {left} s)\n", person.name))
        });
        lines.collect()
    }
}

/// Whether standard output is a terminal.
pub(super) fn somebody_looks() -> bool {
    io::stdout().is_terminal()
}

/// Writes to standard output; when nobody reads it any more, the demo goes on without.
pub(super) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
