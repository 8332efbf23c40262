//! `panelgate demo`: a gate in front of a sample panel.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{FAILED, NO, environment};
use crate::{demo, telemetry};

/// How the demo runs.
#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// Keep everything in this directory, and go on with what is in it; default: a temporary one.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Edge, sidecar, panel and metrics listen on this port and the next three; 0 takes free ones.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(0..=65532))]
    port_base: Option<u16>,
    /// Print one line of JSON first.
    #[arg(long)]
    json: bool,
    /// Let the sample panel keep its users: it has a login form and sessions of its own, which the gate asks and carries.
    #[arg(long, conflicts_with = "tour")]
    panel_login: bool,
    /// Play the whole story against a gate of its own, print every step, and exit 0 only if all held.
    #[arg(long, conflicts_with_all = ["json", "port_base"])]
    tour: bool,
    /// End when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

/// Runs the demo.
#[expect(clippy::print_stderr, reason = "why it does not start is for the person at the terminal")]
pub(super) fn run(args: &DemoArgs) -> ExitCode {
    let environment = environment();
    // Quiet, as the configuration that it writes; the demo takes its settings from the environment alone.
    let level = environment.get("PANELGATE_LOG__LEVEL").map_or("warn", String::as_str);
    telemetry::start(telemetry::Format::Text, level);
    let options = demo::Options {
        dir: args.dir.clone(),
        port_base: args.port_base,
        json: args.json,
        panel_login: args.panel_login,
        with_parent: args.with_parent,
    };
    let held = if args.tour {
        demo::tour::run(&options, &environment)
    } else {
        demo::run(&options, &environment).map(|()| true)
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NO),
        Err(error) => {
            eprintln!("panelgate: {error}");
            ExitCode::from(FAILED)
        }
    }
}
