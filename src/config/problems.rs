//! Problems as a compiler shows them: place, the line, a caret, help; or as JSON.

mod redact;
mod render;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::rules::written::{Findings, Problem, Severity};

/// What was found in the configuration and the files that it names, with the text of those files. `Display` renders all.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    texts: BTreeMap<Arc<str>, Arc<str>>,
    hidden: redact::Hidden,
}

impl Problems {
    /// Everything found, with the texts by source name. Secrets in the texts are in nothing that is said.
    pub fn new(found: Findings, texts: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        let (hidden, values) = redact::look(&texts);
        let mut list = found.sorted();
        for problem in &mut list {
            problem.what = values.without(&problem.what);
            problem.help = values.without(&problem.help);
        }
        Self { list, texts, hidden }
    }

    /// In the order of files and lines.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|problem| problem.severity == severity).count()
    }

    /// What another look has found, too.
    pub fn and(self, more: Findings) -> Self {
        let mut found = more;
        found.take(self.list);
        Self::new(found, self.texts)
    }

    fn files(&self) -> render::Files<'_> {
        render::Files { texts: &self.texts, hidden: &self.hidden }
    }

    /// As `Display`, in colours for a terminal.
    pub fn coloured(&self) -> String {
        render::all(&self.list, self.files(), render::Look::Coloured)
    }

    /// One object each: `severity`, `code`, `file`, `line`, `column`, `width`, `text` (the line), `what`, `help`.
    pub fn json(&self) -> serde_json::Value {
        self.list.iter().map(|problem| render::json(problem, self.files())).collect()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::all(&self.list, self.files(), render::Look::Plain))
    }
}
