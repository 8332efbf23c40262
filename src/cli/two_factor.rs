//! `panelgate 2fa`: second factors of accounts.

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

/// Manage second factors.
#[derive(Clone, Debug, clap::Args)]
pub struct TwoFactorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show whether an account has a second factor; exit code 1 if not.
    Status {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
    /// Give an account an authenticator app and ten backup codes; both are shown once.
    Enrol {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
    /// Remove the authenticator app and the backup codes of an account, for somebody who has lost both.
    Disable {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs the verb.
pub fn run(args: &TwoFactorArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::Status { name, output } => {
            let answer = place.ask(AdminRequest::ShowUser { name: name.clone() })?;
            let AdminAnswer::Users { users } = answer else { return other() };
            let [user] = users.as_slice() else { return other() };
            if output.json {
                let text = json(&serde_json::json!({
                    "name": user.name,
                    "second_factor": user.second_factor,
                    "backup_codes": user.backup_codes,
                }))?;
                return if user.second_factor { Ok(text) } else { Err(Trouble::Report(text)) };
            }
            if !user.second_factor {
                return Err(Trouble::No(format!("`{name}` has no second factor")));
            }
            let codes = user.backup_codes;
            Ok(format!("`{name}` has an authenticator app and {codes} unused backup codes\n"))
        }
        Verb::Enrol { name, output } => {
            let answer = place.ask(AdminRequest::Enrol { name: name.clone() })?;
            let AdminAnswer::Enrolled { url, secret, backup_codes } = answer else { return other() };
            if output.json {
                return json(&serde_json::json!({
                    "name": name.as_str(), "url": url, "secret": secret, "backup_codes": backup_codes,
                }));
            }
            Ok(format!(
                "`{name}` has a second factor now. This is shown once; give it to nobody else.\n\n\
                 key for the authenticator app   {secret}\n\
                 the same as an address          {url}\n\n\
                 backup codes, each good once\n  {}\n",
                backup_codes.join("\n  ")
            ))
        }
        Verb::Disable { name, output } => {
            place.ask(AdminRequest::RemoveFactor { name: name.clone() })?;
            output.done("disabled", name.as_str(), || {
                format!("`{name}` has no second factor any more and can enrol a new one after signing in\n")
            })
        }
    }
}
