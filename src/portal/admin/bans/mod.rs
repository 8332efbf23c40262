//! Bans: the list, a form that makes one, and the question before one is lifted.

mod call;
mod flow;
mod page;

use std::{net::IpAddr, sync::Arc};

use axum::routing::get;

use self::flow::Wish;
pub(super) use self::page::{ban_link, lift_link};
use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        fault::Fault,
        routes::{Route, route},
    },
    rules::ban::{Ban, Whom},
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
    let (client, by, whom, reason) = (cx.visit.facts.client.ip, &member.user.name, wish.whom, wish.reason);
    let until = wish.lasts.map(|lasts| cx.now().plus(lasts));
    let ban = Ban { whom, reason: reason.clone(), by: by.to_string(), since: cx.now(), until };
    let written = cx.gate().store().ban(ban).await?;
    let news = cx.gate().settled(written).await;
    let until = until.map(crate::clock::Wall::secs);
    tracing::info!(target: "panelgate::audit", event = "banned", %client, %whom, until, news, %by, ?reason);
    Ok(())
}

/// `false` if it was not banned any more.
async fn lift(cx: &Cx, member: &SignedIn, whom: Whom) -> Result<bool, Fault> {
    let written = cx.gate().store().lift_ban(whom).await?;
    let lifted = cx.gate().settled(written).await;
    let (client, by) = (cx.visit.facts.client.ip, &member.user.name);
    if lifted {
        tracing::info!(target: "panelgate::audit", event = "ban-lifted", %client, %whom, %by);
    }
    Ok(lifted)
}

/// Whether a ban would shut out whoever asks.
fn is_own(cx: &Cx, whom: &Whom) -> bool {
    let (client, snapshot) = (cx.visit.facts.client.ip, &cx.visit.snapshot);
    whom.contains(client, &snapshot.places, &snapshot.systems) && !snapshot.spared.contains(client)
}

/// The bans that match, those that count first, of those the youngest. `filter` is an address that they reach, or a part
/// of whom they are for, of who made them or why.
fn all(cx: &Cx, filter: &str) -> Vec<Arc<Ban>> {
    let (snapshot, now) = (&cx.visit.snapshot, cx.now());
    let wanted = filter.trim().to_lowercase();
    let address: Option<IpAddr> = wanted.parse().ok();
    let mut bans = cx.gate().live().records.bans().all();
    bans.retain(|ban| {
        if let Some(ip) = address {
            return ban.whom.contains(ip, &snapshot.places, &snapshot.systems);
        }
        let texts = || [ban.whom.to_string(), ban.by.clone(), ban.reason.clone()];
        wanted.is_empty() || texts().iter().any(|text| text.to_lowercase().contains(&wanted))
    });
    bans.sort_by_key(|ban| (!ban.counts(now), std::cmp::Reverse(ban.since), ban.whom));
    bans
}
