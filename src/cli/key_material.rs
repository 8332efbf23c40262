//! `panelgate key-material`: the gate's own signing keys.

mod master_key;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use super::{
    ConfigArgs,
    arguments::Output,
    connect::{Place, settings},
    verdict::finish,
};
use crate::{
    app::{self, admin::AdminRequest},
    clock::{Clock, SystemClock, Wall},
    entropy::{Entropy, SystemEntropy},
    feeds::keys::{self, Entry, Inventory},
};

/// Manage the keys that the gate signs its tokens with.
#[derive(Clone, Debug, clap::Args)]
pub struct KeyMaterial {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Make new keys; the old ones serve the sessions that are open until these end.
    Rotate {
        /// Rotate the master key instead, under which secrets are sealed, and seal them all again.
        #[arg(long)]
        master: bool,
        /// Afterwards delete the master keys that nothing is sealed with any more.
        #[arg(long, requires = "master")]
        drop_old: bool,
    },
    /// Show the keys and until when they are used.
    List {
        #[command(flatten)]
        output: Output,
    },
}

/// What the verb works with.
pub struct Surroundings<'a> {
    /// The keys directory.
    pub dir: &'a Path,
    /// How long the longest session of any site lives.
    pub longest_session: Duration,
    /// Random bytes.
    pub entropy: &'a dyn Entropy,
    /// Now.
    pub now: Wall,
}

/// The verb with where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct KeyMaterialArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    keys: KeyMaterial,
}

/// Runs the verb as the owner of the keys, and lets a running gate take new ones into use.
pub(super) fn start(args: &KeyMaterialArgs) -> ExitCode {
    let settings = match settings(&args.config) {
        Ok(settings) => settings,
        Err(trouble) => return finish(Err(trouble)),
    };
    let place = Place::of(&settings);
    if let Err(trouble) = place.become_owner() {
        return finish(Err(trouble));
    }
    let dir = app::keys_dir(&settings.data_dir);
    if let Verb::Rotate { master, drop_old } = args.keys.verb {
        let what = match (master, drop_old) {
            (false, _) => "signing keys",
            (true, false) => "master key",
            (true, true) => "master key, and the old ones are deleted",
        };
        if let Err(trouble) = place.ask(AdminRequest::NoteRotated { what: what.to_owned() }) {
            return finish(Err(trouble));
        }
    }
    if let Verb::Rotate { master: true, drop_old } = args.keys.verb {
        return finish(master_key::rotate(&dir, settings.master_key.as_ref(), &place, drop_old));
    }
    let lives = settings.sites.iter().map(|site| site.site.lifetimes.absolute);
    let with = Surroundings {
        dir: &dir,
        longest_session: lives.max().unwrap_or_default(),
        entropy: &SystemEntropy,
        now: SystemClock::new().wall(),
    };
    let code = run(&args.keys, &with, &mut io::stdout().lock(), &mut io::stderr().lock());
    if !matches!(args.keys.verb, Verb::Rotate { .. }) || code != ExitCode::SUCCESS {
        return code;
    }
    finish(
        place
            .reload()
            .map(|running| if running { "the running gate uses the new keys now\n" } else { "" }.to_owned()),
    )
}

/// Runs the verb: 0 done, 3 could not do it.
pub fn run(
    args: &KeyMaterial,
    with: &Surroundings<'_>,
    out: &mut dyn Write,
    problems: &mut dyn Write,
) -> ExitCode {
    let done = match &args.verb {
        Verb::Rotate { .. } => keys::rotate(with.dir, with.entropy, with.now, with.longest_session)
            .map(|inventory| print(&inventory, with.now, out).and_then(|()| writeln!(out, "{AFTERWARDS}"))),
        Verb::List { output: Output { json: false } } => {
            keys::list(with.dir).map(|inventory| print(&inventory, with.now, out))
        }
        Verb::List { output: Output { json: true } } => keys::list(with.dir).map(|inventory| {
            serde_json::to_writer_pretty(&mut *out, &inventory)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        }),
    };
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => complain(problems, &error),
        Err(error) => complain(problems, &error),
    }
}

const AFTERWARDS: &str = "back the directory up again: a restored store needs these keys";

fn print(inventory: &Inventory, now: Wall, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:8} {:14} {:21} used", "kind", "id", "made")?;
    for (kind, entries) in [("access", &inventory.access), ("refresh", &inventory.refresh)] {
        for entry in entries {
            writeln!(out, "{kind:8} {:14} {:21} {}", entry.id, moment(entry.made), used(entry, now))?;
        }
    }
    for entry in &inventory.master {
        let used =
            if entry.retires.is_none() { "for everything new" } else { "until nothing is sealed with it" };
        let made = if entry.made == 0 { "with the first keys".to_owned() } else { moment(entry.made) };
        writeln!(out, "{:8} {:14} {made:21} {used}", "master", entry.id)?;
    }
    Ok(())
}

fn used(entry: &Entry, now: Wall) -> String {
    match entry.retires {
        None => "for everything new".to_owned(),
        Some(at) if at <= now.secs() => "no more; the next rotation deletes it".to_owned(),
        Some(at) => format!("for what it signed, until {}", moment(at)),
    }
}

fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "?".to_owned(), |at| at.to_string())
}

fn complain(problems: &mut dyn Write, error: &dyn std::error::Error) -> ExitCode {
    // With no one to tell, the exit code is all there is.
    let _ = writeln!(problems, "panelgate: {error}");
    ExitCode::from(3)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{KeyMaterial, Surroundings, run};
    use crate::{
        clock::Wall,
        entropy::{Entropy, SeededEntropy},
        feeds::keys,
    };

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: KeyMaterial,
    }

    fn say(words: &[&str], with: &Surroundings<'_>) -> (std::process::ExitCode, String) {
        let line = Line::parse_from(std::iter::once(&"key-material").chain(words));
        let (mut out, mut problems) = (Vec::new(), Vec::new());
        let code = run(&line.args, with, &mut out, &mut problems);
        out.extend(problems);
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn rotating_and_listing_say_what_each_key_is_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("keys");
        let entropy: Box<dyn Entropy> = Box::new(SeededEntropy::new(5));
        let now = Wall::from_secs(1_800_000_000);
        let with = Surroundings {
            dir: &dir,
            longest_session: std::time::Duration::from_secs(3600),
            entropy: &*entropy,
            now,
        };

        let (code, text) = say(&["list"], &with);
        assert_eq!((code, text.contains("keys")), (std::process::ExitCode::from(3), true), "{text}");

        keys::load_or_create(&dir, &*entropy, now).unwrap();
        let (code, text) = say(&["rotate"], &with);
        assert_eq!(code, std::process::ExitCode::SUCCESS, "{text}");
        assert_eq!(text.matches("for everything new").count(), 2, "{text}");
        assert_eq!(text.matches("for what it signed, until 2027-01-15T09:00:00Z").count(), 2, "{text}");

        let (_, json) = say(&["list", "--json"], &with);
        let list: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(list["access"].as_array().unwrap().len(), 2);
    }
}
