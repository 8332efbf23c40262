//! `panelgate serve`: the daemon.

use std::{io, process::ExitCode};

use super::{ConfigArgs, FAILED, NO, environment};
use crate::{app, config, rules::written::Severity, telemetry};

/// Loads the configuration, runs until told to stop.
#[expect(clippy::print_stderr, reason = "problems of the configuration are for the person at the terminal")]
pub(super) fn run(args: &ConfigArgs) -> ExitCode {
    let environment = environment();
    let given = match given(&environment) {
        Ok(given) => given,
        Err(error) => {
            eprintln!("panelgate: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let loaded = match config::load(&args.config, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            if let Some(predecessor) = &given.predecessor {
                predecessor.refuse(&problems.to_string());
            }
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
    match app::run(loaded.settings, environment, given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("panelgate: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// What this process was started with: sockets from systemd, and the process that it is to take over from.
fn given(environment: &config::Environment) -> io::Result<app::Given> {
    let predecessor = app::Predecessor::find(environment)?;
    Ok(app::Given { program: app::Program::this()?, sockets: app::passed_sockets()?, predecessor })
}
