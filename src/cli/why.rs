//! `panelgate why`: a decision explained, from the journal.

#[cfg(test)]
mod tests;
mod text;
mod ways;

use std::process::ExitCode;

use super::{
    ConfigArgs,
    connect::{Place, settings},
    user::other,
    verdict::{Trouble, finish, json},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    clock::{Clock, SystemClock},
    config::Settings,
    feeds::journal::{self, Reader},
    rules::{outcome::DecisionId, record::Report},
};

/// Say why a request was answered as it was, and what would have allowed it.
#[derive(Clone, Debug, clap::Args)]
pub struct WhyArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The name of the decision, as the page or the problem document shows it; capitals and the dash do not matter.
    #[arg(value_name = "DECISION", value_parser = decision)]
    id: DecisionId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &WhyArgs) -> ExitCode {
    finish(settings(&args.config).and_then(|settings| {
        let report = report(&settings, &Place::of(&settings), args.id)?;
        tell(&report, args)
    }))
}

fn tell(report: &Report, args: &WhyArgs) -> Result<String, Trouble> {
    let known = !report.records.is_empty();
    let now = SystemClock::new().wall();
    match (known, args.json) {
        (true, true) => json(&report.document()),
        (true, false) => Ok(text::explain(report, now)),
        (false, true) => Err(Trouble::Report(json(&report.document())?)),
        (false, false) => Err(Trouble::No(text::unknown(args.id, &report.span))),
    }
}

/// From the daemon, or from the files if none runs.
fn report(settings: &Settings, place: &Place, id: DecisionId) -> Result<Report, Trouble> {
    match place.ask_daemon(&AdminRequest::Why { id })? {
        Some(AdminAnswer::Why { report }) => Ok(*report),
        Some(AdminAnswer::Failed { why } | AdminAnswer::No { why }) => Err(Trouble::Failed(why)),
        Some(_) => other(),
        None => {
            place.become_owner()?;
            Ok(from_files(settings, place, id))
        }
    }
}

fn from_files(settings: &Settings, place: &Place, id: DecisionId) -> Report {
    let reader = Reader::new(&place.data_dir().join(journal::FOLDER));
    let records = reader.find(id, SystemClock::new().wall());
    let report = Report { records, now: None, span: reader.span() };
    let site = report.record().and_then(|record| record.site.clone());
    let site = settings.sites.iter().find(|known| Some(&known.site.id) == site.as_ref());
    report.under(site.map(|site| &*site.site.policy))
}

fn decision(text: &str) -> Result<DecisionId, String> {
    DecisionId::parse(text)
        .ok_or_else(|| "a decision is named by eight letters and digits, such as 7K3F-92QD".to_owned())
}
