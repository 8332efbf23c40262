//! `panelgate man`: manual pages, made from the very definitions that read the command line.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Command;
use clap_mangen::Man;

use super::verdict::{Trouble, finish};

/// Where the pages go.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for every verb into this directory, such as /usr/local/share/man/man1; without it, print the page of
    /// panelgate itself.
    dir: Option<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(args: &ManArgs, command: Command) -> ExitCode {
    finish(match &args.dir {
        Some(dir) => pages(command, dir),
        None => page(command),
    })
}

fn page(command: Command) -> Result<String, Trouble> {
    let mut text = Vec::new();
    let rendered = Man::new(command).render(&mut text);
    rendered.map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn pages(command: Command, dir: &Path) -> Result<String, Trouble> {
    let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", dir.display()));
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)?;
    Ok(format!("the manual pages are in {}; `man panelgate` shows the first\n", dir.display()))
}
