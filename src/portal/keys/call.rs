//! `/_gate/api/v1/keys`

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    flow::{self, Draft, Expiry, Mistake, Offer},
    make,
    view::{say, too_many},
};
use crate::{
    clock::Wall,
    portal::{
        body,
        context::Cx,
        fault::Fault,
        guard,
        problem::{self, Problem},
    },
    rules::api_key::ApiKey,
};

/// `GET /_gate/api/v1/keys`
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::member(&cx).await?;
    let keys: Vec<Value> = make::keys(&cx, &member).iter().map(describe).collect();
    let scopes: Vec<Value> = make::offers(&cx, &member).iter().map(offer).collect();
    Ok(problem::answer(&json!({ "keys": keys, "scopes": scopes })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    scopes: Vec<String>,
    expires: Option<u64>,
}

const WANTED: &str = "name, a list of scopes, and expires in unix seconds or null";

/// `POST /_gate/api/v1/keys`
pub(super) async fn make(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    let Wanted { name, scopes, expires } = match body::json(&cx.headers, body, WANTED).await {
        Ok(wanted) => wanted,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let expiry = expires.map_or(Expiry::Never, |at| Expiry::At(Wall::from_secs(at)));
    let draft = Draft { name, scopes, expiry };
    let planned = flow::plan(&draft, &make::offers(&cx, &member), &make::names(&cx, &member), cx.now());
    let plan = match planned {
        Ok(plan) => plan,
        Err(mistakes) => return Ok(mistaken(&cx, mistakes.first().unwrap_or(Mistake::NoName))),
    };
    if let Some(fault) = make::missing(&member, &plan) {
        return Ok(guard::refuse(&cx, fault));
    }
    Ok(match make::make(&cx, &member, plan).await {
        Ok(Some((text, key))) => {
            let mut made = describe(&key);
            if let Some(members) = made.as_object_mut() {
                members.insert("key".into(), text.expose().into());
            }
            (StatusCode::CREATED, problem::answer(&made)).into_response()
        }
        Ok(None) => refuse(&cx, StatusCode::CONFLICT, "too-many-keys", &too_many(cx.words)),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `DELETE /_gate/api/v1/keys/{id}`
pub(super) async fn delete(cx: Cx, Path(id): Path<String>) -> Result<Response, Response> {
    let member = guard::own_credentials(&cx).await?;
    if let Err(fault) = body::is_json(&cx.headers) {
        return Ok(guard::refuse(&cx, fault));
    }
    let Some(key) = make::key(&cx, &member, &id) else { return Ok(guard::refuse(&cx, Fault::NotFound)) };
    Ok(match make::delete(&cx, &member, &key).await {
        Ok(removed) => problem::answer(&json!({ "deleted": usize::from(removed) })),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn mistaken(cx: &Cx, mistake: Mistake) -> Response {
    let status =
        if mistake == Mistake::TakenName { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    refuse(cx, status, mistake.code(), say(cx.words, mistake))
}

fn refuse(cx: &Cx, status: StatusCode, code: &str, detail: &str) -> Response {
    Problem::new(status, code, cx.words.keys.not_made, detail).into_response()
}

fn describe(key: &ApiKey) -> Value {
    json!({
        "id": key.id.public().to_string(),
        "site": &*key.site,
        "name": key.name,
        "scopes": key.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(),
        "created": key.created.secs(),
        "expires": key.expires.map(Wall::secs),
        "used": key.used.map(|used| json!({ "at": used.at.secs(), "address": used.address.to_string() })),
    })
}

fn offer(offer: &Offer) -> Value {
    let opens =
        offer.opens.iter().map(|(page, access)| json!({ "page": &**page, "access": access.as_str() }));
    json!({ "scope": &*offer.scope, "opens": opens.collect::<Vec<_>>(), "needs_elevation": offer.beyond })
}
