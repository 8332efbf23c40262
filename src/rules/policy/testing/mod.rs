//! Tests beside a policy: facts of requests, what each should come to, what it comes to, and how much of the policy was
//! asked about.

mod coverage;
mod read;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::{
    coverage::{Cell, Coverage, Holder},
    report::{Check, Claim, Report, run},
};
use super::spoken::Probe;
use crate::{
    clock::Wall,
    rules::{reason::Reason, written::At},
};

/// When a case happens that does not say so: Monday, 5 January 2026, at noon, UTC.
const NOON: Wall = Wall::from_secs(1_767_614_400);

/// The cases of a file, `panel.test.yaml` beside `panel.yaml`. Immutable; they hold for any version of the policy.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    cases: Vec<TestCase>,
}

/// What there is beside a policy.
#[derive(Clone, Debug, Default)]
pub enum Beside {
    /// No file.
    #[default]
    Nothing,
    /// A file that cannot be used, and everything that is wrong with it. The policy is in force all the same.
    Broken(Arc<str>),
    /// Tests.
    Tests(Arc<Suite>),
}

impl Beside {
    /// The tests, if there are some that can be run.
    pub const fn suite(&self) -> Option<&Arc<Suite>> {
        match self {
            Self::Tests(suite) => Some(suite),
            Self::Nothing | Self::Broken(_) => None,
        }
    }
}

/// One or more requests that come to the same.
#[derive(Clone, Debug)]
struct TestCase {
    name: Arc<str>,
    at: At,
    expected: Expected,
    probes: Vec<Probe>,
}

/// What a case says of the answer.
#[derive(Clone, Debug)]
struct Expected {
    outcome: &'static str,
    reason: Option<Reason>,
    page: Option<Arc<str>>,
}

impl Suite {
    /// How many cases there are.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// How many requests they make: each case in every combination of its roles, methods and paths.
    pub fn requests(&self) -> usize {
        self.cases.iter().map(|case| case.probes.len()).sum()
    }

    /// Only the cases whose names contain `text`, in whatever case.
    pub fn named_like(&self, text: &str) -> Self {
        let text = text.to_lowercase();
        let like = |case: &&TestCase| case.name.to_lowercase().contains(&text);
        Self { cases: self.cases.iter().filter(like).cloned().collect() }
    }
}
