//! `/_gate/step-up`: proves the second factor in a live session.

use axum::{body::Body, response::Response};
use http::StatusCode;

use super::{
    flow::Proof,
    form::{self, Prompt},
    prove::{Unproved, prove},
};
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        issue::{self, Issued},
        pages::{self, Notice, page_title},
        redirect::{self, Return},
        refusal,
        words::fill,
    },
    rules::{
        facts::Target,
        judge::View,
        outcome::Access,
        policy::Page,
        reason::Reason,
        session::{Elevation, Factor},
    },
};

const PAGE: &str = "/_gate/step-up";

/// `GET /_gate/step-up`
pub(crate) async fn show(cx: Cx) -> Response {
    let bearer = match cx.gate().signed_in(&cx.visit).await {
        Ok(bearer) => bearer,
        Err(reason) => return refusal::signed_out(&cx, reason),
    };
    let back = Return::new(cx.query("rd"), cx.site());
    if let Some(until) = verified_until(&cx, &bearer, &back) {
        return already(&cx, &back, until);
    }
    if bearer.user.totp.is_none() {
        return form::not_enrolled(&cx, &back);
    }
    prompt(&cx, &bearer, &back, cx.query("with") == Some("backup")).show(&cx, StatusCode::OK, None)
}

/// `POST /_gate/step-up`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let bearer = match cx.gate().signed_in(&cx.visit).await {
        Ok(bearer) => bearer,
        Err(reason) => return refusal::signed_out(&cx, reason),
    };
    let fields = match form::read(&cx, body).await {
        Ok(fields) => fields,
        Err(fault) => return fault.page(&cx),
    };
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let prompt = prompt(&cx, &bearer, &back, fields.has("backup_code"));
    if let Err(fault) = csrf::check(&cx, Binding::Session(&bearer.sid), fields.get("form")) {
        return prompt.refuse(&cx, &Unproved::Fault(fault));
    }
    let proof = match form::proof(&cx, &fields) {
        Ok(proof) => proof,
        Err(text) => return prompt.show(&cx, StatusCode::UNPROCESSABLE_ENTITY, Some(text.to_owned())),
    };
    match step_up(&cx, &bearer, proof).await {
        Ok((issued, _)) => {
            let response = pages::see_other(back.as_str());
            match issued {
                Some(issued) => issued.to(response),
                None => response,
            }
        }
        Err(Unproved::Fault(Fault::SignedOut(reason))) => refusal::signed_out(&cx, reason),
        Err(why) => prompt.refuse(&cx, &why),
    }
}

/// Takes the proof and writes it into the session. A session of ours gets a new access token (R15); that of a trusted
/// issuer has none to renew.
pub(super) async fn step_up(
    cx: &Cx,
    bearer: &SignedIn,
    proof: Proof,
) -> Result<(Option<Issued>, Elevation), Unproved> {
    if !cx.site().policy.elevates_by(proof.factor()) {
        return Err(Unproved::NotHere);
    }
    let by = prove(cx, &bearer.user, proof, None).await?;
    let elevation = Elevation { at: cx.now(), by };
    let written = cx.gate().store().elevate(bearer.sid, elevation).await?;
    let ended = || Unproved::Fault(Fault::SignedOut(Reason::SessionEnded));
    if !cx.gate().settled(written).await {
        return Err(ended());
    }
    cx.gate().live().meters.elevation(by).count();
    let session = issue::session(cx, &bearer.sid).await.map_err(Unproved::Fault)?.ok_or_else(ended)?;
    let claims = issue::claims(cx).filter(|claims| claims.sid == session.sid);
    Ok((claims.map(|claims| issue::access(cx, &session, claims.generation)), elevation))
}

/// The end of an elevation that counts on the page that asked.
fn verified_until(cx: &Cx, bearer: &SignedIn, back: &Return) -> Option<Wall> {
    let session = cx.gate().live().records.session(&bearer.sid)?;
    let until = cx.site().policy.elevated_until(page_of(cx, back), &bearer.role, session.elevation)?;
    (until > cx.now()).then_some(until)
}

/// Says so and offers the way on, instead of going on by itself: a page that asks again would make that a circle.
fn already(cx: &Cx, back: &Return, until: Wall) -> Response {
    let time = format!("{} UTC", pages::clock(until));
    let text = fill(cx.words.verified_until, &[("time", &time)]);
    let notice = Notice::new(cx.frame(), cx.words.verify_title, text).action(cx.words.go_on, back.as_str());
    pages::html(StatusCode::OK, &notice)
}

fn prompt<'a>(cx: &Cx, bearer: &'a SignedIn, back: &'a Return, backup: bool) -> Prompt<'a> {
    let (policy, page) = (&cx.site().policy, page_of(cx, back));
    let lasts = pages::wait(cx.words, policy.lasts(page, &bearer.role));
    let [app, codes] = [Factor::Totp, Factor::BackupCode].map(|factor| policy.elevates_by(factor));
    let readable = policy.levels(page, &bearer.role).unelevated >= Access::Read;
    Prompt {
        action: PAGE,
        binding: Binding::Session(&bearer.sid),
        back,
        backup: codes && (backup || !app),
        switchable: app && codes,
        lead: lead(cx, page, readable),
        stays: Some(fill(cx.words.stays, &[("time", &lasts)])),
        // A page that is blocked would only send the reader back here.
        leave: if readable { back.as_str().to_owned() } else { redirect::home(cx.site()).to_string() },
        leave_label: cx.words.not_now,
    }
}

fn page_of<'a>(cx: &'a Cx, back: &Return) -> Option<&'a Page> {
    cx.site().policy.page_for(&Target::parse(back.target().as_bytes()).ok()?)
}

fn lead(cx: &Cx, page: Option<&Page>, readable: bool) -> Option<String> {
    let page = page?;
    let protected = fill(cx.words.page_protected, &[("page", &page_title(&page.name))]);
    let what = if readable { cx.words.change_needs_verify } else { cx.words.open_needs_verify };
    Some(format!("{protected} {what}"))
}
