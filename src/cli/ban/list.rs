//! Lists of bans, as others write and read them.

mod crowdsec;
mod export;
mod ours;
mod plain;
#[cfg(test)]
mod tests;

use clap::ValueEnum;

pub(super) use self::export::write;
use crate::{
    app::admin::WantedBan,
    cli::import_file::Problem,
    rules::ban::{self, LONGEST_REASON, Unbannable},
};

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// An address or a network a line, with `#` comments: blocklists, FireHOL netsets, `ipset save`.
    Plain,
    /// CrowdSec's decisions as JSON: `cscli decisions list -o json`, the local API's `/v1/decisions` and its stream, and
    /// what `cscli decisions import` reads.
    Crowdsec,
    /// CrowdSec's decisions as CSV with a header line: `cscli decisions list -o raw`, and what `cscli decisions import`
    /// reads.
    CrowdsecCsv,
    /// What `ban list --json` prints.
    Json,
}

impl Format {
    /// What a text looks like.
    fn of(text: &str) -> Self {
        let text = text.trim_start();
        if text.starts_with('[') || text.starts_with('{') || text == "null" {
            // Ours and CrowdSec's have not one member in common that both need.
            return if text.contains("\"whom\"") { Self::Json } else { Self::Crowdsec };
        }
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        if lines.next().is_some_and(crowdsec::is_header) { Self::CrowdsecCsv } else { Self::Plain }
    }
}

/// What stands on a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) bans: Vec<WantedBan>,
    /// What is no ban, or none any more, with the reason.
    pub(super) skipped: Vec<Problem>,
    /// What has to be mended first.
    pub(super) problems: Vec<Problem>,
}

impl List {
    /// Reads a list. `lasts` is how long, in seconds, where the list does not say.
    pub(super) fn read(text: &str, format: Option<Format>, lasts: Option<u64>, now: u64) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut list = Self::default();
        match format.unwrap_or_else(|| Format::of(text)) {
            Format::Plain => plain::read(text, lasts, &mut list),
            Format::Crowdsec => crowdsec::json(text, lasts, &mut list),
            Format::CrowdsecCsv => crowdsec::csv(text, lasts, &mut list),
            Format::Json => ours::read(text, now, &mut list),
        }
        list
    }

    fn problem(&mut self, line: u64, what: impl Into<String>) {
        self.problems.push(Problem { line, what: what.into() });
    }

    fn skip(&mut self, line: u64, what: impl Into<String>) {
        self.skipped.push(Problem { line, what: what.into() });
    }

    /// Takes a ban. What is too wide is left to whoever knows what is spared: both are told and left out.
    fn ban(&mut self, line: u64, whom: String, reason: &str, seconds: Option<u64>) {
        match ban::parse(&whom) {
            Ok(_) | Err(Unbannable::TooWide(_)) => {
                let reason = reason.trim().chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
                self.bans.push(WantedBan { whom, reason, seconds });
            }
            Err(why) => self.problem(line, why.to_string()),
        }
    }
}
