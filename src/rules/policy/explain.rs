//! An answer of the policy in words, for the command line and the pages.

use std::fmt;

use serde::Serialize;

use super::{Manner, RuleSet, Verdict};
use crate::rules::{facts::Target, identity::Role, outcome::Access, reason::Reason};

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
pub fn explain(rules: &RuleSet, role: &Role, target: &Target, manner: Manner<'_>) -> Explanation {
    let ruling = rules.rule_for(target, manner);
    let levels = rules.levels(ruling.page, role);
    let anonymous = ruling.page.map_or(Access::None, |page| page.anonymous);
    let opened = |class| ruling.page.is_some_and(|page| page.allow_in_path.contains(class));
    let ambiguous = target.ambiguities.iter().any(|class| !opened(class));
    let weigh = |elevated: bool| match rules.verdict(&ruling, role, elevated) {
        _ if ambiguous => ("bad-request", Reason::AmbiguousTarget),
        _ if anonymous >= ruling.needs => ("allow", Reason::Anonymous),
        Verdict::Allow { at_once: true, .. } => ("allow", Reason::RoleAllows),
        Verdict::Allow { .. } => ("allow", Reason::ElevatedAllows),
        Verdict::StepUp { .. } => ("step-up", Reason::NeedsElevation),
        Verdict::Deny(reason) => ("deny", reason),
    };
    let (outcome, reason) = weigh(false);
    let (outcome_elevated, reason_elevated) = weigh(true);
    Explanation {
        role: role.to_string(),
        method: manner.method.to_owned(),
        path: target.path(),
        page: ruling.page.map(|page| page.name.to_string()),
        place: ruling.page.map(|page| format!("{}:{}", page.file, page.line)),
        needs: ruling.needs.as_str(),
        unelevated: levels.unelevated.as_str(),
        elevated: levels.elevated.as_str(),
        lasts: crate::rules::written::spell_duration(rules.lasts(ruling.page)),
        requires_second_factor: rules.requires_second_factor(role),
        anonymous: anonymous.as_str(),
        outcome,
        reason: reason.code(),
        outcome_elevated,
        reason_elevated: reason_elevated.code(),
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
