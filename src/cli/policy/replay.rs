//! `panelgate policy replay`: decisions of the journal judged again under another policy.

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::new;
use crate::{
    app::admin::AdminRequest,
    cli::{
        ConfigArgs,
        arguments::when,
        progress::{Progress, QuietArgs},
        style::{self, Stream},
        verdict::{Trouble, finish, moment, table},
    },
    clock::{Clock, SystemClock, Wall},
    feeds::journal::{self, Reader},
    rules::{
        policy::{RuleSet, diff::Effect},
        record::{Allowed, Chosen, Flip, Replay, Replayed, Span},
    },
};

/// What to judge again.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The policy to judge by.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Not before: a duration such as `24h`, or a time such as 2026-11-25T08:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Wall>,
    /// Before.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Wall>,
    /// Only decisions for this site; needed where the sites have policies of their own.
    #[arg(long)]
    site: Option<String>,
    /// Only requests of this account.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only requests for this page, under either policy.
    #[arg(long)]
    page: Option<String>,
    /// List at most so many kinds of decisions that come out differently.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    quiet: QuietArgs,
}

/// What was judged again, and what was not.
struct Told {
    replayed: Replayed,
    span: Span,
    kept: Allowed,
    /// Records that another version of panelgate wrote.
    foreign: u64,
    /// Files that made room for newer ones meanwhile.
    gone: u64,
}

/// Runs the verb. Exit codes: 0 every decision comes out as it did, 1 some do not, 3 it could not be said.
pub(super) fn run(args: &ReplayArgs) -> ExitCode {
    finish(replay(args).and_then(|told| {
        let same = told.replayed.totals.all() == 0;
        let text = if args.json { document(&told, args.limit).to_string() + "\n" } else { text(&told, args) };
        if same { Ok(text) } else { Err(Trouble::Report(text)) }
    }))
}

/// The files are read here, whether a daemon writes them or not: it has other things to do.
fn replay(args: &ReplayArgs) -> Result<Told, Trouble> {
    let rules = new::policy(&args.file)?;
    let (settings, place) = new::configuration(&args.config)?;
    // Where all sites have one policy, the decisions of all of them are judged.
    let site = new::site(&settings, args.site.as_deref())?;
    let alike = settings.sites.iter().all(|other| other.site.policy.version() == site.policy.version());
    let narrowed = args.site.is_some() || !alike;
    place.ask_daemon(&AdminRequest::SettleJournal)?;
    place.become_owner()?;
    let chosen = Chosen {
        site: narrowed.then(|| site.id.to_string()),
        since: args.since,
        until: args.until,
        user: args.user.clone(),
        page: args.page.clone(),
    };
    let reader = Reader::new(&place.data_dir().join(journal::FOLDER));
    let told = read(&reader, &rules, chosen, args.quiet);
    let told = told.map_err(|error| Trouble::Failed(format!("the journal cannot be read: {error}")))?;
    Ok(Told { kept: settings.journal.allowed, ..told })
}

/// One file after the other: a long journal is never in memory as a whole.
fn read(reader: &Reader, rules: &RuleSet, chosen: Chosen, quiet: QuietArgs) -> io::Result<Told> {
    let (parts, now) = (reader.parts(), SystemClock::new().wall());
    let total = parts.iter().map(journal::Part::bytes).sum();
    let progress = Progress::bytes("judging again", total, quiet);
    let mut replay = Replay::under(rules, chosen);
    let (mut foreign, mut gone) = (0, 0);
    for part in parts {
        match part.each(now, |record| replay.take(record)) {
            Ok(unread) => foreign += unread,
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone += 1,
            Err(error) => return Err(error),
        }
        progress.advance(part.bytes());
    }
    progress.finish();
    Ok(Told { replayed: replay.finish(), span: reader.span(), kept: Allowed::All, foreign, gone })
}

fn document(told: &Told, limit: usize) -> Value {
    let Told { replayed, span, kept, foreign, gone } = told;
    let flip = |flip: &Flip| {
        json!({
            "effect": flip.effect, "old": flip.old, "new": flip.new.as_ref().map(|(name, _)| name),
            "place": flip.new.as_ref().map(|(_, place)| place), "user": flip.user, "role": flip.role,
            "key": flip.key, "needs": flip.needs.as_str(), "before": flip.before.to_string(), "after": flip.after.to_string(),
            "count": flip.count, "first": flip.span.0.secs(), "last": flip.span.1.secs(),
            "example": flip.example.to_string(), "request": flip.request,
        })
    };
    json!({
        "policy": replayed.policy, "judged": replayed.judged, "unchanged": replayed.unchanged,
        "totals": replayed.totals, "flips": replayed.flips.iter().take(limit).map(flip).collect::<Vec<_>>(),
        "more": unlisted(replayed, limit), "not_judged": replayed.not_judged,
        "since": replayed.span.map(|(first, _)| first.secs()), "until": replayed.span.map(|(_, last)| last.secs()),
        "decided_by": replayed.decided_by, "control": replayed.control, "journal": span.document(),
        "allowed": kept.as_str(), "unreadable": foreign, "files_gone": gone,
    })
}

