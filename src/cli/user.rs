//! `panelgate user`: accounts.

mod import;

use std::process::ExitCode;

use super::{
    ConfigArgs,
    arguments::{Output, user_name},
    connect::Place,
    password_input::PasswordArgs,
    verdict::{Trouble, finish, json, moment, table, visible},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, UserLine},
    rules::identity::UserName,
};

/// Manage accounts.
#[derive(Clone, Debug, clap::Args)]
pub struct UserArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Make an account. The password is asked for, unless a flag says where it is.
    Add {
        /// The account name: a-z, 0-9 and . _ - @ +
        #[arg(value_parser = user_name)]
        name: UserName,
        /// One of the policy's roles.
        #[arg(long)]
        role: String,
        /// Mail address, for the panel.
        #[arg(long, default_value = "")]
        email: String,
        /// Name for people, for the panel.
        #[arg(long = "name", value_name = "NAME", default_value = "")]
        display: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Import accounts with the bcrypt hashes that a panel has of their passwords.
    Import(import::ImportArgs),
    /// Show all accounts.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Set a new password; signs the account out everywhere.
    Passwd {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Give an account another role.
    Role {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// One of the policy's roles.
        role: String,
        #[command(flatten)]
        output: Output,
    },
    /// Disable an account: it is refused at its very next request.
    Disable {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
    /// Remove an account with its sessions and API keys; `disable` keeps what there is to know of it.
    Remove {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// Do it: what is removed does not come back.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Unlock an account after wrong passwords or codes; what failed is forgotten.
    Unlock {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
    /// Enable an account again.
    Enable {
        /// The account.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs the verb.
pub fn run(args: &UserArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::Add { name, role, email, display, password, output } => {
            let request = AdminRequest::AddUser {
                name: name.clone(),
                role: role.as_str().into(),
                display: display.clone(),
                email: email.clone(),
                password_hash: password.hash()?,
            };
            place.ask(request)?;
            output.done("added", name.as_str(), || format!("`{name}` can sign in, with the role `{role}`\n"))
        }
        Verb::Import(args) => {
            // Read first: root may give up its rights in asking.
            let text = import::read(args)?;
            import::run(args, &text, place)
        }
        Verb::List { output } => {
            let AdminAnswer::Users { users } = place.ask(AdminRequest::ListUsers)? else { return other() };
            if output.json { json(&users) } else { Ok(show(users)) }
        }
        Verb::Passwd { name, password, output } => {
            // Nobody shall type one in vain. A file is read first: root may give up its rights in asking.
            if password.is_typed() {
                place.ask(AdminRequest::ShowUser { name: name.clone() })?;
            }
            let password_hash = password.hash()?;
            place.ask(AdminRequest::SetPassword { name: name.clone(), password_hash })?;
            output.done("password-set", name.as_str(), || {
                format!("`{name}` has a new password and is signed out everywhere\n")
            })
        }
        Verb::Role { name, role, output } => {
            place.ask(AdminRequest::SetRole { name: name.clone(), role: role.as_str().into() })?;
            output.done("role-set", name.as_str(), || {
                format!("`{name}` has the role `{role}`, from the next request on\n")
            })
        }
        Verb::Disable { name, output } => {
            place.ask(AdminRequest::SetDisabled { name: name.clone(), disabled: true })?;
            output.done("disabled", name.as_str(), || {
                format!("`{name}` is disabled and signed out everywhere\n")
            })
        }
        Verb::Remove { yes: false, name, .. } => {
            place.ask(AdminRequest::ShowUser { name: name.clone() })?;
            Err(Trouble::No(format!(
                "`{name}` is not removed: say --yes, or `user disable {name}` if it may come back"
            )))
        }
        Verb::Remove { name, output, .. } => {
            place.ask(AdminRequest::RemoveUser { name: name.clone() })?;
            output.done("removed", name.as_str(), || {
                format!("`{name}` is removed, with its sessions and API keys\n")
            })
        }
        Verb::Unlock { name, output } => {
            place.ask(AdminRequest::Unlock { name: name.clone() })?;
            output.done("unlocked", name.as_str(), || {
                format!("`{name}` is locked nowhere, from the next try on\n")
            })
        }
        Verb::Enable { name, output } => {
            place.ask(AdminRequest::SetDisabled { name: name.clone(), disabled: false })?;
            output.done("enabled", name.as_str(), || format!("`{name}` can sign in again\n"))
        }
    }
}

fn show(users: Vec<UserLine>) -> String {
    if users.is_empty() {
        return "no accounts yet: `panelgate user add NAME --role ROLE` makes one\n".to_owned();
    }
    let rows = users.into_iter().map(|user| {
        let role =
            if user.role_known { user.role } else { format!("{} (in no policy)", visible(&user.role)) };
        let state = match (user.disabled, user.stopped, user.locked_until) {
            (true, _, _) => "disabled".to_owned(),
            (false, true, _) => "locked until `user unlock`".to_owned(),
            (false, false, Some(until)) => format!("locked until {}", moment(until)),
            (false, false, None) => "enabled".to_owned(),
        };
        let factor = if user.second_factor {
            format!("app, {} backup codes", user.backup_codes)
        } else {
            "none".to_owned()
        };
        let source = match (user.issuer, user.login) {
            (Some(issuer), _) => format!("issuer {issuer}"),
            (None, Some(login)) => format!("login {login}"),
            (None, None) => "panelgate".to_owned(),
        };
        [user.name, role, state, factor, source, moment(user.created)]
    });
    table(["NAME", "ROLE", "STATE", "SECOND FACTOR", "FROM", "CREATED"], rows.collect())
}

/// The answer to another question; the daemon is of another version.
pub(super) fn other<T>() -> Result<T, Trouble> {
    Err(Trouble::Failed("the running panelgate answers in another way: restart it after the update".into()))
}

#[cfg(test)]
pub(super) mod tests;
