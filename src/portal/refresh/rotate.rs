//! One rotation.

use std::sync::Arc;

use super::flow;
use crate::{
    live::{Class, Renewal},
    portal::{
        context::Cx,
        fault::Fault,
        issue::{self, Issued},
    },
    rules::{
        address::NetworkKey,
        failures::What,
        judge::View,
        reason::Reason,
        session::{EndReason, Presented, Rotation, Session, Sid, Status},
        token::RefreshToken,
    },
};

/// Why there are no new tokens, and what that counts as.
struct Refused(Fault, Renewal);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let renewal = match fault {
            Fault::Throttled(_) => Renewal::Limited,
            Fault::SignedOut(_) => Renewal::Dead,
            Fault::CrossSite
            | Fault::StaleForm
            | Fault::TooLarge
            | Fault::WrongType
            | Fault::BadBody(_)
            | Fault::NotFound
            | Fault::Stopped
            | Fault::Busy
            | Fault::Unavailable
            | Fault::Unaccounted { .. }
            | Fault::WhileActing
            | Fault::StepUp
            | Fault::FactorFirst
            | Fault::NotYours => Renewal::Failed,
        };
        Self(fault, renewal)
    }
}

/// Renews the session of this browser.
pub(super) async fn rotate(cx: &Cx) -> Result<Issued, Fault> {
    let (renewed, renewal) = match renew(cx).await {
        Ok((issued, renewal)) => (Ok(issued), renewal),
        Err(Refused(fault, renewal)) => (Err(fault), renewal),
    };
    cx.gate().live().meters.renewal(renewal).count();
    renewed
}

async fn renew(cx: &Cx) -> Result<(Issued, Renewal), Refused> {
    let network = NetworkKey::of(cx.visit.facts.client.ip);
    cx.gate().live().counters.charge(network, Class::Refresh, cx.visit.moment).map_err(Fault::Throttled)?;
    let invalid = |reason| Refused(Fault::SignedOut(reason), Renewal::Invalid);
    let tokens = presented(cx);
    if tokens.is_empty() {
        return Err(invalid(Reason::NoCredential));
    }
    let access = issue::claims(cx).map(|claims| claims.sid);
    let sid = flow::session_of(&tokens, access).ok_or_else(|| invalid(Reason::ConflictingCredentials))?;
    let session = usable(cx, &sid).await?;
    let minted = |token: &RefreshToken| cx.keys().check_refresh(token, &session.family);
    let token = flow::newest(&tokens, sid, minted).ok_or_else(|| guessed(cx, Reason::BadCredential))?;
    let (generation, renewal) = turn(cx, &session, token.generation).await?;
    Ok((issue::renewed(cx, &session, generation)?, renewal))
}

/// Nobody was ever given such a token, or it was long ago.
fn guessed(cx: &Cx, reason: Reason) -> Refused {
    cx.gate().note_guess(&cx.visit, What::Refresh);
    Refused(Fault::SignedOut(reason), Renewal::Invalid)
}

fn presented(cx: &Cx) -> Vec<RefreshToken> {
    let values = &cx.visit.facts.presented.refresh;
    values.iter().filter_map(|value| RefreshToken::parse(value.expose())).collect()
}

/// The session, if it belongs to this site and its account is enabled. Whether it is alive, the rotation itself says.
async fn usable(cx: &Cx, sid: &Sid) -> Result<Arc<Session>, Refused> {
    let session = issue::session(cx, sid).await?.filter(|session| session.site == cx.site().id);
    let session = session.ok_or_else(|| guessed(cx, Reason::SessionEnded))?;
    match cx.gate().live().records.user(&session.user) {
        Some(user) if !user.disabled => Ok(session),
        Some(_) => Err(Fault::SignedOut(Reason::AccountDisabled).into()),
        None => Err(Fault::SignedOut(Reason::SessionEnded).into()),
    }
}

async fn turn(cx: &Cx, session: &Session, generation: u64) -> Result<(u64, Renewal), Refused> {
    let grace = cx.site().lifetimes.grace;
    let presented = Presented { sid: session.sid, generation, at: cx.now(), grace };
    let written = cx.gate().store().rotate(presented).await.map_err(Fault::from)?;
    let (client, public) = (cx.visit.facts.client.ip, session.sid.public());
    match cx.gate().settled(written).await {
        Some(Rotation::Rotated { generation }) => Ok((generation, Renewal::Rotated)),
        Some(Rotation::Repeated { generation }) => {
            tracing::info!(target: "panelgate::audit", event = "refresh-repeated", %client, session = %public, generation);
            Ok((generation, Renewal::Repeated))
        }
        Some(Rotation::Reused) => {
            tracing::warn!(target: "panelgate::audit", event = "refresh-reused", %client, session = %public, presented = generation);
            Err(Refused(Fault::SignedOut(Reason::SessionEnded), Renewal::Reused))
        }
        Some(Rotation::Dead(status)) => Err(Fault::SignedOut(dead(status)).into()),
        None => Err(Fault::SignedOut(Reason::SessionEnded).into()),
    }
}

fn dead(status: Status) -> Reason {
    match status {
        Status::Ended(EndReason::AccountDisabled) => Reason::AccountDisabled,
        Status::Idle | Status::Expired => Reason::SessionExpired,
        Status::Ended(_) | Status::Alive => Reason::SessionEnded,
    }
}
