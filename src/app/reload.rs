//! Bringing a changed configuration into force: whole or not at all, sessions untouched.

mod changes;
mod fresh;
mod issuers;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, MutexGuard, watch};

pub(super) use self::issuers::IssuerFeeds;
use self::{
    changes::{Changes, waiting},
    fresh::{Fresh, Refused},
};
use super::{notice, translate};
use crate::{
    config::{self, Environment, GeoipSettings, Settings},
    doors::{edge::Switch, sidecar::Vouchers},
    feeds::certs::Certificates,
    gate::Gate,
    live::{ReloadProblem, ReloadState},
    rules::policy::RuleSet,
    telemetry,
};

/// Brings a changed configuration into force.
pub struct Reloader {
    environment: Environment,
    gate: Arc<Gate>,
    /// What the process started with: some of it counts for its whole life.
    started: Settings,
    current: ArcSwap<Settings>,
    /// The files that were read last, and a digest over them as they were.
    seen: RwLock<(Vec<PathBuf>, Vec<u8>)>,
    in_force: watch::Sender<Arc<str>>,
    /// One reload at a time.
    parts: Mutex<Parts>,
}

/// What has to be told about a changed configuration, besides the memory that the request path reads.
pub(super) struct Parts {
    /// The edge's way to the panels, if the edge is on.
    pub(super) switch: Option<Switch>,
    /// What the edge shows.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// What the sidecar believes, if it is on.
    pub(super) vouchers: Option<Arc<Vouchers>>,
    /// How people are told about sign-ins.
    pub(super) ways: Arc<ArcSwap<notice::Ways>>,
    /// The key sets of issuers.
    pub(super) issuers: IssuerFeeds,
}

/// What a reload was asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody said so: everything is read and taken anew.
    Told(&'static str),
    /// The files are not as they were, or were refused before.
    Files,
}

impl Reloader {
    pub(super) fn new(settings: &Settings, environment: Environment, gate: &Arc<Gate>, parts: Parts) -> Self {
        let digest = Arc::clone(&settings.outline.digest);
        gate.live().note_started(gate.moment().wall, &digest);
        Self {
            environment,
            gate: Arc::clone(gate),
            started: settings.clone(),
            current: ArcSwap::from_pointee(settings.clone()),
            seen: RwLock::default(),
            in_force: watch::Sender::new(digest),
            parts: Mutex::new(parts),
        }
    }

