//! The policy's whole answer to a request, over plain values: what judges, explains, tests, replays and compares.

#[cfg(test)]
mod tests;

use super::{Circumstances, Manner, Page, RuleSet, Ruling, Verdict};
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope, facts::Target, identity::Role, outcome::Access, reason::Reason, session::Elevation,
    },
};

/// A request, and who makes it, as far as the policy cares.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is asked for.
    pub target: &'a Target,
    /// How.
    pub manner: Manner<'a>,
    /// From where and when.
    pub circumstances: Circumstances,
    /// By whom.
    pub who: Who<'a>,
}

/// Who makes a request, once his credential is known to be good.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// Nobody who is known.
    Nobody,
    /// Somebody with a session.
    Session(Sitting<'a>),
    /// A program with an API key.
    Key {
        /// The role of the key's owner.
        role: &'a Role,
        /// Whether the owner has a second factor.
        enrolled: bool,
        /// What the key may do.
        scopes: &'a [Scope],
    },
}

/// Somebody with a session.
#[derive(Clone, Copy, Debug)]
pub struct Sitting<'a> {
    /// His role: the operator's own while he acts for somebody.
    pub role: &'a Role,
    /// Whether he has a second factor.
    pub enrolled: bool,
    /// His last proof of it.
    pub proof: Option<Elevation>,
    /// Whether High Security Mode is off for him: then everybody counts as elevated.
    pub relaxed: bool,
    /// For whom he acts.
    pub acting: Option<ActingAs<'a>>,
}

/// Whom an operator acts for.
#[derive(Clone, Copy, Debug)]
pub enum ActingAs<'a> {
    /// An account.
    Account {
        /// Its role, which counts on the panel meanwhile.
        role: &'a Role,
        /// Whether changes are allowed.
        write: bool,
    },
    /// Nobody any more, and it was not left: nothing is done in the operator's own name by mistake.
    Over,
}

/// What the policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Allow {
        /// What may be done with the page now.
        have: Access,
        /// Why.
        reason: Reason,
    },
    /// Only for those who are known.
    SignIn,
    /// After the second factor.
    StepUp {
        /// Whether the page can be looked at meanwhile.
        readable: bool,
    },
    /// No.
    Deny(Reason),
    /// The target could be read in two ways (R4).
    BadRequest,
}

impl Answer {
    /// The word for it: `allow`, `sign-in`, `step-up`, `deny` or `bad-request`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::SignIn => "sign-in",
            Self::StepUp { .. } => "step-up",
            Self::Deny(_) => "deny",
            Self::BadRequest => "bad-request",
        }
    }

    /// Why.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Allow { reason, .. } | Self::Deny(reason) => reason,
            Self::SignIn => Reason::NoCredential,
            Self::StepUp { .. } => Reason::NeedsElevation,
            Self::BadRequest => Reason::AmbiguousTarget,
        }
    }
}

/// An answer with what it rests on.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'r> {
    /// The page, and what the request needs there.
    pub ruling: Ruling<'r>,
    /// The answer.
    pub answer: Answer,
    /// The end of the elevation that counts on the page, if elevated.
    pub until: Option<Wall>,
}

