//! `panelgate policy diff`: what two policies answer differently.

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;

use super::new;
use crate::{
    app::admin::{AdminAnswer, AdminRequest, NewPolicy},
    cli::{
        ConfigArgs,
        style::{self, Paint, Stream},
        user::other,
        verdict::{Trouble, finish, json, visible},
    },
    rules::policy::diff::{Effect, Line, Listing, PageName, diff},
};

/// Which two to compare.
#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The old policy and the new one. With one file alone, the old policy is the one that panelgate runs with, or, if
    /// it does not run, the one that the configuration names.
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Compare with what runs, and with nothing else.
    #[arg(long)]
    running: bool,
    /// The site, where their policies differ.
    #[arg(long)]
    site: Option<String>,
    /// List refusals that only have another reason, too.
    #[arg(long)]
    reasons: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was compared with what.
#[derive(Debug, Serialize)]
struct Compared {
    /// The first policy, for people.
    old: String,
    /// The second one.
    new: String,
    #[serde(flatten)]
    listing: Listing,
}

/// Runs the verb. Exit codes: 0 the same answers, 1 other answers, 3 it could not be said.
pub(super) fn run(args: &DiffArgs) -> ExitCode {
    let told = compare(args).and_then(|compared| {
        let text = if args.json { json(&compared)? } else { text(&compared, args.reasons) };
        Ok((text, compared.listing.is_empty()))
    });
    match told {
        Ok((text, true)) => finish(Ok(text)),
        Ok((text, false)) => finish(Err(Trouble::Report(text))),
        Err(trouble) => finish(Err(trouble)),
    }
}

fn compare(args: &DiffArgs) -> Result<Compared, Trouble> {
    match args.files.as_slice() {
        [old, new] if !args.running && args.site.is_none() => between(old, new),
        [new] => with_running(args, new),
        _ => Err(Trouble::Usage(
            "--running and --site say what one file is compared with: leave them out, or one of the files"
                .to_owned(),
        )),
    }
}

fn between(old: &Path, new: &Path) -> Result<Compared, Trouble> {
    let listing = diff(&*new::policy(old)?, &*new::policy(new)?).listing();
    Ok(Compared { old: old.display().to_string(), new: new.display().to_string(), listing })
}

/// The daemon compares: it alone has what it runs with.
fn with_running(args: &DiffArgs, file: &Path) -> Result<Compared, Trouble> {
    let rules = new::policy(file)?;
    let (settings, place) = new::configuration(&args.config)?;
    let new = file.display().to_string();
    let request = NewPolicy { site: args.site.clone(), file: new.clone(), text: new::text(file)? };
    match place.ask_daemon(&AdminRequest::DiffPolicy(request))? {
        Some(AdminAnswer::Difference { running, listing }) => {
            Ok(Compared { old: format!("what runs (version {running})"), new, listing: *listing })
        }
        Some(AdminAnswer::No { why } | AdminAnswer::Failed { why }) => Err(Trouble::Failed(why)),
        Some(_) => other(),
        None if args.running => Err(Trouble::Failed(
            "no panelgate is running; without --running, the policy that the configuration names is compared"
                .to_owned(),
        )),
        None => {
            let site = new::site(&settings, args.site.as_deref())?;
            let listing = diff(&site.policy, &rules).listing();
            let named = settings.sites.iter().find(|known| known.site.id == site.id);
            let old = named.map_or_else(String::new, |named| named.policy_file.display().to_string());
            Ok(Compared { old: format!("{old} (no panelgate is running)"), new, listing })
        }
    }
}

/// For people: by page, one change a line with one of its requests below.
fn text(compared: &Compared, reasons: bool) -> String {
    let listing = &compared.listing;
    let mut text = format!("--- {}\n+++ {}\n", visible(&compared.old), visible(&compared.new));
    let mut page = None;
    let told = |line: &&Line| reasons || line.effect != Effect::Reason;
    for line in listing.changes.iter().filter(told) {
        if page != Some(&line.page) {
            page = Some(&line.page);
            text += &heading(line);
        }
        text += &change(line);
    }
    if !listing.besides.is_empty() {
        text += "\n";
    }
    text.extend(listing.besides.iter().map(|said| format!("~ {}\n", visible(said))));
    text + "\n" + &summary(listing, reasons)
}

fn heading(line: &Line) -> String {
    let place = |page: &Option<PageName>| page.as_ref().map(|page| page.place.clone());
    let places = match (place(&line.old), place(&line.new)) {
        (Some(old), Some(new)) if old == new => old,
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (Some(one), None) => format!("{one} → gone"),
        (None, Some(one)) => format!("new at {one}"),
        (None, None) => "the default".to_owned(),
    };
    let name = style::strong(Stream::Out).of(visible(&line.page));
    format!("\n{name}  {}\n", style::dim(Stream::Out).of(visible(&places)))
}

fn change(line: &Line) -> String {
    let sign = sign(line.effect).of(line.effect.sign());
    let terms = if line.terms.is_empty() { String::new() } else { format!("  ({})", line.terms) };
    let what = format!("{}, {}: {} → {}{terms}", line.who, line.deed, line.before, line.after);
    let witness = style::dim(Stream::Out).of(format!("such as {}", visible(&line.witness)));
    format!("  {sign} {}\n      {witness}\n", visible(&what))
}

fn sign(effect: Effect) -> Paint {
    match effect {
        Effect::Opens => style::good(Stream::Out),
        Effect::Closes => style::error(Stream::Out),
        Effect::Turns => style::warning(Stream::Out),
        Effect::Reason => style::dim(Stream::Out),
    }
}

fn summary(listing: &Listing, reasons: bool) -> String {
    if listing.is_empty() {
        return "no request is answered differently\n".to_owned();
    }
    let hint = if reasons { "" } else { " (--reasons lists them)" };
    let mut text = match listing.totals.reasons {
        0 => listing.totals.to_string(),
        count => format!("{}; {count} refused for another reason{hint}", listing.totals),
    };
    text.push('\n');
    if !listing.complete {
        text += "not everything was compared, there are too many kinds of paths: there may be more changes\n";
    }
    text
}
