//! `panelgate backup`: everything that the gate keeps, in one file.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    ConfigArgs,
    arguments::Output,
    connect::Place,
    progress::{Progress, QuietArgs},
    style::Stream,
    verdict::{Trouble, finish, json, moment},
};
use crate::app::backup::{self, Contents, Made};

/// Back up the store, the keys, the audit trail and the configuration.
///
/// A running panelgate goes on meanwhile; what is in the backup is one moment. The file has the keys in it: whoever can
/// read it can make tokens. It is made readable for its owner alone, under another name until it is complete.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where to write it, such as panelgate.tar.gz; `-` writes to standard output.
    file: PathBuf,
    /// Check a backup instead of making one; nothing is written, and no configuration is read.
    #[arg(long, conflicts_with_all = ["with_journal", "force"])]
    verify: bool,
    /// Put the journal of decisions in as well (`panelgate why`).
    #[arg(long)]
    with_journal: bool,
    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    quiet: QuietArgs,
    #[command(flatten)]
    output: Output,
}

/// Runs the verb.
pub fn run(args: &BackupArgs) -> ExitCode {
    finish(if args.verify { verify(args) } else { back_up(args) })
}

fn verify(args: &BackupArgs) -> Result<String, Trouble> {
    let shown = args.file.display();
    let mut file = open(&args.file)?;
    let progress = Progress::bytes("checking the backup", length(&file), args.quiet);
    let made = backup::verify(&mut file, &mut |bytes| progress.advance(bytes));
    progress.finish();
    let made = made.map_err(|why| Trouble::No(format!("{shown}: {why}")))?;
    if args.output.json {
        json(&document(&args.file, &made))
    } else {
        Ok(told(&format!("{shown} is whole. It"), &made))
    }
}

fn back_up(args: &BackupArgs) -> Result<String, Trouble> {
    let to_stdout = args.file.as_os_str() == "-";
    if to_stdout && Stream::Out.is_terminal() {
        return Err(Trouble::Usage(
            "a backup is nothing for a terminal: name a file, or send it through a pipe".into(),
        ));
    }
    if !to_stdout && !args.force && args.file.symlink_metadata().is_ok() {
        return Err(exists(&args.file));
    }
    let place = Place::find(&args.config)?;
    let contents = Contents { journal: args.with_journal };
    let progress = Progress::bytes("backing up", 0, args.quiet);
    let mut told_progress = |done, total| progress.reach(done, total);
    if to_stdout {
        let made = place.back_up(contents, &args.config.config, &mut io::stdout(), &mut told_progress)?;
        progress.finish();
        // Standard output is taken.
        let text = if args.output.json { json(&document(&args.file, &made))? } else { told("It", &made) };
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(String::new());
    }
    let mut draft = Draft::beside(&args.file)?;
    let made = place.back_up(contents, &args.config.config, draft.0.as_file_mut(), &mut told_progress)?;
    progress.finish();
    draft.keep(&args.file, &made, args.force)?;
    if args.output.json {
        return json(&document(&args.file, &made));
    }
    Ok(told(&args.file.display().to_string(), &made))
}

/// A file that goes away with us unless it is complete.
struct Draft(tempfile::NamedTempFile);

impl Draft {
    fn beside(target: &Path) -> Result<Self, Trouble> {
        let folder = folder(target);
        // Its mode is 0600.
        let made = tempfile::Builder::new().prefix(".panelgate-backup-").suffix(".part").tempfile_in(folder);
        made.map(Self).map_err(|error| Trouble::Failed(format!("{}: {error}", folder.display())))
    }

    /// What was written is read again before it gets its name.
    fn keep(mut self, target: &Path, made: &Made, force: bool) -> Result<(), Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", target.display()));
        self.0.as_file().sync_all().map_err(failed)?;
        match backup::verify(self.0.as_file_mut(), &mut |_| ()) {
            Ok(found) if found.id == made.id => {}
            Ok(_) => return Err(failed(io::Error::other("another backup arrived than was made"))),
            Err(bad) => return Err(failed(io::Error::other(bad.to_string()))),
        }
        let kept = if force { self.0.persist(target) } else { self.0.persist_noclobber(target) };
        match kept {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(target)),
            Err(error) => return Err(failed(error.error)),
        }
        File::open(folder(target)).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn folder(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(target: &Path) -> Trouble {
    Trouble::No(format!("{} exists already: name another file, or say --force", target.display()))
}

/// Opens a backup.
pub(super) fn open(path: &Path) -> Result<File, Trouble> {
    File::open(path).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
}

pub(super) fn length(file: &File) -> u64 {
    file.metadata().map(|found| found.len()).unwrap_or_default()
}

fn document(file: &Path, made: &Made) -> serde_json::Value {
    let mut document = serde_json::to_value(made).unwrap_or_default();
    if let Some(members) = document.as_object_mut() {
        members.insert("file".into(), file.display().to_string().into());
    }
    document
}

fn told(what: &str, made: &Made) -> String {
    let manifest = &made.manifest;
    let store = &manifest.store;
    let configuration = manifest.members.iter().filter(|member| member.name.starts_with("config/")).count();
    let mut text = format!(
        "{what} holds everything as it was at {}:\n  {}, {}, {}, {}\n  the audit trail up to record {}, {} of configuration\n\
         sha256 {}, {} bytes\n",
        moment(manifest.made),
        count(store.users, "account"),
        count(store.sessions, "session"),
        count(store.keys, "API key"),
        count(store.bans, "ban"),
        manifest.trail.seq,
        count(configuration as u64, "file"),
        made.id,
        made.bytes,
    );
    if !manifest.configuration_in_force {
        text += "warning: the configuration was changed and is not in force yet; the files as they are on the disk are in it\n";
    }
    if !manifest.left_out.is_empty() {
        text = text + "not in it:\n  " + &manifest.left_out.join("\n  ") + "\n";
    }
    text
}

/// `1 file`, `2 files`.
pub(super) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
