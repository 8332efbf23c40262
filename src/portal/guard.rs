//! Who may use a page or call of the portal. Each guard gives the session's own account, or the answer to send instead.

use axum::response::{IntoResponse, Response};
use http::Method;

use super::{
    acting,
    context::Cx,
    fault::Fault,
    pages::{self, Decision, Notice},
    redirect::portal_page,
    refusal,
    words::fill,
};
use crate::gate::SignedIn;

/// Where a second factor is set up.
pub(crate) const ENROLMENT: &str = "/_gate/account/two-factor";

/// Anybody who is signed in, unless the role needs a second factor that is not set up yet: then nothing but the set-up
/// opens (`require_2fa`).
pub(crate) async fn member(cx: &Cx) -> Result<SignedIn, Response> {
    let member = signed_in(cx).await?;
    match owes_factor(cx, &member) {
        true if !cx.is_call() && is_get(cx) => Err(pages::found(&enrolment_url(cx, &here(cx)))),
        true => Err(refuse(cx, Fault::FactorFirst)),
        false => Ok(member),
    }
}

/// Somebody who is signed in and acts for nobody: for whatever concerns one's own credentials.
pub(crate) async fn own_credentials(cx: &Cx) -> Result<SignedIn, Response> {
    let member = member(cx).await?;
    if is_acting(&member) { Err(refuse(cx, Fault::WhileActing)) } else { Ok(member) }
}

/// The same for the set-up of the second factor itself.
pub(crate) async fn enrolling(cx: &Cx) -> Result<SignedIn, Response> {
    let member = signed_in(cx).await?;
    if is_acting(&member) { Err(refuse(cx, Fault::WhileActing)) } else { Ok(member) }
}

/// Whether the policy wants a second factor of this role and the account has none.
pub(crate) fn owes_factor(cx: &Cx, member: &SignedIn) -> bool {
    cx.site().policy.requires_second_factor(&member.role) && member.user.totp.is_none()
}

/// Where a second factor is set up, with the place to come back to.
pub(crate) fn enrolment_url(cx: &Cx, rd: &str) -> String {
    portal_page(cx.site(), "account/two-factor", rd)
}

/// Anybody who is signed in, whatever is still to be set up: for the way out of an impersonation.
pub(crate) async fn signed_in(cx: &Cx) -> Result<SignedIn, Response> {
    cx.gate().signed_in(&cx.visit).await.map_err(|reason| refuse(cx, Fault::SignedOut(reason)))
}

/// Somebody who acts for nobody and has just proved a second factor.
pub(crate) async fn elevated(cx: &Cx) -> Result<SignedIn, Response> {
    let member = own_credentials(cx).await?;
    if member.user.totp.is_none() {
        return Err(refuse(cx, Fault::FactorFirst));
    }
    if member.elevated_until.is_none() { Err(refuse(cx, Fault::StepUp)) } else { Ok(member) }
}

/// An administrator (`administer` in the policy) with an own second factor, elevated, acting for nobody.
pub(crate) async fn administrator(cx: &Cx) -> Result<SignedIn, Response> {
    let member = member(cx).await?;
    if !cx.site().policy.administers(&member.role) {
        return Err(refuse(cx, Fault::NotYours));
    }
    elevated(cx).await
}

/// The mightiest role, with an own second factor, elevated, acting for nobody.
pub(crate) async fn root(cx: &Cx) -> Result<SignedIn, Response> {
    let member = member(cx).await?;
    if !cx.site().policy.is_first(&member.role) {
        return Err(refuse(cx, Fault::NotYours));
    }
    elevated(cx).await
}

/// Whether the session acts for somebody, or has not left an impersonation that is over.
pub(crate) fn is_acting(member: &SignedIn) -> bool {
    member.session.impersonation.is_some()
}

/// A fault as the answer to this request: a document for a call, a page otherwise.
pub(crate) fn refuse(cx: &Cx, fault: Fault) -> Response {
    if cx.is_call() {
        return refuse_call(cx, fault);
    }
    match fault {
        Fault::SignedOut(reason) => refusal::signed_out(cx, reason),
        Fault::StepUp if is_get(cx) => pages::found(&portal_page(cx.site(), "step-up", &here(cx))),
        Fault::StepUp => {
            let to = portal_page(cx.site(), "step-up", &here(cx));
            let notice = Notice::new(cx.frame(), cx.words.verify_title, cx.words.admin.elevation_first);
            told(cx, fault, notice.action(cx.words.verify_title, to))
        }
        Fault::FactorFirst => {
            let to = enrolment_url(cx, &here(cx));
            let notice = Notice::new(cx.frame(), cx.words.not_enrolled_title, cx.words.not_enrolled);
            told(cx, fault, notice.action(cx.words.account.set_up, to))
        }
        Fault::NotYours => {
            let text = fill(cx.words.admin.not_yours, &[("roles", &administrators(cx))]);
            let notice = Notice::new(cx.frame(), cx.words.admin.not_yours_title, text);
            let home = cx.frame().home;
            told(cx, fault, notice.action(cx.words.go_on, home))
        }
        Fault::CrossSite
        | Fault::StaleForm
        | Fault::TooLarge
        | Fault::WrongType
        | Fault::BadBody(_)
        | Fault::NotFound
        | Fault::Throttled(_)
        | Fault::Stopped
        | Fault::Busy
        | Fault::Unavailable
        | Fault::Unaccounted { .. } => fault.page(cx),
        Fault::WhileActing => {
            let words = &cx.words.account;
            let notice = Notice::new(cx.frame(), words.acting_title, words.acting_refused);
            let to = portal_page(cx.site(), acting::END, &here(cx));
            told(cx, fault, notice.action(cx.words.acting.end, to))
        }
    }
}

/// The notice, with the name of the decision.
fn told(cx: &Cx, fault: Fault, mut notice: Notice) -> Response {
    notice.decision = Some(Decision::new(fault.note(cx), cx.now()));
    pages::html(fault.status(), &notice)
}

fn refuse_call(cx: &Cx, fault: Fault) -> Response {
    if let Fault::SignedOut(reason) = fault {
        return refusal::signed_out_document(cx, reason);
    }
    let problem = fault.document(cx);
    match fault {
        Fault::StepUp => problem.with("step_up_url", portal_page(cx.site(), "step-up", "")).into_response(),
        Fault::FactorFirst => problem.with("enrolment_url", enrolment_url(cx, "")).into_response(),
        Fault::SignedOut(_)
        | Fault::CrossSite
        | Fault::StaleForm
        | Fault::TooLarge
        | Fault::WrongType
        | Fault::BadBody(_)
        | Fault::NotFound
        | Fault::Throttled(_)
        | Fault::Stopped
        | Fault::Busy
        | Fault::Unavailable
        | Fault::Unaccounted { .. }
        | Fault::WhileActing
        | Fault::NotYours => problem.into_response(),
    }
}

fn administrators(cx: &Cx) -> String {
    let roles: Vec<&str> = cx.site().policy.administrators().map(|role| &**role).collect();
    roles.join(", ")
}

/// This page, or the one that the form was on.
fn here(cx: &Cx) -> String {
    cx.visit.facts.return_url()
}

fn is_get(cx: &Cx) -> bool {
    *cx.visit.facts.method == *Method::GET.as_str()
}
