//! `/_gate/admin/bans`

use askama::Template;
use axum::{body::Body, response::Response};
use http::StatusCode;

use super::flow::{Filled, wish};
use crate::{
    gate::SignedIn,
    portal::{
        admin::paging::Paged,
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        guard,
        pages::{self, AccountFrame, Confirm, Fact, Frame, Pager, Tab},
        redirect::escape,
        sessions::When,
        words::fill,
    },
    rules::ban::{self, Ban, Whom},
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
    filter: String,
    pager: Pager,
    whom: String,
    reason: String,
    lasts: String,
    /// The field that is at fault, and what to write instead.
    error: Option<(&'static str, String)>,
    /// Whether the form is about to shut out whoever sends it.
    sure: bool,
}

struct Row {
    whom: String,
    /// No database says who that is.
    blind: bool,
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

/// `GET /_gate/admin/bans?q=&page=`; `?whom=` fills the form in.
pub(super) async fn list(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let filled = Filled { whom: cx.query("whom").unwrap_or_default(), ..Filled::default() };
    Ok(page(&cx, &member, &filled, StatusCode::OK, None, false))
}

/// `POST /_gate/admin/bans`
pub(super) async fn add(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let known = ["form", "whom", "reason", "lasts", "sure"];
    let fields = Form::read(&cx.headers, body, &known).await.map_err(|fault| guard::refuse(&cx, fault))?;
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(guard::refuse(&cx, fault));
    }
    let filled =
        Filled { whom: fields.get("whom"), reason: fields.get("reason"), lasts: fields.get("lasts") };
    let wish = match wish(&filled, &cx.visit.snapshot.spared, |whom| super::is_own(&cx, whom)) {
        Ok(wish) => wish,
        Err(wrong) => {
            let (field, text) = wrong.say(cx.words);
            let error = Some((field, text.to_owned()));
            return Ok(page(&cx, &member, &filled, StatusCode::UNPROCESSABLE_ENTITY, error, false));
        }
    };
    // Sure of this one, and not of another one that was typed since.
    if wish.own && fields.get("sure") != wish.whom.to_string() {
        let values = [("address", cx.visit.facts.client.ip.to_string()), ("whom", wish.whom.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let error = Some(("whom", fill(cx.words.bans.own, &values)));
        let filled = Filled { whom: &wish.whom.to_string(), ..filled.clone() };
        return Ok(page(&cx, &member, &filled, StatusCode::CONFLICT, error, true));
    }
    Ok(match super::ban(&cx, &member, wish).await {
        Ok(()) => pages::see_other(&format!("{LIST}?done=added")),
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// `GET /_gate/admin/bans/lift?whom=`
pub(super) async fn ask(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let whom = cx.query("whom").unwrap_or_default().to_owned();
    Ok(confirm(&cx, &member, &whom, StatusCode::OK))
}

/// `POST /_gate/admin/bans/lift?whom=`
pub(super) async fn lift(cx: Cx, body: Body) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let fields = Form::read(&cx.headers, body, &["form"]).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let text = cx.query("whom").unwrap_or_default().to_owned();
    if let Err(fault) = csrf::check(&cx, Binding::Session(&member.sid), fields.get("form")) {
        return Ok(confirm(&cx, &member, &text, fault.status()));
    }
    let Ok(whom) = ban::parse(&text) else { return Ok(confirm(&cx, &member, &text, StatusCode::OK)) };
    Ok(match super::lift(&cx, &member, whom).await {
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
    let filter = cx.query("q").unwrap_or_default().to_owned();
    let paged = Paged::new(cx, super::all(cx, &filter), LIST, ("q", &filter));
    let (counting, over): (Vec<_>, Vec<_>) = paged.items.iter().partition(|ban| ban.counts(cx.now()));
    let rows = |bans: &[&std::sync::Arc<Ban>]| bans.iter().map(|ban| row(cx, ban)).collect();
    let page = Bans {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Bans),
        form: csrf::token(cx, Binding::Session(&member.sid)),
        done: match cx.query("done") {
            Some("added") if status == StatusCode::OK => Some(cx.words.bans.added),
            Some("lifted") if status == StatusCode::OK => Some(cx.words.bans.lifted),
            _ => None,
        },
        counting: rows(&counting),
        over: rows(&over),
        filter,
        whom: filled.whom.to_owned(),
        reason: filled.reason.to_owned(),
        lasts: filled.lasts.to_owned(),
        error,
        sure,
        pager: paged.into(),
    };
    pages::html(status, &page)
}

fn row(cx: &Cx, ban: &Ban) -> Row {
    let whom = ban.whom.to_string();
    Row {
        lift: lift_link(&ban.whom),
        whom,
        blind: !cx.visit.snapshot.sight().reaches(&ban.whom),
        reason: ban.reason.clone(),
        by: ban.by.clone(),
        since: When::new(cx.words, ban.since, cx.now()),
        until: ban.until.map(|until| When::new(cx.words, until, cx.now())),
    }
}

/// Where a ban is lifted.
pub(in crate::portal::admin) fn lift_link(whom: &Whom) -> String {
    format!("{LIST}/lift?whom={}", escape(&whom.to_string()))
}

/// Where a ban is made.
pub(in crate::portal::admin) fn ban_link(whom: &Whom) -> String {
    format!("{LIST}?whom={}", escape(&whom.to_string()))
}

fn confirm(cx: &Cx, member: &SignedIn, named: &str, status: StatusCode) -> Response {
    let words = &cx.words.bans;
    let found = ban::parse(named).ok().and_then(|whom| cx.gate().live().records.bans().get(&whom));
    let Some(found) = found else {
        let error = Some(("whom", words.not_banned.to_owned()));
        return page(cx, member, &Filled::default(), StatusCode::NOT_FOUND, error, false);
    };
    let whom = found.whom.to_string();
    let fact = |label, value: &str| Fact { label, value: value.to_owned() };
    let until = found.until.map_or_else(|| words.ever.to_owned(), pages::date_and_time);
    let page = Confirm {
        title: fill(words.lift_title, &[("whom", &whom)]),
        text: words.lift_text.to_owned(),
        facts: vec![
            fact(words.whom, &whom),
            fact(words.reason, &found.reason),
            fact(words.banned_by, &found.by),
            fact(words.since, &pages::date_and_time(found.since)),
            fact(words.until, &until),
        ],
        effects: vec![words.lift_effect.to_owned()],
        error: (status != StatusCode::OK).then(|| cx.words.stale_form.to_owned()),
        action: lift_link(&found.whom),
        button: words.lift,
        danger: false,
        ..Confirm::new(cx, member, Tab::Bans, LIST, words.keep)
    };
    pages::html(status, &page)
}
