//! Running the cases.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{
    super::{RuleSet, spoken::Probe, why::Told},
    Coverage, Expected, Suite, TestCase,
};

/// What came of all cases.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each request, in the order of the file.
    pub checks: Vec<Check>,
    /// How much of the policy was asked about.
    pub coverage: Coverage,
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of its case.
    pub case: Arc<str>,
    /// The file of the case.
    pub file: Arc<str>,
    /// The line of the case, from 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// The request in words.
    pub request: String,
    /// Whether the answer is the expected one.
    pub passed: bool,
    /// What should come of it, as far as the case says.
    pub expected: Claim,
    /// What came of it.
    pub got: Claim,
    /// Where the page stands that decided, `file:line`; `None` when no page covers the path.
    pub decided_at: Option<String>,
    /// Why it came to that.
    pub why: String,
}

/// What an answer is, or should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// `allow`, `sign-in`, `step-up`, `deny` or `bad-request`.
    pub outcome: &'static str,
    /// The reason code; `None`: any will do.
    pub reason: Option<&'static str>,
    /// The page, or `none`; `None`: any will do.
    pub page: Option<Arc<str>>,
}

/// Runs every case against a policy.
pub fn run(rules: &RuleSet, suite: &Suite) -> Report {
    let mut coverage = Coverage::of(rules);
    let mut checks = Vec::new();
    for case in &suite.cases {
        checks.extend(case.probes.iter().map(|probe| case.check(rules, probe, &mut coverage)));
    }
    Report { checks, coverage }
}

impl Report {
    /// The requests that did not come to what was expected.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }

    /// How many did.
    pub fn passed(&self) -> usize {
        self.checks.iter().filter(|check| check.passed).count()
    }

    /// How many did not.
    pub fn failed(&self) -> usize {
        self.failures().count()
    }

    /// Takes over what came of more cases about the same policy.
    pub fn join(&mut self, more: Self) {
        self.checks.extend(more.checks);
        self.coverage.join(&more.coverage);
    }
}

impl TestCase {
    fn check(&self, rules: &RuleSet, probe: &Probe, coverage: &mut Coverage) -> Check {
        let none = || Arc::from("none");
        let (request, got, decided_at, why) = match probe {
            Probe::Refused { request, bad } => {
                let got =
                    Claim { outcome: "bad-request", reason: Some(bad.reason.code()), page: Some(none()) };
                (request.clone(), got, None, format!("{}; no policy is asked", bad.what))
            }
            Probe::Judged(question) => {
                let decided = question.put(rules);
                coverage.note(rules, question, &decided);
                let page = decided.ruling.page;
                let got = Claim {
                    outcome: decided.answer.as_str(),
                    reason: Some(decided.answer.reason().code()),
                    page: Some(page.map_or_else(none, |page| Arc::clone(&page.name))),
                };
                let place = page.map(|page| format!("{}:{}", page.file, page.line));
                (question.to_string(), got, place, Told { rules, question, decided: &decided }.why())
            }
        };
        let (case, file) = (Arc::clone(&self.name), Arc::clone(&self.at.source));
        let expected = self.expected.claim();
        let passed = expected.holds(&got);
        let (line, column) = (self.at.line, self.at.column);
        Check { case, file, line, column, request, passed, expected, got, decided_at, why }
    }
}

impl Expected {
    fn claim(&self) -> Claim {
        let reason = self.reason.map(crate::rules::reason::Reason::code);
        Claim { outcome: self.outcome, reason, page: self.page.clone() }
    }
}

impl Claim {
    /// Whether an answer is what is claimed.
    fn holds(&self, got: &Self) -> bool {
        self.outcome == got.outcome
            && (self.reason.is_none() || self.reason == got.reason)
            && (self.page.is_none() || self.page == got.page)
    }
}

/// `deny (role-lacks-access) on users`.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome)?;
        if let Some(reason) = self.reason {
            write!(f, " ({reason})")?;
        }
        match self.page.as_deref() {
            Some("none") => f.write_str(" on no page"),
            Some(page) => write!(f, " on {page}"),
            None => Ok(()),
        }
    }
}
