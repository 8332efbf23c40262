//! Ending sessions, and answering whether a sign-in was one's own. The same for pages and calls.

use crate::{
    gate::SignedIn,
    portal::{context::Cx, fault::Fault},
    rules::{
        identity::User,
        known,
        session::{EndReason, PublicId},
    },
    store::{UserChange, Which},
};

/// Ends sessions of an account at its owner's wish; how many were alive. `id` is what the owner pointed at: if it was
/// asked about, it was not theirs.
pub(super) async fn end(
    cx: &Cx,
    member: &SignedIn,
    id: &str,
    which: Option<Which>,
    why: EndReason,
) -> Result<usize, Fault> {
    let ended = match which {
        Some(which) => {
            let written = cx.gate().store().end(which, why, cx.now()).await?;
            cx.gate().settled(written).await
        }
        None => 0,
    };
    let (client, user) = (cx.visit.facts.client.ip, &member.user.name);
    tracing::info!(target: "panelgate::audit", event = "sessions-revoked", %client, %user, by = %user, session = %member.public, what = id, ended);
    answer(cx, &member.user, &PublicId(id.into()), false).await?;
    Ok(ended)
}

/// Notes what the owner says about the sign-in that opened a session; `false` if nobody asked.
pub(super) async fn answer(cx: &Cx, user: &User, session: &PublicId, mine: bool) -> Result<bool, Fault> {
    let Some(known) = known::answered(&user.known, session, mine) else { return Ok(false) };
    let change = UserChange { known: Some(known), ..UserChange::default() };
    let written = cx.gate().store().change_user(user.id, change, cx.now()).await?;
    cx.gate().settled(written).await;
    let (client, event) =
        (cx.visit.facts.client.ip, if mine { "sign-in-recognised" } else { "sign-in-disowned" });
    tracing::info!(target: "panelgate::audit", event, %client, user = %user.name, %session);
    Ok(true)
}
