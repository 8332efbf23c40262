//! `/_gate/api/v1/sessions`: list and revoke.

use std::sync::Arc;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    gate::SignedIn,
    portal::{body, context::Cx, fault::Fault, problem, refusal},
    rules::session::{EndReason, PublicId, Session, Status, status},
    store::Which,
};

/// `GET /_gate/api/v1/sessions`
pub(crate) async fn list(cx: Cx) -> Response {
    let bearer = match cx.gate().signed_in(&cx.visit).await {
        Ok(bearer) => bearer,
        Err(reason) => return refusal::signed_out_document(&cx, reason),
    };
    let mut sessions = living(&cx, &bearer);
    sessions.sort_by_key(|session| session.sid != bearer.sid);
    let sessions: Vec<_> = sessions.iter().map(|session| describe(&cx, &bearer, session)).collect();
    problem::answer(&json!({ "sessions": sessions }))
}

/// `DELETE /_gate/api/v1/sessions/{id}`
pub(crate) async fn revoke(cx: Cx, Path(id): Path<String>) -> Response {
    let bearer = match writer(&cx).await {
        Ok(bearer) => bearer,
        Err(response) => return response,
    };
    // Only one's own: somebody else's id is as unknown as one that was never given (R32).
    let found =
        living(&cx, &bearer).into_iter().find(|session| session.sid.public() == PublicId(id.as_str().into()));
    match found {
        Some(session) => end(&cx, Which::One(session.sid)).await,
        None => Fault::NotFound.document(cx.words, cx.now()).into_response(),
    }
}

/// `DELETE /_gate/api/v1/sessions?others=true`
pub(crate) async fn revoke_others(cx: Cx) -> Response {
    let bearer = match writer(&cx).await {
        Ok(bearer) => bearer,
        Err(response) => return response,
    };
    if cx.query("others") != Some("true") {
        let fault = Fault::BadBody("say others=true to end every session but this one");
        return fault.document(cx.words, cx.now()).into_response();
    }
    end(&cx, Which::OthersOf(bearer.user.id, bearer.sid)).await
}

async fn writer(cx: &Cx) -> Result<SignedIn, Response> {
    body::is_json(&cx.headers).map_err(|fault| fault.document(cx.words, cx.now()).into_response())?;
    cx.gate().signed_in(&cx.visit).await.map_err(|reason| refusal::signed_out_document(cx, reason))
}

async fn end(cx: &Cx, which: Which) -> Response {
    let written = match cx.gate().store().end(which, EndReason::Revoked, cx.now()).await {
        Ok(written) => written,
        Err(error) => return Fault::from(error).document(cx.words, cx.now()).into_response(),
    };
    let ended = cx.gate().settled(written).await;
    let client = cx.visit.facts.client.ip;
    tracing::info!(target: "panelgate::audit", event = "sessions-revoked", %client, ended);
    problem::answer(&json!({ "revoked": ended }))
}

fn living(cx: &Cx, bearer: &SignedIn) -> Vec<Arc<Session>> {
    let records = &cx.gate().live().records;
    let alive =
        |session: &Arc<Session>| status(session, records.last_seen(session), cx.now()) == Status::Alive;
    records.sessions_of(&bearer.user.id).into_iter().filter(alive).collect()
}

fn describe(cx: &Cx, bearer: &SignedIn, session: &Session) -> Value {
    let seen = cx.gate().live().records.last_seen(session);
    json!({
        "id": &*session.sid.public().0,
        "current": session.sid == bearer.sid,
        "site": &*session.site,
        "device": session.device,
        "address": session.address.to_string(),
        "opened": session.opened.secs(),
        "seen": seen.secs(),
        "expires": session.expires.secs(),
    })
}
