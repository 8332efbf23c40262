//! Bringing a changed configuration into force: whole or not at all, sessions untouched.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::{Mutex, watch};

use super::{compose, translate};
use crate::{
    config::{self, Environment, Settings},
    feeds,
    gate::Gate,
    live::{ReloadProblem, ReloadState},
    rules::{site::Sites, token::KeySet},
};

/// Brings a changed configuration into force.
pub struct Reloader {
    file: PathBuf,
    keys: PathBuf,
    environment: Environment,
    gate: Arc<Gate>,
    watched: RwLock<Vec<PathBuf>>,
    places: RwLock<Option<PathBuf>>,
    in_force: watch::Sender<Arc<str>>,
    /// One reload at a time.
    turn: Mutex<()>,
}

/// What a reload brings.
struct Fresh {
    settings: Settings,
    sites: Sites,
    keys: KeySet,
}

impl Reloader {
    pub(super) fn new(settings: &Settings, environment: Environment, gate: &Arc<Gate>) -> Self {
        let (file, keys) = (settings.file.clone(), compose::keys_dir(&settings.data_dir));
        let (watched, places) = (settings.watched.clone(), settings.places.clone());
        let (watched, places) = (RwLock::new(watched), RwLock::new(places));
        let (gate, turn) = (Arc::clone(gate), Mutex::new(()));
        let digest = Arc::clone(&settings.outline.digest);
        let state =
            ReloadState { at: gate.moment().wall, digest: Arc::clone(&digest), ..ReloadState::default() };
        gate.live().reload.store(Arc::new(state));
        let in_force = watch::Sender::new(digest);
        Self { file, keys, environment, gate, watched, places, in_force, turn }
    }

    /// The digest of what is in force; see [`config::Outline`].
    pub(super) fn digest(&self) -> Arc<str> {
        Arc::clone(&self.in_force.borrow())
    }

    /// Says when something else is in force.
    pub(super) fn in_force(&self) -> watch::Receiver<Arc<str>> {
        self.in_force.subscribe()
    }

    /// Loads configuration, policies and keys again. A mistake anywhere keeps everything as it was and shows in the
    /// log, in the metrics and at `/readyz`. Listeners, upstreams, issuers and the store stay as they were at the start.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub async fn reload(&self, why: &str) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        match self.read().await {
            Ok(fresh) => {
                self.swap(&fresh, why);
                Ok(())
            }
            Err(problem) => {
                tracing::error!(
                    why,
                    "the changed configuration is not in force, the old one stays:\n{problem}"
                );
                self.note_failure(&problem);
                Err(problem)
            }
        }
    }

    /// The files whose change is a reason to load again.
    pub fn watched(&self) -> Vec<PathBuf> {
        self.watched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The database of places that is to be in force.
    pub fn places(&self) -> Option<PathBuf> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Result<Fresh, String> {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        let loading = tokio::task::spawn_blocking(move || config::load(&file, &environment));
        let loaded = loading.await.map_err(|fault| fault.to_string())?;
        let settings = loaded.map_err(|problems| problems.to_string())?.settings;
        let sites = translate::sites(&settings)?;
        let now = self.gate.moment().wall;
        let keys = feeds::keys::load_or_create_under(
            &self.keys,
            settings.master_key.as_ref(),
            self.gate.entropy(),
            now,
        );
        Ok(Fresh { settings, sites, keys: keys.map_err(|error| error.to_string())? })
    }

    fn swap(&self, fresh: &Fresh, why: &str) {
        let trusted = translate::trusted(&fresh.settings);
        let spared = translate::spared(&fresh.settings);
        let live = self.gate.live();
        live.swap(|snapshot| {
            snapshot.sites = fresh.sites.clone();
            snapshot.keys = fresh.keys.clone();
            snapshot.trusted = trusted.clone();
            snapshot.journal = fresh.settings.journal;
            snapshot.spared = spared.clone();
            snapshot.lockout = Arc::clone(&fresh.settings.lockout);
            snapshot.traps = Arc::clone(&fresh.settings.traps);
        });
        live.assertions.clear();
        live.counters.set_quotas(fresh.settings.quotas);
        self.watched.write().unwrap_or_else(PoisonError::into_inner).clone_from(&fresh.settings.watched);
        self.places.write().unwrap_or_else(PoisonError::into_inner).clone_from(&fresh.settings.places);
        let at = self.gate.moment().wall;
        live.reload.rcu(|state| ReloadState {
            at,
            digest: Arc::clone(&fresh.settings.outline.digest),
            problem: None,
            done: state.done + 1,
            ..ReloadState::clone(state)
        });
        self.in_force.send_replace(Arc::clone(&fresh.settings.outline.digest));
        let generation = live.snapshot().generation;
        tracing::info!(target: "panelgate::audit", event = "reloaded", why, generation, "the configuration is in force");
    }

    fn note_failure(&self, problem: &str) {
        let problem = ReloadProblem { at: self.gate.moment().wall, what: problem.to_owned() };
        self.gate.live().reload.rcu(|state| ReloadState {
            problem: Some(problem.clone()),
            failed: state.failed + 1,
            ..ReloadState::clone(state)
        });
    }
}
