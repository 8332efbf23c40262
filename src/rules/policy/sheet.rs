//! What a policy says of its pages, in the words that it is written in: for tables that people read.

use super::{RuleSet, amendment::Amendment, pattern::Pattern};
use crate::rules::outcome::Access;

/// What is written on one page besides who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageLines {
    /// What it covers, sorted.
    pub paths: Vec<String>,
    /// Requests that only look although their method says otherwise.
    pub reads: Vec<String>,
    /// Requests that change something although their method says otherwise.
    pub writes: Vec<String>,
}

impl RuleSet {
    /// What is written on each page, in the order of [`RuleSet::pages`].
    pub fn page_lines(&self) -> Vec<PageLines> {
        let lines = |index: usize, needs: Access| {
            let lines = self.amendments.get(index).into_iter().flatten();
            lines.filter(|line| line.needs == needs).map(Amendment::to_string).collect()
        };
        let mut all: Vec<PageLines> = (0..self.pages.len())
            .map(|index| PageLines {
                paths: Vec::new(),
                reads: lines(index, Access::Read),
                writes: lines(index, Access::Full),
            })
            .collect();
        for (pattern, index) in self.trie.patterns() {
            if let Some(lines) = all.get_mut(index) {
                lines.paths.push(pattern.to_string());
            }
        }
        for lines in &mut all {
            lines.paths.sort();
        }
        all
    }

    /// What every role that it knows may do where no page covers the path.
    pub fn default_access(&self) -> Access {
        self.default.unwrap_or(Access::None)
    }

    /// How long a second factor counts where no page says otherwise.
    pub fn standard_lasts(&self) -> std::time::Duration {
        self.lasts
    }
}

/// `/users/*/keys`, `/users/**`.
impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.segments {
            write!(f, "/{}", part.as_deref().unwrap_or("*"))?;
        }
        match (self.deep, self.segments.is_empty()) {
            (true, _) => f.write_str("/**"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

/// `POST /api/users/search`.
impl std::fmt::Display for Amendment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.pattern)
    }
}
