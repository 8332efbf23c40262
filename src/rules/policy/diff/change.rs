//! What a difference is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Addresses, Asker, Countries, Times};
use crate::rules::{
    outcome::Access,
    policy::{Answer, Page, Question},
    reason::Reason,
};

/// What two policies answer differently.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Diff {
    /// Every cell that changed, cells that changed alike together.
    pub changes: Vec<Change>,
    /// What changed besides the answers to requests, in words.
    pub besides: Vec<String>,
    /// `false` where the policies have more kinds of paths than are looked at: then there may be more changes.
    pub complete: bool,
}

/// Requests that are answered differently, and alike among each other.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The page under the first policy and under the second.
    pub pages: (Option<PageName>, Option<PageName>),
    /// Whether each policy reads the path at all: one of them may refuse it as ambiguous (R4).
    pub reads: (bool, bool),
    /// What the requests need under both policies.
    pub needs: (Access, Access),
    /// With which methods; all that need this if empty.
    pub methods: Vec<String>,
    /// From where, if that matters.
    pub from: Option<Addresses>,
    /// In which countries, if that matters.
    pub countries: Option<Countries>,
    /// When, if that matters.
    pub times: Option<Times>,
    /// By whom.
    pub who: Asker,
    /// From what to what.
    pub shift: Shift,
    /// Better, worse or different for who asks.
    pub effect: Effect,
    /// One of the requests.
    pub witness: Question,
}

/// A page and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PageName {
    /// Its name.
    pub name: Arc<str>,
    /// `file:line`.
    pub place: String,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// The answers under both policies; for a session before the second factor and after it.
    Answers(Vec<Outcome>, Vec<Outcome>),
    /// The quotas of the page, or of the role on it.
    Limits(Vec<String>, Vec<String>),
}

/// An answer without the reason of a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes, with this access to the page.
    Allow(Access),
    /// Only for those who are known.
    SignIn,
    /// After the second factor; whether the page can be looked at meanwhile.
    StepUp {
        /// Whether it can.
        readable: bool,
    },
    /// No.
    Deny(Reason),
    /// The target could be read in two ways (R4).
    BadRequest,
}

/// What a change means to who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// More is allowed.
    Opens,
    /// Less is allowed.
    Closes,
    /// Both, or neither.
    Turns,
    /// A refusal has another reason.
    Reason,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Allow { have, .. } => Self::Allow(have),
            Answer::SignIn => Self::SignIn,
            Answer::StepUp { readable } => Self::StepUp { readable },
            Answer::Deny(reason) => Self::Deny(reason),
            Answer::BadRequest => Self::BadRequest,
        }
    }
}

impl Diff {
    /// Whether the policies are the same to every request, and besides.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.besides.is_empty() && self.complete
    }
}

impl PageName {
    /// Of a compiled page.
    pub fn of(page: &Page) -> Self {
        Self { name: Arc::clone(&page.name), place: format!("{}:{}", page.file, page.line) }
    }
}

impl Shift {
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Answers(before, after) => Effect::of(before.iter().copied().zip(after.iter().copied())),
            Self::Limits(..) => Effect::Turns,
        }
    }
}

impl Effect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Opens, Self::Closes, Self::Turns, Self::Reason];

    /// `opens`, `closes`, `turns` or `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
            Self::Turns => "turns",
            Self::Reason => "reason",
        }
    }

    /// What it means to who asks when one answer becomes another.
    pub fn between(before: Outcome, after: Outcome) -> Self {
        Self::of(std::iter::once((before, after)))
    }

    fn of(answers: impl Iterator<Item = (Outcome, Outcome)>) -> Self {
        let rank = |outcome: Outcome| match outcome {
            Outcome::Allow(have) => 3 + have as u8,
            Outcome::StepUp { readable } => 1 + u8::from(readable),
            Outcome::SignIn | Outcome::Deny(_) | Outcome::BadRequest => 0,
        };
        let (mut more, mut less) = (false, false);
        for (before, after) in answers {
            more |= rank(before) < rank(after);
            less |= rank(before) > rank(after);
        }
        match (more, less) {
            (true, false) => Self::Opens,
            (false, true) => Self::Closes,
            (true, true) => Self::Turns,
            (false, false) => Self::Reason,
        }
    }

    /// `+`, `-`, `~`, or `=` where only the reason of a refusal is another.
    pub const fn sign(self) -> char {
        match self {
            Self::Opens => '+',
            Self::Closes => '-',
            Self::Turns => '~',
            Self::Reason => '=',
        }
    }
}
