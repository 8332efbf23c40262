//! An answer of the policy in words, for the command line and the pages.

use std::fmt;

use serde::Serialize;

use super::{Answer, Asked, Held, Question, RuleSet, why::Told};
use crate::rules::{
    outcome::Access,
    session::{Elevation, Factor},
    written::spell_duration,
};

/// What the policy says about a request, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The request in words.
    pub request: String,
    /// The role whose access counts: that of the account that somebody acts for, if he does; `None` for nobody.
    pub role: Option<String>,
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
    /// The scope that a key needs for this request, if the page names one.
    pub scope: Option<String>,
    /// The conditions of the page and of the role on it.
    pub conditions: Vec<Held>,
    /// The outcome: `allow`, `sign-in`, `step-up`, `deny` or `bad-request`.
    pub outcome: &'static str,
    /// Its reason code.
    pub reason: &'static str,
    /// The reason in a sentence.
    pub why: String,
    /// The outcome once a second factor was proved; `None` for nobody, for keys and for whom one counts already.
    pub outcome_elevated: Option<&'static str>,
    /// Its reason code.
    pub reason_elevated: Option<&'static str>,
}

/// Explains what would happen to a request.
pub fn explain(rules: &RuleSet, question: &Question) -> Explanation {
    let decided = question.put(rules);
    let after = elevated(rules, question).map(|question| question.put(rules).answer);
    let after = after.filter(|_| decided.until.is_none());
    let (ruling, told) = (decided.ruling, Told { rules, question, decided: &decided });
    let role = told.role();
    let levels = role.map_or_else(super::Levels::nothing, |role| rules.levels(ruling.page, role));
    let lasts = role.map_or(std::time::Duration::ZERO, |role| rules.lasts(ruling.page, role));
    let scope = ruling.page.and_then(|page| match ruling.needs {
        Access::None | Access::Read => page.scope_read.as_ref(),
        Access::Full => page.scope_write.as_ref(),
    });
    Explanation {
        request: question.to_string(),
        role: role.map(ToString::to_string),
        method: question.method_text(),
        path: question.target.path(),
        page: ruling.page.map(|page| page.name.to_string()),
        place: ruling.page.map(|page| format!("{}:{}", page.file, page.line)),
        needs: ruling.needs.as_str(),
        unelevated: levels.unelevated.as_str(),
        elevated: levels.elevated.as_str(),
        lasts: spell_duration(lasts),
        requires_second_factor: question.who.role().is_some_and(|role| rules.requires_second_factor(role)),
        anonymous: ruling.page.map_or(Access::None, |page| page.anonymous).as_str(),
        scope: scope.map(ToString::to_string),
        conditions: told.conditions(),
        outcome: decided.answer.as_str(),
        reason: decided.answer.reason().code(),
        why: told.why(),
        outcome_elevated: after.map(Answer::as_str),
        reason_elevated: after.map(|after| after.reason().code()),
    }
}

/// The same request right after a second factor that counts.
fn elevated(rules: &RuleSet, question: &Question) -> Option<Question> {
    let mut question = question.clone();
    let Asked::Session { proof, .. } = &mut question.who else { return None };
    let by = [Factor::Totp, Factor::BackupCode].into_iter().find(|factor| rules.elevates_by(*factor))?;
    *proof = Some(Elevation { at: question.at, by });
    Some(question)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = match (&self.page, &self.place) {
            (Some(page), Some(place)) => format!("{page}  ({place})"),
            _ => "none covers the path; the policy's default applies".to_owned(),
        };
        writeln!(f, "request     {}", self.request)?;
        writeln!(f, "page        {page}")?;
        writeln!(f, "needs       {}", self.needs)?;
        if let Some(role) = &self.role {
            writeln!(
                f,
                "access      {role}: {} before the second factor, {} after it",
                self.unelevated, self.elevated
            )?;
            writeln!(f, "counts for  {}", self.lasts)?;
        }
        if let Some(scope) = &self.scope {
            writeln!(f, "scope       {scope} for keys")?;
        }
        if self.requires_second_factor {
            writeln!(f, "enrolment   required: nothing else is reached without a second factor")?;
        }
        if self.anonymous != "none" {
            writeln!(f, "anonymous   {} for everybody", self.anonymous)?;
        }
        for (index, held) in self.conditions.iter().enumerate() {
            let Held { of, kind, wants, state, place } = held;
            let heading = if index == 0 { "conditions" } else { "" };
            writeln!(f, "{heading:10}  {state}: {of} {kind} {wants}  ({place})")?;
        }
        write!(f, "outcome     {}  ({}): {}", self.outcome, self.reason, self.why)?;
        match (self.outcome_elevated, self.reason_elevated) {
            (Some(outcome), Some(reason)) => write!(f, "\nelevated    {outcome}  ({reason})"),
            _ => Ok(()),
        }
    }
}
