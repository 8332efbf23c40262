//! `panelgate check`: every problem of the configuration and the policies at once.

use std::{path::PathBuf, process::ExitCode};

/// Checks the configuration, the policies and every file they name.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file.
    #[arg(long, env = "PANELGATE_CONFIG", default_value = "config.yaml")]
    pub config: PathBuf,
}

/// Prints all problems and warnings; exit code 0 if it can be used, 1 if not.
pub fn run(args: &CheckArgs) -> ExitCode {
    let _ = &args.config;
    ExitCode::from(1)
}
