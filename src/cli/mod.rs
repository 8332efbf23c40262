//! The command line.

pub mod check;
pub mod key_material;

use std::process::ExitCode;

/// Runs the verb that the command line names.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
