//! A configuration that is about to be in force: everything in it that can fail has been done.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Parts, Reloader, issuers::FreshIssuers};
use crate::{
    app::{compose, notice, translate},
    config::{self, Environment, Settings},
    doors::{edge::Switchable, sidecar::ProxySecret},
    feeds::{self, certs},
    rules::{site::Sites, token::KeySet, written::Severity},
};

/// What a reload brings.
pub(super) struct Fresh {
    pub(super) settings: Settings,
    pub(super) sites: Sites,
    pub(super) keys: KeySet,
    pub(super) switchable: Option<Switchable>,
    pub(super) certificates: Option<certs::Set>,
    pub(super) vouchers: Option<Vouched>,
    pub(super) ways: Option<notice::Ways>,
    pub(super) issuers: Option<FreshIssuers>,
}

/// What proxies prove themselves with.
pub(super) type Vouched = (Vec<ProxySecret>, Option<Arc<rustls::ServerConfig>>);

/// Why a configuration is not taken.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// The first problem, on one line.
    pub(super) first: String,
    /// All of them, as `panelgate check` shows them.
    pub(super) all: String,
}

impl From<String> for Refused {
    fn from(all: String) -> Self {
        Self { first: all.lines().next().unwrap_or_default().to_owned(), all }
    }
}

/// A configuration that was read.
pub(super) struct Examined {
    /// Every file that was looked at.
    pub(super) files: Vec<PathBuf>,
    /// A digest over them as they were read.
    pub(super) seen: Vec<u8>,
    found: config::Examined,
}

impl Examined {
    /// What it says, if it can be used.
    pub(super) fn settings(self) -> Result<Settings, Refused> {
        let problems = self.found.problems;
        self.found.settings.ok_or_else(|| {
            let error = problems.list().iter().find(|found| found.severity == Severity::Error);
            let first = error.map_or_else(String::new, |found| {
                format!("{}:{}: {} ({})", found.at.source, found.at.line, found.what, found.code)
            });
            Refused { first, all: problems.to_string() }
        })
    }
}

/// Reads the files.
pub(super) async fn examine(file: &Path, environment: &Environment) -> Result<Examined, Refused> {
    let (file, environment) = (file.to_owned(), environment.clone());
    let reading = tokio::task::spawn_blocking(move || config::examine(&file, &environment));
    let mut found = reading.await.map_err(|fault| Refused::from(fault.to_string()))?;
    let (files, seen) = (std::mem::take(&mut found.files), std::mem::take(&mut found.seen));
    Ok(Examined { files, seen, found })
}

impl Fresh {
    /// Does everything that can fail, and changes nothing.
    pub(super) async fn prepare(settings: Settings, to: &Reloader, parts: &Parts) -> Result<Self, Refused> {
        let current = to.settings();
        let changed = current.outline.changes(&settings.outline);
        let touches = |section: &str| changed.iter().any(|key| is_of(key, section));
        let sites = translate::sites(&settings)?;
        let keys = keys(&settings, to).await?;
        let vouchers = match (&parts.vouchers, &settings.sidecar) {
            (Some(_), Some(sidecar)) if touches("sidecar") => Some(translate::vouched(sidecar)?),
            _ => None,
        };
        let certificates = match (&parts.certificates, &settings.edge) {
            (Some(_), Some(edge)) if touches("edge.certificates") => Some(folder(&edge.certificates).await?),
            _ => None,
        };
        let switchable = match &parts.switch {
            Some(switch) => {
                let prepared = switch.prepare(translate::upstreams(&settings)).await;
                Some(prepared.map_err(|error| Refused::from(error.to_string()))?)
            }
            None => None,
        };
        let ways = touches("notices").then(|| notice::Ways::new(&settings.notices)).transpose()?;
        let issuers = if touches("issuers") {
            let trusted = to.gate.live().snapshot().issuers.clone();
            Some(FreshIssuers::prepare(&current, &settings, &trusted, to.gate.clock()).await?)
        } else {
            None
        };
        Ok(Self { settings, sites, keys, switchable, certificates, vouchers, ways, issuers })
    }
}

/// Our own keys, from the folder that the process started with.
async fn keys(settings: &Settings, to: &Reloader) -> Result<KeySet, Refused> {
    let (folder, master) = (compose::keys_dir(&to.started.data_dir), settings.master_key.clone());
    let (gate, now) = (Arc::clone(&to.gate), to.gate.moment().wall);
    let loading = tokio::task::spawn_blocking(move || {
        feeds::keys::load_or_create_under(&folder, master.as_ref(), gate.entropy(), now)
    });
    let loaded = loading.await.map_err(|fault| Refused::from(fault.to_string()))?;
    loaded.map_err(|error| Refused::from(error.to_string()))
}

async fn folder(path: &Path) -> Result<certs::Set, Refused> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || certs::Set::read(&path));
    let read = reading.await.map_err(|fault| Refused::from(fault.to_string()))?;
    read.map_err(|errors| Refused::from(errors.to_string()))
}

/// Whether a key is this one, or stands below it.
pub(super) fn is_of(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
