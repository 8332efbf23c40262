//! An answer of the policy in words, for the command line and the pages.

use std::fmt;

use serde::Serialize;

use super::{Case, Circumstances, Manner, RuleSet, Sitting, Who};
use crate::rules::{
    facts::Target,
    identity::Role,
    outcome::Access,
    session::{Elevation, Factor},
};

/// What the policy says about a role and a request, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// As asked.
    pub role: String,
    /// As asked.
    pub method: String,
    /// Canonical.
    pub path: String,
    /// The page that covers the path.
    pub page: Option<String>,
    /// Where the page stands, `file:line`.
    pub place: Option<String>,
    /// What the request needs: `read` or `full`.
    pub needs: &'static str,
    /// What the role may do before the second factor.
    pub unelevated: &'static str,
    /// What it may do after.
    pub elevated: &'static str,
    /// How long a second factor counts on the page.
    pub lasts: String,
    /// Whether the role reaches nothing but enrolment until it has a second factor.
    pub requires_second_factor: bool,
    /// What everybody may do, signed in or not.
    pub anonymous: &'static str,
    /// The outcome before the second factor: `allow`, `step-up` or `deny`.
    pub outcome: &'static str,
    /// Its reason code.
    pub reason: &'static str,
    /// The outcome after the second factor.
    pub outcome_elevated: &'static str,
    /// Its reason code.
    pub reason_elevated: &'static str,
}

/// Explains what would happen to a request of a role.
pub fn explain(
    rules: &RuleSet,
    role: &Role,
    target: &Target,
    manner: Manner<'_>,
    circumstances: Circumstances,
) -> Explanation {
    let factor = [Factor::Totp, Factor::BackupCode].into_iter().find(|factor| rules.elevates_by(*factor));
    let proof = factor.map(|by| Elevation { at: circumstances.at, by });
    let decide = |proof| {
        let sitting = Sitting { role, enrolled: true, proof, relaxed: false, acting: None };
        rules.decide(&Case { target, manner, circumstances, who: Who::Session(sitting) })
    };
    let (before, after) = (decide(None), decide(proof));
    let ruling = before.ruling;
    let levels = rules.levels(ruling.page, role);
    let anonymous = ruling.page.map_or(Access::None, |page| page.anonymous);
    Explanation {
        role: role.to_string(),
        method: manner.method.to_owned(),
        path: target.path(),
        page: ruling.page.map(|page| page.name.to_string()),
        place: ruling.page.map(|page| format!("{}:{}", page.file, page.line)),
        needs: ruling.needs.as_str(),
        unelevated: levels.unelevated.as_str(),
        elevated: levels.elevated.as_str(),
        lasts: crate::rules::written::spell_duration(rules.lasts(ruling.page, role)),
        requires_second_factor: rules.requires_second_factor(role),
        anonymous: anonymous.as_str(),
        outcome: before.answer.as_str(),
        reason: before.answer.reason().code(),
        outcome_elevated: after.answer.as_str(),
        reason_elevated: after.answer.reason().code(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = match (&self.page, &self.place) {
            (Some(page), Some(place)) => format!("{page}  ({place})"),
            _ => "none covers the path; the policy's default applies".to_owned(),
        };
        writeln!(f, "request     {} {} as {}", self.method, self.path, self.role)?;
        writeln!(f, "page        {page}")?;
        writeln!(f, "needs       {}", self.needs)?;
        writeln!(f, "access      {} before the second factor, {} after it", self.unelevated, self.elevated)?;
        writeln!(f, "counts for  {}", self.lasts)?;
        if self.requires_second_factor {
            writeln!(f, "enrolment   required: nothing else is reached without a second factor")?;
        }
        if self.anonymous != "none" {
            writeln!(f, "anonymous   {} for everybody", self.anonymous)?;
        }
        writeln!(f, "outcome     {}  ({})", self.outcome, self.reason)?;
        write!(f, "elevated    {}  ({})", self.outcome_elevated, self.reason_elevated)
    }
}
