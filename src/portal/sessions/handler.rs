//! `/_gate/api/v1/sessions`: list and revoke, and say whose a sign-in was.

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    change::{answer, end},
    view::{document, living},
};
use crate::{
    gate::SignedIn,
    portal::{body, context::Cx, fault::Fault, guard, problem},
    rules::{
        known,
        session::{EndReason, PublicId},
    },
    store::Which,
};

/// `GET /_gate/api/v1/sessions`
pub(crate) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::member(&cx).await?;
    let living = living(&cx, &member.user.id, &member.sid).await;
    let living = living.map_err(|fault| guard::refuse(&cx, fault))?;
    let sessions: Vec<_> = living.iter().map(|session| document(&cx, session, &member.sid)).collect();
    let unanswered: Vec<_> =
        known::unanswered(&member.user.known).map(|(_, session)| session.0.to_string()).collect();
    Ok(problem::answer(&json!({ "sessions": sessions, "unanswered": unanswered })))
}

/// `DELETE /_gate/api/v1/sessions/{id}`
pub(crate) async fn revoke(cx: Cx, Path(id): Path<String>) -> Response {
    let member = match writer(&cx).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    // Only one's own: somebody else's id is as unknown as one that was never given (R32).
    let living = match living(&cx, &member.user.id, &member.sid).await {
        Ok(living) => living,
        Err(fault) => return fault.document(&cx).into_response(),
    };
    let asked = PublicId(id.as_str().into());
    match living.into_iter().find(|session| session.sid.public() == asked) {
        Some(session) => finish(&cx, &member, &id, Which::One(session.sid)).await,
        None => Fault::NotFound.document(&cx).into_response(),
    }
}

/// `DELETE /_gate/api/v1/sessions?others=true`
pub(crate) async fn revoke_others(cx: Cx) -> Response {
    let member = match writer(&cx).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    if cx.query("others") != Some("true") {
        let fault = Fault::BadBody("say others=true to end every session but this one");
        return fault.document(&cx).into_response();
    }
    finish(&cx, &member, "others", Which::OthersOf(member.user.id, member.sid)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /_gate/api/v1/sessions/{id}/known`: the sign-in that opened it was one's own.
pub(crate) async fn recognise(cx: Cx, Path(id): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let said = match body::json::<Nothing>(&cx.headers, body, "an empty object").await {
        Ok(Nothing {}) => answer(&cx, &member.user, &PublicId(id.into()), true).await,
        Err(fault) => Err(fault),
    };
    Ok(match said {
        Ok(true) => problem::answer(&json!({ "known": true })),
        Ok(false) => Fault::NotFound.document(&cx).into_response(),
        Err(fault) => fault.document(&cx).into_response(),
    })
}

async fn writer(cx: &Cx) -> Result<SignedIn, Response> {
    body::is_json(&cx.headers).map_err(|fault| fault.document(cx).into_response())?;
    guard::own_credentials(cx).await
}

async fn finish(cx: &Cx, member: &SignedIn, id: &str, which: Which) -> Response {
    match end(cx, member, id, Some(which), EndReason::Revoked).await {
        Ok(ended) => problem::answer(&json!({ "revoked": ended })),
        Err(fault) => fault.document(cx).into_response(),
    }
}
