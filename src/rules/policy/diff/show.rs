//! Changes in words.

use std::fmt;

use super::{Change, Diff, Effect, Outcome, Shift};
use crate::rules::outcome::Access;

/// Pages by name, and on each: who, and what he wants to do.
pub(super) fn order(change: &Change) -> (String, String, Access) {
    (change.page(), change.who.to_string(), change.needs.1)
}

impl Change {
    /// The name of the page, or both names.
    pub fn page(&self) -> String {
        let name = |page: &Option<super::PageName>| page.as_ref().map(|page| page.name.to_string());
        match (name(&self.pages.0), name(&self.pages.1)) {
            (None, None) => "no page".to_owned(),
            (Some(one), Some(other)) if one == other => one,
            (one, other) => {
                let word = |name: Option<String>| name.unwrap_or_else(|| "no page".to_owned());
                format!("{} → {}", word(one), word(other))
            }
        }
    }

    /// What is asked for: `look`, `change`, or what it was and is.
    pub fn deed(&self) -> String {
        let word = |needs| if needs == Access::Read { "look" } else { "change" };
        if self.needs.0 == self.needs.1 {
            return word(self.needs.0).to_owned();
        }
        format!("{} (now a {})", word(self.needs.0), word(self.needs.1))
    }

    /// From what, to what.
    pub fn words(&self) -> (String, String) {
        match &self.shift {
            Shift::Limits(before, after) => (limits(before), limits(after)),
            Shift::Answers(before, after) => {
                let brief = (answers(before, false), answers(after, false));
                if brief.0 == brief.1 { (answers(before, true), answers(after, true)) } else { brief }
            }
        }
    }

    /// With which methods, from where and when; empty where nothing of it matters.
    pub fn terms(&self) -> String {
        let mut terms = Vec::new();
        if !self.methods.is_empty() {
            terms.push(format!("with {}", self.methods.join(", ")));
        }
        match self.reads {
            (true, false) => terms.push("with paths that only the old one reads".to_owned()),
            (false, true) => terms.push("with paths that only the new one reads".to_owned()),
            _ => {}
        }
        terms.extend(self.from.as_ref().map(ToString::to_string));
        terms.extend(self.countries.as_ref().map(ToString::to_string));
        terms.extend(self.times.as_ref().map(ToString::to_string));
        terms.join("; ")
    }
}

/// `user-management: admin, change: blocked until verified → always`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.words();
        let deed = if matches!(self.shift, Shift::Limits(..)) { "limit".to_owned() } else { self.deed() };
        write!(f, "{}: {}, {deed}: {before} → {after}", self.page(), self.who)?;
        let terms = self.terms();
        if terms.is_empty() { Ok(()) } else { write!(f, "  ({terms})") }
    }
}

/// One change a line, without those that only change the reason of a refusal.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no request is answered differently");
        }
        let told = |change: &&Change| change.effect != Effect::Reason;
        let mut lines: Vec<String> = self.besides.clone();
        lines.extend(self.changes.iter().filter(told).map(ToString::to_string));
        let untold = self.changes.len() - self.changes.iter().filter(told).count();
        if untold > 0 {
            lines.push(format!("{untold} kinds of requests are refused for another reason"));
        }
        if !self.complete {
            lines.push(
                "there are more kinds of paths than are compared: there may be more changes".to_owned(),
            );
        }
        f.write_str(&lines.join("\n"))
    }
}

/// `allowed`, `must verify`, `refused (role-lacks-access)`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(*self, true))
    }
}

fn limits(quotas: &[String]) -> String {
    if quotas.is_empty() { "none".to_owned() } else { quotas.join(", ") }
}

fn answers(outcomes: &[Outcome], whole: bool) -> String {
    match outcomes {
        [one] => word(*one, whole),
        [Outcome::StepUp { readable }, after @ Outcome::Allow(_)] => {
            let until = if *readable { "read-only until verified" } else { "blocked until verified" };
            if whole { format!("{until}, then {}", word(*after, true)) } else { until.to_owned() }
        }
        [before @ Outcome::Allow(_), after @ Outcome::Allow(_)] if !whole || before == after => {
            if whole {
                format!("always, {}", word(*before, true))
            } else {
                "always".to_owned()
            }
        }
        [before, after] if before == after => format!("never, {}", word(*before, whole)),
        outcomes => {
            let words: Vec<String> = outcomes.iter().map(|outcome| word(*outcome, whole)).collect();
            words.join(", once verified ")
        }
    }
}

fn word(outcome: Outcome, whole: bool) -> String {
    match outcome {
        Outcome::Allow(have) if whole => format!("allowed ({})", have.as_str()),
        Outcome::Allow(_) => "allowed".to_owned(),
        Outcome::SignIn => "must sign in".to_owned(),
        Outcome::StepUp { readable: true } => "must verify (can look meanwhile)".to_owned(),
        Outcome::StepUp { readable: false } => "must verify".to_owned(),
        Outcome::Deny(reason) => format!("refused ({})", reason.code()),
        Outcome::BadRequest => "refused (ambiguous-target)".to_owned(),
    }
}
