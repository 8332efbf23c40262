//! Bans: the list, a form that makes one, and the question before one is lifted.

mod call;
mod flow;
mod page;

use axum::routing::get;
use ipnet::IpNet;

use self::flow::Wish;
use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        fault::Fault,
        routes::{Route, route},
    },
    rules::ban::Ban,
};

/// As pages and as calls.
pub(super) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route("/_gate/admin/bans", forms, get(page::list).post(page::add)),
        route("/_gate/admin/bans/lift", forms, get(page::ask).post(page::lift)),
        route(
            "/_gate/api/v1/admin/bans",
            &["GET", "POST", "DELETE"],
            get(call::list).post(call::add).delete(call::lift),
        ),
    ]
}

async fn ban(cx: &Cx, member: &SignedIn, wish: Wish) -> Result<(), Fault> {
    let (client, by, network, reason) =
        (cx.visit.facts.client.ip, &member.user.name, wish.network, wish.reason);
    let until = wish.lasts.map(|lasts| cx.now().plus(lasts));
    let ban = Ban { network, reason: reason.clone(), by: by.to_string(), since: cx.now(), until };
    let written = cx.gate().store().ban(ban).await?;
    let news = cx.gate().settled(written).await;
    let until = until.map(crate::clock::Wall::secs);
    tracing::info!(target: "panelgate::audit", event = "banned", %client, %network, until, news, %by, ?reason);
    Ok(())
}

/// `false` if it was not banned any more.
async fn lift(cx: &Cx, member: &SignedIn, network: IpNet) -> Result<bool, Fault> {
    let written = cx.gate().store().lift_ban(network).await?;
    let lifted = cx.gate().settled(written).await;
    let (client, by) = (cx.visit.facts.client.ip, &member.user.name);
    if lifted {
        tracing::info!(target: "panelgate::audit", event = "ban-lifted", %client, %network, %by);
    }
    Ok(lifted)
}
