//! `/_gate/api/v1/admin/bans`

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::flow::{Filled, Wrong, wish};
use crate::{
    clock::Wall,
    portal::{
        admin::paging::Paged,
        body,
        context::Cx,
        guard,
        problem::{self, Problem},
    },
    rules::ban::{self, Ban},
};

const WANTED: &str =
    "an object with whom, a string, and optionally reason, lasts (such as 2h) and sure (true or false)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(alias = "network")]
    whom: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    lasts: String,
    #[serde(default)]
    sure: bool,
}

/// `GET /_gate/api/v1/admin/bans`
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    guard::administrator(&cx).await?;
    Ok(listed(&cx))
}

/// `POST /_gate/api/v1/admin/bans`
pub(super) async fn add(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let given: Given = match body::json(&cx.headers, body, WANTED).await {
        Ok(given) => given,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let filled = Filled { whom: &given.whom, reason: &given.reason, lasts: &given.lasts };
    let wish = match wish(&filled, &cx.visit.snapshot.spared, |whom| super::is_own(&cx, whom)) {
        Ok(wish) => wish,
        Err(wrong) => return Ok(refuse(&cx, &wrong)),
    };
    if wish.own && !given.sure {
        let words = &cx.words.bans;
        return Ok(problem(&cx, StatusCode::CONFLICT, "own-address", words.own_title));
    }
    let spares: Vec<String> = wish.spares.iter().map(ToString::to_string).collect();
    let whom = wish.whom;
    Ok(match super::ban(&cx, &member, wish).await {
        Ok(()) => {
            let blind = !cx.visit.snapshot.sight().reaches(&whom);
            let (network, whom) = (whom.network(), whom.to_string());
            problem::answer(&json!({ "whom": whom, "network": network, "spares": spares, "blind": blind }))
        }
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `DELETE /_gate/api/v1/admin/bans?whom=`
pub(super) async fn lift(cx: Cx) -> Result<Response, Response> {
    if let Err(fault) = body::is_json(&cx.headers) {
        return Ok(guard::refuse(&cx, fault));
    }
    let member = guard::administrator(&cx).await?;
    let named = cx.query("whom").or_else(|| cx.query("network"));
    let whom = match ban::parse(named.unwrap_or_default()) {
        Ok(whom) => whom,
        Err(wrong) => return Ok(refuse(&cx, &Wrong::Ban(wrong))),
    };
    Ok(match super::lift(&cx, &member, whom).await {
        Ok(true) => listed(&cx),
        Ok(false) => problem(&cx, StatusCode::NOT_FOUND, "not-banned", cx.words.bans.not_banned),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn listed(cx: &Cx) -> Response {
    let filter = cx.query("q").unwrap_or_default();
    let paged = Paged::new(cx, super::all(cx, filter), "", ("q", filter));
    let bans: Vec<Value> = paged.items.iter().map(|ban| document(cx, ban)).collect();
    let (page, pages, total) = (paged.page, paged.pages, paged.total);
    problem::answer(&json!({ "bans": bans, "page": page, "pages": pages, "total": total }))
}

fn document(cx: &Cx, ban: &Ban) -> Value {
    json!({
        "whom": ban.whom.to_string(),
        "network": ban.whom.network(),
        "country": ban.whom.country().map(|country| country.to_string()),
        "asn": ban.whom.asn().map(|asn| asn.0),
        "reason": ban.reason,
        "by": ban.by,
        "since": ban.since.secs(),
        "until": ban.until.map(Wall::secs),
        "over": !ban.counts(cx.now()),
        "blind": !cx.visit.snapshot.sight().reaches(&ban.whom),
    })
}

fn refuse(cx: &Cx, wrong: &Wrong) -> Response {
    let code = match wrong {
        Wrong::Lasts => "bad-duration",
        Wrong::Ban(ban::Unbannable::Reason) => "bad-reason",
        Wrong::Ban(ban::Unbannable::Unreadable(_) | ban::Unbannable::TooWide(_)) => "bad-network",
        Wrong::Ban(ban::Unbannable::Country { .. }) => "bad-country",
        Wrong::Ban(ban::Unbannable::Asn(_)) => "bad-asn",
        Wrong::Ban(ban::Unbannable::Spared { .. }) => "spared",
    };
    problem(cx, StatusCode::UNPROCESSABLE_ENTITY, code, wrong.say(cx.words).1)
}

fn problem(cx: &Cx, status: StatusCode, code: &'static str, text: &str) -> Response {
    Problem::new(status, code, cx.words.bans.tab, text).into_response()
}
