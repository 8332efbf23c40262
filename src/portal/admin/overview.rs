//! `/_gate/admin/overview`: what the gate does now, and has done in the last day.

mod plot;

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use self::plot::Plot;
use crate::{
    clock::Wall,
    gate::SignedIn,
    live::{Count, ReloadProblem, ReloadState, Summary},
    portal::{
        context::Cx,
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Counted, CountryRow, Overview, ReloadFailed, Tab, Tile, page_title},
        problem,
        sessions::is_living,
        words::{fill, sentence},
    },
    rules::{place::Country, record::Span},
};

/// Where it is.
pub(crate) const AT: &str = "/_gate/admin/overview";
/// So many lines of a list are shown.
const LINES: usize = 10;

/// What both the page and the call show.
struct Sight {
    hour: Summary,
    day: Summary,
    sessions: usize,
    elevated: usize,
    bans: usize,
    countries: Vec<(Option<Country>, usize, Count)>,
    span: Span,
    missing: u64,
}

/// `GET /_gate/admin`
pub(super) async fn lead(cx: Cx) -> Result<Response, Response> {
    guard::administrator(&cx).await?;
    Ok(pages::found(AT))
}

/// `GET /_gate/admin/overview`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let sight = look(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    Ok(pages::html(StatusCode::OK, &page(&cx, &member, &sight)))
}

/// `GET /_gate/api/v1/admin/overview`
pub(super) async fn call(cx: Cx) -> Result<Response, Response> {
    guard::administrator(&cx).await?;
    let sight = look(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let reload = cx.gate().live().reload.load();
    Ok(problem::answer(&json!({
        "sessions": sight.sessions,
        "elevated": sight.elevated,
        "bans": sight.bans,
        "hour": document(&sight.hour),
        "day": document(&sight.day),
        "countries": sight.countries.iter().map(|(country, sessions, count)| json!({
            "country": country.map(|country| country.to_string()),
            "sessions": sessions, "requests": count.requests, "refused": count.refused,
        })).collect::<Vec<_>>(),
        "policy": &**cx.site().policy.version(),
        "generation": cx.visit.snapshot.generation,
        "configuration": &*reload.digest,
        "configuration_since": reload.at.secs(),
        "reload_problem": reload.problem.as_ref().map(|problem| json!({
            "at": problem.at.secs(), "text": problem.what,
        })),
        "stale": reload.stale.iter().map(|(what, problem)| json!({
            "what": what, "at": problem.at.secs(), "text": problem.what,
        })).collect::<Vec<_>>(),
        "waiting": reload.waiting,
        "journal": sight.span.document(),
        "journal_missing": sight.missing,
    }))
    .into_response())
}

async fn look(cx: &Cx) -> Result<Sight, Fault> {
    let (live, now, site) = (cx.gate().live(), cx.now(), &cx.site().id);
    // First, because it waits until what was decided before is counted.
    let span = cx.gate().archive().span().await;
    let living: Vec<_> = cx
        .whole()
        .await?
        .sessions()
        .into_iter()
        .filter(|session| session.site == *site && is_living(cx, session))
        .collect();
    let policy = &cx.site().policy;
    let elevated =
        |elevation| policy.elevated_elsewhere_until(elevation).is_some_and(|until: Wall| until > now);
    let day = live.traffic.last(site, now, 96, 15);
    let mut by_country: BTreeMap<Option<Country>, (usize, Count)> =
        day.countries.iter().map(|(country, count)| (*country, (0, *count))).collect();
    for session in &living {
        let country = Country::parse(&cx.visit.snapshot.places.country(session.address));
        by_country.entry(country).or_default().0 += 1;
    }
    let mut countries: Vec<_> =
        by_country.into_iter().map(|(country, (sessions, count))| (country, sessions, count)).collect();
    countries.sort_by_key(|(country, sessions, count)| {
        (std::cmp::Reverse(count.requests), std::cmp::Reverse(*sessions), *country)
    });
    let counts = live.journal.read();
    Ok(Sight {
        hour: live.traffic.last(site, now, 60, 1),
        day,
        sessions: living.len(),
        elevated: living.iter().filter(|session| elevated(session.elevation)).count(),
        bans: live.records.bans().counting(now),
        countries,
        span,
        missing: counts.dropped + counts.lost,
    })
}

fn page(cx: &Cx, member: &SignedIn, sight: &Sight) -> Overview {
    let words = &cx.words.overview;
    let number = |n: u64| n.to_string();
    let refused = fill(words.refused_of, &[("n", &number(sight.hour.total.refused))]);
    let tile = |label, value: String, href, note| Tile { label, value, href, note };
    let tiles = vec![
        tile(words.requests_hour, number(sight.hour.total.requests), "/_gate/admin/decisions", refused),
        tile(words.live_sessions, sight.sessions.to_string(), "/_gate/admin/sessions", String::new()),
        tile(words.elevated_now, sight.elevated.to_string(), "", String::new()),
        tile(words.bans, sight.bans.to_string(), "/_gate/admin/bans", String::new()),
    ];
    let (snapshot, reload) = (&cx.visit.snapshot, cx.gate().live().reload.load());
    let version = cx.site().policy.version();
    Overview {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Overview),
        lead: fill(words.overview_lead, &[("title", &cx.site().title)]),
        tiles,
        not_in_force: not_in_force(cx, &reload),
        waiting: (!reload.waiting.is_empty())
            .then(|| fill(words.waiting, &[("keys", &reload.waiting.join(", "))])),
        plots: vec![
            Plot::new(cx.words, words.last_hour, &sight.hour),
            Plot::new(cx.words, words.last_day, &sight.day),
        ],
        reasons: reasons(cx, &sight.day),
        refused_pages: refused_pages(&sight.day),
        countries: countries(cx, sight),
        in_force: fill(words.in_force, &[("version", version), ("n", &snapshot.generation.to_string())]),
        journal: journal(cx, sight),
        missing: (sight.missing > 0)
            .then(|| fill(words.journal_missing, &[("n", &sight.missing.to_string())])),
    }
}

