//! Whether an unsafe request comes from our own pages (R20): the browser says that it is of the same origin, and either
//! the body is JSON, which no foreign form can send, or it carries a token bound to the session.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Method};

use super::{Portal, context::Cx, fault::Fault};
use crate::{
    clock::Wall,
    gate::Visit,
    rules::{
        facts::{Audience, Facts},
        session::Sid,
        token::Pending,
    },
};

/// How long a form may stay open.
const FORM_LASTS: Duration = Duration::from_secs(12 * 3600);

const FETCH_SITE: &str = "sec-fetch-site";

/// Lets safe requests and those of our own pages pass.
pub(crate) async fn guard(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let visit = request.extensions().get::<Arc<Visit>>();
    if safe || visit.is_some_and(|visit| same_origin(&visit.facts, request.headers())) {
        return next.run(request).await;
    }
    let (mut parts, _) = request.into_parts();
    match Cx::from_request_parts(&mut parts, &portal).await {
        Ok(cx) if cx.visit.facts.audience == Audience::Navigation => Fault::CrossSite.page(&cx),
        Ok(cx) => Fault::CrossSite.document(&cx).into_response(),
        Err(undescribed) => undescribed,
    }
}

/// `Sec-Fetch-Site` decides where there is one; `Origin` must be ours where there is none.
fn same_origin(facts: &Facts, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(FETCH_SITE).iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) => site == "same-origin",
        (Some(_), Some(_)) => false,
        (None, _) => facts.origin.as_deref() == Some(&format!("{}://{}", facts.scheme.as_str(), facts.host)),
    }
}

/// What a form's token is bound to.
#[derive(Clone, Copy)]
pub(crate) enum Binding<'a> {
    /// Nothing is known yet.
    Nobody,
    /// A sign-in that waits for the second factor.
    Pending(&'a Pending),
    /// A session.
    Session(&'a Sid),
}

/// The token of a form that is being shown.
pub(crate) fn token(cx: &Cx, binding: Binding<'_>) -> String {
    let sealed = cx.keys().master().seal(
        &purpose(cx, binding),
        &cx.now().plus(FORM_LASTS).millis().to_be_bytes(),
        cx.gate().entropy().array(),
    );
    BASE64URL_NOPAD.encode(&sealed)
}

/// Whether a form was shown to whoever sends it.
pub(crate) fn check(cx: &Cx, binding: Binding<'_>, token: &str) -> Result<(), Fault> {
    let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Fault::StaleForm)?;
    let plain = cx.keys().master().open(&purpose(cx, binding), &sealed).ok_or(Fault::StaleForm)?;
    let until = plain.try_into().map(u64::from_be_bytes).map_err(|_| Fault::StaleForm)?;
    if cx.now() < Wall::from_millis(until) { Ok(()) } else { Err(Fault::StaleForm) }
}

fn purpose(cx: &Cx, binding: Binding<'_>) -> String {
    let site = &cx.site().id;
    match binding {
        Binding::Nobody => format!("form:nobody:{site}"),
        Binding::Pending(pending) => {
            format!("form:pending:{}:{}:{site}", pending.user, pending.issued.millis())
        }
        Binding::Session(sid) => format!("form:session:{}:{site}", sid.text()),
    }
}
