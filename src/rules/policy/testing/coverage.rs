//! Which parts of a policy were asked about: for each page, who, before or after the second factor, looking or changing.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;

use super::super::{Asked, Decided, Page, Question, RuleSet};
use crate::rules::{api_key::Scope, identity::Role, outcome::Access, reason::Reason};

/// What one line of a policy says to one kind of asker about one kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// The page; `None`: paths that no page covers.
    pub page: Option<Arc<str>>,
    /// Who asks.
    pub who: Holder,
    /// Whether after the second factor. Nobody and keys have none.
    pub elevated: bool,
    /// Whether it takes `full`, not `read`.
    pub write: bool,
}

/// Who asks, as far as coverage tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// Nobody who is known.
    Nobody,
    /// A session of this role, or of somebody who acts for an account of it.
    Role(Role),
    /// A key with this scope, of those that the page names.
    Key(Scope),
}

/// All cells of a policy, and which of them some request was answered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// In the order of the policy.
    cells: Vec<Cell>,
    /// Whether each of them was.
    exercised: BTreeMap<Cell, bool>,
}

impl Coverage {
    /// Every cell of a policy, none of them exercised. Paths without a page count where the default gives something.
    pub fn of(rules: &RuleSet) -> Self {
        let pages = rules.pages().iter().map(Some);
        let open = rules.roles().iter().any(|role| rules.levels(None, role).elevated > Access::None);
        let cells: Vec<Cell> =
            pages.chain(open.then_some(None)).flat_map(|page| cells_of(rules, page)).collect();
        let exercised = cells.iter().map(|cell| (cell.clone(), false)).collect();
        Self { cells, exercised }
    }

    /// Every cell, in the order of the policy, with whether it was exercised.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, bool)> {
        self.cells.iter().map(|cell| (cell, self.exercised.get(cell).copied().unwrap_or(false)))
    }

    /// Those that were not.
    pub fn uncovered(&self) -> impl Iterator<Item = &Cell> {
        self.cells().filter_map(|(cell, exercised)| (!exercised).then_some(cell))
    }

    /// How many cells there are.
    pub fn total(&self) -> usize {
        self.cells.len()
    }

    /// How many were exercised.
    pub fn covered(&self) -> usize {
        self.exercised.values().filter(|exercised| **exercised).count()
    }

    /// Whole per cents, rounded down: 100 is all of them. A policy without cells is covered.
    pub fn percent(&self) -> usize {
        self.covered().saturating_mul(100).checked_div(self.total()).unwrap_or(100)
    }

    /// Takes over what more cases about the same policy exercised.
    pub fn join(&mut self, more: &Self) {
        for (cell, exercised) in &mut self.exercised {
            *exercised |= more.exercised.get(cell).copied().unwrap_or(false);
        }
    }

    /// Notes which cell a question was answered by.
    pub(super) fn note(&mut self, rules: &RuleSet, question: &Question, decided: &Decided<'_>) {
        let cell = cell_of(rules, question, decided);
        if let Some(exercised) = cell.and_then(|cell| self.exercised.get_mut(&cell)) {
            *exercised = true;
        }
    }
}

fn cells_of(rules: &RuleSet, page: Option<&Page>) -> Vec<Cell> {
    let cells = |who: Holder, elevated| {
        [false, true].map(|write| Cell {
            page: page.map(|page| Arc::clone(&page.name)),
            who: who.clone(),
            elevated,
            write,
        })
    };
    let mut all: Vec<Cell> = cells(Holder::Nobody, false).into();
    for role in rules.roles() {
        all.extend(
            [false, true].into_iter().flat_map(|elevated| cells(Holder::Role(Role::clone(role)), elevated)),
        );
    }
    let mut scopes: Vec<&Scope> =
        page.iter().flat_map(|page| [&page.scope_read, &page.scope_write]).flatten().collect();
    scopes.dedup();
    all.extend(scopes.into_iter().flat_map(|scope| cells(Holder::Key(Scope::clone(scope)), false)));
    all
}

/// The cell that gave the answer; `None` when something else did: the path, the role itself, where or when it came from.
fn cell_of(rules: &RuleSet, question: &Question, decided: &Decided<'_>) -> Option<Cell> {
    let (page, needs) = (decided.ruling.page, decided.ruling.needs);
    let reason = decided.answer.reason();
    if !SPEAKING.contains(&reason) || !in_place(rules, question, page, reason) {
        return None;
    }
    let (who, elevated) = match &question.who {
        Asked::Nobody => (Holder::Nobody, false),
        Asked::Key { scopes, .. } => (Holder::Key(deciding_scope(page?, needs, scopes, reason)?), false),
        Asked::Session { proof, relaxed, .. } => {
            let role = question.who.role_on_the_panel()?;
            let until = rules.elevated_until(page, role, *proof);
            (Holder::Role(Role::clone(role)), *relaxed || until.is_some_and(|until| until > question.at))
        }
    };
    let page = page.map(|page| Arc::clone(&page.name));
    Some(Cell { page, who, elevated, write: needs == Access::Full })
}

/// The reasons that what a cell says can have. Which methods there are is a matter of the page, and a cell may have no
/// other answer.
const SPEAKING: [Reason; 11] = [
    Reason::RoleAllows,
    Reason::ElevatedAllows,
    Reason::RelaxedAllows,
    Reason::KeyAllows,
    Reason::Anonymous,
    Reason::NoCredential,
    Reason::NeedsElevation,
    Reason::RoleLacksAccess,
    Reason::NoPage,
    Reason::KeyLacksScope,
    Reason::MethodNotAllowed,
];

/// Whether another access would have been another answer: not from the wrong place, or at the wrong time.
fn in_place(rules: &RuleSet, question: &Question, page: Option<&Page>, reason: Reason) -> bool {
    let Some(page) = page else { return true };
    let own = question.who.role_on_the_panel().filter(|_| reason != Reason::Anonymous);
    let own = own.and_then(|role| rules.role_access(page, role)).map(|access| &access.when);
    let here = question.circumstances();
    std::iter::once(&page.when).chain(own).all(|when| when.allow_place_and_time(&here))
}

/// The scope of the page that a key was judged by: with both, the one that the request needs. Not the owner's role.
fn deciding_scope(page: &Page, needs: Access, scopes: &[Scope], reason: Reason) -> Option<Scope> {
    if reason == Reason::RoleLacksAccess {
        return None;
    }
    let (wanted, other) = match needs {
        Access::None | Access::Read => (&page.scope_read, &page.scope_write),
        Access::Full => (&page.scope_write, &page.scope_read),
    };
    [wanted, other].into_iter().flatten().find(|scope| scopes.contains(scope)).cloned()
}

/// `nobody`, a role, or `key users:read`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Role(role) => f.write_str(role),
            Self::Key(scope) => write!(f, "key {scope}"),
        }
    }
}

impl Serialize for Holder {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
