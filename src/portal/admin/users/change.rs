//! Doing something to an account. The same for pages and calls.

use crate::{
    gate::SignedIn,
    portal::{
        admin::{
            flow::{Act, No},
            who::{administrator, other_policies},
        },
        context::Cx,
        fault::Fault,
        words::Words,
    },
    rules::{failures::Kind, identity::User, session::EndReason},
    store::{UserChange, Which},
};

/// Why nothing was done.
pub(super) enum Undone {
    No(No),
    Fault(Fault),
}

impl<T: Into<Fault>> From<T> for Undone {
    fn from(fault: T) -> Self {
        Self::Fault(fault.into())
    }
}

/// Does it, if this administrator may. The account is one that is seen.
pub(super) async fn carry_out(cx: &Cx, member: &SignedIn, user: &User, act: &Act) -> Result<(), Undone> {
    let allowed = {
        let others = other_policies(cx);
        administrator(cx, member, &others).may(user, act)
    };
    allowed.map_err(Undone::No)?;
    let change = match act {
        Act::Disable => UserChange { disabled: Some(true), ..UserChange::default() },
        Act::Enable => UserChange { disabled: Some(false), ..UserChange::default() },
        Act::RemoveFactor => UserChange { totp: Some(None), ..UserChange::default() },
        Act::Role(role) => UserChange { role: Some(role.clone()), ..UserChange::default() },
        Act::SignOut => return sign_out(cx, member, user).await,
        Act::Unlock => return unlock(cx, member, user).await,
    };
    let written = cx.gate().store().change_user(user.id, change, cx.now()).await?;
    if !cx.gate().settled(written).await {
        return Err(Undone::Fault(Fault::NotFound));
    }
    let (client, name, by) = (cx.visit.facts.client.ip, &user.name, &member.user.name);
    let (event, role) = (event(act), if let Act::Role(role) = act { role } else { &user.role });
    let before = matches!(act, Act::Role(_)).then(|| user.role.to_string());
    tracing::info!(
        target: "panelgate::audit", event, %client, user = %name, before, %role, %by, session = %member.public
    );
    Ok(())
}

async fn sign_out(cx: &Cx, member: &SignedIn, user: &User) -> Result<(), Undone> {
    let written = cx.gate().store().end(Which::AllOf(user.id), EndReason::Revoked, cx.now()).await?;
    let ended = cx.gate().settled(written).await;
    let (client, name, by) = (cx.visit.facts.client.ip, &user.name, &member.user.name);
    tracing::info!(target: "panelgate::audit", event = "sessions-revoked", %client, user = %name, %by, what = "all", ended);
    Ok(())
}

async fn unlock(cx: &Cx, member: &SignedIn, user: &User) -> Result<(), Undone> {
    let written = cx.gate().store().forgive(user.id, vec![Kind::Password, Kind::Factor]).await?;
    if !cx.gate().settled(written).await {
        return Err(Undone::No(No::Nothing));
    }
    let (client, name, by) = (cx.visit.facts.client.ip, &user.name, &member.user.name);
    tracing::info!(target: "panelgate::audit", event = event(&Act::Unlock), %client, user = %name, %by, session = %member.public);
    Ok(())
}

fn event(act: &Act) -> &'static str {
    match act {
        Act::Disable => "user-disabled",
        Act::Enable => "user-enabled",
        Act::RemoveFactor => "second-factor-removed",
        Act::SignOut => "sessions-revoked",
        Act::Unlock => "unlocked",
        Act::Role(_) => "role-set",
    }
}

/// Why not, for people.
pub(super) fn text(words: &Words, no: No) -> &'static str {
    match no {
        No::Oneself => words.admin.oneself,
        No::RoleTooHigh => words.admin.role_too_high,
        No::Nothing => words.admin.nothing,
    }
}
