//! A difference in words: what people read, what scripts get as JSON, and what the daemon answers.

use serde::{Deserialize, Serialize};

use super::{Change, Diff, Effect, PageName, Shift};

/// What two policies answer differently, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// How many changes of each kind there are.
    pub totals: Totals,
    /// Every change, by page.
    pub changes: Vec<Line>,
    /// What changed besides the answers to requests.
    pub besides: Vec<String>,
    /// `false` where not everything was compared: then there may be more changes.
    pub complete: bool,
}

/// How many changes of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// More is allowed.
    pub opens: usize,
    /// Less is allowed.
    pub closes: usize,
    /// Both, or neither.
    pub turns: usize,
    /// A refusal has another reason.
    pub reasons: usize,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it means to who asks.
    pub effect: Effect,
    /// The name of the page, or both names.
    pub page: String,
    /// Where the page stands in the first policy.
    pub old: Option<PageName>,
    /// Where it stands in the second.
    pub new: Option<PageName>,
    /// By whom.
    pub who: String,
    /// What is asked for; `limit` where a quota changed.
    pub deed: String,
    /// What was answered.
    pub before: String,
    /// What is answered.
    pub after: String,
    /// With which methods, from where and when; empty where nothing of it matters.
    pub terms: String,
    /// One of the requests.
    pub witness: String,
}

impl Diff {
    /// The same in words.
    pub fn listing(&self) -> Listing {
        Listing {
            totals: self.totals(),
            changes: self.changes.iter().map(Change::line).collect(),
            besides: self.besides.clone(),
            complete: self.complete,
        }
    }

    /// How many changes of each kind there are.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for change in &self.changes {
            totals.add(change.effect);
        }
        totals
    }
}

impl Change {
    fn line(&self) -> Line {
        let (before, after) = self.words();
        let limit = matches!(self.shift, Shift::Limits(..));
        Line {
            effect: self.effect,
            page: self.page(),
            old: self.pages.0.clone(),
            new: self.pages.1.clone(),
            who: self.who.to_string(),
            deed: if limit { "limit".to_owned() } else { self.deed() },
            before,
            after,
            terms: self.terms(),
            witness: self.witness.to_string(),
        }
    }
}

impl Listing {
    /// Whether no request is answered differently, and nothing else has changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.besides.is_empty() && self.complete
    }
}

impl Totals {
    /// Counts one more.
    pub fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Opens => self.opens += 1,
            Effect::Closes => self.closes += 1,
            Effect::Turns => self.turns += 1,
            Effect::Reason => self.reasons += 1,
        }
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.opens + self.closes + self.turns + self.reasons
    }
}

/// `3 cells open, 1 closes`.
impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = [(self.opens, "open"), (self.closes, "close"), (self.turns, "turn")];
        let mut parts: Vec<String> = Vec::new();
        for (count, word) in told.into_iter().filter(|(count, _)| *count > 0) {
            let noun = match (parts.is_empty(), count) {
                (false, _) => "",
                (true, 1) => " cell",
                (true, _) => " cells",
            };
            parts.push(format!("{count}{noun} {word}{}", if count == 1 { "s" } else { "" }));
        }
        if parts.is_empty() {
            parts.push("no cell opens or closes".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}
