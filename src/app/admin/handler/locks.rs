//! Locks after wrong passwords and codes, on the command line.

use std::{collections::HashMap, sync::Arc};

use super::{Ground, Handler, Outcome, Refusal, no};
use crate::{
    app::admin::AdminAnswer,
    rules::{
        failures::{Account, Kind, Lockout, Subject},
        identity::UserName,
    },
};

impl Handler {
    pub(super) async fn unlock(&self, name: &UserName, by: u32) -> Outcome {
        let account = self.user(name).await?;
        let written = self.store.forgive(account.id, vec![Kind::Password, Kind::Factor]).await?;
        if !self.settled(written).await {
            return no(format!("`{name}` is not locked: no wrong password or code is counted"));
        }
        tracing::info!(target: "panelgate::audit", event = "unlocked", user = %name, by);
        Ok(AdminAnswer::Done)
    }

    pub(super) async fn failures(&self) -> Result<HashMap<Subject, Account>, Refusal> {
        Ok(self.store.rest().await?.failures.into_iter().collect())
    }

    pub(super) fn lockout(&self) -> Arc<Lockout> {
        match &self.ground {
            Ground::Daemon { gate, .. } => Arc::clone(&gate.live().snapshot().lockout),
            Ground::Alone { lockout, .. } => Arc::clone(lockout),
        }
    }
}
