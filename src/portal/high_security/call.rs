//! `/_gate/api/v1/admin/high-security`

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::flow::{self, Switch};
use crate::{
    portal::{
        body,
        context::Cx,
        fault::Fault,
        guard,
        problem::{self, Problem},
    },
    rules::identity::UserName,
};

const WANTED: &str =
    "an object with either installation, true or false, or username, a string, and on, true or false";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    installation: Option<bool>,
    username: Option<String>,
    on: Option<bool>,
}

/// `GET /_gate/api/v1/admin/high-security`
pub(super) async fn show(cx: Cx) -> Response {
    match guard::root(&cx).await {
        Ok(_) => problem::answer(&state(&cx)),
        Err(response) => response,
    }
}

/// `PUT /_gate/api/v1/admin/high-security`
pub(super) async fn put(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::root(&cx).await?;
    let given: Given = match body::json(&cx.headers, body, WANTED).await {
        Ok(given) => given,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let switch = match (given.installation, given.username, given.on) {
        (Some(on), None, None) => Switch { user: None, on },
        (None, Some(name), Some(on)) => {
            let found =
                UserName::parse(&name).ok().and_then(|name| cx.gate().live().records.user_by_name(&name));
            let Some(user) = found else { return Ok(no_account(&cx)) };
            Switch { user: Some(user), on }
        }
        _ => return Ok(guard::refuse(&cx, Fault::BadBody(WANTED))),
    };
    Ok(match super::switch(&cx, &member, &switch).await {
        Ok(true) => problem::answer(&state(&cx)),
        Ok(false) => no_account(&cx),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn no_account(cx: &Cx) -> Response {
    let words = &cx.words.acting;
    Problem::new(StatusCode::NOT_FOUND, "no-such-account", words.mode, words.no_account).into_response()
}

fn state(cx: &Cx) -> Value {
    let records = &cx.gate().live().records;
    let off: Vec<String> =
        records.users().iter().filter(|user| !user.high_security).map(|user| user.name.to_string()).collect();
    let policy = &cx.site().policy;
    let pages: Vec<Value> = flow::protected(policy)
        .into_iter()
        .map(|protected| {
            let roles: Map<String, Value> = protected
                .roles
                .iter()
                .map(|(role, levels)| {
                    let levels =
                        json!({ "unelevated": levels.unelevated.as_str(), "elevated": levels.elevated.as_str() });
                    (role.to_string(), levels)
                })
                .collect();
            json!({ "name": &*protected.page.name, "roles": roles })
        })
        .collect();
    json!({ "installation": records.is_high_security(), "off_for": off, "pages": pages })
}
