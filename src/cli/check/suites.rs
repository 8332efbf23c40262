//! The tests beside policies, run.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    config::SiteSettings,
    rules::{
        policy::testing::{self, Check},
        written::{At, Findings},
    },
};

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
        let report = testing::run(&site.site.policy, suite);
        for check in report.failures() {
            fails(check, found);
        }
        counts.insert(site.policy_file.clone(), (report.passed(), report.failed()));
    }
    counts
}

fn fails(check: &Check, found: &mut Findings) {
    let Check { case, file, request, expected, got, why, .. } = check;
    let at = At { source: file.clone(), line: check.line, column: check.column, width: 0 };
    let what = format!("`{case}` does not hold: {request}: expected {expected}, got {got}");
    let place = check.decided_at.as_ref().map_or(String::new(), |place| format!(" ({place})"));
    found.error("T011", &at, what, format!("{why}{place}: mend the policy, or the case"));
}
