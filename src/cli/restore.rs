//! `panelgate restore`: everything as it was when a backup was made.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use super::{
    ConfigArgs,
    arguments::Output,
    backup::{count, length, open},
    connect::Place,
    progress::{Progress, QuietArgs},
    verdict::{Trouble, finish, json, moment, visible},
};
use crate::app::backup::{self, Failure, History, Report, Wanted};

/// How much of what is undone is shown to people.
const MOST_UNDONE: usize = 20;

/// Put back what a backup holds: all of it or nothing.
///
/// panelgate must not run. Every session ends, and authenticator codes that may have been used do not count again. The
/// audit trail on the disk goes on if it is the backup's; the configuration is left alone (see --into). What was there is
/// put aside.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The backup.
    file: PathBuf,
    /// Do it although there is a store already, which is put aside.
    #[arg(long)]
    yes: bool,
    /// What becomes of sessions. Keep them only when moving to another machine with a backup of the last moment: those
    /// that were revoked since would live again.
    #[arg(long, value_enum, default_value_t = Sessions::End)]
    sessions: Sessions,
    /// Only unpack everything into this directory, the configuration too; nothing else is touched.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["yes", "sessions"])]
    into: Option<PathBuf>,
    #[command(flatten)]
    quiet: QuietArgs,
    #[command(flatten)]
    output: Output,
}

/// What becomes of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sessions {
    /// They end.
    End,
    /// They go on.
    Keep,
}

/// Runs the verb.
pub fn run(args: &RestoreArgs) -> ExitCode {
    finish(match &args.into {
        Some(_) => unpack(args),
        None => restore(args),
    })
}

fn unpack(args: &RestoreArgs) -> Result<String, Trouble> {
    let into = args.into.clone().unwrap_or_default();
    let mut file = open(&args.file)?;
    let progress = Progress::bytes("checking the backup", length(&file), args.quiet);
    let unpacked = backup::unpack(&mut file, &into, &mut |bytes| progress.advance(bytes));
    progress.finish();
    let made = unpacked.map_err(|why| refused(args, &why))?;
    if args.output.json {
        return json(&serde_json::json!({ "into": into, "id": made.id, "manifest": made.manifest }));
    }
    let files = count(made.manifest.members.len() as u64, "file");
    Ok(format!("{files} of {} are in {}\n", moment(made.manifest.made), into.display()))
}

fn restore(args: &RestoreArgs) -> Result<String, Trouble> {
    // As whoever we are: root may have it where nobody else can look.
    let mut file = open(&args.file)?;
    let place = Place::find(&args.config)?;
    if place.daemon()?.is_some() {
        return Err(refused(args, &Failure::InUse(place.data_dir().to_owned())));
    }
    let by = rustix::process::getuid().as_raw();
    place.become_owner()?;
    let progress = Progress::bytes("checking the backup", length(&file), args.quiet);
    let wanted = Wanted {
        file: &mut file,
        data_dir: place.data_dir(),
        master: place.named.master.as_ref(),
        replace: args.yes,
        end_sessions: args.sessions == Sessions::End,
        by,
    };
    let restored = backup::restore(wanted, &mut |bytes| progress.advance(bytes));
    progress.finish();
    let report = restored.map_err(|why| refused(args, &why))?;
    if args.output.json { json(&report) } else { Ok(told(&report)) }
}

fn refused(args: &RestoreArgs, why: &Failure) -> Trouble {
    let text = match why {
        Failure::Bad(_) | Failure::Newer { .. } | Failure::Unusable(_) => {
            format!("{}: {why}; nothing was restored", args.file.display())
        }
        Failure::InUse(_) | Failure::NotEmpty { .. } => format!("{why}; nothing was restored"),
        Failure::Unfinished(_) | Failure::Io { .. } => why.to_string(),
    };
    match why {
        Failure::Unfinished(_) | Failure::Io { .. } => Trouble::Failed(text),
        Failure::Bad(_)
        | Failure::Newer { .. }
        | Failure::Unusable(_)
        | Failure::InUse(_)
        | Failure::NotEmpty { .. } => Trouble::No(text),
    }
}

fn told(report: &Report) -> String {
    let store = &report.store;
    let mut text = format!(
        "restored as it was at {}: {}, {}, {}\n",
        moment(report.made),
        count(store.users, "account"),
        count(store.keys, "API key"),
        count(store.bans, "ban"),
    );
    // Writing to a string cannot fail, here and below.
    let _ = match report.sessions_ended {
        0 => writeln!(text, "no session was ended"),
        ended => writeln!(text, "{} ended: everybody signs in again", count(ended as u64, "session")),
    };
    if report.codes_spent > 0 {
        text +=
            "authenticator codes of this minute do not count: whoever is asked for one waits for the next\n";
    }
    text += match report.trail {
        History::Kept => "the audit trail on the disk goes on, with a record of this\n",
        History::FromBackup | History::None => {
            "the audit trail is that of the backup, with a record of this\n"
        }
    };
    if let Some(aside) = &report.aside {
        let _ = writeln!(text, "what was there is in {}: remove it when you are content", aside.display());
    }
    if !report.apps_lost.is_empty() {
        let names: Vec<_> = report.apps_lost.iter().map(|name| visible(name)).collect();
        let _ = writeln!(
            text,
            "warning: no master key opens the authenticator apps of {}: give the key that the backup was made with, or \
             `panelgate 2fa disable` them",
            names.join(", ")
        );
    }
    text += &undone(report);
    text
}

fn undone(report: &Report) -> String {
    let all = report.undone.as_slice();
    if all.is_empty() {
        return String::new();
    }
    let mut text =
        "warning: this was done after the backup and does not count any more; do it again where it should:\n"
            .to_owned();
    for one in all.iter().take(MOST_UNDONE) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {} {:>6} {} {}", one.at, one.seq, one.event, visible(&one.what));
    }
    if all.len() > MOST_UNDONE {
        let (more, made) = (all.len() - MOST_UNDONE, moment(report.made));
        let _ = writeln!(text, "  and {more} more: `panelgate audit search --since {made}`");
    }
    text
}
