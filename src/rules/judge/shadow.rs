//! What a candidate policy would have answered beside the one in force.

use super::{Bench, Docket, Signed, Step, Who, who};
use crate::rules::{
    facts::Facts,
    identity::Role,
    policy::{
        Answer, Page, RuleSet,
        diff::{Effect, Outcome, PageName},
    },
};

/// The same request under both policies, the one in force first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The role that counts on the page; `None` for nobody who is known.
    pub role: Option<Role>,
    /// The pages that cover it.
    pub pages: (Option<PageName>, Option<PageName>),
    /// The answers.
    pub outcomes: (Outcome, Outcome),
}

impl Compared {
    /// What the candidate would change for who asks; `None` where both say the same.
    pub fn effect(&self) -> Option<Effect> {
        let (now, then) = self.outcomes;
        (now != then).then(|| Effect::between(now, then))
    }
}

/// Puts a request that was judged to the candidate as well. `signed` is whose it was, as the judgement found it.
///
/// Both policies are asked here, with the same facts, so that nothing but the policies can make a difference. `None`
/// where it cannot be told without the store: the page is open to everybody now, would not be then, and the session of
/// the credential is not in memory.
pub fn compare(
    candidate: &RuleSet,
    facts: &Facts,
    signed: Option<&Signed>,
    bench: Bench<'_>,
) -> Option<Compared> {
    let now = Docket::of(&bench.site.policy, facts, bench);
    let then = Docket::of(candidate, facts, bench);
    let strangers = (now.decide(Who::Nobody).answer, then.decide(Who::Nobody).answer);
    let read;
    let signed = match (signed, strangers) {
        // The judgement did not need to know who asks, and the candidate does.
        (None, (Answer::Allow { .. } | Answer::BadRequest, Answer::SignIn)) => match who(facts, bench) {
            Step::Done(found) => {
                read = found.ok();
                read.as_ref()
            }
            Step::NeedSession(_) | Step::NeedExternal(_) => return None,
        },
        (signed, _) => signed,
    };
    let (role, answers) = match signed {
        None => (None, strangers),
        Some(signed) => {
            let acting = (now.acting(signed), then.acting(signed));
            let role = match &acting.0 {
                Some(Ok(acting)) => &acting.user.role,
                Some(Err(_)) | None => &signed.role,
            };
            let answer = |docket: &Docket<'_>, acting| docket.decide_for(signed, acting).answer;
            let answers = (answer(&now, acting.0.as_ref()), answer(&then, acting.1.as_ref()));
            (Some(Role::clone(role)), answers)
        }
    };
    let page = |page: Option<&Page>| page.map(PageName::of);
    Some(Compared {
        role,
        pages: (page(now.ruling.page), page(then.ruling.page)),
        outcomes: (answers.0.into(), answers.1.into()),
    })
}