impl RuleSet {
    /// What the policy answers.
    pub fn decide(&self, case: &Case<'_>) -> Decided<'_> {
        self.decide_on(self.rule_for(case.target, case.manner), case)
    }

    /// The same, where it is known already which page it is.
    pub fn decide_on<'r>(&self, ruling: Ruling<'r>, case: &Case<'_>) -> Decided<'r> {
        let decided = |answer| Decided { ruling, answer, until: None };
        if is_ambiguous(&ruling, case.target) {
            return decided(Answer::BadRequest);
        }
        if let Some(page) = ruling.page.filter(|page| is_open(page, &ruling, case)) {
            return decided(Answer::Allow { have: page.anonymous, reason: Reason::Anonymous });
        }
        match case.who {
            Who::Nobody => decided(Answer::SignIn),
            Who::Session(sitting) => self.decide_session(ruling, &sitting, case),
            Who::Key { role, enrolled, scopes } => {
                let answer = self
                    .unfit(role, enrolled)
                    .unwrap_or_else(|| self.decide_key(&ruling, role, scopes, case));
                decided(answer)
            }
        }
    }

    /// What keeps a role out of everything.
    fn unfit(&self, role: &Role, enrolled: bool) -> Option<Answer> {
        if !self.roles().contains(role) {
            return Some(Answer::Deny(Reason::UnknownRole));
        }
        (self.requires_second_factor(role) && !enrolled).then_some(Answer::Deny(Reason::NeedsEnrolment))
    }

    fn decide_session<'r>(&self, ruling: Ruling<'r>, sitting: &Sitting<'_>, case: &Case<'_>) -> Decided<'r> {
        let (role, most) = match sitting.acting {
            None => (sitting.role, Access::Full),
            Some(ActingAs::Account { role, write }) => {
                (role, if write { Access::Full } else { Access::Read })
            }
            Some(ActingAs::Over) => (sitting.role, Access::None),
        };
        let until = self.elevated_until(ruling.page, role, sitting.proof);
        let until = until.filter(|until| *until > case.circumstances.at);
        let decided = |answer| Decided { ruling, answer, until };
        if let Some(unfit) = self.unfit(sitting.role, sitting.enrolled) {
            return decided(unfit);
        }
        if let Some(ActingAs::Over) = sitting.acting {
            return decided(Answer::Deny(Reason::ImpersonationOver));
        }
        let elevated = until.is_some() || sitting.relaxed;
        let (have, reason) = match self.verdict(&ruling, role, elevated, &case.circumstances, case.manner) {
            Verdict::Allow { have, at_once: true } => (have, Reason::RoleAllows),
            Verdict::Allow { have, .. } if until.is_some() => (have, Reason::ElevatedAllows),
            Verdict::Allow { have, .. } => (have, Reason::RelaxedAllows),
            Verdict::StepUp { readable } => return decided(Answer::StepUp { readable }),
            Verdict::Deny(reason) => return decided(Answer::Deny(reason)),
        };
        if ruling.needs > most {
            return decided(Answer::Deny(Reason::ImpersonationReadOnly));
        }
        decided(Answer::Allow { have: have.min(most), reason })
    }

    /// The lower of the key's scope and what its owner's role has elevated: that more than its owner has at once needed
    /// the second factor was asked for when the key was made.
    fn decide_key(&self, ruling: &Ruling<'_>, role: &Role, scopes: &[Scope], case: &Case<'_>) -> Answer {
        let have = match self.verdict(ruling, role, true, &case.circumstances, case.manner) {
            Verdict::Allow { have, .. } => have,
            Verdict::Deny(reason) => return Answer::Deny(reason),
            Verdict::StepUp { readable } => return Answer::StepUp { readable },
        };
        let has = |scope: Option<&Scope>| scope.is_some_and(|scope| scopes.contains(scope));
        let reads = ruling.page.is_some_and(|page| has(page.scope_read.as_ref()));
        let writes = ruling.page.is_some_and(|page| has(page.scope_write.as_ref()));
        let scope = match ruling.needs {
            Access::Full if writes => Access::Full,
            Access::Read if reads && writes => Access::Full,
            Access::Read if reads => Access::Read,
            Access::None | Access::Read | Access::Full => return Answer::Deny(Reason::KeyLacksScope),
        };
        Answer::Allow { have: have.min(scope), reason: Reason::KeyAllows }
    }
}

pub(super) fn is_ambiguous(ruling: &Ruling<'_>, target: &Target) -> bool {
    let opened = |class| ruling.page.is_some_and(|page| page.allow_in_path.contains(class));
    target.ambiguities.iter().any(|class| !opened(class))
}

/// Whether the page is open to everybody for this request.
fn is_open(page: &Page, ruling: &Ruling<'_>, case: &Case<'_>) -> bool {
    page.anonymous >= ruling.needs && page.when.unmet(&case.circumstances, case.manner).is_none()
}
