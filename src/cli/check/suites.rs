//! The tests beside policies, run.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    config::SiteSettings,
    rules::{
        policy::{
            RuleSet,
            testing::{self, Check, Suite},
        },
        written::{At, Findings},
    },
};

/// The code of a case that does not hold.
pub(super) const FAILS: &str = "T011";

/// Runs the tests of every policy once. For each policy: how many requests came to what was expected, and how many did
/// not, which are problems.
pub(super) fn run<'s>(
    sites: impl Iterator<Item = &'s SiteSettings>,
    found: &mut Findings,
) -> BTreeMap<PathBuf, (usize, usize)> {
    let mut counts = BTreeMap::new();
    for site in sites {
        let Some(suite) = site.site.tests.suite().filter(|_| !counts.contains_key(&site.policy_file)) else {
            continue;
        };
        counts.insert(site.policy_file.clone(), one(&site.site.policy, suite, found));
    }
    counts
}

pub(super) fn one(rules: &RuleSet, suite: &Suite, found: &mut Findings) -> (usize, usize) {
    let report = testing::run(rules, suite);
    for check in report.failures() {
        fails(check, found);
    }
    (report.passed(), report.failed())
}

fn fails(check: &Check, found: &mut Findings) {
    let Check { case, file, request, expected, got, why, .. } = check;
    let at = At { source: file.clone(), line: check.line, column: check.column, width: 0 };
    let what = format!("`{case}` does not hold: {request}: expected {expected}, got {got}");
    let place = check.decided_at.as_ref().map_or(String::new(), |place| format!(" ({place})"));
    found.error(FAILS, &at, what, format!("{why}{place}: mend the policy, or the case"));
}
