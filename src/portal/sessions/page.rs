//! `/_gate/account/sessions`: where the account is signed in, and ending that.

use std::sync::Arc;

use axum::{body::Body, extract::Path, response::Response};
use http::StatusCode;

use super::{
    change::{answer, end},
    view::{SessionRow, is_living, living},
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Confirm, Fact, Tab},
        words::fill,
    },
    rules::{
        known,
        session::{EndReason, PublicId, Session},
    },
    store::Which,
};

/// Where the list is.
pub(crate) const LIST: &str = "/_gate/account/sessions";

/// `GET /_gate/account/sessions`
pub(crate) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::member(&cx).await?;
    let devices = &cx.words.devices;
    let done = match cx.query("done") {
        Some("revoked") => Some(devices.revoked),
        Some("others") => Some(devices.others_revoked),
        Some("known") => Some(devices.news_known),
        Some(_) | None => None,
    };
    let sessions = living(&cx, &member.user.id, &member.sid).await;
    let sessions = sessions.map_err(|fault| guard::refuse(&cx, fault))?;
    let page = pages::SignedInAt {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Sessions),
        done,
        list: LIST,
        sessions: sessions.iter().map(|session| SessionRow::new(&cx, session, &member.sid)).collect(),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/account/sessions/{id}/revoke`
pub(crate) async fn ask(cx: Cx, Path(id): Path<String>) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    Ok(match asked(&cx, &member, &id).await {
        Ok(session) => confirm(&cx, &member, &id, session.as_deref(), StatusCode::OK),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `POST /_gate/account/sessions/{id}/revoke`
pub(crate) async fn revoke(cx: Cx, Path(id): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let sent = form(&cx, &member, body).await;
    if let Err(fault) = sent
        && fault != Fault::StaleForm
    {
        return Ok(guard::refuse(&cx, fault));
    }
    let session = match asked(&cx, &member, &id).await {
        Ok(session) => session,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    if let Err(stale) = sent {
        return Ok(confirm(&cx, &member, &id, session.as_deref(), stale.status()));
    }
    let which = session.as_ref().map(|session| Which::One(session.sid));
    Ok(match end(&cx, &member, &id, which, EndReason::Revoked).await {
        Ok(_) if session.is_some_and(|session| session.sid == member.sid) => {
            pages::see_other("/_gate/sign-in")
        }
        Ok(_) => pages::see_other(&format!("{LIST}?done=revoked")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `GET /_gate/account/sessions/others`
pub(crate) async fn ask_others(cx: Cx) -> Response {
    match guard::own_credentials(&cx).await {
        Ok(member) => confirm_others(&cx, &member, StatusCode::OK).await,
        Err(response) => response,
    }
}

/// `POST /_gate/account/sessions/others`
pub(crate) async fn revoke_others(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    match form(&cx, &member, body).await {
        Ok(()) => {}
        Err(fault @ Fault::StaleForm) => return Ok(confirm_others(&cx, &member, fault.status()).await),
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    }
    let which = Which::OthersOf(member.user.id, member.sid);
    Ok(match end(&cx, &member, "others", Some(which), EndReason::Revoked).await {
        Ok(_) => pages::see_other(&format!("{LIST}?done=others")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `POST /_gate/account/sessions/{id}/known`: "it was me".
pub(crate) async fn recognise(cx: Cx, Path(id): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let said = match form(&cx, &member, body).await {
        Ok(()) => answer(&cx, &member.user, &PublicId(id.into()), true).await,
        Err(fault) => Err(fault),
    };
    Ok(match said {
        Ok(_) => pages::see_other(&format!("{LIST}?done=known")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// The session that is to end: one of this account that can be used, or one that its owner was asked about. Somebody
/// else's id is as unknown as one that was never given (R32).
async fn asked(cx: &Cx, member: &SignedIn, id: &str) -> Result<Option<Arc<Session>>, Fault> {
    let public = PublicId(id.into());
    let session = cx.whole().await?.session_by_public(&public);
    let session = session.filter(|session| session.user == member.user.id);
    let living = session.as_ref().is_some_and(|session| is_living(cx, session));
    let in_question = known::unanswered(&member.user.known).any(|(_, asked)| *asked == public);
    if living || in_question { Ok(session) } else { Err(Fault::NotFound) }
}

async fn form(cx: &Cx, member: &SignedIn, body: Body) -> Result<(), Fault> {
    let fields = Form::read(&cx.headers, body, &["form"]).await?;
    csrf::check(cx, Binding::Session(&member.sid), fields.get("form"))
}

fn confirm(cx: &Cx, member: &SignedIn, id: &str, session: Option<&Session>, status: StatusCode) -> Response {
    let devices = &cx.words.devices;
    let facts = match session {
        Some(session) => SessionRow::new(cx, session, &member.sid).facts(cx.words),
        None => facts_of_news(cx, member, id),
    };
    let own = session.is_some_and(|session| session.sid == member.sid);
    let page = Confirm {
        title: devices.revoke_title.to_owned(),
        text: devices.revoke_text.to_owned(),
        facts,
        effects: vec![devices.revoke_effect.to_owned()],
        warning: own.then(|| devices.revoke_own.to_owned()),
        error: stale(cx, status),
        action: format!("{LIST}/{id}/revoke"),
        button: devices.revoke,
        ..Confirm::new(cx, member, Tab::Sessions, LIST, devices.keep)
    };
    pages::html(status, &page)
}

/// What is left of a session whose record is gone.
fn facts_of_news(cx: &Cx, member: &SignedIn, id: &str) -> Vec<Fact> {
    let devices = &cx.words.devices;
    let found = known::unanswered(&member.user.known).find(|(_, asked)| *asked.0 == *id);
    let Some((one, _)) = found else { return Vec::new() };
    let mut facts =
        vec![Fact { label: devices.device, value: crate::portal::device::shown(cx.words, &one.device) }];
    if !one.country.is_empty() {
        facts.push(Fact { label: devices.place, value: one.country.clone() });
    }
    facts.push(Fact { label: devices.opened, value: pages::date_and_time(one.first) });
    facts
}

async fn confirm_others(cx: &Cx, member: &SignedIn, status: StatusCode) -> Response {
    let devices = &cx.words.devices;
    let living = match living(cx, &member.user.id, &member.sid).await {
        Ok(living) => living,
        Err(fault) => return guard::refuse(cx, fault),
    };
    let others: Vec<_> = living
        .iter()
        .filter(|session| session.sid != member.sid)
        .map(|session| SessionRow::new(cx, session, &member.sid))
        .collect();
    let text = match others.len() {
        0 => devices.alone.to_owned(),
        1 => devices.other_text.to_owned(),
        n => fill(devices.others_text, &[("n", &n.to_string())]),
    };
    let page = Confirm {
        title: devices.others_title.to_owned(),
        text,
        effects: if others.is_empty() { Vec::new() } else { vec![devices.others_effect.to_owned()] },
        error: stale(cx, status),
        // Nothing to do leaves only the way back.
        action: if others.is_empty() { String::new() } else { format!("{LIST}/others") },
        sessions: others,
        button: devices.others,
        ..Confirm::new(cx, member, Tab::Sessions, LIST, devices.keep)
    };
    pages::html(status, &page)
}

fn stale(cx: &Cx, status: StatusCode) -> Option<String> {
    (status != StatusCode::OK).then(|| cx.words.stale_form.to_owned())
}
