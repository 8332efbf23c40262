//! What a reload changes: keys of the configuration, by name, and cells of policies.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::fresh::is_of;
use crate::{
    clock::Clock,
    config::Settings,
    rules::{
        policy::{
            RuleSet,
            diff::{Diff, Effect, Totals, diff_while},
        },
        session::SiteId,
    },
};

/// Policies are compared for so long at most.
const LONGEST: Duration = Duration::from_secs(3);
/// So many lines are kept.
const KEPT: usize = 200;
/// So many of them are logged.
const LOGGED: usize = 20;

/// Keys that count from the start of a process to its end.
pub(super) const AT_START: [&str; 14] = [
    "version",
    "data_dir",
    "admin",
    "metrics",
    "sidecar.listen",
    "sidecar.socket",
    "sidecar.socket_peers",
    "edge.listen",
    "edge.redirect_from",
    "edge.trusted_proxies",
    "edge.proxy_protocol_from",
    "edge.limits",
    "log.format",
    "traces",
];

/// What a reload changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// A line each, the first of them.
    pub(super) lines: Vec<String>,
    /// How many lines there are altogether.
    pub(super) all: usize,
    /// How many keys of the configuration.
    pub(super) keys: usize,
    /// How many cells of policies.
    pub(super) cells: Totals,
    /// Whether everything was compared.
    pub(super) complete: bool,
}

impl Changes {
    /// Compares on a thread that may take a while.
    pub(super) async fn between(
        before: &Arc<Settings>,
        after: &Arc<Settings>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (before, after, clock) = (Arc::clone(before), Arc::clone(after), Arc::clone(clock));
        let comparing = tokio::task::spawn_blocking(move || {
            let end = clock.moment().mono.saturating_add(LONGEST);
            compare(&before, &after, &|| clock.moment().mono < end)
        });
        comparing.await.unwrap_or_default()
    }

    /// What is logged.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        let more = self.all.saturating_sub(LOGGED);
        let more =
            (more > 0).then(|| format!("and {more} more; `panelgate policy diff` shows all of a policy's"));
        self.lines.iter().take(LOGGED).cloned().chain(more)
    }

    fn add(&mut self, line: String) {
        self.all += 1;
        if self.lines.len() < KEPT {
            self.lines.push(line);
        }
    }

    fn add_policy(&mut self, site: Option<&SiteId>, diff: &Diff) {
        let site = site.map_or_else(String::new, |site| format!("{site}: "));
        for said in &diff.besides {
            self.add(format!("{site}~ {said}"));
        }
        for change in &diff.changes {
            self.cells.add(change.effect);
            if change.effect != Effect::Reason {
                self.add(format!("{site}{} {change}", change.effect.sign()));
            }
        }
        self.complete &= diff.complete;
    }
}

fn compare(before: &Settings, after: &Settings, go_on: &dyn Fn() -> bool) -> Changes {
    let mut changes = Changes { complete: true, ..Changes::default() };
    for key in before.outline.changes(&after.outline) {
        changes.keys += 1;
        changes.add(format!("key {key}"));
    }
    let several = after.sites.len() > 1;
    let mut compared: BTreeSet<(&str, &str)> = BTreeSet::new();
    for site in &after.sites {
        let old = before.sites.iter().find(|old| old.site.id == site.site.id);
        let Some(old) = old.map(|old| &*old.site.policy) else { continue };
        let new: &RuleSet = &site.site.policy;
        // Sites that share a policy share what has changed in it.
        if old.version() != new.version() && compared.insert((old.version(), new.version())) {
            changes.add_policy(several.then_some(&site.site.id), &diff_while(old, new, go_on));
        }
    }
    changes
}

/// The keys that say something else than at the start and count only then.
pub(super) fn waiting(started: &Settings, now: &Settings) -> Vec<String> {
    let switched = [
        ("sidecar", started.sidecar.is_some() != now.sidecar.is_some()),
        ("edge", started.edge.is_some() != now.edge.is_some()),
        ("sidecar.tls", has_tls(started) != has_tls(now)),
    ];
    let switched = switched.into_iter().filter(|(_, switched)| *switched).map(|(section, _)| section);
    let sections: Vec<&str> = AT_START.into_iter().chain(switched).collect();
    let mut waiting = started.outline.changes(&now.outline);
    waiting.retain(|key| sections.iter().any(|section| is_of(key, section)));
    waiting
}

fn has_tls(settings: &Settings) -> bool {
    settings.sidecar.as_ref().is_some_and(|sidecar| sidecar.tls.is_some())
}
