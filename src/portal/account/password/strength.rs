//! `POST /_gate/api/v1/password/strength`: the server's verdict, for the meter.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use serde::Deserialize;
use serde_json::Value;

use super::{super::refused::Refused, words};
use crate::{
    gate::SignedIn,
    portal::{body, context::Cx, fault::Fault, guard, problem},
    rules::factor::strength::{Verdict, weigh},
    secret::SecretText,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    password: SecretText,
}

/// `POST /_gate/api/v1/password/strength`. Counted like any call: it takes milliseconds, and people type.
pub(crate) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    Ok(match judge(&cx, &me, body).await {
        Ok(verdict) => problem::answer(&Value::Object(
            words::describe(&cx.words.account, &verdict).into_iter().collect(),
        )),
        Err(fault) => Refused::from(fault).document(&cx),
    })
}

async fn judge(cx: &Cx, me: &SignedIn, body: Body) -> Result<Verdict, Fault> {
    let wanted: Wanted = body::json(&cx.headers, body, "an object with password, a string").await?;
    verdict(cx, me, &wanted.password).await
}

/// The one verdict on a new password of this account.
pub(super) async fn verdict(cx: &Cx, me: &SignedIn, password: &SecretText) -> Result<Verdict, Fault> {
    let (user, site, password) = (Arc::clone(&me.user), Arc::clone(&cx.visit.site), password.clone());
    let work = move || weigh(&password, &site.passwords, &user, &site.title);
    cx.portal.hasher.run(work).await?.ok_or(Fault::Unavailable)
}
