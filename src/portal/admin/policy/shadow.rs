//! The candidate: what it would have answered so far, and all that it would change.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{View, frame, sees};
use crate::{
    gate::SignedIn,
    live::{Flip, Trial},
    portal::{
        context::Cx,
        guard,
        pages::{self, AccountFrame, DifferenceRow, Example, FlipRow, ShadowPage, Tab, When},
        problem,
        words::fill,
    },
    rules::{
        outcome::DecisionId,
        policy::{
            RuleSet,
            diff::{Change, Diff, Effect, PageName, diff},
        },
    },
};

/// So many lines of a table are shown.
const MOST: usize = 50;

/// `GET /_gate/admin/policy/shadow`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let words = &cx.words.policy;
    let mut page = ShadowPage {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Policy),
        policy: frame(&cx, View::Shadow),
        lead: None,
        compared: words.compared_nothing.to_owned(),
        flips: Vec::new(),
        beyond: None,
        differences: Vec::new(),
        besides: Vec::new(),
        other_reasons: None,
        more: None,
        complete: true,
    };
    if let Some(candidate) = cx.site().shadow.clone() {
        let (trial, diff) = look(&cx, &candidate).await;
        let versions = [("candidate", &**candidate.version()), ("policy", cx.site().policy.version())];
        page.lead = Some(fill(words.shadow_lead, &versions));
        if let Some(since) = trial.since {
            let (n, agreed) = (trial.decisions.to_string(), trial.agreed.to_string());
            let filled = [("n", n.as_str()), ("agreed", &agreed), ("time", &pages::date_and_time(since))];
            page.compared = fill(words.compared, &filled);
        }
        page.flips = trial.flips.iter().take(MOST).map(|flip| flip_row(&cx, &member, flip)).collect();
        let beyond = trial.beyond + trial.flips.iter().skip(MOST).map(|flip| flip.count).sum::<u64>();
        page.beyond = (beyond > 0).then(|| fill(words.beyond, &[("n", &beyond.to_string())]));
        // As on the command line: that a refusal has another reason is counted and not listed.
        let told: Vec<&Change> =
            diff.changes.iter().filter(|change| change.effect != Effect::Reason).collect();
        let others = diff.changes.len() - told.len();
        page.other_reasons = (others > 0).then(|| fill(words.other_reasons, &[("n", &others.to_string())]));
        page.differences = told.iter().take(MOST).map(|change| difference(&cx, change)).collect();
        let more = told.len().saturating_sub(MOST);
        page.more = (more > 0).then(|| fill(words.more, &[("n", &more.to_string())]));
        (page.besides, page.complete) = (diff.besides, diff.complete);
    }
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/api/v1/admin/policy/shadow`
pub(super) async fn call(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let policy = &**cx.site().policy.version();
    let Some(candidate) = cx.site().shadow.clone() else {
        return Ok(problem::answer(&json!({ "policy": policy, "candidate": null })).into_response());
    };
    let (trial, diff) = look(&cx, &candidate).await;
    let flips: Vec<Value> = trial.flips.iter().map(|flip| flip_document(&cx, &member, flip)).collect();
    Ok(problem::answer(&json!({
        "policy": policy,
        "candidate": &**candidate.version(),
        "since": trial.since.map(crate::clock::Wall::secs),
        "decisions": trial.decisions,
        "agreed": trial.agreed,
        "disagreements": flips,
        "beyond": trial.beyond,
        "differences": diff,
    }))
    .into_response())
}

/// What came of it so far, and everything that it answers differently.
async fn look(cx: &Cx, candidate: &Arc<RuleSet>) -> (Trial, Diff) {
    // Waits until what was decided before is counted.
    cx.gate().archive().span().await;
    let policies = (cx.site().policy.version(), candidate.version());
    let trial = cx.gate().live().shadows.trial(&cx.site().id, policies);
    let (now, then) = (Arc::clone(&cx.site().policy), Arc::clone(candidate));
    // Exact, and so as slow as the policies are large: not on a thread that serves others.
    let diff = tokio::task::spawn_blocking(move || diff(&now, &then)).await;
    (trial, diff.unwrap_or_default())
}

fn flip_row(cx: &Cx, member: &SignedIn, flip: &Flip) -> FlipRow {
    let shown = sees(cx, member, flip.role.as_ref());
    FlipRow {
        page: page_names(&flip.pages),
        who: flip.role.as_deref().unwrap_or(cx.words.overview.nobody).to_owned(),
        now: flip.outcomes.0.to_string(),
        then: flip.outcomes.1.to_string(),
        effect: effect(cx, flip.effect),
        code: flip.effect.as_str(),
        count: flip.count,
        last: When::new(flip.last),
        example: shown.then(|| Example { id: flip.decision.to_string(), request: flip.request.clone() }),
    }
}

fn flip_document(cx: &Cx, member: &SignedIn, flip: &Flip) -> Value {
    let shown = sees(cx, member, flip.role.as_ref());
    let name = |page: &Option<PageName>| page.as_ref().map(|page| page.name.to_string());
    json!({
        "page": name(&flip.pages.0),
        "page_under_candidate": name(&flip.pages.1),
        "role": flip.role.as_deref(),
        "answer": flip.outcomes.0.to_string(),
        "answer_of_candidate": flip.outcomes.1.to_string(),
        "effect": flip.effect.as_str(),
        "count": flip.count,
        "first": flip.first.secs(),
        "last": flip.last.secs(),
        "decision": shown.then_some(flip.decision).as_ref().map(DecisionId::to_string),
        "request": shown.then_some(&flip.request),
    })
}

fn difference(cx: &Cx, change: &Change) -> DifferenceRow {
    let (now, then) = change.words();
    DifferenceRow {
        page: change.page(),
        who: change.who.to_string(),
        deed: change.deed(),
        terms: change.terms(),
        now,
        then,
        effect: effect(cx, change.effect),
        code: change.effect.as_str(),
    }
}

fn page_names(pages: &(Option<PageName>, Option<PageName>)) -> String {
    let name = |page: &Option<PageName>| {
        page.as_ref().map_or_else(|| "no page".to_owned(), |page| page.name.to_string())
    };
    let (now, then) = (name(&pages.0), name(&pages.1));
    if now == then { now } else { format!("{now} → {then}") }
}

fn effect(cx: &Cx, effect: Effect) -> &'static str {
    let words = &cx.words.policy;
    match effect {
        Effect::Opens => words.effect_opens,
        Effect::Closes => words.effect_closes,
        Effect::Turns => words.effect_turns,
        Effect::Reason => words.effect_reason,
    }
}
