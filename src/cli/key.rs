//! `panelgate key`: API keys.

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use super::{
    ConfigArgs,
    arguments::{Lasts, OfUser, OneOrAll, Output, user_name},
    connect::Place,
    user::other,
    verdict::{Trouble, finish, json, moment, table},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, KeyLine, WantedKey},
    clock::{Clock, SystemClock},
    rules::{identity::UserName, session::PublicId},
};

/// Manage API keys.
#[derive(Clone, Debug, clap::Args)]
pub struct KeyArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show the keys that there are.
    List {
        #[command(flatten)]
        of: OfUser,
        #[command(flatten)]
        output: Output,
    },
    /// Make a key for an account. It is shown once.
    Create {
        /// The account.
        #[arg(value_parser = user_name)]
        user: UserName,
        /// What the key is for.
        #[arg(long)]
        name: String,
        /// What it may do: a scope that the policy names. Can be given several times.
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// When it stops working: a duration such as `30d`, or `never`.
        #[arg(long, value_name = "DURATION", value_parser = Lasts::parse)]
        expires: Lasts,
        /// The site, where there is more than one.
        #[arg(long)]
        site: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a key, or all of an account. Its very next request is refused.
    Revoke {
        #[command(flatten)]
        which: OneOrAll,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs the verb.
pub fn run(args: &KeyArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::List { of, output } => {
            let answer = place.ask(AdminRequest::ListKeys { user: of.user.clone() })?;
            let AdminAnswer::Keys { keys } = answer else { return other() };
            if output.json { json(&keys) } else { Ok(show(keys)) }
        }
        Verb::Create { user, name, scopes, expires, site, output } => {
            let expires = match expires {
                Lasts::Ever => None,
                Lasts::Seconds(seconds) => Some(SystemClock::new().wall().secs().saturating_add(*seconds)),
            };
            let wanted = WantedKey {
                user: user.clone(),
                name: name.clone(),
                scopes: scopes.clone(),
                site: site.clone(),
                expires,
            };
            let AdminAnswer::KeyMade { text, key } = place.ask(AdminRequest::MakeKey(wanted))? else {
                return other();
            };
            if output.json { json(&made(&text, &key)) } else { Ok(tell(&text, &key)) }
        }
        Verb::Revoke { which, output } => revoke(which, *output, place),
    }
}

fn revoke(which: &OneOrAll, output: Output, place: &Place) -> Result<String, Trouble> {
    let ids = match (&which.id, &which.user) {
        (Some(id), _) => vec![id.clone()],
        (None, user) => {
            let AdminAnswer::Keys { keys } = place.ask(AdminRequest::ListKeys { user: user.clone() })? else {
                return other();
            };
            keys.into_iter().map(|key| key.id).collect()
        }
    };
    for id in &ids {
        place.ask(AdminRequest::RevokeKey { id: PublicId(id.as_str().into()) })?;
    }
    if output.json {
        return json(&serde_json::json!({ "deleted": ids }));
    }
    Ok(match ids.as_slice() {
        [] => "nothing to do: there are no keys\n".to_owned(),
        [id] => format!("the key `{id}` is deleted; its next request is refused\n"),
        many => format!("{} keys are deleted; their next requests are refused\n", many.len()),
    })
}

fn made(text: &str, key: &KeyLine) -> serde_json::Value {
    let mut made = serde_json::to_value(key).unwrap_or_default();
    if let Some(members) = made.as_object_mut() {
        members.insert("key".into(), text.into());
    }
    made
}

fn tell(text: &str, key: &KeyLine) -> String {
    let until =
        key.expires.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {}", moment(at)));
    format!(
        "{text}\n\nThis is shown once. The key works for `{}` {until}; `panelgate key revoke {}` ends it.\n",
        key.user, key.id
    )
}

fn show(keys: Vec<KeyLine>) -> String {
    if keys.is_empty() {
        return "no API keys: `panelgate key create USER --name NAME --scope SCOPE --expires 30d` makes one\n".to_owned();
    }
    let rows = keys.into_iter().map(|key| {
        let expires = match key.expires {
            None => "never".to_owned(),
            Some(at) if key.expired => format!("{} (over)", moment(at)),
            Some(at) => moment(at),
        };
        let used = key.used.map_or_else(|| "never".to_owned(), moment);
        let from = key.used_from.unwrap_or_default();
        [key.id, key.user, key.site, key.scopes.join(" "), moment(key.created), expires, used, from, key.name]
    });
    table(["ID", "USER", "SITE", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "FROM", "NAME"], rows.collect())
}
