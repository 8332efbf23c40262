//! The calls.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::change::{Undone, carry_out, text};
use crate::{
    gate::SignedIn,
    portal::{
        admin::{
            flow::{Act, No},
            paging::Paged,
            who::{account, accounts, document, usage},
        },
        body,
        context::Cx,
        fault::Fault,
        guard,
        problem::{self, Problem},
    },
    rules::identity::User,
};

/// `GET /_gate/api/v1/admin/users?q=&page=`
pub(crate) async fn call_list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filter = cx.query("q").unwrap_or_default();
    let paged = Paged::new(&cx, accounts(&cx, &member, filter), "", ("q", filter));
    let usage = usage(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let describe = |user: &Arc<User>| document(&cx, user, usage.get(&user.id).copied().unwrap_or_default());
    let users: Vec<_> = paged.items.iter().map(describe).collect();
    let (page, pages, total) = (paged.page, paged.pages, paged.total);
    Ok(problem::answer(&json!({ "users": users, "page": page, "pages": pages, "total": total })))
}

/// `GET /_gate/api/v1/admin/users/{name}`
pub(crate) async fn call_show(cx: Cx, Path(name): Path<String>) -> Response {
    match found(&cx, &name).await {
        Ok((_, user)) => described(&cx, &user).await,
        Err(response) => response,
    }
}

const WANTED: &str =
    "an object with disabled (true or false), role (a string), locked (false), or several of them";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    disabled: Option<bool>,
    role: Option<String>,
    locked: Option<bool>,
}

/// `PATCH /_gate/api/v1/admin/users/{name}`
pub(crate) async fn call_change(cx: Cx, Path(name): Path<String>, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let wanted: Wanted = match body::json(&cx.headers, body, WANTED).await {
        Ok(wanted) => wanted,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let user = match account(&cx, &member, &name) {
        Ok(user) => user,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    ready(&cx).await?;
    let disabled = wanted.disabled.map(|disabled| if disabled { Act::Disable } else { Act::Enable });
    // Only failures lock.
    let unlock = wanted.locked.map(|_| Act::Unlock);
    let role = wanted.role.map(|role| Act::Role(role.into()));
    let acts: Vec<Act> = role.into_iter().chain(disabled).chain(unlock).collect();
    if acts.is_empty() || wanted.locked == Some(true) {
        return Ok(guard::refuse(&cx, Fault::BadBody(WANTED)));
    }
    for act in &acts {
        match carry_out(&cx, &member, &user, act).await {
            // What is so already is as it was asked for.
            Ok(()) | Err(Undone::No(No::Nothing)) => {}
            Err(undone) => return Ok(refuse(&cx, undone)),
        }
    }
    Ok(match account(&cx, &member, &name) {
        Ok(user) => described(&cx, &user).await,
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `DELETE /_gate/api/v1/admin/users/{name}/second-factor`
pub(crate) async fn call_remove_factor(cx: Cx, Path(name): Path<String>) -> Response {
    call(&cx, &name, &Act::RemoveFactor).await
}

/// `DELETE /_gate/api/v1/admin/users/{name}/sessions`
pub(crate) async fn call_sign_out(cx: Cx, Path(name): Path<String>) -> Response {
    call(&cx, &name, &Act::SignOut).await
}

async fn call(cx: &Cx, name: &str, act: &Act) -> Response {
    if let Err(fault) = body::is_json(&cx.headers) {
        return guard::refuse(cx, fault);
    }
    let (member, user) = match found(cx, name).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    if let Err(undone) = carry_out(cx, &member, &user, act).await {
        return refuse(cx, undone);
    }
    match account(cx, &member, name) {
        Ok(user) => described(cx, &user).await,
        Err(fault) => guard::refuse(cx, fault),
    }
}

async fn found(cx: &Cx, name: &str) -> Result<(SignedIn, Arc<User>), Response> {
    let member = guard::administrator(cx).await?;
    let user = account(cx, &member, name).map_err(|fault| guard::refuse(cx, fault))?;
    ready(cx).await?;
    Ok((member, user))
}

/// What is done to an account is answered with how the account is used: it is waited for that before anything is done.
async fn ready(cx: &Cx) -> Result<(), Response> {
    cx.whole().await.map(drop).map_err(|fault| guard::refuse(cx, fault))
}

async fn described(cx: &Cx, user: &User) -> Response {
    match usage(cx).await {
        Ok(usage) => {
            let usage = usage.get(&user.id).copied().unwrap_or_default();
            problem::answer(&document(cx, user, usage))
        }
        Err(fault) => guard::refuse(cx, fault),
    }
}

fn refuse(cx: &Cx, undone: Undone) -> Response {
    let (status, code, no) = match undone {
        Undone::Fault(fault) => return guard::refuse(cx, fault),
        Undone::No(no @ No::Oneself) => (StatusCode::CONFLICT, "own-account", no),
        Undone::No(no @ No::RoleTooHigh) => (StatusCode::FORBIDDEN, "role-too-high", no),
        Undone::No(no @ No::Nothing) => (StatusCode::CONFLICT, "nothing-to-do", no),
    };
    Problem::new(status, code, cx.words.unsaved_title, text(cx.words, no)).into_response()
}