    /// Keeps reloads waiting; what is started meanwhile can be added.
    pub(super) async fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().await
    }

    /// The digest of what is in force; see [`config::Outline`].
    pub(super) fn digest(&self) -> Arc<str> {
        Arc::clone(&self.in_force.borrow())
    }

    /// Says when something else is in force.
    pub(super) fn in_force(&self) -> watch::Receiver<Arc<str>> {
        self.in_force.subscribe()
    }

    /// What is in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.current.load_full()
    }

    /// Loads configuration, policies, keys and everything that they name again. A mistake anywhere keeps everything as
    /// it was and shows in the log, in the metrics, at `/readyz` and on the overview page. Listeners and places of data
    /// stay as they were at the start, and are named where they were changed.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub async fn reload(&self, why: &'static str) -> Result<(), String> {
        self.load(Cause::Told(why)).await
    }

    /// The same, where files have changed or a refused configuration is tried again: what is as it was is left alone.
    pub(super) async fn look_again(&self) -> Result<(), String> {
        self.load(Cause::Files).await
    }

    async fn load(&self, cause: Cause) -> Result<(), String> {
        let mut parts = self.parts.lock().await;
        if !self.gate.can_account() {
            if cause != Cause::Files {
                tracing::error!(why = cause.as_str(), "{UNWRITABLE}");
            }
            return Err(UNWRITABLE.to_owned());
        }
        let current = self.settings();
        let examined = fresh::examine(&current.file, &self.environment).await;
        if let Ok(examined) = &examined {
            let seen = (examined.files.clone(), examined.seen.clone());
            *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
        }
        let fresh = match examined.and_then(fresh::Examined::settings) {
            Ok(settings) if cause == Cause::Files && settings.outline == current.outline => {
                self.note_unchanged(settings);
                return Ok(());
            }
            Ok(settings) => Fresh::prepare(settings, self, &parts).await,
            Err(refused) => Err(refused),
        };
        match fresh {
            Ok(fresh) => {
                self.take(fresh, &mut parts, cause).await;
                Ok(())
            }
            Err(refused) => {
                self.note_failure(&refused, cause);
                Err(refused.all)
            }
        }
    }

    /// The files that were read last, be they in force or refused, and a digest over them as they were: a file that was
    /// half there then may be whole by now.
    pub(super) fn seen(&self) -> (Vec<PathBuf>, Vec<u8>) {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The databases of addresses that are to be in force.
    pub fn geoip(&self) -> GeoipSettings {
        self.current.load().geoip.clone()
    }

    /// Compiles a policy as it would be if it were in force here.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub(super) fn compile(&self, file: &str, text: &str) -> Result<Arc<RuleSet>, config::Problems> {
        config::policy_from(file, text, &self.environment)
    }

    async fn take(&self, fresh: Fresh, parts: &mut Parts, cause: Cause) {
        let before = self.settings();
        let Fresh { settings, sites, keys, switchable, certificates, vouchers, ways, issuers } = fresh;
        let settings = Arc::new(settings);
        let (trusted, spared) = (translate::trusted(&settings), translate::spared(&settings));
        if issuers.is_some() {
            parts.issuers.end().await;
        }
        let live = self.gate.live();
        live.swap(|snapshot| {
            snapshot.sites = sites.clone();
            snapshot.keys = keys.clone();
            snapshot.trusted = trusted.clone();
            snapshot.journal = settings.journal;
            snapshot.spared = spared.clone();
            snapshot.lockout = Arc::clone(&settings.lockout);
            snapshot.traps = Arc::clone(&settings.traps);
            if let Some(issuers) = &issuers {
                snapshot.issuers = issuers.trusted().clone();
            }
        });
        live.assertions.clear();
        live.counters.set_quotas(settings.quotas);
        if let (Some(switch), Some(to)) = (&parts.switch, switchable) {
            switch.turn(to);
        }
        if let (Some(shown), Some(set)) = (&parts.certificates, certificates) {
            shown.take(set);
        }
        if let (Some(current), Some((secrets, tls))) = (&parts.vouchers, vouchers) {
            current.replace(secrets, tls);
        }
        if let Some(ways) = ways {
            parts.ways.store(Arc::new(ways));
        }
        if let Some(issuers) = issuers {
            parts.issuers.begin(issuers);
        }
        telemetry::set_level(&settings.log.level);
        self.current.store(Arc::clone(&settings));
        let waiting = waiting(&self.started, &settings);
        let at = self.gate.moment().wall;
        live.reload.rcu(|state| ReloadState {
            at,
            digest: Arc::clone(&settings.outline.digest),
            waiting: waiting.clone(),
            problem: None,
            // What waits for a restart is still not here, unless somebody says that this is all he wants.
            not_replaced: state.not_replaced.clone().filter(|_| cause == Cause::Files && !waiting.is_empty()),
            done: state.done + 1,
            ..ReloadState::clone(state)
        });
        self.in_force.send_replace(Arc::clone(&settings.outline.digest));
        // It is in force already: nobody waits for what is said about it.
        let changes = Changes::between(&before, &settings, self.gate.clock()).await;
        self.note_success(&changes, &before, cause);
    }

    fn note_success(&self, changes: &Changes, before: &Settings, cause: Cause) {
        let live = self.gate.live();
        live.reload.rcu(|state| ReloadState {
            changes: changes.lines.clone(),
            keys: changes.keys,
            cells: changes.cells,
            compared: changes.complete,
            ..ReloadState::clone(state)
        });
        let state = live.reload.load();
        let (generation, why, waiting) = (live.snapshot().generation, cause.as_str(), state.waiting.len());
        let (before, after, cells) = (&before.outline.digest, &state.digest, changes.cells);
        tracing::info!(
            target: "panelgate::audit", event = "reloaded", why, generation, %before, %after, keys = changes.keys,
            opens = cells.opens, closes = cells.closes, turns = cells.turns, waiting,
            "the configuration is in force"
        );
        for line in changes.told() {
            tracing::info!("changed: {line}");
        }
        if waiting > 0 {
            tracing::warn!(keys = state.waiting.join(", "), "these keys count only after a restart");
        }
    }

    /// Nothing is to be taken; a configuration that was refused in between is no problem any more.
    fn note_unchanged(&self, settings: Settings) {
        self.current.store(Arc::new(settings));
        let before = self.gate.live().reload.rcu(|state| ReloadState {
            problem: None,
            not_replaced: state.not_replaced.clone().filter(|_| !state.waiting.is_empty()),
            ..ReloadState::clone(state)
        });
        if before.problem.is_some() {
            tracing::info!("the files say again what is in force");
        }
    }

    fn note_failure(&self, refused: &Refused, cause: Cause) {
        let problem = ReloadProblem { at: self.gate.moment().wall, what: refused.all.clone() };
        let known = self.gate.live().reload.load().problem.as_ref().map(|problem| problem.what.clone());
        // A configuration that is tried again and again is said to be wrong once.
        if cause == Cause::Files && known.as_ref() == Some(&problem.what) {
            return;
        }
        let (why, first) = (cause.as_str(), &refused.first);
        tracing::error!(
            target: "panelgate::audit", event = "reload-failed", why, first,
            "a changed configuration is refused"
        );
        // Not audited: the trail is kept, and what stands in a file is not meant to be kept with it.
        tracing::error!("the changed configuration is not in force, the old one stays:\n{}", refused.all);
        self.gate.live().reload.rcu(|state| ReloadState {
            problem: Some(problem.clone()),
            failed: state.failed + 1,
            ..ReloadState::clone(state)
        });
    }
}

/// Files that have changed are looked at again by themselves.
const UNWRITABLE: &str = "nothing is reloaded while the audit trail cannot be written: make room on the disk of the data directory";

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Told(why) => why,
            Self::Files => "a file has changed",
        }
    }
}
