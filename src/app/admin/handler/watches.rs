//! Following the requests of `panelgate doctor`.

use super::{Ground, Handler, Outcome, no};
use crate::{app::admin::AdminAnswer, gate::journal::watch::Seen};

const NO_DAEMON: &str = "no panelgate runs here, so nothing can be followed: start it first";

impl Handler {
    pub(super) fn watch(&self, marker: &str, by: u32) -> Outcome {
        let Ground::Daemon { gate, .. } = &self.ground else { return no(NO_DAEMON) };
        if let Err(why) = gate.watches().open(marker, self.clock.wall()) {
            return no(why);
        }
        tracing::info!(target: "panelgate::audit", event = "doctor", marker, by);
        Ok(AdminAnswer::Done)
    }

    pub(super) fn watched(&self, marker: &str) -> Outcome {
        let Ground::Daemon { gate, .. } = &self.ground else { return no(NO_DAEMON) };
        match gate.watches().close(marker) {
            Some(Seen { sightings, lost_marked, lost_unread, .. }) => {
                Ok(AdminAnswer::Sightings { sightings, lost_marked, lost_unread })
            }
            None => no("there is no such watch; it ends by itself after five minutes"),
        }
    }
}
