//! `panelgate serve`: the daemon.

use std::process::ExitCode;

use super::{ConfigArgs, FAILED, NO, environment};
use crate::{app, config, rules::written::Severity, telemetry};

/// Loads the configuration, runs until told to stop.
#[expect(clippy::print_stderr, reason = "problems of the configuration are for the person at the terminal")]
pub(super) fn run(args: &ConfigArgs) -> ExitCode {
    let environment = environment();
    let loaded = match config::load(&args.config, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!(
                "{problems}\nnot started: mend the configuration; `panelgate check` shows the same list"
            );
            return ExitCode::from(NO);
        }
    };
    let log = &loaded.settings.log;
    let format = match log.format {
        config::LogFormat::Text => telemetry::Format::Text,
        config::LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::start(format, &log.level);
    for warning in loaded.warnings.list().iter().filter(|found| found.severity == Severity::Warning) {
        tracing::warn!(code = warning.code, at = %warning.at.source, line = warning.at.line, "{}", warning.what);
    }
    match app::run(loaded.settings, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("panelgate: {error}");
            ExitCode::from(FAILED)
        }
    }
}
