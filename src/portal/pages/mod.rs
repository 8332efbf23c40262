//! View models of the pages. Templates are compiled in and escape everything (R21).

mod account;
mod admin;
mod confirm;
mod overview;
mod policy;
mod security;

use std::time::Duration;

use askama::Template;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

pub(crate) use self::{
    account::{AccountFrame, Tab, TabLink},
    admin::{AdminSessions, AdminUser, AdminUsers, Pager, UserRow},
    confirm::{Confirm, Fact, NotMe, SignedInAt},
    overview::{
        Choice, Counted, CountryRow, DecisionPage, DecisionRow, Decisions, Overview, ReloadFailed, Tile,
    },
    policy::{
        AccessWord, Answer, AskedRole, CheckRow, DifferenceRow, Example, ExplainPage, FlipRow, MatrixCell,
        MatrixRole, MatrixRow, PolicyFrame, PolicyPage, ShadowPage, SuitePage,
    },
    security::{Ask, BackupCodes, CodesLeft, Password, PasswordState, Prove, Scan, Security},
};
use super::{
    assets,
    problem::seconds_up,
    redirect,
    words::{Words, fill},
};
use crate::{
    clock::Wall,
    rules::{outcome::DecisionId, site::Site},
};

/// What surrounds every page.
pub(crate) struct Frame {
    pub(crate) words: &'static Words,
    pub(crate) title: String,
    pub(crate) home: String,
    pub(crate) style: String,
    pub(crate) script: String,
}

impl Frame {
    /// For a site, or for a host that belongs to none.
    pub(crate) fn new(words: &'static Words, site: Option<&Site>) -> Self {
        Self {
            words,
            title: site.map_or_else(|| "Panelgate".to_owned(), |site| site.title.clone()),
            home: site.map_or_else(|| "/".to_owned(), |site| redirect::home(site).to_string()),
            style: assets::style_address(site.map_or("", |site| &site.accent)),
            script: assets::script_address(),
        }
    }

    pub(crate) fn back_to(&self) -> String {
        fill(self.words.back_to, &[("title", &self.title)])
    }
}

/// One thing said, with ways on.
#[derive(Template)]
#[template(path = "portal/pages/notice.html")]
pub(crate) struct Notice {
    pub(crate) frame: Frame,
    pub(crate) title: String,
    pub(crate) texts: Vec<String>,
    pub(crate) actions: Vec<Action>,
    pub(crate) decision: Option<Decision>,
    /// Where the browser goes on to by itself.
    pub(crate) onward: Option<String>,
}

impl Notice {
    /// A heading and one sentence.
    pub(crate) fn new(frame: Frame, title: &str, text: impl Into<String>) -> Self {
        Self {
            frame,
            title: title.to_owned(),
            texts: vec![text.into()],
            actions: Vec::new(),
            decision: None,
            onward: None,
        }
    }

    /// Adds a way on; the first is the main one.
    pub(crate) fn action(mut self, label: &str, href: impl Into<String>) -> Self {
        self.actions.push(Action { label: label.to_owned(), href: href.into() });
        self
    }
}

/// A way on.
pub(crate) struct Action {
    pub(crate) label: String,
    pub(crate) href: String,
}

/// The line that ends every refusal.
pub(crate) struct Decision {
    pub(crate) id: String,
    pub(crate) iso: String,
    pub(crate) clock: String,
    /// Whether the reader may look it up.
    pub(crate) open: bool,
}

impl Decision {
    /// `7K3F-92QD`, `2026-11-24T14:02:11Z`, `14:02`.
    pub(crate) fn new(id: DecisionId, at: Wall) -> Self {
        Self { id: id.to_string(), iso: iso(at), clock: clock(at), open: false }
    }
}

/// A day and a time, for `<time>`.
pub(crate) struct When {
    pub(crate) iso: String,
    pub(crate) text: String,
}

impl When {
    /// `2026-11-24T14:02:11Z`, `2026-11-24 14:02 UTC`.
    pub(crate) fn new(at: Wall) -> Self {
        Self { iso: iso(at), text: timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string() }
    }
}

/// User name and password.
#[derive(Template)]
#[template(path = "portal/pages/sign_in.html")]
pub(crate) struct SignIn {
    pub(crate) frame: Frame,
    pub(crate) form: String,
    pub(crate) rd: String,
    pub(crate) username: String,
    pub(crate) error: Option<String>,
}

/// A code of the app, or a backup code.
#[derive(Template)]
#[template(path = "portal/pages/code.html")]
pub(crate) struct Code {
    pub(crate) frame: Frame,
    pub(crate) action: &'static str,
    pub(crate) form: String,
    pub(crate) rd: String,
    pub(crate) lead: Option<String>,
    pub(crate) stays: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) backup: bool,
    pub(crate) switch: Option<String>,
    pub(crate) leave: String,
    pub(crate) leave_label: &'static str,
}

/// Whether to sign out.
#[derive(Template)]
#[template(path = "portal/pages/sign_out.html")]
pub(crate) struct SignOut {
    pub(crate) frame: Frame,
    pub(crate) form: String,
    pub(crate) text: String,
}

/// A page as an answer.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    let Ok(text) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// A redirect that is always followed with GET.
pub(crate) fn see_other(to: &str) -> Response {
    redirect_with(StatusCode::SEE_OTHER, to)
}

/// The redirect that doors and proxies know.
pub(crate) fn found(to: &str) -> Response {
    redirect_with(StatusCode::FOUND, to)
}

fn redirect_with(status: StatusCode, to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = status.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// `user-management` → `User management`.
pub(crate) fn page_title(name: &str) -> String {
    let spaced = name.replace(['-', '_'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `12 s`, `5 min`, `2 h`: rounded up, so that nobody comes back too early.
pub(crate) fn wait(words: &Words, wait: Duration) -> String {
    let seconds = seconds_up(wait);
    let (pattern, n) = match seconds {
        0..=90 => (words.seconds, seconds),
        91..=5400 => (words.minutes, seconds.div_ceil(60)),
        _ => (words.hours, seconds.div_ceil(3600)),
    };
    fill(pattern, &[("n", &n.to_string())])
}

/// `14:02`, in UTC.
pub(crate) fn clock(at: Wall) -> String {
    timestamp(at).strftime("%H:%M").to_string()
}

/// `2026-11-24 14:02 UTC`.
pub(crate) fn date_and_time(at: Wall) -> String {
    timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-11-24T14:02:11Z`.
pub(crate) fn iso(at: Wall) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn timestamp(at: Wall) -> jiff::Timestamp {
    i64::try_from(at.secs())
        .ok()
        .and_then(|secs| jiff::Timestamp::from_second(secs).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}
