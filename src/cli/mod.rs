//! The command line: a file per verb.

pub mod arguments;
pub mod audit;
pub mod backup;
pub mod ban;
pub mod check;
mod connect;
mod demo;
pub mod doctor;
mod examples;
pub mod high_security;
mod import_file;
pub mod key;
pub mod key_material;
mod man;
mod password_input;
pub mod policy;
pub mod progress;
pub mod restore;
pub mod schema;
mod serve;
pub mod session;
pub mod style;
pub mod two_factor;
pub mod user;
mod verdict;
pub mod why;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Environment;

/// A gate in front of a web control panel: forward-auth sidecar and TLS edge with step-up policies.
#[derive(Debug, Parser)]
#[command(name = "panelgate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the gate.
    Serve(ConfigArgs),
    /// Check the configuration and its policies: every problem at once.
    Check(check::CheckArgs),
    /// Ask about the configuration.
    #[command(subcommand)]
    Config(schema::ConfigVerb),
    /// Ask the policy.
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// Say why a request was answered as it was.
    Why(why::WhyArgs),
    /// Test the deployed chain with real requests, and say what is wrong with it in the proxy's own language.
    Doctor(doctor::DoctorArgs),
    /// Run the gate in front of a sample panel, with accounts, keys and certificates made on the spot.
    Demo(demo::DemoArgs),
    /// Manage accounts.
    User(user::UserArgs),
    /// Manage second factors.
    #[command(name = "2fa")]
    TwoFactor(two_factor::TwoFactorArgs),
    /// Manage sessions.
    Session(session::SessionArgs),
    /// Manage API keys.
    Key(key::KeyArgs),
    /// Manage the keys that the gate signs its tokens with.
    KeyMaterial(key_material::KeyMaterialArgs),
    /// Manage bans.
    Ban(ban::BanArgs),
    /// Read the audit trail.
    Audit(audit::AuditArgs),
    /// Back up the store, the keys, the audit trail and the configuration.
    Backup(backup::BackupArgs),
    /// Put back what a backup holds: all of it or nothing.
    Restore(restore::RestoreArgs),
    /// Switch High Security Mode.
    HighSecurity(high_security::HighSecurityArgs),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write a page for every verb.
    Man(man::ManArgs),
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        default_value = "/etc/panelgate/config.yaml",
        env = "PANELGATE_CONFIG"
    )]
    pub config: PathBuf,
}

/// The answer is no, or problems were found.
pub const NO: u8 = 1;
/// It could not be done.
pub const FAILED: u8 = 3;

/// Runs the verb that the command line names. Exit codes: 0 ok, 1 no, 2 usage, 3 could not do it.
pub fn run() -> ExitCode {
    // pingora installs ring as the process default unless somebody was first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let verb = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli.verb,
        Err(error) => error.exit(),
    };
    match verb {
        Verb::Serve(args) => serve::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Config(verb) => verdict::finish(Ok(schema::config(&verb))),
        Verb::Policy(verb) => policy::run(&verb),
        Verb::Why(args) => why::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::User(args) => user::run(&args),
        Verb::TwoFactor(args) => two_factor::run(&args),
        Verb::Session(args) => session::run(&args),
        Verb::Key(args) => key::run(&args),
        Verb::KeyMaterial(args) => key_material::start(&args),
        Verb::Ban(args) => ban::run(&args),
        Verb::Audit(args) => audit::run(&args),
        Verb::Backup(args) => backup::run(&args),
        Verb::Restore(args) => restore::run(&args),
        Verb::HighSecurity(args) => high_security::run(&args),
        Verb::Man(args) => man::run(&args, command()),
        Verb::Completions { shell } => {
            // Written in one go: whoever reads only the beginning must not make it panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "panelgate", &mut script);
            verdict::finish(Ok(String::from_utf8_lossy(&script).into_owned()))
        }
    }
}

/// The whole command line, with examples.
fn command() -> Command {
    examples::give(Cli::command())
}

/// The environment, read once.
pub fn environment() -> Environment {
    // A variable that is not text cannot be one of ours.
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
