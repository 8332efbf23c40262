//! `/_gate/sign-out`, as a page and as a call.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::{
    portal::{
        body::{self, Form},
        context::Cx,
        cookies::SetCookie,
        csrf::{self, Binding},
        fault::Fault,
        issue,
        pages::{self, Notice},
        problem,
        words::fill,
    },
    rules::{
        judge::View,
        session::{EndReason, Sid},
    },
    store::Which,
};

/// Also what the panel left in this browser: whoever signs in next must not meet it.
const CLEAR: &str = "\"cache\", \"cookies\", \"storage\"";

/// `GET /_gate/sign-out`
pub(crate) async fn show(cx: Cx) -> Response {
    let Some(sid) = named(&cx).await else { return done(&cx) };
    ask(&cx, &sid, StatusCode::OK)
}

/// `POST /_gate/sign-out`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let fields = match Form::read(&cx.headers, body, &["form"]).await {
        Ok(fields) => fields,
        Err(fault) => return fault.page(&cx),
    };
    let Some(sid) = named(&cx).await else { return clear(&cx, done(&cx)) };
    if csrf::check(&cx, Binding::Session(&sid), fields.get("form")).is_err() {
        return ask(&cx, &sid, Fault::StaleForm.status());
    }
    match end(&cx, sid).await {
        Ok(()) => clear(&cx, done(&cx)),
        Err(fault) => fault.page(&cx),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /_gate/api/v1/sign-out`
pub(crate) async fn call(cx: Cx, body: Body) -> Response {
    let ended = match body::json::<Nothing>(&cx.headers, body, "an empty object").await {
        Err(fault) => Err(fault),
        Ok(Nothing {}) => match named(&cx).await {
            Some(sid) => end(&cx, sid).await,
            None => Ok(()),
        },
    };
    match ended {
        Ok(()) => clear(&cx, problem::state("signed-out", json!({}))),
        Err(fault) => fault.document(&cx).into_response(),
    }
}

/// The session that this browser names, alive or not.
async fn named(cx: &Cx) -> Option<Sid> {
    match cx.gate().signed_in(&cx.visit).await {
        Ok(bearer) => Some(bearer.sid),
        Err(_) => issue::claims(cx).map(|claims| claims.sid),
    }
}

async fn end(cx: &Cx, sid: Sid) -> Result<(), Fault> {
    let session = issue::session(cx, &sid).await?;
    let user = session.and_then(|session| cx.gate().live().records.user(&session.user));
    let written = cx.gate().store().end(Which::One(sid), EndReason::SignedOut, cx.now()).await?;
    let ended = cx.gate().settled(written).await;
    let (client, session) = (cx.visit.facts.client.ip, sid.public());
    let user = user.as_ref().map(|user| user.name.as_str());
    tracing::info!(target: "panelgate::audit", event = "signed-out", %client, user, %session, ended);
    Ok(())
}

fn ask(cx: &Cx, sid: &Sid, status: StatusCode) -> Response {
    let records = &cx.gate().live().records;
    let user = records.session(sid).and_then(|session| records.user(&session.user));
    let name = user.as_ref().map_or("", |user| user.name.as_str());
    let page = pages::SignOut {
        frame: cx.frame(),
        form: csrf::token(cx, Binding::Session(sid)),
        text: fill(cx.words.sign_out_text, &[("name", name)]),
    };
    pages::html(status, &page)
}

fn done(cx: &Cx) -> Response {
    let notice = Notice::new(cx.frame(), cx.words.signed_out, cx.words.signed_out_text)
        .action(cx.words.sign_in_again, "/_gate/sign-in");
    pages::html(StatusCode::OK, &notice)
}

fn clear(cx: &Cx, response: Response) -> Response {
    let mut response = issue::set(response, &SetCookie::clear(&cx.site().cookies));
    let name = HeaderName::from_static("clear-site-data");
    response.headers_mut().insert(name, HeaderValue::from_static(CLEAR));
    response
}
