//! What a journal of decisions covers, and what it does not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Class, Record};
use crate::clock::Wall;

/// What of decisions is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All of it together, in bytes.
    pub size: u64,
    /// Any record.
    pub keep: Duration,
    /// Which allowed requests are kept.
    pub allowed: Allowed,
}

/// Which allowed requests are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every one.
    All,
    /// Those that need `full`.
    Writes,
    /// None.
    None,
}

impl Allowed {
    /// `all`, `writes` or `none`, as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Writes => "writes",
            Self::None => "none",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: 64 << 20, keep: Duration::from_secs(7 * 86_400), allowed: Allowed::All }
    }
}

/// What a journal covers. Nothing is missing since a point of time but what the gaps say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The oldest record of what was allowed.
    pub allowed: Option<Wall>,
    /// The oldest record of what was refused to people who are known.
    pub refused: Option<Wall>,
    /// The oldest record of what was refused to strangers.
    pub strangers: Option<Wall>,
    /// All files together, in bytes.
    pub bytes: u64,
    /// What is missing in between.
    pub gaps: Vec<Gap>,
}

/// Decisions that are not in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the first of them was taken.
    pub since: Wall,
    /// When the journal went on.
    pub until: Wall,
    /// How many.
    pub missing: u64,
    /// Why.
    pub why: Missing,
}

/// Why decisions are not in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// More came than could be written.
    Busy,
    /// The disk did not take them.
    Disk,
}

impl Span {
    /// The oldest record of a class.
    pub fn since(&self, class: Class) -> Option<Wall> {
        match class {
            Class::Allowed => self.allowed,
            Class::Refused => self.refused,
            Class::Strangers => self.strangers,
        }
    }

    /// The oldest record of all.
    pub fn oldest(&self) -> Option<Wall> {
        [self.allowed, self.refused, self.strangers].into_iter().flatten().min()
    }

    /// How many decisions are missing.
    pub fn missing(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.missing).sum()
    }
}

impl Record {
    /// Whether it belongs to this site.
    pub fn is_of(&self, site: &str) -> bool {
        self.site.as_deref() == Some(site)
    }
}
