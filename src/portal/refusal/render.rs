//! A refusal as an answer.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::flow::{Links, Plan, is_safe, plan};
use crate::{
    gate::{Refusal, RefusalKind},
    portal::{
        pages::{self, Decision, Frame, Notice, page_title},
        problem::{Problem, seconds_up},
        words::{Words, fill},
    },
    rules::{reason::Reason, site::Site},
};

/// RFC 9470 §3.
const STEP_UP: &str =
    "Bearer error=\"insufficient_user_authentication\", error_description=\"a second factor is needed\"";
/// RFC 6750 §3.
const EXPIRED: &str = "Bearer error=\"invalid_token\", error_description=\"the access token has expired\"";
const SIGN_IN: &str = "Bearer";

/// Renders a refusal. `site` is `None` for a host that belongs to none; `open`: the reader may look the decision up.
pub(crate) fn render(refusal: &Refusal, site: Option<&Site>, words: &'static Words, open: bool) -> Response {
    match plan(refusal, site) {
        Plan::Redirect(to) => pages::found(&to),
        Plan::Page(onward) => page(refusal, site, words, (onward, open)),
        Plan::Document(links) => document(refusal, site, words, links),
    }
}

fn document(refusal: &Refusal, site: Option<&Site>, words: &'static Words, links: Links) -> Response {
    let (title, detail) = say(refusal, site, words);
    let mut problem = Problem::new(document_status(refusal), refusal.reason.code(), title, &detail)
        .with("decision", refusal.decision.to_string());
    let links = [
        ("sign_in_url", links.sign_in),
        ("refresh_url", links.refresh),
        ("step_up_url", links.step_up),
        ("enrolment_url", links.enrolment),
    ];
    for (name, link) in links {
        if let Some(link) = link {
            problem = problem.with(name, link);
        }
    }
    if let Some(page) = &refusal.page {
        problem = problem.with("page", &**page);
    }
    if let Some(name) = &refusal.acting_for {
        problem = problem.with("acting_for", name.as_str());
    }
    match refusal.kind {
        RefusalKind::SignIn if refusal.reason == Reason::AccessExpired => problem.challenge(EXPIRED),
        RefusalKind::SignIn => problem.challenge(SIGN_IN),
        RefusalKind::StepUp { .. } => problem.challenge(STEP_UP),
        RefusalKind::Throttle { retry_after } => problem.retry_after(retry_after),
        RefusalKind::Deny
        | RefusalKind::Unavailable
        | RefusalKind::BadRequest
        | RefusalKind::BadGateway
        | RefusalKind::GatewayTimeout => problem,
    }
    .into_response()
}

fn page(
    refusal: &Refusal,
    site: Option<&Site>,
    words: &'static Words,
    (onward, open): (Option<String>, bool),
) -> Response {
    let (title, detail) = say(refusal, site, words);
    let mut notice = Notice::new(Frame::new(words, site), title, detail);
    if let (Some(page), RefusalKind::StepUp { .. }) = (&refusal.page, refusal.kind) {
        notice.texts.insert(0, fill(words.page_protected, &[("page", &page_title(page))]));
    }
    if let (Some(name), RefusalKind::Deny) = (&refusal.acting_for, refusal.kind) {
        notice.texts.push(fill(words.acting.refused_as, &[("name", name)]));
    }
    if let Some(href) = onward {
        notice = notice.action(onward_label(refusal, words), href);
    }
    if refusal.reason == Reason::NeedsEnrolment {
        notice = notice.action(words.sign_out, "/_gate/sign-out");
    }
    notice.decision = Some(Decision { open, ..Decision::new(refusal.decision, refusal.at) });
    let mut response = pages::html(page_status(refusal), &notice);
    if let RefusalKind::Throttle { retry_after } = refusal.kind {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(retry_after)));
    }
    if refusal.kind == RefusalKind::SignIn {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(SIGN_IN));
    }
    response
}

