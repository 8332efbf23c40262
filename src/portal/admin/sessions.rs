//! `/_gate/admin/sessions`: where everybody is signed in.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{
    paging::Paged,
    who::{account, accounts},
};
use crate::{
    gate::SignedIn,
    portal::{
        body::{self, Form},
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, AdminSessions, Confirm, Tab},
        problem,
        sessions::{SessionRow, document, is_living},
    },
    rules::{
        identity::{User, UserId},
        judge::View,
        session::{EndReason, PublicId, Session},
    },
    store::Which,
};

const LIST: &str = "/_gate/admin/sessions";

/// `GET /_gate/admin/sessions?user=&page=`
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filter = cx.query("user").unwrap_or_default().to_owned();
    let living = living(&cx, &member, &filter).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let paged = Paged::new(&cx, living, LIST, ("user", &filter));
    let row = |(user, session): &(Arc<User>, Arc<Session>)| {
        SessionRow::new(&cx, session, &member.sid).of(user.name.as_str())
    };
    let page = AdminSessions {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::AllSessions),
        done: (cx.query("done") == Some("revoked")).then_some(cx.words.devices.revoked),
        sessions: paged.items.iter().map(row).collect(),
        list: LIST,
        filter,
        pager: paged.into(),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/admin/sessions/{id}/revoke`
pub(super) async fn ask(cx: Cx, Path(id): Path<String>) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    Ok(match found(&cx, &member, &id).await {
        Ok((user, session)) => confirm(&cx, &member, &user, &session, StatusCode::OK),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `POST /_gate/admin/sessions/{id}/revoke`
pub(super) async fn revoke(cx: Cx, Path(id): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let fields = Form::read(&cx.headers, body, &["form"]).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let (user, session) = match found(&cx, &member, &id).await {
        Ok(found) => found,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(confirm(&cx, &member, &user, &session, fault.status()));
    }
    Ok(match end(&cx, &member, &user, &session).await {
        Ok(_) => pages::see_other(&format!("{LIST}?done=revoked")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `GET /_gate/api/v1/admin/sessions?user=&page=`
pub(super) async fn call_list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filter = cx.query("user").unwrap_or_default().to_owned();
    let living = living(&cx, &member, &filter).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let paged = Paged::new(&cx, living, LIST, ("user", &filter));
    let describe = |(user, session): &(Arc<User>, Arc<Session>)| {
        let mut document = document(&cx, session, &member.sid);
        if let Some(members) = document.as_object_mut() {
            members.insert("user".into(), user.name.as_str().into());
        }
        document
    };
    let sessions: Vec<_> = paged.items.iter().map(describe).collect();
    let (page, pages, total) = (paged.page, paged.pages, paged.total);
    Ok(problem::answer(&json!({ "sessions": sessions, "page": page, "pages": pages, "total": total })))
}

/// `DELETE /_gate/api/v1/admin/sessions/{id}`
pub(super) async fn call_revoke(cx: Cx, Path(id): Path<String>) -> Result<Response, Response> {
    if let Err(fault) = body::is_json(&cx.headers) {
        return Ok(guard::refuse(&cx, fault));
    }
    let member = guard::administrator(&cx).await?;
    let (user, session) = match found(&cx, &member, &id).await {
        Ok(found) => found,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    Ok(match end(&cx, &member, &user, &session).await {
        Ok(ended) => problem::answer(&json!({ "revoked": ended })).into_response(),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// The sessions that can be used now, of the accounts that are seen and match, the last used first.
async fn living(cx: &Cx, member: &SignedIn, filter: &str) -> Result<Vec<(Arc<User>, Arc<Session>)>, Fault> {
    let whole = cx.whole().await?;
    let users: std::collections::HashMap<UserId, Arc<User>> =
        accounts(cx, member, filter).into_iter().map(|user| (user.id, user)).collect();
    let mut sessions: Vec<_> = whole
        .sessions()
        .into_iter()
        .filter(|session| is_living(cx, session))
        .filter_map(|session| Some((Arc::clone(users.get(&session.user)?), session)))
        .collect();
    sessions.sort_by_key(|(_, session)| std::cmp::Reverse(whole.records().last_seen(session)));
    Ok(sessions)
}

async fn found(cx: &Cx, member: &SignedIn, id: &str) -> Result<(Arc<User>, Arc<Session>), Fault> {
    let whole = cx.whole().await?;
    let session = whole.session_by_public(&PublicId(id.into())).filter(|session| is_living(cx, session));
    let owner = session.and_then(|session| Some((whole.records().user(&session.user)?, session)));
    let (user, session) = owner.ok_or(Fault::NotFound)?;
    let user = account(cx, member, user.name.as_str())?;
    Ok((user, session))
}

async fn end(cx: &Cx, member: &SignedIn, user: &User, session: &Session) -> Result<usize, Fault> {
    let written = cx.gate().store().end(Which::One(session.sid), EndReason::Revoked, cx.now()).await?;
    let ended = cx.gate().settled(written).await;
    let (client, by, public) = (cx.visit.facts.client.ip, &member.user.name, session.sid.public());
    tracing::info!(target: "panelgate::audit", event = "sessions-revoked", %client, user = %user.name, %by, what = %public, ended);
    Ok(ended)
}

fn confirm(cx: &Cx, member: &SignedIn, user: &User, session: &Session, status: StatusCode) -> Response {
    let devices = &cx.words.devices;
    let row = SessionRow::new(cx, session, &member.sid).of(user.name.as_str());
    let page = Confirm {
        title: devices.revoke_title.to_owned(),
        text: devices.revoke_text.to_owned(),
        warning: row.current.then(|| devices.revoke_own.to_owned()),
        facts: row.facts(cx.words),
        effects: vec![devices.revoke_effect.to_owned()],
        error: (status != StatusCode::OK).then(|| cx.words.stale_form.to_owned()),
        action: format!("{LIST}/{}/revoke", session.sid.public()),
        button: devices.revoke,
        ..Confirm::new(cx, member, Tab::AllSessions, LIST, devices.keep)
    };
    pages::html(status, &page)
}
