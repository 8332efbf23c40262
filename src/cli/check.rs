//! `panelgate check`: every problem of the configuration and the policies at once.

use std::process::ExitCode;

use super::{ConfigArgs, NO, environment};
use crate::config;

/// Checks the configuration, the policies and every file they name.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints all problems and warnings; exit code 0 if it can be used, 1 if not.
#[expect(clippy::print_stdout, reason = "the list is the answer")]
pub fn run(args: &CheckArgs) -> ExitCode {
    match config::load(&args.config.config, &environment()) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                println!("{}\n", loaded.warnings);
            }
            let pages: usize = loaded.settings.sites.iter().map(|site| site.site.policy.pages().len()).sum();
            let sites = loaded.settings.sites.len();
            println!("{} can be used: {sites} site(s), {pages} page(s)", args.config.config.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}\n{} cannot be used", args.config.config.display());
            ExitCode::from(NO)
        }
    }
}