fn onward_label(refusal: &Refusal, words: &'static Words) -> &'static str {
    match refusal.kind {
        RefusalKind::StepUp { .. } => words.verify_title,
        RefusalKind::SignIn if refusal.reason != Reason::AccessExpired => words.sign_in,
        RefusalKind::Deny if refusal.reason == Reason::NeedsEnrolment => words.account.set_up,
        RefusalKind::Deny if refusal.reason == Reason::ImpersonationOver => words.acting.leave,
        RefusalKind::Deny | RefusalKind::BadGateway => words.acting.end,
        RefusalKind::SignIn
        | RefusalKind::Throttle { .. }
        | RefusalKind::Unavailable
        | RefusalKind::BadRequest
        | RefusalKind::GatewayTimeout => words.go_on,
    }
}

/// A script can answer a 401 by stepping up; to a person's browser it would say nothing.
fn document_status(refusal: &Refusal) -> StatusCode {
    if matches!(refusal.kind, RefusalKind::StepUp { .. }) {
        return StatusCode::UNAUTHORIZED;
    }
    page_status(refusal)
}

fn page_status(refusal: &Refusal) -> StatusCode {
    match refusal.kind {
        RefusalKind::SignIn => StatusCode::UNAUTHORIZED,
        RefusalKind::StepUp { .. } | RefusalKind::Deny => StatusCode::FORBIDDEN,
        RefusalKind::Throttle { .. } => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::BadRequest if refusal.reason == Reason::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
        RefusalKind::BadRequest => StatusCode::BAD_REQUEST,
        RefusalKind::BadGateway => StatusCode::BAD_GATEWAY,
        RefusalKind::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The heading and the sentence.
fn say(refusal: &Refusal, site: Option<&Site>, words: &'static Words) -> (&'static str, String) {
    let panel = site.map_or("Panelgate", |site| &site.title);
    match refusal.kind {
        RefusalKind::SignIn => say_sign_in(refusal, words),
        RefusalKind::StepUp { readable: true } => {
            (words.read_only_title, words.change_needs_verify.to_owned())
        }
        RefusalKind::StepUp { readable: false } => (words.blocked_title, words.open_needs_verify.to_owned()),
        RefusalKind::Deny => match opening(refusal, site) {
            Some(hours) => (words.closed_now_title, fill(words.opens, &[("hours", &hours)])),
            None => say_deny(refusal.reason, words, panel),
        },
        RefusalKind::Throttle { retry_after } => {
            let wait = pages::wait(words, retry_after);
            let time = pages::clock(refusal.at.plus(retry_after));
            let text = if refusal.reason == Reason::PageLimit { words.page_limit } else { words.throttled };
            (words.throttled_title, fill(text, &[("wait", &wait), ("time", &time)]))
        }
        RefusalKind::Unavailable => (words.unavailable_title, words.unavailable.to_owned()),
        RefusalKind::BadRequest => (words.bad_request_title, bad_request(refusal.reason, words).to_owned()),
        RefusalKind::BadGateway if refusal.reason == Reason::PageUnmarkable => {
            (words.acting.unmarkable_title, fill(words.acting.unmarkable, &[("title", panel)]))
        }
        RefusalKind::BadGateway => (words.panel_away_title, fill(words.panel_away, &[("title", panel)])),
        RefusalKind::GatewayTimeout => (words.panel_slow_title, fill(words.panel_slow, &[("title", panel)])),
    }
}

/// When the page opens, if it is closed now and its own hours say so.
fn opening(refusal: &Refusal, site: Option<&Site>) -> Option<String> {
    let page = site?.policy.page(refusal.page.as_deref()?)?;
    let hours = page.when.hours.as_ref().filter(|_| refusal.reason == Reason::OutsideHours)?;
    Some(hours.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn say_sign_in(refusal: &Refusal, words: &'static Words) -> (&'static str, String) {
    let expired = if is_safe(refusal) {
        (words.renew_title, words.renew_text)
    } else {
        (words.unsaved_title, words.unsaved_text)
    };
    let table = [
        (Reason::AccessExpired, expired),
        (Reason::NoCredential, (words.stranger_title, words.stranger_text)),
        (Reason::ConflictingCredentials, (words.ended_title, words.conflicting)),
        (Reason::AccountDisabled, (words.ended_title, words.account_disabled)),
        (Reason::KeyExpired, (words.keys.over_title, words.keys.over_text)),
    ];
    let (title, text) = look_up(&table, refusal.reason).unwrap_or((words.ended_title, words.ended_text));
    (title, text.to_owned())
}

fn say_deny(reason: Reason, words: &'static Words, panel: &str) -> (&'static str, String) {
    let table = [
        (Reason::NeedsEnrolment, (words.not_enrolled_title, words.enrolment_required)),
        (Reason::KeyLacksScope, (words.keys.refused_title, words.keys.lacks_scope)),
        (Reason::Banned, (words.bans.refused_title, words.bans.refused)),
        (Reason::NoPage, (words.denied_title, words.no_page)),
        (Reason::Trap, (words.denied_title, words.no_page)),
        (Reason::OutsideNetworks, (words.denied_title, words.outside_networks)),
        (Reason::OutsideCountries, (words.denied_title, words.outside_countries)),
        (Reason::OutsideHours, (words.closed_now_title, words.outside_hours)),
        (Reason::MethodNotAllowed, (words.denied_title, words.method_not_allowed)),
        (Reason::AccountDisabled, (words.denied_title, words.account_disabled)),
        (Reason::ForeignOrigin, (words.denied_title, words.foreign_origin)),
        (Reason::ImpersonationReadOnly, (words.acting.refused_reads_title, words.acting.refused_reads)),
        (Reason::ImpersonationOver, (words.acting.refused_over_title, words.acting.refused_over)),
        (Reason::ConflictingCredentials, (words.denied_title, words.conflicting)),
    ];
    let (title, pattern) = look_up(&table, reason).unwrap_or((words.denied_title, words.role_lacks));
    (title, fill(pattern, &[("title", panel)]))
}

fn bad_request(reason: Reason, words: &'static Words) -> &'static str {
    let table = [
        (Reason::UnknownHost, words.unknown_host),
        (Reason::AmbiguousTarget, words.ambiguous),
        (Reason::ConflictingCredentials, words.conflicting),
    ];
    look_up(&table, reason).unwrap_or(words.bad_request)
}

fn look_up<T: Copy>(table: &[(Reason, T)], reason: Reason) -> Option<T> {
    table.iter().find(|(key, _)| *key == reason).map(|(_, text)| *text)
}
