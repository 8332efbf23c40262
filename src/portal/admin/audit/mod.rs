//! The audit trail: searched by the server, newest first, shown as a page and as a call.

mod flow;

use std::sync::Arc;

use askama::Template;
use axum::{
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};

use self::flow::{Asked, Wrong, query};
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{
        context::Cx,
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Frame, Tab},
        problem::{self, Problem},
        routes::{Route, route},
        sessions::When,
    },
    rules::trail::{Query, Record},
};

const LIST: &str = "/_gate/admin/audit";

/// So many records are shown at once.
const PER_PAGE: usize = 50;

/// Reads the audit trail; what does so stands outside of the portal.
pub trait ReadTrail: Send + Sync + 'static {
    /// The newest records that match, newest first, at most `limit`. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    fn newest(&self, query: &Query, limit: usize) -> std::io::Result<Vec<Record>>;
}

/// As a page and as a call.
pub(super) fn routes() -> Vec<Route> {
    vec![route(LIST, &["GET"], get(show)), route("/_gate/api/v1/admin/audit", &["GET"], get(call))]
}

#[derive(Template)]
#[template(path = "portal/pages/admin_audit.html")]
struct Page {
    frame: Frame,
    me: AccountFrame,
    asked: Asked,
    whole: bool,
    error: Option<(&'static str, &'static str)>,
    rows: Vec<Row>,
    newest: Option<String>,
    older: Option<String>,
}

struct Row {
    seq: u64,
    at: When,
    event: String,
    who: String,
    from: String,
    what: Vec<(String, String)>,
}

impl Page {
    fn at_fault(&self, field: &str) -> bool {
        self.error.is_some_and(|(name, _)| name == field)
    }
}

/// `GET /_gate/admin/audit`
async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let asked = Asked::of(|name| cx.query(name).unwrap_or_default().to_owned());
    let query = match query(&asked, site(&cx, &member), cx.now()) {
        Ok(query) => query,
        Err(wrong) => {
            let (field, text) = match wrong {
                Wrong::Since => ("since", cx.words.audit.bad_since),
                Wrong::Client => ("client", cx.words.audit.bad_client),
            };
            return Ok(page(
                &cx,
                &member,
                asked,
                StatusCode::UNPROCESSABLE_ENTITY,
                Some((field, text)),
                vec![],
            ));
        }
    };
    match search(&cx, query).await {
        Ok(records) => Ok(page(&cx, &member, asked, StatusCode::OK, None, records)),
        Err(fault) => Ok(guard::refuse(&cx, fault)),
    }
}

/// `GET /_gate/api/v1/admin/audit`
async fn call(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let asked = Asked::of(|name| cx.query(name).unwrap_or_default().to_owned());
    let query = match query(&asked, site(&cx, &member), cx.now()) {
        Ok(query) => query,
        Err(wrong) => {
            let text = match wrong {
                Wrong::Since => cx.words.audit.bad_since,
                Wrong::Client => cx.words.audit.bad_client,
            };
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(Problem::new(status, "bad-filter", cx.words.audit.tab, text).into_response());
        }
    };
    Ok(match search(&cx, query).await {
        Ok(records) => {
            let before =
                (records.len() == PER_PAGE).then(|| records.last().map(|record| record.seq)).flatten();
            let records: Vec<Value> = records.iter().map(Record::to_json).collect();
            problem::answer(&json!({ "records": records, "before": before }))
        }
        Err(fault) => guard::refuse(&cx, fault),
    })
}

/// What concerns no site concerns the installation, and that is for the mightiest role alone.
fn site(cx: &Cx, member: &SignedIn) -> Option<String> {
    (!cx.site().policy.is_first(&member.role)).then(|| cx.site().id.to_string())
}

async fn search(cx: &Cx, query: Query) -> Result<Vec<Record>, Fault> {
    let trail = Arc::clone(&cx.portal.trail);
    let found = tokio::task::spawn_blocking(move || trail.newest(&query, PER_PAGE)).await;
    match found {
        Ok(Ok(records)) => Ok(records),
        Ok(Err(error)) => {
            tracing::error!(%error, "the audit trail cannot be read");
            Err(Fault::Unavailable)
        }
        Err(error) => {
            tracing::error!(%error, "the audit trail cannot be read");
            Err(Fault::Unavailable)
        }
    }
}

fn page(
    cx: &Cx,
    member: &SignedIn,
    asked: Asked,
    status: StatusCode,
    error: Option<(&'static str, &'static str)>,
    records: Vec<Record>,
) -> Response {
    let older = (records.len() == PER_PAGE).then(|| records.last()).flatten();
    let page = Page {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Audit),
        whole: site(cx, member).is_none(),
        error,
        older: older.map(|last| format!("{LIST}?{}", asked.link(Some(last.seq)))),
        newest: asked.before.is_some().then(|| format!("{LIST}?{}", asked.link(None))),
        rows: records.iter().map(|record| row(cx, record)).collect(),
        asked,
    };
    pages::html(status, &page)
}

fn row(cx: &Cx, record: &Record) -> Row {
    let parts = flow::parts(record);
    Row {
        seq: record.seq,
        at: When::new(cx.words, Wall::from_secs(record.secs()), cx.now()),
        event: record.event.clone(),
        who: parts.who,
        from: parts.from,
        what: parts.what,
    }
}
