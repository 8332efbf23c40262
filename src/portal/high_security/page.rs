//! `/_gate/admin/high-security`: the state with what it means, and a page that says what a switch changes before it is
//! turned.

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, response::Response};
use http::StatusCode;

use super::flow::{self, Switch};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Frame, Tab, page_title},
        redirect::escape,
        words::{Words, fill},
    },
    rules::{
        identity::{User, UserName},
        outcome::Access,
        policy::Levels,
    },
};

const PAGE: &str = "/_gate/admin/high-security";

#[derive(Template)]
#[template(path = "portal/pages/high_security.html")]
struct Overview {
    frame: Frame,
    me: AccountFrame,
    on: bool,
    roles: Vec<String>,
    pages: Vec<Row>,
    off_for: Vec<OffFor>,
    username: String,
    error: Option<&'static str>,
}

struct Row {
    name: String,
    levels: Vec<String>,
}

struct OffFor {
    href: String,
    name: String,
    text: String,
}

#[derive(Template)]
#[template(path = "portal/pages/high_security_confirm.html")]
struct Confirm {
    frame: Frame,
    me: AccountFrame,
    form: String,
    on: bool,
    username: String,
    title: &'static str,
    whom: String,
    what: &'static str,
    changes: Vec<String>,
    button: &'static str,
}

/// `GET /_gate/admin/high-security`; with `turn=on` or `turn=off`, and perhaps `user`, the question before the switch.
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::root(&cx).await?;
    let on = match cx.query("turn") {
        Some("on") => true,
        Some("off") => false,
        _ => return Ok(overview(&cx, &member, StatusCode::OK, "", None)),
    };
    Ok(match read(&cx, cx.query("user"), on) {
        Ok(switch) => confirm(&cx, &member, &switch, StatusCode::OK),
        Err(error) => {
            let name = cx.query("user").unwrap_or_default();
            overview(&cx, &member, StatusCode::UNPROCESSABLE_ENTITY, name, Some(error))
        }
    })
}

/// `POST /_gate/admin/high-security`
pub(super) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::root(&cx).await?;
    let fields = Form::read(&cx.headers, body, &["form", "turn", "user"])
        .await
        .map_err(|fault| guard::refuse(&cx, fault))?;
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(guard::refuse(&cx, fault));
    }
    let on = match fields.get("turn") {
        "on" => true,
        "off" => false,
        _ => return Ok(guard::refuse(&cx, Fault::BadBody("turn is on or off"))),
    };
    let name = fields.get("user");
    let gone =
        || overview(&cx, &member, StatusCode::UNPROCESSABLE_ENTITY, name, Some(cx.words.acting.no_account));
    let Ok(switch) = read(&cx, fields.has("user").then_some(name), on) else { return Ok(gone()) };
    Ok(match super::switch(&cx, &member, &switch).await {
        Ok(true) => pages::see_other(PAGE),
        Ok(false) => gone(),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// Which way to switch for whom.
fn read(cx: &Cx, name: Option<&str>, on: bool) -> Result<Switch, &'static str> {
    let Some(name) = name else { return Ok(Switch { user: None, on }) };
    if name.trim().is_empty() {
        return Err(cx.words.acting.no_name);
    }
    let user = UserName::parse(name).ok().and_then(|name| cx.gate().live().records.user_by_name(&name));
    Ok(Switch { user: Some(user.ok_or(cx.words.acting.no_account)?), on })
}

fn overview(
    cx: &Cx,
    member: &SignedIn,
    status: StatusCode,
    username: &str,
    error: Option<&'static str>,
) -> Response {
    let records = &cx.gate().live().records;
    let policy = &cx.site().policy;
    let mut off: Vec<Arc<User>> = records.users();
    off.retain(|user| !user.high_security);
    off.sort_by(|one, other| one.name.cmp(&other.name));
    let page = Overview {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::HighSecurity),
        on: records.is_high_security(),
        roles: policy.roles().iter().map(ToString::to_string).collect(),
        pages: flow::protected(policy)
            .into_iter()
            .map(|protected| Row {
                name: page_title(&protected.page.name),
                levels: protected.roles.iter().map(|(_, levels)| spell(cx.words, *levels)).collect(),
            })
            .collect(),
        off_for: off
            .iter()
            .map(|user| OffFor {
                href: format!("{PAGE}?turn=on&user={}", escape(user.name.as_str())),
                name: user.name.to_string(),
                text: about(cx.words.acting.off_for, user),
            })
            .collect(),
        username: username.to_owned(),
        error,
    };
    pages::html(status, &page)
}

fn confirm(cx: &Cx, member: &SignedIn, switch: &Switch, status: StatusCode) -> Response {
    let words = &cx.words.acting;
    let role = switch.user.as_ref().map(|user| &user.role);
    let changes = flow::changes(&cx.site().policy, role, switch.on);
    let changes = changes.iter().map(|change| {
        let page = page_title(change.page);
        let (before, after) = (access(cx.words, change.before), access(cx.words, change.after));
        fill(
            words.change_row,
            &[("page", &page), ("role", change.role), ("before", before), ("after", after)],
        )
    });
    let page = Confirm {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::HighSecurity),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        on: switch.on,
        username: switch.user.as_ref().map_or_else(String::new, |user| user.name.to_string()),
        title: if switch.on { words.confirm_on_title } else { words.confirm_off_title },
        whom: switch
            .user
            .as_ref()
            .map_or_else(|| words.for_all.to_owned(), |user| about(words.for_one, user)),
        what: if switch.on { words.change_on } else { words.change_off },
        changes: changes.collect(),
        button: if switch.on { words.switch_on } else { words.switch_off },
    };
    pages::html(status, &page)
}

fn about(pattern: &str, user: &User) -> String {
    fill(pattern, &[("name", user.name.as_str()), ("role", &user.role)])
}

/// `read → full`, or one word where it makes no difference.
fn spell(words: &Words, levels: Levels) -> String {
    let (before, after) = (access(words, levels.unelevated), access(words, levels.elevated));
    if before == after { before.to_owned() } else { format!("{before} → {after}") }
}

fn access(words: &Words, access: Access) -> &'static str {
    match access {
        Access::None => words.acting.access_none,
        Access::Read => words.acting.access_read,
        Access::Full => words.acting.access_full,
    }
}
