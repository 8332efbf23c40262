//! The tests beside the policy, run against the one in force.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::{View, frame};
use crate::{
    portal::{
        context::Cx,
        guard,
        pages::{self, AccountFrame, CheckRow, SuitePage, Tab},
        problem,
        words::fill,
    },
    rules::policy::testing::{self, Beside, Check, Report},
};

/// So many lines of a list are shown.
const MOST: usize = 50;

/// `GET /_gate/admin/policy/tests`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let words = &cx.words.policy;
    let mut page = SuitePage {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Policy),
        policy: frame(&cx, View::Tests),
        nothing: matches!(cx.site().tests, Beside::Nothing),
        broken: None,
        verdict: String::new(),
        holds: false,
        failures: Vec::new(),
        passed: Vec::new(),
        coverage: String::new(),
        uncovered: Vec::new(),
        more: None,
    };
    if let Beside::Broken(problems) = &cx.site().tests {
        page.broken = Some(problems.to_string());
    }
    if let Some(report) = run(&cx).await {
        let (passed, failed) = (report.passed(), report.failed());
        let (held, broken) = (passed.to_string(), failed.to_string());
        let pattern = if failed == 0 { words.tests_hold } else { words.tests_fail };
        page.verdict = fill(pattern, &[("passed", &held), ("failed", &broken)]);
        page.holds = failed == 0;
        page.failures = report.failures().take(MOST).map(row).collect();
        page.passed = cases(&report);
        let coverage = &report.coverage;
        let counts = [coverage.percent(), coverage.covered(), coverage.total()].map(|n| n.to_string());
        let [percent, covered, total] = counts.each_ref().map(String::as_str);
        page.coverage = fill(words.coverage, &[("percent", percent), ("covered", covered), ("total", total)]);
        page.uncovered = coverage.uncovered().take(MOST).map(|cell| uncovered(&cx, cell)).collect();
        let hidden = |shown: usize, all: usize| all.saturating_sub(shown);
        let more = hidden(page.failures.len(), failed)
            + page.passed.len().saturating_sub(MOST)
            + hidden(page.uncovered.len(), coverage.total() - coverage.covered());
        page.passed.truncate(MOST);
        page.more = (more > 0).then(|| fill(words.tests_more, &[("n", &more.to_string())]));
    }
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/api/v1/admin/policy/tests`
pub(super) async fn call(cx: Cx) -> Result<Response, Response> {
    guard::administrator(&cx).await?;
    let (tests, problem) = match &cx.site().tests {
        Beside::Nothing => ("none", None),
        Beside::Broken(problems) => ("broken", Some(&**problems)),
        Beside::Tests(_) => ("run", None),
    };
    let policy = &**cx.site().policy.version();
    let Some(report) = run(&cx).await else {
        let document = json!({ "policy": policy, "tests": tests, "problem": problem });
        return Ok(problem::answer(&document).into_response());
    };
    let coverage = &report.coverage;
    Ok(problem::answer(&json!({
        "policy": policy,
        "tests": tests,
        "problem": problem,
        "passed": report.passed(),
        "failed": report.failed(),
        "checks": report.checks,
        "coverage": {
            "covered": coverage.covered(),
            "total": coverage.total(),
            "percent": coverage.percent(),
            "uncovered": coverage.uncovered().collect::<Vec<_>>(),
        },
    }))
    .into_response())
}

/// What comes of the tests now; not on a thread that serves others.
async fn run(cx: &Cx) -> Option<Report> {
    let (policy, suite) = (Arc::clone(&cx.site().policy), Arc::clone(cx.site().tests.suite()?));
    tokio::task::spawn_blocking(move || testing::run(&policy, &suite)).await.ok()
}

/// Every case with how many of its requests hold, in the order of the file.
fn cases(report: &Report) -> Vec<(String, usize)> {
    let mut cases: Vec<(String, usize)> = Vec::new();
    for check in report.checks.iter().filter(|check| check.passed) {
        match cases.last_mut() {
            Some((case, count)) if **case == *check.case => *count += 1,
            _ => cases.push((check.case.to_string(), 1)),
        }
    }
    cases
}

fn row(check: &Check) -> CheckRow {
    CheckRow {
        case: check.case.to_string(),
        place: format!("{}:{}", check.file, check.line),
        request: check.request.clone(),
        expected: check.expected.to_string(),
        got: check.got.to_string(),
        decided_at: check.decided_at.clone().unwrap_or_default(),
        why: check.why.clone(),
    }
}

/// `user-management: admin, change, after the second factor`.
fn uncovered(cx: &Cx, cell: &testing::Cell) -> String {
    let words = &cx.words.policy;
    let page = cell.page.as_deref().unwrap_or(words.outside);
    let deed = if cell.write { words.changes_something } else { words.looks };
    let when = if cell.elevated { format!(", {}", words.after_factor) } else { String::new() };
    format!("{page}: {}, {deed}{when}", cell.who)
}
