//! The command line.

pub mod check;

use std::process::ExitCode;

/// Runs the verb that the command line names.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
