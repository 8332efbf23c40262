//! `/_gate/admin/impersonate`, as a page and as a call.

use askama::Template;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::flow::{self, Refused, Wish};
use crate::{
    gate::SignedIn,
    portal::{
        body::{self, Form},
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Frame, Tab},
        problem::{self, Problem},
        redirect::Return,
        words::fill,
    },
    rules::{
        identity::User,
        judge::may_impersonate,
        session::{Impersonation, SessionChange},
    },
};

/// So many names are offered.
const OFFERED: usize = 200;
const WANTED: &str = "an object with username and reason, strings of at least one character, and optionally write, true or false";

#[derive(Template)]
#[template(path = "portal/pages/impersonate.html")]
struct Page {
    frame: Frame,
    me: AccountFrame,
    form: String,
    rd: String,
    lead: String,
    whom: String,
    names: Vec<String>,
    username: String,
    reason: String,
    write: bool,
    error: Option<&'static str>,
    reason_at_fault: bool,
}

/// What was filled in.
#[derive(Default)]
struct Filled<'a> {
    username: &'a str,
    reason: &'a str,
    write: bool,
}

/// `GET /_gate/admin/impersonate`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filled = Filled { username: cx.query("user").unwrap_or_default(), ..Filled::default() };
    let back = Return::new(cx.query("rd"), cx.site());
    Ok(page(&cx, &member, &filled, &back, StatusCode::OK, None))
}

/// `POST /_gate/admin/impersonate`
pub(super) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let known = ["form", "rd", "username", "reason", "write"];
    let fields = Form::read(&cx.headers, body, &known).await.map_err(|fault| guard::refuse(&cx, fault))?;
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(guard::refuse(&cx, fault));
    }
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let filled =
        Filled { username: fields.get("username"), reason: fields.get("reason"), write: fields.has("write") };
    let begun = match flow::wish(filled.username, filled.reason, filled.write) {
        Ok(wish) => begin(&cx, &member, wish).await,
        Err(refused) => Ok(Err(refused)),
    };
    Ok(match begun {
        Ok(Ok(_)) => another_person(pages::see_other(back.as_str())),
        Ok(Err(refused)) => {
            page(&cx, &member, &filled, &back, StatusCode::UNPROCESSABLE_ENTITY, Some(refused))
        }
        Err(fault) => guard::refuse(&cx, fault),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    username: String,
    reason: String,
    #[serde(default)]
    write: bool,
}

/// `POST /_gate/api/v1/impersonation`
pub(super) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let given: Given = match body::json(&cx.headers, body, WANTED).await {
        Ok(given) => given,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let begun = match flow::wish(&given.username, &given.reason, given.write) {
        Ok(wish) => begin(&cx, &member, wish).await,
        Err(refused) => Ok(Err(refused)),
    };
    Ok(match begun {
        Ok(Ok((user, impersonation))) => another_person(problem::state(
            "impersonating",
            json!({
                "user": user.name.as_str(),
                "role": &*user.role,
                "actor": member.user.name.as_str(),
                "write": impersonation.write,
                "until": impersonation.until.secs(),
            }),
        )),
        Ok(Err(refused)) => {
            let status = if refused == Refused::Already {
                StatusCode::CONFLICT
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            let text = refused.text(cx.words);
            Problem::new(status, refused.code(), cx.words.acting.impersonate, text).into_response()
        }
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// What the browser keeps of the panel's answers was for somebody else.
pub(super) fn another_person(mut response: Response) -> Response {
    let name = HeaderName::from_static("clear-site-data");
    response.headers_mut().insert(name, HeaderValue::from_static("\"cache\""));
    response
}

async fn begin(
    cx: &Cx,
    member: &SignedIn,
    wish: Wish,
) -> Result<Result<(User, Impersonation), Refused>, Fault> {
    let found = cx.gate().live().records.user_by_name(&wish.name);
    let Some(user) = found.filter(|user| is_open(cx, member, user)) else {
        return Ok(Err(Refused::NoSuch));
    };
    let impersonation = Impersonation {
        user: user.id,
        reason: wish.reason,
        write: wish.write,
        since: cx.now(),
        until: cx.now().plus(cx.site().lifetimes.impersonation),
    };
    let change =
        SessionChange { impersonation: Some(Some(impersonation.clone())), ..SessionChange::default() };
    let written = cx.gate().store().change_session(member.sid, change, cx.now()).await?;
    if !cx.gate().settled(written).await {
        return Ok(Err(Refused::Already));
    }
    let (operator, target, session) = (&member.user.name, &user.name, &member.public);
    let (client, reason, write) = (cx.visit.facts.client.ip, impersonation.reason.as_str(), wish.write);
    let until = impersonation.until.secs();
    tracing::info!(target: "panelgate::audit", event = "impersonation-started", %operator, user = %target, reason, write, until, %client, %session);
    Ok(Ok((User::clone(&user), impersonation)))
}

/// Whether this operator can act as this account now.
fn is_open(cx: &Cx, member: &SignedIn, user: &User) -> bool {
    !user.disabled
        && user.id != member.user.id
        && may_impersonate(&cx.site().policy, &member.user, &member.role, &user.role)
}

fn page(
    cx: &Cx,
    member: &SignedIn,
    filled: &Filled<'_>,
    back: &Return,
    status: StatusCode,
    refused: Option<Refused>,
) -> Response {
    let words = &cx.words.acting;
    let policy = &cx.site().policy;
    let lower = policy.roles().iter().filter(|role| policy.outranks(&member.role, role));
    let roles = lower.map(|role| &**role).collect::<Vec<_>>().join(", ");
    let mut names: Vec<String> = cx
        .gate()
        .live()
        .records
        .users()
        .iter()
        .filter(|user| is_open(cx, member, user))
        .map(|user| user.name.to_string())
        .collect();
    names.sort();
    names.truncate(OFFERED);
    let lasts = pages::wait(cx.words, cx.site().lifetimes.impersonation);
    let page = Page {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Impersonate),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        rd: back.field().to_owned(),
        lead: fill(words.impersonate_lead, &[("time", &lasts)]),
        whom: fill(words.of_whom_hint, &[("roles", &roles)]),
        names,
        username: filled.username.to_owned(),
        reason: filled.reason.to_owned(),
        write: filled.write,
        error: refused.map(|refused| refused.text(cx.words)),
        reason_at_fault: refused.is_some_and(Refused::is_reason),
    };
    pages::html(status, &page)
}
