//! One rotation.

use std::sync::Arc;

use super::flow;
use crate::{
    gate::failure_line::What,
    live::Class,
    portal::{
        context::Cx,
        fault::Fault,
        issue::{self, Issued},
    },
    rules::{
        address::NetworkKey,
        judge::View,
        reason::Reason,
        session::{EndReason, Presented, Rotation, Session, Sid, Status},
        token::RefreshToken,
    },
};

/// Renews the session of this browser.
pub(super) async fn rotate(cx: &Cx) -> Result<Issued, Fault> {
    let network = NetworkKey::of(cx.visit.facts.client.ip);
    cx.gate().live().counters.charge(network, Class::Refresh, cx.visit.moment).map_err(Fault::Throttled)?;
    let tokens = presented(cx);
    if tokens.is_empty() {
        return Err(Fault::SignedOut(Reason::NoCredential));
    }
    let access = issue::claims(cx).map(|claims| claims.sid);
    let sid = flow::session_of(&tokens, access).ok_or(Fault::SignedOut(Reason::ConflictingCredentials))?;
    let session = usable(cx, &sid).await?;
    let minted = |token: &RefreshToken| cx.keys().check_refresh(token, &session.family);
    let token = flow::newest(&tokens, sid, minted).ok_or_else(|| guessed(cx, Reason::BadCredential))?;
    let generation = turn(cx, &session, token.generation).await?;
    issue::renewed(cx, &session, generation)
}

/// Nobody was ever given such a token, or it was long ago.
fn guessed(cx: &Cx, reason: Reason) -> Fault {
    cx.gate().note_guess(&cx.visit, What::Refresh);
    Fault::SignedOut(reason)
}

fn presented(cx: &Cx) -> Vec<RefreshToken> {
    let values = &cx.visit.facts.presented.refresh;
    values.iter().filter_map(|value| RefreshToken::parse(value.expose())).collect()
}

/// The session, if it belongs to this site and its account is enabled. Whether it is alive, the rotation itself says.
async fn usable(cx: &Cx, sid: &Sid) -> Result<Arc<Session>, Fault> {
    let session = issue::session(cx, sid).await?.filter(|session| session.site == cx.site().id);
    let session = session.ok_or_else(|| guessed(cx, Reason::SessionEnded))?;
    match cx.gate().live().records.user(&session.user) {
        Some(user) if !user.disabled => Ok(session),
        Some(_) => Err(Fault::SignedOut(Reason::AccountDisabled)),
        None => Err(Fault::SignedOut(Reason::SessionEnded)),
    }
}

async fn turn(cx: &Cx, session: &Session, generation: u64) -> Result<u64, Fault> {
    let grace = cx.site().lifetimes.grace;
    let presented = Presented { sid: session.sid, generation, at: cx.now(), grace };
    let written = cx.gate().store().rotate(presented).await?;
    let (client, public) = (cx.visit.facts.client.ip, session.sid.public());
    match cx.gate().settled(written).await {
        Some(Rotation::Rotated { generation }) => Ok(generation),
        Some(Rotation::Repeated { generation }) => {
            tracing::info!(target: "panelgate::audit", event = "refresh-repeated", %client, session = %public, generation);
            Ok(generation)
        }
        Some(Rotation::Reused) => {
            tracing::warn!(target: "panelgate::audit", event = "refresh-reused", %client, session = %public, presented = generation);
            Err(Fault::SignedOut(Reason::SessionEnded))
        }
        Some(Rotation::Dead(status)) => Err(Fault::SignedOut(dead(status))),
        None => Err(Fault::SignedOut(Reason::SessionEnded)),
    }
}

fn dead(status: Status) -> Reason {
    match status {
        Status::Ended(EndReason::AccountDisabled) => Reason::AccountDisabled,
        Status::Idle | Status::Expired => Reason::SessionExpired,
        Status::Ended(_) | Status::Alive => Reason::SessionEnded,
    }
}
