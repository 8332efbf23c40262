//! What is wrong with a file.

use serde::Serialize;

use super::At;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It cannot be used.
    Error,
    /// It can be used, and somebody should look at it.
    Warning,
    /// Nothing is wrong; it is said so that it is known.
    Note,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that is wrong: where, what, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Stable: `P…` in a policy, `T…` in its tests, `C…` in the configuration, `Y…` for the YAML itself.
    pub code: &'static str,
    /// Where.
    pub at: At,
    /// What is wrong.
    pub what: String,
    /// How to mend it; empty when there is nothing to add.
    pub help: String,
}

/// Collects problems; reading goes on after each.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    list: Vec<Problem>,
}

impl Findings {
    /// Notes something that makes the file unusable.
    pub fn error(&mut self, code: &'static str, at: &At, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, code, at, what.into(), help.into());
    }

    /// Notes something that somebody should look at.
    pub fn warning(&mut self, code: &'static str, at: &At, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, code, at, what.into(), help.into());
    }

    /// Notes something that is right and that somebody should know.
    pub fn note(&mut self, code: &'static str, at: &At, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Note, code, at, what.into(), help.into());
    }

    /// Whether anything makes the file unusable.
    pub fn any_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The same, with nothing that keeps anything from being used.
    pub fn softened(mut self) -> Self {
        for problem in self.list.iter_mut().filter(|problem| problem.severity == Severity::Error) {
            problem.severity = Severity::Warning;
        }
        self
    }

    /// Takes over what another look has found.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
    }

    /// Takes over problems that were collected before.
    pub fn take(&mut self, problems: Vec<Problem>) {
        self.list.extend(problems);
    }

    /// Everything, in the order of files and lines.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.list.sort_by(|a, b| {
            (&a.at.source, a.at.line, a.at.column).cmp(&(&b.at.source, b.at.line, b.at.column))
        });
        self.list
    }

    fn push(&mut self, severity: Severity, code: &'static str, at: &At, what: String, help: String) {
        self.list.push(Problem { severity, code, at: at.clone(), what, help });
    }
}
