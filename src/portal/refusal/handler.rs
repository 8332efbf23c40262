//! `/_gate/refused`, and everything under `/_gate/` that is not there.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};

use super::render;
use crate::{
    gate::{Refusal, RefusalAudience, RefusalKind, Visit, journal::Noted},
    portal::{
        Portal,
        context::Cx,
        pages::{self, Frame, Notice},
        problem::Problem,
        words,
    },
    rules::{facts::Audience, reason::Reason, record::Said},
};

/// Where a sealed refusal comes back through a proxy that carries nothing but a status.
const SEALED: &str = "x-gate-outcome";

/// Renders the refusal that a door put into the request, or that we sealed a moment ago. Any method: a proxy's internal
/// redirect keeps that of the request that was refused. Nothing unsealed is ever said back.
pub(crate) async fn refused(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    let words = words::choose(request.headers());
    let visit = request.extensions().get::<Arc<Visit>>();
    let site = visit.map(|visit| &*visit.site);
    let inside = request.extensions().get::<Refusal>().cloned();
    if let Some(refusal) = inside.or_else(|| unsealed(&portal, request.headers())) {
        let open = refusal.audience == RefusalAudience::Navigation && may_look(&portal, visit).await;
        return render(&refusal, site, words, open);
    }
    let notice = Notice::new(Frame::new(words, site), words.not_found, words.not_found_text);
    pages::html(StatusCode::FORBIDDEN, &notice)
}

/// Whether whoever was refused may look the decision up.
async fn may_look(portal: &Portal, visit: Option<&Arc<Visit>>) -> bool {
    let Some(visit) = visit else { return false };
    let member = portal.gate.signed_in(visit).await;
    member.is_ok_and(|member| visit.site.policy.administers(&member.role))
}

/// For a page of ours that needs a session: what a door would say about a page of the panel.
pub(crate) fn signed_out(cx: &Cx, reason: Reason) -> Response {
    render(&refusal_here(cx, reason, cx.visit.facts.audience.into()), Some(cx.site()), cx.words, false)
}

/// The same for a call.
pub(crate) fn signed_out_document(cx: &Cx, reason: Reason) -> Response {
    render(&refusal_here(cx, reason, RefusalAudience::Background), Some(cx.site()), cx.words, false)
}

fn refusal_here(cx: &Cx, reason: Reason, audience: RefusalAudience) -> Refusal {
    let decision = cx.gate().decision();
    let (kind, said) = if matches!(reason, Reason::StoreUnavailable | Reason::AuditUnavailable) {
        (RefusalKind::Unavailable, Said::Unavailable)
    } else {
        (RefusalKind::SignIn, Said::SignIn)
    };
    cx.gate().note_portal(&cx.visit, decision, Noted { said, reason, detail: None, known: false });
    Refusal {
        kind,
        reason,
        page: None,
        acting_for: None,
        url: cx.visit.facts.url(),
        method: cx.visit.facts.method.to_string(),
        audience,
        decision,
        at: cx.now(),
    }
}

/// Everything that is not there.
pub(crate) async fn unknown(cx: Cx) -> Response {
    say(&cx, StatusCode::NOT_FOUND, "not-found", cx.words.not_found, cx.words.not_found_text)
}

/// What is there, but not for this method.
pub(crate) async fn wrong_method(cx: Cx) -> Response {
    say(
        &cx,
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        cx.words.wrong_method,
        cx.words.wrong_method_text,
    )
}

fn say(cx: &Cx, status: StatusCode, code: &str, title: &str, text: &str) -> Response {
    if cx.visit.facts.audience == Audience::Background {
        return Problem::new(status, code, title, text).into_response();
    }
    pages::html(status, &Notice::new(cx.frame(), title, text))
}

fn unsealed(portal: &Portal, headers: &HeaderMap) -> Option<Refusal> {
    let mut values = headers.get_all(SEALED).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    portal.gate.unseal(only.to_str().ok()?)
}
