//! Removing the app, for a code of it.

use axum::{body::Body, response::Response};
use serde_json::json;

use super::{
    super::{
        SECURITY,
        refused::{self, Refused},
    },
    start::answer,
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        guard,
        pages::{self, Action, Ask, Notice},
        problem,
        second_factor::{Proof, Unproved, prove},
    },
    secret::SecretText,
    store::UserChange,
};

const PAGE: &str = "/_gate/account/two-factor/remove";

/// `GET /_gate/account/two-factor/remove`
pub(crate) async fn show(cx: Cx) -> Response {
    match guard::own_credentials(&cx).await {
        Ok(me) => page(&cx, &me, None),
        Err(response) => response,
    }
}

/// `POST /_gate/account/two-factor/remove`
pub(crate) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let removed = match read_code(&cx, &me, body).await {
        Ok(code) => remove(&cx, &me, code).await,
        Err(why) => Err(why),
    };
    Ok(match removed {
        Ok(()) => pages::see_other(&format!("{SECURITY}?done=removed")),
        Err(why) => page(&cx, &me, Some(&why)),
    })
}

/// `DELETE /_gate/api/v1/totp`
pub(crate) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let code = refused::code(&cx, body).await?;
    Ok(match remove(&cx, &me, code).await {
        Ok(()) => problem::state("removed", json!({})),
        Err(why) => why.document(&cx),
    })
}

/// A form of one code.
pub(in crate::portal::account) async fn read_code(
    cx: &Cx,
    me: &SignedIn,
    body: Body,
) -> Result<SecretText, Refused> {
    let fields = Form::read(&cx.headers, body, &["form", "rd", "code"]).await?;
    csrf::check(cx, Binding::Session(&me.sid), fields.get("form"))?;
    fields.secret("code").ok_or(Refused::CodeNeeded)
}

async fn remove(cx: &Cx, me: &SignedIn, code: SecretText) -> Result<(), Refused> {
    prove(cx, &me.user, Proof::Code(code), None).await?;
    let change = UserChange { totp: Some(None), ..UserChange::default() };
    let written = cx.gate().store().change_user(me.user.id, change, cx.now()).await?;
    cx.gate().settled(written).await;
    let (client, user) = (cx.visit.facts.client.ip, &me.user.name);
    tracing::info!(target: "panelgate::audit", event = "second-factor-removed", %client, %user, session = %me.public);
    Ok(())
}

fn page(cx: &Cx, me: &SignedIn, why: Option<&Refused>) -> Response {
    let own = &cx.words.account;
    let needed = cx.site().policy.requires_second_factor(&me.role);
    let page = pages::Prove {
        texts: vec![own.remove_text],
        warning: needed.then_some(own.remove_needed),
        submit: own.remove_app,
        danger: true,
        ..ask_for_code(cx, me, own.remove_title, PAGE, why)
    };
    respond(cx, me, &page, why)
}

/// A page that asks for a code of the app.
pub(in crate::portal::account) fn ask_for_code(
    cx: &Cx,
    me: &SignedIn,
    title: &'static str,
    action: &'static str,
    why: Option<&Refused>,
) -> pages::Prove {
    pages::Prove {
        frame: cx.frame(),
        title,
        set_up: false,
        texts: Vec::new(),
        warning: None,
        error: why.map(|why| why.text(cx)),
        action,
        form: csrf::token(cx, Binding::Session(&me.sid)),
        rd: String::new(),
        name: me.user.name.to_string(),
        ask: Ask::Code,
        submit: cx.words.go_on,
        danger: false,
        others: vec![Action { label: cx.words.not_now.to_owned(), href: SECURITY.to_owned() }],
    }
}

/// The page, unless there is no app that a code could be of.
pub(in crate::portal::account) fn respond(
    cx: &Cx,
    me: &SignedIn,
    page: &pages::Prove,
    why: Option<&Refused>,
) -> Response {
    let none = matches!(why, Some(Refused::Unproved(Unproved::NotEnrolled)));
    if me.user.totp.is_some() && !none {
        return answer(page, why);
    }
    if let Some(fault) = why.and_then(Refused::fault) {
        return fault.page(cx);
    }
    let own = &cx.words.account;
    let notice = Notice::new(cx.frame(), own.no_factor_title, own.no_factor);
    pages::html(http::StatusCode::CONFLICT, &notice.action(own.back_to_security, SECURITY))
}
