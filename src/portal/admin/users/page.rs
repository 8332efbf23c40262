//! The pages: the table, one account, and a confirmation for whatever is done to it.

use std::sync::Arc;

use axum::{body::Body, extract::Path, response::Response};
use http::StatusCode;
use url::form_urlencoded;

use super::change::{Undone, carry_out, text};
use crate::{
    gate::SignedIn,
    portal::{
        admin::{
            flow::{Act, No},
            paging::Paged,
            who::{Usage, account, accounts, administrator, other_policies, standing, usage},
        },
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, AdminUser, AdminUsers, Confirm, Fact, Tab, UserRow},
        sessions::When,
        words::fill,
    },
    rules::{
        failures::{Barred, ByKind},
        identity::{Role, User},
    },
};

const LIST: &str = "/_gate/admin/users";
const SESSIONS: &str = "/_gate/admin/sessions";

/// `GET /_gate/admin/users?q=&page=`
pub(crate) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filter = cx.query("q").unwrap_or_default().to_owned();
    let paged = Paged::new(&cx, accounts(&cx, &member, &filter), LIST, ("q", &filter));
    let usage = usage(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let row = |user: &Arc<User>| row(&cx, user, usage.get(&user.id).copied().unwrap_or_default());
    let page = AdminUsers {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Users),
        users: paged.items.iter().map(row).collect(),
        filter,
        pager: paged.into(),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/admin/users/{name}`
pub(crate) async fn show(cx: Cx, Path(name): Path<String>) -> Result<Response, Response> {
    let (member, user) = found(&cx, &name).await?;
    let others = other_policies(&cx);
    let administrator = administrator(&cx, &member, &others);
    let own = user.id == member.user.id;
    let standing = standing(&cx, &user);
    let possible = |name: &'static str| {
        let wanted = act_named(name, &user, &administrator.roles()).filter(|_| !own)?;
        if wanted == Act::Unlock && standing.failures == ByKind::default() {
            return None;
        }
        administrator.may(&user, &wanted).ok().map(|()| name)
    };
    let usage = usage(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let usage = usage.get(&user.id).copied().unwrap_or_default();
    let page = AdminUser {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Users),
        done: cx.query("done").filter(|done| ACTS.contains(done)).map(|_| cx.words.admin.done),
        acts: ACTS.into_iter().filter_map(possible).map(|act| (act, button(&cx, act))).collect(),
        own,
        facts: facts(&cx, &user, usage),
        user: row(&cx, &user, usage),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/admin/users/{name}/{act}`
pub(crate) async fn ask(cx: Cx, Path((name, act)): Path<(String, String)>) -> Response {
    let (member, user) = match found(&cx, &name).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    match ACTS.into_iter().find(|known| *known == act) {
        Some(act) => confirm(&cx, &member, &user, act, None).await,
        None => guard::refuse(&cx, Fault::NotFound),
    }
}

/// `POST /_gate/admin/users/{name}/{act}`
pub(crate) async fn act(
    cx: Cx,
    Path((name, act)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let fields = Form::read(&cx.headers, body, &["form", "choice"])
        .await
        .map_err(|fault| guard::refuse(&cx, fault))?;
    let user = match account(&cx, &member, &name) {
        Ok(user) => user,
        Err(fault) => return Ok(guard::refuse(&cx, fault)),
    };
    let Some(act) = ACTS.into_iter().find(|known| *known == act) else {
        return Ok(guard::refuse(&cx, Fault::NotFound));
    };
    if csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")).is_err() {
        let refused = (StatusCode::FORBIDDEN, cx.words.stale_form);
        return Ok(confirm(&cx, &member, &user, act, Some(refused)).await);
    }
    if act == "role" && fields.get("choice").is_empty() {
        let refused = (StatusCode::UNPROCESSABLE_ENTITY, cx.words.admin.choose);
        return Ok(confirm(&cx, &member, &user, act, Some(refused)).await);
    }
    let Some(wanted) = act_named(act, &user, &[fields.get("choice").into()]) else {
        return Ok(guard::refuse(&cx, Fault::NotFound));
    };
    Ok(match carry_out(&cx, &member, &user, &wanted).await {
        // A form that is sent twice has done what it should.
        Ok(()) | Err(Undone::No(No::Nothing)) => {
            pages::see_other(&format!("{LIST}/{}?done={act}", user.name))
        }
        Err(Undone::No(no)) => {
            let refused = (StatusCode::CONFLICT, text(cx.words, no));
            confirm(&cx, &member, &user, act, Some(refused)).await
        }
        Err(Undone::Fault(fault)) => guard::refuse(&cx, fault),
    })
}

/// What can be done, as addresses spell it.
const ACTS: [&str; 6] = ["role", "unlock", "sign-out", "remove-second-factor", "disable", "enable"];

/// The act of this name; for a role, the first of `roles` that the account does not have.
fn act_named(name: &str, user: &User, roles: &[Role]) -> Option<Act> {
    Some(match name {
        "disable" => Act::Disable,
        "enable" => Act::Enable,
        "remove-second-factor" => Act::RemoveFactor,
        "sign-out" => Act::SignOut,
        "unlock" => Act::Unlock,
        "role" => Act::Role(roles.iter().find(|role| **role != user.role).or(roles.first())?.clone()),
        _ => return None,
    })
}

async fn found(cx: &Cx, name: &str) -> Result<(SignedIn, Arc<User>), Response> {
    let member = guard::administrator(cx).await?;
    let user = account(cx, &member, name).map_err(|fault| guard::refuse(cx, fault))?;
    Ok((member, user))
}

async fn confirm(
    cx: &Cx,
    member: &SignedIn,
    user: &User,
    act: &'static str,
    refused: Option<(StatusCode, &str)>,
) -> Response {
    let words = &cx.words.admin;
    let (title, effect) = match act {
        "disable" => (words.disable_title, words.disable_effect),
        "enable" => (words.enable_title, words.enable_effect),
        "remove-second-factor" => (words.remove_factor_title, words.remove_factor_effect),
        "sign-out" => (words.sign_out_title, words.sign_out_effect),
        "unlock" => (words.unlock_title, words.unlock_effect),
        _ => (words.role_title, words.role_effect),
    };
    let others = other_policies(cx);
    let roles = administrator(cx, member, &others).roles();
    let choices = roles.iter().filter(|role| act == "role" && **role != user.role);
    let back = format!("{LIST}/{}", user.name);
    let usage = match usage(cx).await {
        Ok(usage) => usage.get(&user.id).copied().unwrap_or_default(),
        Err(fault) => return guard::refuse(cx, fault),
    };
    let page = Confirm {
        title: fill(title, &[("name", user.name.as_str())]),
        text: words.confirm.to_owned(),
        facts: facts(cx, user, usage),
        effects: vec![effect.to_owned()],
        error: refused.map(|(_, text)| text.to_owned()),
        action: format!("{back}/{act}"),
        button: button(cx, act),
        danger: !matches!(act, "enable" | "role" | "unlock"),
        choices: choices.map(ToString::to_string).collect(),
        choice_label: words.new_role,
        ..Confirm::new(cx, member, Tab::Users, &back, words.leave)
    };
    pages::html(refused.map_or(StatusCode::OK, |(status, _)| status), &page)
}

fn button(cx: &Cx, act: &str) -> &'static str {
    let words = &cx.words.admin;
    match act {
        "disable" => words.disable,
        "enable" => words.enable,
        "remove-second-factor" => words.remove_factor,
        "sign-out" => words.sign_out,
        "unlock" => words.unlock,
        _ => words.change_role,
    }
}

