//! `/_gate/admin/bans`

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, response::Response};
use http::StatusCode;

use super::flow::{Filled, wish};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        guard,
        pages::{self, AccountFrame, Confirm, Fact, Frame, Tab},
        redirect::escape,
        sessions::When,
        words::fill,
    },
    rules::ban::{self, Ban},
};

const LIST: &str = "/_gate/admin/bans";

#[derive(Template)]
#[template(path = "portal/pages/admin_bans.html")]
struct Bans {
    frame: Frame,
    me: AccountFrame,
    form: String,
    done: Option<&'static str>,
    counting: Vec<Row>,
    over: Vec<Row>,
    network: String,
    reason: String,
    lasts: String,
    /// The field that is at fault, and what to write instead.
    error: Option<(&'static str, String)>,
    /// Whether the form is about to shut out whoever sends it.
    sure: bool,
}

struct Row {
    network: String,
    lift: String,
    reason: String,
    by: String,
    since: When,
    until: Option<When>,
}

impl Bans {
    fn at_fault(&self, field: &str) -> bool {
        self.error.as_ref().is_some_and(|(name, _)| *name == field)
    }
}

/// `GET /_gate/admin/bans`; `?network=` fills the form in.
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filled = Filled { network: cx.query("network").unwrap_or_default(), ..Filled::default() };
    Ok(page(&cx, &member, &filled, StatusCode::OK, None, false))
}

/// `POST /_gate/admin/bans`
pub(super) async fn add(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let known = ["form", "network", "reason", "lasts", "sure"];
    let fields = Form::read(&cx.headers, body, &known).await.map_err(|fault| guard::refuse(&cx, fault))?;
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(guard::refuse(&cx, fault));
    }
    let filled =
        Filled { network: fields.get("network"), reason: fields.get("reason"), lasts: fields.get("lasts") };
    let client = cx.visit.facts.client.ip;
    let wish = match wish(&filled, client, &cx.visit.snapshot.spared) {
        Ok(wish) => wish,
        Err(wrong) => {
            let (field, text) = wrong.say(cx.words);
            let error = Some((field, text.to_owned()));
            return Ok(page(&cx, &member, &filled, StatusCode::UNPROCESSABLE_ENTITY, error, false));
        }
    };
    // Sure of this network, and not of another one that was typed since.
    if wish.own && fields.get("sure") != wish.network.to_string() {
        let values = [("address", client.to_string()), ("network", wish.network.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let error = Some(("network", fill(cx.words.bans.own, &values)));
        let filled = Filled { network: &wish.network.to_string(), ..filled.clone() };
        return Ok(page(&cx, &member, &filled, StatusCode::CONFLICT, error, true));
    }
    Ok(match super::ban(&cx, &member, wish).await {
        Ok(()) => pages::see_other(&format!("{LIST}?done=added")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `GET /_gate/admin/bans/lift?network=`
pub(super) async fn ask(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let network = cx.query("network").unwrap_or_default().to_owned();
    Ok(confirm(&cx, &member, &network, StatusCode::OK))
}

/// `POST /_gate/admin/bans/lift?network=`
pub(super) async fn lift(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let fields = Form::read(&cx.headers, body, &["form"]).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let text = cx.query("network").unwrap_or_default().to_owned();
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(confirm(&cx, &member, &text, fault.status()));
    }
    let Ok(network) = ban::parse(&text) else { return Ok(confirm(&cx, &member, &text, StatusCode::OK)) };
    Ok(match super::lift(&cx, &member, network).await {
        Ok(_) => pages::see_other(&format!("{LIST}?done=lifted")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

fn page(
    cx: &Cx,
    member: &SignedIn,
    filled: &Filled<'_>,
    status: StatusCode,
    error: Option<(&'static str, String)>,
    sure: bool,
) -> Response {
    let mut bans = cx.gate().live().records.bans().all();
    bans.sort_by_key(|ban| std::cmp::Reverse(ban.since));
    let (counting, over): (Vec<_>, Vec<_>) = bans.into_iter().partition(|ban| ban.counts(cx.now()));
    let rows = |bans: Vec<Arc<Ban>>| bans.iter().map(|ban| row(cx, ban)).collect();
    let page = Bans {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Bans),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        done: match cx.query("done") {
            Some("added") if status == StatusCode::OK => Some(cx.words.bans.added),
            Some("lifted") if status == StatusCode::OK => Some(cx.words.bans.lifted),
            _ => None,
        },
        counting: rows(counting),
        over: rows(over),
        network: filled.network.to_owned(),
        reason: filled.reason.to_owned(),
        lasts: filled.lasts.to_owned(),
        error,
        sure,
    };
    pages::html(status, &page)
}

fn row(cx: &Cx, ban: &Ban) -> Row {
    let network = ban.network.to_string();
    Row {
        lift: format!("{LIST}/lift?network={}", escape(&network)),
        network,
        reason: ban.reason.clone(),
        by: ban.by.clone(),
        since: When::new(cx.words, ban.since, cx.now()),
        until: ban.until.map(|until| When::new(cx.words, until, cx.now())),
    }
}

fn confirm(cx: &Cx, member: &SignedIn, network: &str, status: StatusCode) -> Response {
    let words = &cx.words.bans;
    let bans = cx.gate().live().records.bans().all();
    let found =
        ban::parse(network).ok().and_then(|network| bans.into_iter().find(|ban| ban.network == network));
    let Some(found) = found else {
        let error = Some(("network", words.not_banned.to_owned()));
        return page(cx, member, &Filled::default(), StatusCode::NOT_FOUND, error, false);
    };
    let network = found.network.to_string();
    let fact = |label, value: &str| Fact { label, value: value.to_owned() };
    let until = found.until.map_or_else(|| words.ever.to_owned(), pages::date_and_time);
    let page = Confirm {
        title: fill(words.lift_title, &[("network", &network)]),
        text: words.lift_text.to_owned(),
        facts: vec![
            fact(words.network, &network),
            fact(words.reason, &found.reason),
            fact(words.banned_by, &found.by),
            fact(words.since, &pages::date_and_time(found.since)),
            fact(words.until, &until),
        ],
        effects: vec![words.lift_effect.to_owned()],
        error: (status != StatusCode::OK).then(|| cx.words.stale_form.to_owned()),
        action: format!("{LIST}/lift?network={}", escape(&network)),
        button: words.lift,
        danger: false,
        ..Confirm::new(cx, member, Tab::Bans, LIST, words.keep)
    };
    pages::html(status, &page)
}
