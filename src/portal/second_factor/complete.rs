//! `/_gate/second-factor`: completes a sign-in that has proved its password.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::StatusCode;

use super::{
    flow::Proof,
    form::{self, Prompt},
    prove::{Unproved, prove},
};
use crate::{
    portal::{
        context::Cx,
        cookies::only,
        csrf::{self, Binding},
        issue::{self, Issued},
        pages,
        redirect::Return,
    },
    rules::{failures::Known, identity::User, judge::View, login::Jar, session::Elevation, token::Pending},
};

const PAGE: &str = "/_gate/second-factor";

/// `GET /_gate/second-factor`
pub(crate) async fn show(cx: Cx) -> Response {
    let back = Return::new(cx.query("rd"), cx.site());
    let Some((pending, _)) = pending(&cx) else { return start_over(&back) };
    prompt(&cx, &pending, &back, cx.query("with") == Some("backup")).show(&cx, StatusCode::OK, None)
}

/// `POST /_gate/second-factor`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let fields = match form::read(&cx, body).await {
        Ok(fields) => fields,
        Err(fault) => return fault.page(&cx),
    };
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let Some((pending, user)) = pending(&cx) else { return start_over(&back) };
    let prompt = prompt(&cx, &pending, &back, fields.has("backup_code"));
    if let Err(fault) = csrf::check(&cx, Binding::Pending(&pending), fields.get("form")) {
        return prompt.refuse(&cx, &Unproved::Fault(fault));
    }
    let proof = match form::proof(&cx, &fields) {
        Ok(proof) => proof,
        Err(text) => return prompt.show(&cx, StatusCode::UNPROCESSABLE_ENTITY, Some(text.to_owned())),
    };
    match complete(&cx, &pending, &user, proof).await {
        Ok((issued, _)) => issued.to(pages::see_other(back.as_str())),
        Err(why) => prompt.refuse(&cx, &why),
    }
}

/// The sign-in that waits in this browser, if it is of this site and its account can still sign in (R11).
pub(super) fn pending(cx: &Cx) -> Option<(Pending, Arc<User>)> {
    let sealed = only(&cx.visit.facts.presented.pending)?;
    let pending = cx.keys().open_pending(sealed.expose(), cx.now()).ok()?;
    let user = cx.gate().live().records.user(&pending.user)?;
    // A new password ends what was begun with the old one.
    let current = user.password_changed.is_none_or(|at| at < pending.issued);
    (pending.site == cx.site().id && !user.disabled && current).then_some((pending, user))
}

/// Takes the proof and opens the session.
pub(super) async fn complete(
    cx: &Cx,
    pending: &Pending,
    user: &User,
    proof: Proof,
) -> Result<(Issued, Option<Elevation>), Unproved> {
    let by = prove(cx, user, proof, Some(Known::Yes)).await?;
    let elevation = cx.site().second_factor.sign_in_elevates.then_some(Elevation { at: cx.now(), by });
    let jar = pending.panel.as_ref().and_then(|bytes| Jar::from_bytes(bytes.expose()));
    let issued = issue::open_at_panel(cx, user, elevation, jar.as_ref()).await.map_err(Unproved::Fault)?;
    Ok((issued, elevation))
}

fn start_over(back: &Return) -> Response {
    pages::see_other(&format!("/_gate/sign-in{}", back.query()))
}

fn prompt<'a>(cx: &Cx, pending: &'a Pending, back: &'a Return, backup: bool) -> Prompt<'a> {
    Prompt {
        action: PAGE,
        binding: Binding::Pending(pending),
        back,
        backup,
        switchable: true,
        lead: None,
        stays: None,
        leave: format!("/_gate/sign-in{}", back.query()),
        leave_label: cx.words.start_over,
    }
}
