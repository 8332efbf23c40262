//! High Security Mode: the switch of the mightiest role, for the installation and for single accounts, with what it
//! changes on each protected page.

mod call;
mod flow;
mod page;

use axum::routing::get;

use self::flow::Switch;
use super::routes::{Route, route};
use crate::{
    gate::SignedIn,
    portal::{context::Cx, fault::Fault},
    store::UserChange,
};

/// What this feature answers to.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("/_gate/admin/high-security", &["GET", "POST"], get(page::show).post(page::post)),
        route("/_gate/api/v1/admin/high-security", &["GET", "PUT"], get(call::show).put(call::put)),
    ]
}

/// Switches; `false` if the account has gone meanwhile.
async fn switch(cx: &Cx, member: &SignedIn, switch: &Switch) -> Result<bool, Fault> {
    let store = cx.gate().store();
    let (client, by, on) = (cx.visit.facts.client.ip, &member.user.name, switch.on);
    let done = match &switch.user {
        None => {
            let written = store.set_high_security(on).await?;
            cx.gate().settled(written).await;
            true
        }
        Some(user) => {
            let change = UserChange { high_security: Some(on), ..UserChange::default() };
            let written = store.change_user(user.id, change, cx.now()).await?;
            cx.gate().settled(written).await
        }
    };
    let user = switch.user.as_ref().map_or("", |user| user.name.as_str());
    tracing::info!(target: "panelgate::audit", event = "high-security", %by, on, user, done, %client);
    Ok(done)
}
