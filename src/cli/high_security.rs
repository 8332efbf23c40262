//! `panelgate high-security`: High Security Mode, for the installation or for one account.

use std::process::ExitCode;

use super::{
    ConfigArgs,
    arguments::{Output, user_name},
    connect::Place,
    user::other,
    verdict::{Trouble, finish, json},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    rules::identity::UserName,
};

/// Switch High Security Mode: off, what a second factor would open is open at once.
#[derive(Clone, Debug, clap::Args)]
pub struct HighSecurityArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show whether it is on; exit code 1 if not.
    Status(Whose),
    /// Switch it on.
    On(Whose),
    /// Switch it off. Whoever has a password can then do what needed the second factor.
    Off(Whose),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Whose {
    /// For this account alone, instead of the installation.
    #[arg(long, value_parser = user_name, value_name = "NAME")]
    user: Option<UserName>,
    #[command(flatten)]
    output: Output,
}

/// Runs the verb.
pub fn run(args: &HighSecurityArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    let (whose, switch) = match verb {
        Verb::Status(whose) => (whose, None),
        Verb::On(whose) => (whose, Some(true)),
        Verb::Off(whose) => (whose, Some(false)),
    };
    let answer = place.ask(AdminRequest::HighSecurity { name: whose.user.clone(), on: switch })?;
    let AdminAnswer::Mode { installation, account } = answer else { return other() };
    let on = account.unwrap_or(true) && installation;
    let text = if whose.output.json {
        json(&serde_json::json!({ "installation": installation, "account": account, "on": on }))?
    } else {
        tell(whose.user.as_ref(), installation, account)
    };
    match (switch.is_none() && !on, whose.output.json) {
        (true, true) => Err(Trouble::Report(text)),
        (true, false) => Err(Trouble::No(text)),
        (false, _) => Ok(text),
    }
}

fn tell(name: Option<&UserName>, installation: bool, account: Option<bool>) -> String {
    let word = |on: bool| if on { "on" } else { "off" };
    let installation_text = format!("high security mode is {} for the installation", word(installation));
    match (name, account) {
        (Some(name), Some(own)) => {
            let note = if own && !installation { ", so it does not count" } else { "" };
            format!("high security mode is {} for `{name}`; {installation_text}{note}\n", word(own))
        }
        _ => format!("{installation_text}\n"),
    }
}
