//! `/_gate/acting/end`, as a page and as a call: ends an impersonation, or leaves one that is over.

use askama::Template;
use axum::{body::Body, response::Response};
use http::StatusCode;
use serde_json::json;

use super::begin::another_person;
use crate::{
    gate::SignedIn,
    portal::{
        body::{self, Form},
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, Frame, Notice},
        problem,
        redirect::Return,
        words::fill,
    },
    rules::{
        judge::{Over, View},
        session::{Impersonation, SessionChange},
    },
};

#[derive(Template)]
#[template(path = "portal/pages/acting_end.html")]
struct Page {
    frame: Frame,
    form: String,
    rd: String,
    title: String,
    texts: Vec<String>,
    button: &'static str,
}

/// `GET /_gate/acting/end`
pub(super) async fn show(cx: Cx) -> Response {
    let member = match leaver(&cx).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    let back = Return::new(cx.query("rd"), cx.site());
    match &member.session.impersonation {
        Some(impersonation) => ask(&cx, &member, impersonation, &back),
        None => nobody(&cx, &member, &back),
    }
}

/// `POST /_gate/acting/end`
pub(super) async fn post(cx: Cx, body: Body) -> Response {
    let member = match leaver(&cx).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    let fields = match Form::read(&cx.headers, body, &["form", "rd"]).await {
        Ok(fields) => fields,
        Err(fault) => return guard::refuse(&cx, fault),
    };
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return guard::refuse(&cx, fault);
    }
    let back = Return::new(Some(fields.get("rd")), cx.site());
    match end(&cx, &member).await {
        Ok(()) => another_person(pages::see_other(back.as_str())),
        Err(fault) => guard::refuse(&cx, fault),
    }
}

/// `DELETE /_gate/api/v1/impersonation`
pub(super) async fn call(cx: Cx) -> Response {
    let member = match leaver(&cx).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    if let Err(fault) = body::is_json(&cx.headers) {
        return guard::refuse(&cx, fault);
    }
    match end(&cx, &member).await {
        Ok(()) => {
            let (user, role) = (member.user.name.as_str(), &*member.role);
            another_person(problem::state("signed-in", json!({ "user": user, "role": role })))
        }
        Err(fault) => guard::refuse(&cx, fault),
    }
}

/// Whoever acts for somebody, even where a second factor has to be set up first: that has to wait until after.
async fn leaver(cx: &Cx) -> Result<SignedIn, Response> {
    let member = guard::signed_in(cx).await?;
    if guard::is_acting(&member) { Ok(member) } else { guard::member(cx).await }
}

async fn end(cx: &Cx, member: &SignedIn) -> Result<(), Fault> {
    let Some(impersonation) = &member.session.impersonation else { return Ok(()) };
    // One that is over has its record.
    let goes_on = cx.gate().acting(&cx.visit, member).is_ok();
    let change = SessionChange { impersonation: Some(None), ..SessionChange::default() };
    let written = cx.gate().store().change_session(member.sid, change, cx.now()).await?;
    cx.gate().settled(written).await;
    if goes_on {
        let user = cx.gate().live().records.user(&impersonation.user);
        let user = user.as_ref().map_or("", |user| user.name.as_str());
        let (client, operator, session) = (cx.visit.facts.client.ip, &member.user.name, &member.public);
        tracing::info!(target: "panelgate::audit", event = "impersonation-ended", %client, %operator, user, why = "left", %session);
    }
    Ok(())
}

fn ask(cx: &Cx, member: &SignedIn, impersonation: &Impersonation, back: &Return) -> Response {
    let words = &cx.words.acting;
    let target = cx.gate().live().records.user(&impersonation.user);
    let name = target.as_ref().map_or("?", |user| user.name.as_str());
    let over = cx.gate().acting(&cx.visit, member).err();
    let (title, button, texts) = if let Some(over) = over {
        (words.over_title, words.leave, over_texts(cx, over, name))
    } else {
        (words.acting_title, words.end, acting_texts(cx, impersonation))
    };
    let page = Page {
        frame: cx.frame(),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        rd: back.field().to_owned(),
        title: fill(title, &[("name", name)]),
        texts,
        button,
    };
    pages::html(StatusCode::OK, &page)
}

fn over_texts(cx: &Cx, over: Over, name: &str) -> Vec<String> {
    let words = &cx.words.acting;
    let why = match over {
        Over::Time => words.over_time,
        Over::Account => words.over_account,
        Over::Right => words.over_right,
    };
    vec![why.to_owned(), fill(words.over_text, &[("name", name)])]
}

fn acting_texts(cx: &Cx, impersonation: &Impersonation) -> Vec<String> {
    let words = &cx.words.acting;
    let (since, until) = (pages::clock(impersonation.since), pages::clock(impersonation.until));
    let may = if impersonation.write { words.acting_writes } else { words.acting_reads };
    vec![
        fill(words.acting_since, &[("since", &since), ("reason", &impersonation.reason)]),
        format!("{may} {}", fill(words.acting_until, &[("until", &until)])),
    ]
}

fn nobody(cx: &Cx, member: &SignedIn, back: &Return) -> Response {
    let text = fill(cx.words.acting.nobody_text, &[("name", member.user.name.as_str())]);
    let notice = Notice::new(cx.frame(), cx.words.acting.nobody_title, text);
    pages::html(StatusCode::OK, &notice.action(cx.words.go_on, back.as_str()))
}