/// What is not in force, although it should be.
pub(super) fn not_in_force(cx: &Cx, state: &ReloadState) -> Vec<ReloadFailed> {
    let words = &cx.words.overview;
    let failed = |title: &str, what: &str, problem: &ReloadProblem| ReloadFailed {
        title: fill(title, &[("what", what)]),
        lead: fill(words.reload_text, &[("time", &pages::date_and_time(problem.at))]),
        problem: problem.what.clone(),
    };
    let configuration = state.problem.iter().map(|problem| failed(words.reload_failed, "", problem));
    let stale = state.stale.iter().map(|(what, problem)| failed(words.stale, what, problem));
    configuration.chain(stale).collect()
}

fn reasons(cx: &Cx, day: &Summary) -> Vec<Counted> {
    let row = |(reason, count): &(crate::rules::reason::Reason, u64)| Counted {
        name: reason.code().to_owned(),
        text: sentence(cx.words.lang, *reason).to_owned(),
        href: format!("/_gate/admin/decisions?reason={}", reason.code()),
        count: *count,
    };
    day.reasons.iter().take(LINES).map(row).collect()
}

fn refused_pages(day: &Summary) -> Vec<Counted> {
    let row = |(page, count): &(std::sync::Arc<str>, u64)| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("on", page).finish();
        Counted {
            name: page_title(page),
            text: String::new(),
            href: format!("/_gate/admin/decisions?{query}"),
            count: *count,
        }
    };
    day.pages.iter().take(LINES).map(row).collect()
}

fn countries(cx: &Cx, sight: &Sight) -> Vec<CountryRow> {
    let unknown = cx.words.overview.no_place;
    let row = |(country, sessions, count): &(Option<Country>, usize, Count)| CountryRow {
        country: country.map_or_else(|| unknown.to_owned(), |country| country.to_string()),
        sessions: *sessions,
        requests: count.requests,
        refused: count.refused,
    };
    sight.countries.iter().map(row).collect()
}

fn journal(cx: &Cx, sight: &Sight) -> String {
    let words = &cx.words.overview;
    let Some(since) = [sight.span.refused, sight.span.strangers].into_iter().flatten().min() else {
        return words.journal_nothing.to_owned();
    };
    // One digit behind the point, and never nothing.
    let tenths = sight.span.bytes.div_ceil(1 << 20 >> 3).max(1);
    let size = fill(words.journal_size, &[("n", &format!("{}.{}", tenths / 8, tenths % 8 * 10 / 8))]);
    fill(words.journal_since, &[("time", &pages::date_and_time(since)), ("size", &size)])
}

fn document(summary: &Summary) -> Value {
    json!({
        "requests": summary.total.requests,
        "refused": summary.total.refused,
        "bars": summary.bars.iter().map(|bar| json!({
            "from": bar.from.secs(), "requests": bar.count.requests, "refused": bar.count.refused,
        })).collect::<Vec<_>>(),
        "reasons": summary.reasons.iter().map(|(reason, count)| json!({
            "reason": reason.code(), "count": count,
        })).collect::<Vec<_>>(),
        "pages": summary.pages.iter().map(|(page, count)| json!({
            "page": &**page, "count": count,
        })).collect::<Vec<_>>(),
    })
}
