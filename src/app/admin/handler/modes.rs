//! High Security Mode on the command line.

use super::{Handler, Outcome};
use crate::{app::admin::AdminAnswer, rules::identity::UserName, store::UserChange};

impl Handler {
    /// Asks, or switches and then says how it is.
    pub(super) async fn high_security(&self, name: Option<&UserName>, on: Option<bool>, by: u32) -> Outcome {
        match (name, on) {
            (Some(name), Some(on)) => {
                let account = self.user(name).await?;
                let change = UserChange { high_security: Some(on), ..UserChange::default() };
                self.settled(self.store.change_user(account.id, change, self.clock.wall()).await?).await;
                tracing::info!(target: "panelgate::audit", event = "high-security", on, user = %name, by);
            }
            (None, Some(on)) => {
                self.settled(self.store.set_high_security(on).await?).await;
                tracing::info!(target: "panelgate::audit", event = "high-security", on, by);
            }
            (_, None) => {}
        }
        let account = match name {
            Some(name) => Some(self.user(name).await?.high_security),
            None => None,
        };
        let installation = self.store.rest().await?.high_security != Some(false);
        Ok(AdminAnswer::Mode { installation, account })
    }
}
