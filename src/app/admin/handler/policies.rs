//! The policy in force beside one that is not, and what both say to what was decided.

use std::sync::Arc;

use super::{AdminAnswer, Ground, Handler, Outcome, Refusal, no};
use crate::{
    app::admin::NewPolicy,
    gate::Gate,
    rules::{
        policy::{RuleSet, diff::diff},
        site::Site,
    },
};

impl Handler {
    pub(super) async fn diff_policy(&self, new: NewPolicy) -> Outcome {
        let Ground::Daemon { gate, reloader } = &self.ground else {
            return no("no panelgate is running: compare two files");
        };
        let running = running(gate, new.site.as_deref())?;
        let compiled = match reloader.compile(&new.file, &new.text) {
            Ok(compiled) => compiled,
            Err(problems) => return no(problems.to_string()),
        };
        let version = running.version().to_string();
        let comparing = tokio::task::spawn_blocking(move || diff(&running, &compiled).listing());
        match comparing.await {
            Ok(listing) => Ok(AdminAnswer::Difference { running: version, listing: Box::new(listing) }),
            Err(fault) => no(format!("the policies could not be compared: {fault}")),
        }
    }

    pub(super) async fn settle_journal(&self) -> Outcome {
        if let Ground::Daemon { gate, .. } = &self.ground {
            gate.archive().settle().await;
        }
        Ok(AdminAnswer::Done)
    }
}

/// The policy of a site, or the only one there is.
fn running(gate: &Gate, site: Option<&str>) -> Result<Arc<RuleSet>, Refusal> {
    let snapshot = gate.live().snapshot();
    let sites: Vec<&Site> = snapshot.sites.all().iter().map(AsRef::as_ref).collect();
    Site::choose(&sites, site).map(|site| Arc::clone(&site.policy)).map_err(Refusal::No)
}
