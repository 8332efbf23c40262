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
        body,
        context::Cx,
        guard,
        problem::{self, Problem},
    },
    rules::ban::{self, Ban},
};

const WANTED: &str =
    "an object with network, a string, and optionally reason, lasts (such as 2h) and sure (true or false)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    network: String,
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
    Ok(all(&cx))
}

/// `POST /_gate/api/v1/admin/bans`
pub(super) async fn add(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let given: Given = match body::json(&cx.headers, body, WANTED).await {
        Ok(given) => given,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let filled = Filled { network: &given.network, reason: &given.reason, lasts: &given.lasts };
    let wish = match wish(&filled, cx.visit.facts.client.ip, &cx.visit.snapshot.spared) {
        Ok(wish) => wish,
        Err(wrong) => return Ok(refuse(&cx, &wrong)),
    };
    if wish.own && !given.sure {
        let words = &cx.words.bans;
        return Ok(problem(&cx, StatusCode::CONFLICT, "own-address", words.own_title));
    }
    let spares: Vec<String> = wish.spares.iter().map(ToString::to_string).collect();
    let network = wish.network.to_string();
    Ok(match super::ban(&cx, &member, wish).await {
        Ok(()) => problem::answer(&json!({ "network": network, "spares": spares })),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `DELETE /_gate/api/v1/admin/bans?network=`
pub(super) async fn lift(cx: Cx) -> Result<Response, Response> {
    if let Err(fault) = body::is_json(&cx.headers) {
        return Ok(guard::refuse(&cx, fault));
    }
    let member = guard::administrator(&cx).await?;
    let network = match ban::parse(cx.query("network").unwrap_or_default()) {
        Ok(network) => network,
        Err(wrong) => return Ok(refuse(&cx, &Wrong::Ban(wrong))),
    };
    Ok(match super::lift(&cx, &member, network).await {
        Ok(true) => all(&cx),
        Ok(false) => problem(&cx, StatusCode::NOT_FOUND, "not-banned", cx.words.bans.not_banned),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn all(cx: &Cx) -> Response {
    let bans: Vec<Value> =
        cx.gate().live().records.bans().all().iter().map(|ban| document(ban, cx.now())).collect();
    problem::answer(&json!({ "bans": bans }))
}

fn document(ban: &Ban, now: Wall) -> Value {
    json!({
        "network": ban.network.to_string(),
        "reason": ban.reason,
        "by": ban.by,
        "since": ban.since.secs(),
        "until": ban.until.map(Wall::secs),
        "over": !ban.counts(now),
    })
}

fn refuse(cx: &Cx, wrong: &Wrong) -> Response {
    let code = match wrong {
        Wrong::Lasts => "bad-duration",
        Wrong::Ban(ban::Unbannable::Reason) => "bad-reason",
        Wrong::Ban(ban::Unbannable::Unreadable(_) | ban::Unbannable::TooWide(_)) => "bad-network",
        Wrong::Ban(ban::Unbannable::Spared { .. }) => "spared",
    };
    problem(cx, StatusCode::UNPROCESSABLE_ENTITY, code, wrong.say(cx.words).1)
}

fn problem(cx: &Cx, status: StatusCode, code: &'static str, text: &str) -> Response {
    Problem::new(status, code, cx.words.bans.tab, text).into_response()
}
