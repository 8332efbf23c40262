//! `panelgate user import`: accounts with the bcrypt hashes that a panel has of their passwords. Every problem at once,
//! and all accounts or none.

mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::json;

use self::rows::Row;
use super::other;
use crate::{
    app::admin::{AdminAnswer, AdminRequest, NewUser, UserLine},
    cli::{
        connect::Place,
        import_file::{self, Problem},
        verdict::{Trouble, json},
    },
    rules::{factor::password, identity::UserName},
};

/// The largest file, in bytes.
const LARGEST: u64 = 8 << 20;
/// The highest cost that is taken over: each check of a password at 16 would take seconds.
const HIGHEST_COST: u32 = 15;
/// The longest mail address or name for people, in characters.
const LONGEST: usize = 200;

/// Where the accounts are, and what to do with them.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// CSV with a header line, or a JSON array of objects: name, password_hash, role, email, display, disabled. `-` reads
    /// standard input.
    file: PathBuf,
    /// The role of accounts for which the file names none.
    #[arg(long)]
    role: Option<String>,
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Change accounts that exist already, as far as the file says something about them.
    #[arg(long)]
    update: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Reads the file.
pub(super) fn read(args: &ImportArgs) -> Result<String, Trouble> {
    import_file::read(&args.file, LARGEST)
}

/// Imports what was read.
pub(super) fn run(args: &ImportArgs, text: &str, place: &Place) -> Result<String, Trouble> {
    let AdminAnswer::Users { users: known } = place.ask(AdminRequest::ListUsers)? else { return other() };
    let roles: BTreeSet<String> = place.roles().iter().map(ToString::to_string).collect();
    let against = Against { args, roles: &roles, known: &known };
    let users =
        against.check(text).map_err(|problems| import_file::refuse(&args.file, problems, args.json))?;
    let taken: BTreeSet<&str> = known.iter().map(|user| user.name.as_str()).collect();
    let (changed, added): (Vec<_>, Vec<_>) =
        users.iter().partition(|user| taken.contains(user.name.as_str()));
    let (changed, added) = (changed.len(), added.len());
    if !args.dry_run {
        place.ask(AdminRequest::ImportUsers { users, update: args.update })?;
    }
    if args.json {
        return json(&json!({ "added": added, "changed": changed, "dry_run": args.dry_run }));
    }
    let would = if args.dry_run { "would be " } else { "" };
    Ok(format!("{added} accounts {would}added, {changed} {would}changed\n"))
}

/// What rows are checked against.
struct Against<'a> {
    args: &'a ImportArgs,
    roles: &'a BTreeSet<String>,
    known: &'a [UserLine],
}

impl Against<'_> {
    fn check(&self, text: &str) -> Result<Vec<NewUser>, Vec<Problem>> {
        let (rows, mut problems) = rows::read(text);
        let mut lines: BTreeMap<UserName, u64> = BTreeMap::new();
        let mut users = Vec::new();
        for row in &rows {
            let user = self.user(row, &mut problems);
            let Some(user) = user else { continue };
            if let Some(first) = lines.get(&user.name) {
                problems.push(row.problem(format!("`{}` stands on line {first} already", user.name)));
            } else {
                lines.insert(user.name.clone(), row.line);
                users.push(user);
            }
        }
        if rows.is_empty() && problems.is_empty() {
            problems.push(Problem { line: 1, what: "there are no accounts in it".into() });
        }
        if problems.is_empty() { Ok(users) } else { Err(problems) }
    }

    fn user(&self, row: &Row, problems: &mut Vec<Problem>) -> Option<NewUser> {
        let mut say = |what: String| problems.push(row.problem(what));
        let name = match UserName::parse(row.name.as_deref().unwrap_or_default()) {
            Ok(name) => Some(name),
            Err(why) => {
                say(format!("`{}` cannot be a name: {why}", row.name.as_deref().unwrap_or_default()));
                None
            }
        };
        let known = name.as_ref().and_then(|name| self.known.iter().find(|user| user.name == name.as_str()));
        if let Some(user) = known {
            if !self.args.update {
                say(format!("there is an account `{}` already: --update changes it", user.name));
            } else if let Some(from) = user.issuer.as_ref().or(user.login.as_ref()) {
                say(format!("`{}` comes from {from}, which keeps it", user.name));
            }
        }
        match row.password_hash.as_deref() {
            Some(hash) => {
                if let Err(why) = check_hash(hash) {
                    say(why);
                }
            }
            None if known.is_none() => say("there is no password_hash".into()),
            None => {}
        }
        let standard = self.args.role.as_deref().filter(|_| known.is_none());
        let role = row.role.as_deref().or(standard);
        match role {
            Some(role) if !self.roles.contains(role) => {
                let known: Vec<&str> = self.roles.iter().map(String::as_str).collect();
                say(format!("no policy knows the role `{role}`; there are {}", known.join(", ")));
            }
            None if known.is_none() => say("there is no role: name one in the file or with --role".into()),
            Some(_) | None => {}
        }
        for (what, text) in [("email", &row.email), ("display", &row.display)] {
            let text = text.as_deref().unwrap_or_default();
            if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
                say(format!("{what} has control characters, or more than {LONGEST} characters"));
            }
        }
        let disabled = match row.disabled.as_deref().map(flag) {
            Some(None) => {
                say(format!(
                    "disabled is `{}`: write true or false",
                    row.disabled.as_deref().unwrap_or_default()
                ));
                None
            }
            Some(flag) => flag,
            None => None,
        };
        Some(NewUser {
            name: name?,
            role: role.map(Into::into),
            display: row.display.clone(),
            email: row.email.clone(),
            password_hash: row.password_hash.clone(),
            disabled,
        })
    }
}

/// Why a hash cannot be taken over.
fn check_hash(hash: &str) -> Result<(), String> {
    match password::cost_of(hash) {
        Some(cost) if cost <= HIGHEST_COST => Ok(()),
        Some(cost) => {
            Err(format!("the hash has cost {cost}; at most {HIGHEST_COST} is worked for at every sign-in"))
        }
        None => Err("password_hash is not a bcrypt hash ($2a$, $2b$ or $2y$, cost 4 to 15)".into()),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}
