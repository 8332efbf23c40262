//! `GET /_gate/api/v1/session`: what `client.js` shows.

use axum::response::Response;
use serde_json::{Value, json};

use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{context::Cx, issue, problem, redirect::portal_page, refusal},
    rules::{facts::Target, judge::View, policy::Page, session::Session},
};

/// `GET /_gate/api/v1/session?path=`
pub(crate) async fn here(cx: Cx) -> Response {
    let bearer = match cx.gate().signed_in(&cx.visit).await {
        Ok(bearer) => bearer,
        Err(reason) => return refusal::signed_out_document(&cx, reason),
    };
    let session = cx.gate().live().records.session(&bearer.sid);
    let target = cx.query("path").and_then(|path| Target::parse(path.as_bytes()).ok());
    let page = target.as_ref().and_then(|target| cx.site().policy.page_for(target));
    let until = session.as_ref().and_then(|session| elevated_until(&cx, session, page));
    let claims = issue::claims(&cx).filter(|claims| claims.sid == bearer.sid);
    problem::state(
        "signed-in",
        json!({
            "user": bearer.user.name.as_str(),
            "display": bearer.user.display,
            "role": &*bearer.role,
            "actor": Value::Null,
            "session": &*bearer.public.0,
            "now": cx.now().secs(),
            "expires": claims.as_ref().map(|claims| claims.exp.secs()),
            "renew_in_ms": claims.map(|claims| issue::millis(issue::renew_in(cx.now(), &claims))),
            "session_expires": session.map(|session| session.expires.secs()),
            "elevated_until": until.map(Wall::secs),
            "elevated_for_ms": until.map(|until| issue::millis(until.since(cx.now()))),
            "second_factor": bearer.user.totp.is_some(),
            "page": target.as_ref().map(|target| describe(&cx, &bearer, page, target, until.is_some())),
            "words": words(&cx),
        }),
    )
}

fn elevated_until(cx: &Cx, session: &Session, page: Option<&Page>) -> Option<Wall> {
    let until = cx.site().policy.elevated_until(page, session.elevation)?;
    (until > cx.now()).then_some(until)
}

fn describe(cx: &Cx, bearer: &SignedIn, page: Option<&Page>, target: &Target, elevated: bool) -> Value {
    let levels = cx.site().policy.levels(page, &bearer.role);
    let back = format!("{}{}", origin(cx), target.raw);
    json!({
        "name": page.map(|page| &*page.name),
        "access": if elevated { levels.elevated } else { levels.unelevated }.as_str(),
        "after_step_up": levels.elevated.as_str(),
        "bar": page.is_none_or(|page| page.bar),
        "step_up_url": portal_page(cx.site(), "step-up", &back),
    })
}

fn origin(cx: &Cx) -> String {
    format!("{}://{}", cx.visit.facts.scheme.as_str(), cx.visit.facts.host)
}

/// What the bar inside the panel's pages says.
fn words(cx: &Cx) -> Value {
    json!({
        "read_only": cx.words.bar_read_only,
        "verify": cx.words.bar_verify,
        "verified": cx.words.bar_verified,
        "close": cx.words.bar_close,
    })
}
