//! The `panelgate` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    panelgate::cli::run()
}
