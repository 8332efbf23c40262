//! What pages and calls have in common: whom a key belongs to, and the two things that are done with one.

use super::flow::{self, Offer, Plan};
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{context::Cx, fault::Fault},
    rules::{
        api_key::{ApiKey, KeyText},
        session::PublicId,
    },
};

/// The keys of an account, newest first.
pub(super) fn keys(cx: &Cx, member: &SignedIn) -> Vec<ApiKey> {
    cx.gate().live().records.keys_of(&member.user.id)
}

/// The key of this account with this public id. Somebody else's is as unknown as one that never was.
pub(super) fn key(cx: &Cx, member: &SignedIn, id: &str) -> Option<ApiKey> {
    let wanted = PublicId(id.into());
    keys(cx, member).into_iter().find(|key| key.id.public() == wanted)
}

/// The names that the account's keys have.
pub(super) fn names(cx: &Cx, member: &SignedIn) -> Vec<String> {
    keys(cx, member).into_iter().map(|key| key.name).collect()
}

/// What the account can give to a key here.
pub(super) fn offers(cx: &Cx, member: &SignedIn) -> Vec<Offer> {
    flow::offers(&cx.site().policy, &member.role)
}

/// What has to be done before a key that opens more than its owner has at once.
pub(super) fn missing(member: &SignedIn, plan: &Plan) -> Option<Fault> {
    match () {
        () if !plan.beyond => None,
        () if member.user.totp.is_none() => Some(Fault::FactorFirst),
        () if member.elevated_until.is_none() => Some(Fault::StepUp),
        () => None,
    }
}

/// Makes a key; `None` if the account has as many as it can. The text is in the answer and nowhere else.
pub(super) async fn make(cx: &Cx, member: &SignedIn, plan: Plan) -> Result<Option<(KeyText, ApiKey)>, Fault> {
    let text = KeyText::generate(cx.gate().entropy().array());
    let key = ApiKey {
        id: text.id(),
        user: member.user.id,
        site: cx.site().id.clone(),
        name: plan.name,
        scopes: plan.scopes,
        created: cx.now(),
        expires: plan.expires,
        used: None,
    };
    let written = cx.gate().store().add_key(key.clone()).await?;
    if !cx.gate().settled(written).await {
        return Ok(None);
    }
    audit("api-key-made", cx, member, &key);
    Ok(Some((text, key)))
}

/// Deletes a key: its next request is refused.
pub(super) async fn delete(cx: &Cx, member: &SignedIn, key: &ApiKey) -> Result<bool, Fault> {
    let written = cx.gate().store().remove_key(member.user.id, key.id).await?;
    let removed = cx.gate().settled(written).await;
    if removed {
        audit("api-key-deleted", cx, member, key);
    }
    Ok(removed)
}

fn audit(event: &'static str, cx: &Cx, member: &SignedIn, key: &ApiKey) {
    let (user, client, site) = (&member.user.name, cx.visit.facts.client.ip, &*key.site);
    let (id, session, scopes) = (key.id.public(), &member.public, key.scopes.join(" "));
    let expires = key.expires.map(Wall::secs);
    // The name is the user's own text, so it comes last (R29).
    tracing::info!(
        target: "panelgate::audit", event, %user, %client, site, %session, key = %id, scopes, expires, name = ?key.name
    );
}
