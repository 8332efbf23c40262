//! Why a question is answered as it is, in a sentence.

use super::{Asked, Decided, Page, Question, RuleSet, conditions::Looked, question::factor_word};
use crate::rules::{
    identity::Role, outcome::Access, reason::Reason, session::Elevation, written::spell_duration,
};

/// A condition of the policy before one request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// Whose it is: `page`, or the name of a role.
    pub of: String,
    /// Its kind, as the policy calls it: `networks`, `countries`, `hours` or `methods`.
    pub kind: &'static str,
    /// What is wanted, as the policy writes it.
    pub wants: String,
    /// `met`, `not met`, or `cannot be evaluated`, which counts as not met (R17).
    pub state: &'static str,
    /// Where it stands, `file:line`.
    pub place: String,
}

/// An answer with all that it takes to put it into words.
#[derive(Clone, Copy)]
pub(super) struct Told<'t> {
    pub(super) rules: &'t RuleSet,
    pub(super) question: &'t Question,
    pub(super) decided: &'t Decided<'t>,
}

impl Told<'_> {
    /// The role whose access counts on the page; `None` for nobody.
    pub(super) fn role(&self) -> Option<&Role> {
        self.question.who.role_on_the_panel()
    }

    /// The conditions of the page, and those of the role on it.
    pub(super) fn conditions(&self) -> Vec<Held> {
        let Some(page) = self.decided.ruling.page else { return Vec::new() };
        let own = self.role().and_then(|role| Some((role, self.rules.role_access(page, role)?)));
        let own = own.map(|(role, access)| (role.to_string(), &access.when));
        let all = std::iter::once(("page".to_owned(), &page.when)).chain(own);
        let question = self.question;
        all.flat_map(|(of, when)| {
            let looked = when.look(&question.circumstances(), question.manner());
            looked.into_iter().map(move |looked| Held::new(of.clone(), looked, page, when.line))
        })
        .collect()
    }

    /// The sentence.
    #[expect(clippy::wildcard_enum_match_arm, reason = "thirty reasons that no policy gives")]
    pub(super) fn why(&self) -> String {
        let needs = format!("{} is needed", self.decided.ruling.needs);
        let levels = self.role().map(|role| self.rules.levels(self.decided.ruling.page, role));
        let levels = levels.unwrap_or_else(super::Levels::nothing);
        let role = self.role().map_or("nobody", |role| role);
        let (before, after) = (levels.unelevated, levels.elevated);
        match self.decided.answer.reason() {
            Reason::RoleAllows => format!("{role} has {before} before the second factor, and {needs}"),
            Reason::ElevatedAllows => format!("{role} has {after} after the second factor, and {needs}"),
            Reason::RelaxedAllows => {
                format!("{role} has {after} at once while high security is off, and {needs}")
            }
            Reason::KeyAllows => {
                format!("the key has the scope, its owner's role {role} has {after}, and {needs}")
            }
            Reason::Anonymous => "the page is open to everybody".to_owned(),
            Reason::NoCredential => "nobody is signed in, and the page is not open to everybody".to_owned(),
            Reason::NeedsElevation => format!(
                "{role} has {before} before the second factor and {after} after it, and {needs}{}",
                self.lapsed()
            ),
            Reason::RoleLacksAccess if after > Access::None => {
                format!("{role} has no more than {after} here, and {needs}")
            }
            Reason::RoleLacksAccess => format!("{role} has none here, and {needs}"),
            Reason::NoPage => format!("no page covers the path, the default gives {after}, and {needs}"),
            Reason::UnknownRole => format!("the policy has no role {}", self.own_role()),
            Reason::NeedsEnrolment => {
                format!("{} reaches nothing before a second factor is set up (require_2fa)", self.own_role())
            }
            Reason::KeyLacksScope => self.lacks(),
            Reason::ImpersonationReadOnly => {
                format!("without `write`, who acts for somebody looks only, and {needs}")
            }
            Reason::AmbiguousTarget => self.ambiguous(),
            Reason::OutsideNetworks
            | Reason::OutsideCountries
            | Reason::OutsideHours
            | Reason::MethodNotAllowed => self.unmet(),
            other => other.code().to_owned(),
        }
    }

    fn own_role(&self) -> &str {
        self.question.who.role().map_or("nobody", |role| role)
    }

    /// Why a proof that there is does not count.
    fn lapsed(&self) -> String {
        let (Asked::Session { proof: Some(Elevation { at, by }), .. }, Some(role)) =
            (&self.question.who, self.role())
        else {
            return String::new();
        };
        if !self.rules.elevates_by(*by) {
            return format!("; {} does not count as one (elevation.methods)", factor_word(*by));
        }
        let ago = spell_duration(self.question.at.since(*at));
        let lasts = spell_duration(self.rules.lasts(self.decided.ruling.page, role));
        format!("; the last was {ago} ago and counts for {lasts}")
    }

    fn lacks(&self) -> String {
        let Some(page) = self.decided.ruling.page else { return "no page covers the path".to_owned() };
        let wanted = [(Access::Read, &page.scope_read), (Access::Full, &page.scope_write)];
        let wanted = wanted.into_iter().find(|(needs, _)| *needs == self.decided.ruling.needs);
        match wanted.and_then(|(_, scope)| scope.as_ref()) {
            Some(scope) => format!("the page asks for the scope {scope}, which the key does not have"),
            None => format!("the page names no scope for {}", self.decided.ruling.needs),
        }
    }

    fn ambiguous(&self) -> String {
        let opened = |class| self.decided.ruling.page.is_some_and(|page| page.allow_in_path.contains(class));
        let closed = self.question.target.ambiguities.iter().filter(|class| !opened(class));
        let classes: Vec<&str> = closed.map(|class| class.as_str()).collect();
        format!("the path has {}, which two programs could read in two ways", classes.join(" and "))
    }

    fn unmet(&self) -> String {
        let Some(held) = self.conditions().into_iter().find(|held| held.state != Held::MET) else {
            return "a condition is not met".to_owned();
        };
        let question = self.question;
        let is = match held.kind {
            "networks" => {
                question.client.map_or("the address is not certain".into(), |ip| format!("it came from {ip}"))
            }
            "countries" => question
                .country
                .map_or("the country is not known".into(), |code| format!("it came from {code}")),
            "hours" => format!("it was {}", question.at_text()),
            _ => format!("it was {}", question.method_text()),
        };
        let of = if held.of == "page" { "the page" } else { &held.of };
        format!("{of} is for {} {} only ({}), and {is}", held.kind, held.wants, held.place)
    }
}

impl Held {
    pub(super) const MET: &'static str = "met";

    fn new(of: String, looked: Looked, page: &Page, line: u32) -> Self {
        let Looked { kind, wants, met } = looked;
        let state = match met {
            Some(true) => Self::MET,
            Some(false) => "not met",
            None => "cannot be evaluated",
        };
        Self { of, kind, wants, state, place: format!("{}:{line}", page.file) }
    }
}
