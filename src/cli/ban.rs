//! `panelgate ban`: whom nobody serves.

mod list;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use self::list::{Format, List};

use super::{
    ConfigArgs,
    arguments::{Lasts, Output},
    connect::Place,
    import_file::{self, Problem},
    user::other,
    verdict::{Trouble, finish, json, moment, table, visible},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, BanLine, ListedBans, MOST_LISTED, WantedBan, WantedList},
    clock::{Clock, SystemClock},
};

/// The largest list, in bytes.
const LARGEST: u64 = 32 << 20;
/// What is told of what a list has and is not banned.
const SHOWN: usize = 50;

/// Manage bans.
#[derive(Clone, Debug, clap::Args)]
pub struct BanArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show who is banned.
    List {
        /// Those that were over within the last day as well.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Ban an address, a network, a country or an autonomous system: connections from there are closed at once, open ones
    /// as well.
    Add {
        /// An address, a network, `country:DE` or `asn:64500`; a single IPv6 address stands for its /64.
        #[arg(value_name = "WHOM")]
        whom: String,
        /// How long: a duration such as `2h`, or `never` to ban until it is lifted.
        #[arg(long = "for", value_name = "DURATION", value_parser = Lasts::parse, default_value = "never")]
        lasts: Lasts,
        /// Why, for whoever looks at the list next.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lift a ban.
    Lift {
        /// Whose, as `ban list` shows it.
        #[arg(value_name = "WHOM")]
        whom: String,
        #[command(flatten)]
        output: Output,
    },
    /// Ban whoever stands on a list, all or none of them.
    Import(ImportArgs),
    /// Print whom we ban, for others to read.
    Export {
        /// How it is written.
        #[arg(long, value_enum, default_value = "plain")]
        format: Format,
    },
}

/// Where a list is, and what to do with it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// How it is written; by default what it looks like.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The list's name, which is shown as who banned; by default the name of the file up to its first dot.
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    /// How long, where the list does not say: a duration such as `7d`, or `never` to ban until it is lifted.
    #[arg(long = "for", value_name = "DURATION", value_parser = Lasts::parse, default_value = "never")]
    lasts: Lasts,
    /// Lift what was imported under this name before and is not on the list any more.
    #[arg(long)]
    replace: bool,
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Runs the verb.
pub fn run(args: &BanArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::List { all, output } => {
            let AdminAnswer::Bans { bans } = place.ask(AdminRequest::ListBans { over: *all })? else {
                return other();
            };
            if output.json { json(&bans) } else { Ok(show(bans)) }
        }
        Verb::Add { whom, lasts, reason, output } => {
            let wanted = WantedBan { whom: whom.clone(), reason: reason.clone(), seconds: lasts.seconds() };
            let AdminAnswer::Banned { ban, spared } = place.ask(AdminRequest::Ban(wanted))? else {
                return other();
            };
            if output.json {
                json(&serde_json::json!({ "ban": ban, "spared": spared }))
            } else {
                Ok(tell(&ban, &spared))
            }
        }
        Verb::Lift { whom, output } => {
            place.ask(AdminRequest::LiftBan { whom: whom.clone() })?;
            let whom = whom.trim();
            output.done("lifted", whom, || format!("the ban of {whom} is lifted\n"))
        }
        Verb::Import(args) => {
            // Read first: root may give up its rights in asking.
            let text = import_file::read(&args.file, LARGEST)?;
            import(args, &text, place)
        }
        Verb::Export { format } => {
            let AdminAnswer::Bans { bans } = place.ask(AdminRequest::ListBans { over: false })? else {
                return other();
            };
            list::write(&bans, *format, SystemClock::new().wall().secs())
        }
    }
}

fn import(args: &ImportArgs, text: &str, place: &Place) -> Result<String, Trouble> {
    let now = SystemClock::new().wall().secs();
    let List { bans, skipped, problems } = List::read(text, args.format, args.lasts.seconds(), now);
    if !problems.is_empty() {
        return Err(import_file::refuse(&args.file, problems, args.output.json));
    }
    if bans.len() > MOST_LISTED {
        return Err(Trouble::No(format!(
            "nothing is imported: {} has {} bans, and a list has at most {MOST_LISTED}",
            args.file.display(),
            bans.len()
        )));
    }
    let list = args.list.clone().map_or_else(|| name_of(&args.file), Ok)?;
    let count = bans.len();
    let done = if args.dry_run {
        ListedBans::default()
    } else {
        let replace = args.replace;
        let AdminAnswer::BansImported(done) =
            place.ask(AdminRequest::ImportBans(WantedList { list: list.clone(), bans, replace }))?
        else {
            return other();
        };
        done
    };
    if args.output.json {
        let skipped: Vec<_> =
            skipped.iter().map(|one| serde_json::json!({ "line": one.line, "why": one.what })).collect();
        return json(&serde_json::json!({
            "list": list, "read": count, "dry_run": args.dry_run, "done": done, "skipped": skipped,
        }));
    }
    Ok(report(args, count, &done, &skipped))
}

/// The name of the file up to its first dot.
fn name_of(file: &Path) -> Result<String, Trouble> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    if matches!(name, "" | "-") {
        return Err(Trouble::Usage("what is the list called? --list NAME says it".into()));
    }
    Ok(name.to_owned())
}

fn report(args: &ImportArgs, count: usize, done: &ListedBans, skipped: &[Problem]) -> String {
    let file = args.file.display();
    let mut text = if args.dry_run {
        format!("{count} bans would be imported\n")
    } else {
        let ListedBans { added, kept, others, lifted, .. } = done;
        format!("{added} banned, {kept} kept, {others} banned by others already, {lifted} lifted\n")
    };
    // Writing to a string cannot fail.
    for one in skipped.iter().take(SHOWN) {
        let _ = writeln!(text, "{file}:{}: left out: {}", one.line, visible(&one.what));
    }
    if skipped.len() > SHOWN {
        let _ = writeln!(text, "and {} more that are left out", skipped.len() - SHOWN);
    }
    for one in &done.spared {
        let _ = writeln!(text, "not banned: {one}");
    }
    if done.spared_count > done.spared.len() {
        let _ = writeln!(text, "and {} more that are not banned", done.spared_count - done.spared.len());
    }
    text
}

fn tell(ban: &BanLine, spared: &[String]) -> String {
    let until =
        ban.until.map_or_else(|| "until it is lifted".to_owned(), |at| format!("until {}", moment(at)));
    let mut text = format!("{} is banned {until}\n", ban.whom);
    if ban.blind {
        let key = if ban.asn.is_some() { "asn" } else { "city" };
        let _ =
            writeln!(text, "it reaches nobody yet: `geoip.{key}` names no database that says who that is");
    }
    if !spared.is_empty() {
        text = text + "what is always let in stays open: " + &spared.join(", ") + "\n";
    }
    text
}

fn show(bans: Vec<BanLine>) -> String {
    if bans.is_empty() {
        return "nobody is banned\n".to_owned();
    }
    let rows = bans.into_iter().map(|ban| {
        let until = match ban.until {
            None => "lifted".to_owned(),
            Some(at) if ban.over => format!("{} (over)", moment(at)),
            Some(at) => moment(at),
        };
        let whom = if ban.blind { format!("{} (reaches nobody)", ban.whom) } else { ban.whom };
        [whom, moment(ban.since), until, ban.by, ban.reason]
    });
    table(["WHOM", "SINCE", "UNTIL", "BY", "REASON"], rows.collect())
}