fn row(cx: &Cx, user: &User, usage: Usage) -> UserRow {
    UserRow {
        name: user.name.to_string(),
        display: user.display.clone(),
        role: user.role.to_string(),
        second_factor: user.totp.is_some(),
        disabled: user.disabled,
        sessions: usage.sessions,
        sessions_href: format!("{SESSIONS}?user={}", escape(user.name.as_str())),
        last: usage.last.map(|at| When::new(cx.words, at, cx.now())),
    }
}

fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn facts(cx: &Cx, user: &User, usage: Usage) -> Vec<Fact> {
    let words = &cx.words.admin;
    let factor = if user.totp.is_some() { words.set_up } else { words.not_set_up };
    let state = match (user.disabled, standing(cx, user).worst()) {
        (true, _) => words.disabled.to_owned(),
        (false, Some(Barred::Stopped)) => words.stopped.to_owned(),
        (false, Some(Barred::For(wait))) => {
            fill(words.locked_until, &[("time", &pages::clock(cx.now().plus(wait)))])
        }
        (false, None) => words.active.to_owned(),
    };
    let last = usage.last.map_or_else(|| words.never.to_owned(), pages::date_and_time);
    [
        (cx.words.user_name, user.name.to_string()),
        (words.display, user.display.clone()),
        (words.mail, user.email.clone()),
        (words.role, user.role.to_string()),
        (words.state, state),
        (words.second_factor, factor.to_owned()),
        (words.sessions, usage.sessions.to_string()),
        (words.last_active, last),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(label, value)| Fact { label, value })
    .collect()
}
