//! The overview, and the decisions.

use askama::Template;

use super::{AccountFrame, Fact, Frame, When};
use crate::portal::admin::Plot;

/// What the gate does and has done.
#[derive(Template)]
#[template(path = "portal/pages/overview.html")]
pub(crate) struct Overview {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) lead: String,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) not_in_force: Vec<ReloadFailed>,
    pub(crate) waiting: Option<String>,
    pub(crate) plots: Vec<Plot>,
    pub(crate) reasons: Vec<Counted>,
    pub(crate) refused_pages: Vec<Counted>,
    pub(crate) countries: Vec<CountryRow>,
    pub(crate) in_force: String,
    pub(crate) journal: String,
    pub(crate) missing: Option<String>,
}

/// One number.
pub(crate) struct Tile {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    /// Where there is more about it; empty if nowhere.
    pub(crate) href: &'static str,
    pub(crate) note: String,
}

/// A configuration, or something that it names, that is not in force.
pub(crate) struct ReloadFailed {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) problem: String,
}

/// Something that was counted.
pub(crate) struct Counted {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) count: u64,
}

/// A line of the table of countries.
pub(crate) struct CountryRow {
    pub(crate) country: String,
    pub(crate) sessions: usize,
    pub(crate) requests: u64,
    pub(crate) refused: u64,
}

/// The latest refusals.
#[derive(Template)]
#[template(path = "portal/pages/decisions.html")]
pub(crate) struct Decisions {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) id: String,
    pub(crate) error: Option<String>,
    pub(crate) reasons: Vec<Choice>,
    pub(crate) user: String,
    pub(crate) on: String,
    pub(crate) rows: Vec<DecisionRow>,
}

/// A reason to choose.
pub(crate) struct Choice {
    pub(crate) code: &'static str,
    pub(crate) chosen: bool,
}

/// One refusal.
pub(crate) struct DecisionRow {
    pub(crate) id: String,
    pub(crate) at: When,
    pub(crate) answer: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) text: &'static str,
    pub(crate) request: String,
    pub(crate) who: String,
    pub(crate) client: String,
}

/// One decision.
#[derive(Template)]
#[template(path = "portal/pages/decision.html")]
pub(crate) struct DecisionPage {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) id: String,
    pub(crate) answer: &'static str,
    pub(crate) allowed: bool,
    pub(crate) reason: &'static str,
    pub(crate) text: &'static str,
    pub(crate) facts: Vec<Fact>,
    pub(crate) walk: Vec<(String, &'static str)>,
    pub(crate) ways: Vec<String>,
    /// What is said where nothing helps.
    pub(crate) no_way: Option<&'static str>,
    pub(crate) erased: String,
}
