//! `GET /_gate/api/v1/session`: what `client.js` shows.

use axum::response::Response;
use serde_json::{Value, json};

use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{
        acting::{self, Standing},
        context::Cx,
        issue, problem,
        redirect::portal_page,
        refusal,
        words::fill,
    },
    rules::{facts::Target, identity::Role, judge::View, policy::Page, session::Session},
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
    let standing = Standing::of(&cx, &bearer);
    let until = session.as_ref().and_then(|session| elevated_until(&cx, session, page, &standing.role));
    let back = target.as_ref().map_or_else(String::new, |target| format!("{}{}", origin(&cx), target.raw));
    let claims = issue::claims(&cx).filter(|claims| claims.sid == bearer.sid);
    problem::state(
        "signed-in",
        json!({
            "user": standing.user.name.as_str(),
            "display": standing.user.display,
            "role": &*standing.role,
            "actor": standing.acting.then(|| bearer.user.name.as_str()),
            "impersonation": acting::state(&cx, &bearer, &standing, &back),
            "session": &*bearer.public.0,
            "now": cx.now().secs(),
            "expires": claims.as_ref().map(|claims| claims.exp.secs()),
            "renew_in_ms": claims.map(|claims| issue::millis(issue::renew_in(cx.now(), &claims))),
            "session_expires": session.map(|session| session.expires.secs()),
            "elevated_until": until.map(Wall::secs),
            "elevated_for_ms": until.map(|until| issue::millis(until.since(cx.now()))),
            "second_factor": bearer.user.totp.is_some(),
            "page": target.as_ref().map(|target| describe(&cx, &bearer, &standing, page, target, until.is_some())),
            "words": words(&cx, standing.user.name.as_str()),
        }),
    )
}

fn elevated_until(cx: &Cx, session: &Session, page: Option<&Page>, role: &Role) -> Option<Wall> {
    let until = cx.site().policy.elevated_until(page, role, session.elevation)?;
    (until > cx.now()).then_some(until)
}

fn describe(
    cx: &Cx,
    bearer: &SignedIn,
    standing: &Standing,
    page: Option<&Page>,
    target: &Target,
    elevated: bool,
) -> Value {
    let levels = cx.site().policy.levels(page, &standing.role);
    let high_security = cx.gate().live().records.high_security(&bearer.user);
    let now = if elevated || !high_security { levels.elevated } else { levels.unelevated };
    let back = format!("{}{}", origin(cx), target.raw);
    json!({
        "name": page.map(|page| &*page.name),
        "access": now.min(standing.most).as_str(),
        "after_step_up": levels.elevated.min(standing.most).as_str(),
        "protected": high_security && levels.unelevated < levels.elevated,
        "bar": page.is_none_or(|page| page.bar),
        "step_up_url": portal_page(cx.site(), "step-up", &back),
    })
}

fn origin(cx: &Cx) -> String {
    format!("{}://{}", cx.visit.facts.scheme.as_str(), cx.visit.facts.host)
}

/// What the bar inside the panel's pages says.
fn words(cx: &Cx, name: &str) -> Value {
    json!({
        "read_only": cx.words.bar_read_only,
        "verify": cx.words.bar_verify,
        "verified": cx.words.bar_verified,
        "close": cx.words.bar_close,
        "stale": fill(cx.words.acting.bar_stale, &[("name", name)]),
        "reload": cx.words.acting.bar_reload,
    })
}
