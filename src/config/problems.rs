//! Problems as a compiler shows them: place, the line, a caret, help.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::rules::written::{Findings, Problem, Severity};

/// What was found in the configuration and the files that it names, with the text of those files. `Display` renders all.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Problems {
    /// Everything found, with the texts by source name.
    pub fn new(found: Findings, texts: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        Self { list: found.sorted(), texts }
    }

    /// In the order of files and lines.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.render(problem, f)?;
        }
        Ok(())
    }
}

impl Problems {
    fn render(&self, problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &problem.at;
        write!(f, "{}", at.source)?;
        if at.line > 0 {
            write!(f, ":{}:{}", at.line, at.column)?;
        }
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, ": {severity}[{}]: {}", problem.code, problem.what)?;
        if let Some(line) = self.line(problem) {
            let gutter = " ".repeat(at.line.to_string().len());
            let caret: String = line
                .chars()
                .take(usize::try_from(at.column).unwrap_or(1).saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            writeln!(f, "{gutter} |\n{} | {line}\n{gutter} | {caret}^", at.line)?;
        }
        if !problem.help.is_empty() {
            writeln!(f, "  help: {}", problem.help)?;
        }
        Ok(())
    }

    /// The line that a problem points to, with anything that a terminal would obey made visible.
    fn line(&self, problem: &Problem) -> Option<String> {
        let text = self.texts.get(&problem.at.source)?;
        let index = usize::try_from(problem.at.line.checked_sub(1)?).ok()?;
        let line = text.lines().nth(index)?;
        let shown = line.chars().take(200).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c });
        Some(shown.collect::<String>().trim_end().to_owned())
    }
}