/// Decisions that come out differently and are not in the list.
fn unlisted(replayed: &Replayed, limit: usize) -> u64 {
    replayed.more + replayed.flips.iter().skip(limit).map(|flip| flip.count).sum::<u64>()
}

fn text(told: &Told, args: &ReplayArgs) -> String {
    let Told { replayed, .. } = told;
    let mut text = String::new();
    if !replayed.flips.is_empty() {
        let headings =
            ["", "COUNT", "PAGE", "ROLE", "USER", "NEEDS", "WAS", "WOULD BE", "EXAMPLE", "REQUEST"];
        text += &table(headings, replayed.flips.iter().take(args.limit).map(row).collect());
        let more = Some(unlisted(replayed, args.limit)).filter(|more| *more > 0);
        text.extend(more.map(|more| format!("and {more} more decisions, of other kinds (--limit)\n")));
        text += "`panelgate why EXAMPLE` tells the whole story of one\n\n";
    }
    text + &totals(told)
}

fn row(flip: &Flip) -> [String; 10] {
    let page = match (&flip.old, &flip.new) {
        (Some(old), Some((new, _))) if old == new => new.to_string(),
        (old, new) => {
            let name = |name: Option<&str>| name.unwrap_or("no page").to_owned();
            let (old, new) = (name(old.as_deref()), name(new.as_ref().map(|(name, _)| &**name)));
            if old == new { old } else { format!("{old} → {new}") }
        }
    };
    let role = flip.role.clone().unwrap_or_default();
    [
        flip.effect.sign().to_string(),
        flip.count.to_string(),
        page,
        if flip.key { format!("key of {role}") } else { role },
        flip.user.clone().unwrap_or_default(),
        flip.needs.as_str().to_owned(),
        flip.before.to_string(),
        flip.after.to_string(),
        flip.example.to_string(),
        flip.request.clone(),
    ]
}

/// What was judged, and everything that was not.
fn totals(told: &Told) -> String {
    let Told { replayed, span, kept, foreign, gone } = told;
    let mut lines = vec![head(replayed)];
    let own = replayed.control;
    if own.judged > 0 {
        let came = if own.flipped == 0 { "all of them as they did" } else { "which should not be" };
        lines.push(format!(
            "{} were decided by this very policy; {} of them come out differently: {came}",
            own.judged, own.flipped
        ));
    }
    let not_judged =
        replayed.not_judged.iter().map(|(why, count)| format!("not judged: {count} {}", why.sentence()));
    lines.extend(not_judged);
    for gap in &span.gaps {
        let (since, until) = (moment(gap.since.secs()), moment(gap.until.secs()));
        lines.push(format!("missing from the journal: {} between {since} and {until}", gap.missing));
    }
    match kept {
        Allowed::All => {}
        Allowed::Writes => {
            lines.push("of what was allowed, the journal only keeps what changes something".to_owned());
        }
        Allowed::None => lines.push("the journal keeps nothing of what was allowed".to_owned()),
    }
    let kinds = [
        ("what was allowed", span.allowed),
        ("refusals of people who are known", span.refused),
        ("refusals of strangers", span.strangers),
    ];
    for (what, since) in kinds {
        let since =
            since.map_or_else(|| "nothing".to_owned(), |since| format!("since {}", moment(since.secs())));
        lines.push(format!("the journal has {what}: {since}"));
    }
    for (count, what) in
        [(*foreign, "records were written by another version"), (*gone, "files made room meanwhile")]
    {
        if count > 0 {
            lines.push(format!("not read: {count} {what}"));
        }
    }
    lines.iter().map(|line| line.clone() + "\n").collect()
}

fn head(replayed: &Replayed) -> String {
    let Replayed { judged, unchanged, totals, .. } = replayed;
    if *judged == 0 {
        return "no decision was judged again".to_owned();
    }
    let paint = |effect: Effect, count: usize, word: &str| {
        let look = match effect {
            Effect::Opens => style::good(Stream::Out),
            Effect::Closes => style::error(Stream::Out),
            Effect::Turns | Effect::Reason => style::warning(Stream::Out),
        };
        if count == 0 { format!("{count} {word}") } else { look.of(format!("{count} {word}")) }
    };
    let span = replayed.span.map_or_else(String::new, |(first, last)| {
        format!(" between {} and {}", moment(first.secs()), moment(last.secs()))
    });
    format!(
        "{judged} decisions were judged again{span}: {unchanged} come out as they did, {}, {}, {}, {} for another reason",
        paint(Effect::Opens, totals.opens, "open"),
        paint(Effect::Closes, totals.closes, "close"),
        paint(Effect::Turns, totals.turns, "turn"),
        paint(Effect::Reason, totals.reasons, "are refused"),
    )
}
