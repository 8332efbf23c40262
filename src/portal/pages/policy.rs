//! The policy: the table, and the candidate beside it.

use askama::Template;

use super::{AccountFrame, Fact, Frame, ReloadFailed, TabLink, When};

/// What surrounds every view of the policy.
pub(crate) struct PolicyFrame {
    pub(crate) views: Vec<TabLink>,
}

/// Who may do what, and what is in force.
#[derive(Template)]
#[template(path = "portal/pages/policy.html")]
pub(crate) struct PolicyPage {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) policy: PolicyFrame,
    pub(crate) lead: String,
    pub(crate) not_in_force: Vec<ReloadFailed>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) changes: Vec<String>,
    pub(crate) waiting: Vec<String>,
    pub(crate) roles: Vec<MatrixRole>,
    pub(crate) rows: Vec<MatrixRow>,
}

/// A column.
pub(crate) struct MatrixRole {
    pub(crate) name: String,
    pub(crate) notes: Vec<&'static str>,
}

/// A page, with what each role may do there.
pub(crate) struct MatrixRow {
    pub(crate) name: String,
    /// `file:line`; empty for what no page names.
    pub(crate) place: String,
    pub(crate) paths: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) cells: Vec<MatrixCell>,
}

/// What one role may do on one page.
pub(crate) struct MatrixCell {
    pub(crate) before: AccessWord,
    /// If it is not the same.
    pub(crate) after: Option<AccessWord>,
    /// Both, spoken.
    pub(crate) says: String,
    pub(crate) notes: Vec<String>,
}

/// A level of access.
pub(crate) struct AccessWord {
    /// As the policy spells it, for the colour.
    pub(crate) code: &'static str,
    pub(crate) text: &'static str,
}

/// The candidate.
#[derive(Template)]
#[template(path = "portal/pages/policy_shadow.html")]
pub(crate) struct ShadowPage {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) policy: PolicyFrame,
    /// `None`: there is no candidate.
    pub(crate) lead: Option<String>,
    pub(crate) compared: String,
    pub(crate) flips: Vec<FlipRow>,
    pub(crate) beyond: Option<String>,
    pub(crate) differences: Vec<DifferenceRow>,
    pub(crate) besides: Vec<String>,
    pub(crate) other_reasons: Option<String>,
    pub(crate) more: Option<String>,
    pub(crate) complete: bool,
}

/// A kind of request that came in and would have been answered differently.
pub(crate) struct FlipRow {
    pub(crate) page: String,
    pub(crate) who: String,
    pub(crate) now: String,
    pub(crate) then: String,
    pub(crate) effect: &'static str,
    pub(crate) code: &'static str,
    pub(crate) count: u64,
    pub(crate) last: When,
    /// `None`: it is about somebody whom the reader does not see.
    pub(crate) example: Option<Example>,
}

/// The last of its kind.
pub(crate) struct Example {
    pub(crate) id: String,
    pub(crate) request: String,
}

/// A kind of request that both policies answer differently.
pub(crate) struct DifferenceRow {
    pub(crate) page: String,
    pub(crate) who: String,
    pub(crate) deed: String,
    pub(crate) terms: String,
    pub(crate) now: String,
    pub(crate) then: String,
    pub(crate) effect: &'static str,
    pub(crate) code: &'static str,
}

/// A request that is only spoken of, and what the policy says to it.
#[derive(Template)]
#[template(path = "portal/pages/policy_explain.html")]
pub(crate) struct ExplainPage {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) policy: PolicyFrame,
    pub(crate) user: String,
    pub(crate) roles: Vec<AskedRole>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) elevated: String,
    pub(crate) from: String,
    pub(crate) country: String,
    pub(crate) at: String,
    /// The field that is at fault, and what to write instead.
    pub(crate) wrong: Option<(&'static str, String)>,
    pub(crate) answer: Option<Answer>,
}

impl ExplainPage {
    fn at_fault(&self, field: &str) -> bool {
        self.wrong.as_ref().is_some_and(|(name, _)| *name == field)
    }
}

/// A role to choose.
pub(crate) struct AskedRole {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

/// What the policy says.
pub(crate) struct Answer {
    pub(crate) outcome: &'static str,
    pub(crate) allowed: bool,
    pub(crate) reason: &'static str,
    pub(crate) text: &'static str,
    pub(crate) facts: Vec<Fact>,
    pub(crate) conditions: Vec<String>,
    pub(crate) ways: Vec<String>,
    /// What is said where nothing helps.
    pub(crate) no_way: Option<&'static str>,
}

/// The tests beside the policy.
#[derive(Template)]
#[template(path = "portal/pages/policy_tests.html")]
pub(crate) struct SuitePage {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) policy: PolicyFrame,
    /// There is no file.
    pub(crate) nothing: bool,
    /// What is wrong with the file.
    pub(crate) broken: Option<String>,
    pub(crate) verdict: String,
    pub(crate) holds: bool,
    pub(crate) failures: Vec<CheckRow>,
    /// Every case with how many of its requests hold.
    pub(crate) passed: Vec<(String, usize)>,
    pub(crate) coverage: String,
    pub(crate) uncovered: Vec<String>,
    pub(crate) more: Option<String>,
}

/// What came of one request of a test.
pub(crate) struct CheckRow {
    pub(crate) case: String,
    pub(crate) place: String,
    pub(crate) request: String,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) decided_at: String,
    pub(crate) why: String,
}
