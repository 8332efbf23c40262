//! `panelgate ban`: whom nobody serves.

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use super::{
    ConfigArgs,
    arguments::{Lasts, Output},
    connect::Place,
    user::other,
    verdict::{Trouble, finish, json, moment, table},
};
use crate::app::admin::{AdminAnswer, AdminRequest, BanLine, WantedBan};

/// Manage bans.
#[derive(Clone, Debug, clap::Args)]
pub struct BanArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show who is banned.
    List {
        /// Those that were over within the last day as well.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Ban an address or a network: its connections are closed at once, open ones as well.
    Add {
        /// An address or a network; a single IPv6 address stands for its /64.
        network: String,
        /// How long: a duration such as `2h`, or `never` to ban until it is lifted.
        #[arg(long = "for", value_name = "DURATION", value_parser = Lasts::parse, default_value = "never")]
        lasts: Lasts,
        /// Why, for whoever looks at the list next.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lift a ban.
    Lift {
        /// The network as `ban list` shows it.
        network: String,
    },
}

/// Runs the verb.
pub fn run(args: &BanArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::List { all, output } => {
            let AdminAnswer::Bans { bans } = place.ask(AdminRequest::ListBans { over: *all })? else {
                return other();
            };
            if output.json { json(&bans) } else { Ok(show(bans)) }
        }
        Verb::Add { network, lasts, reason, output } => {
            let seconds = match lasts {
                Lasts::Ever => None,
                Lasts::Seconds(seconds) => Some(*seconds),
            };
            let wanted = WantedBan { network: network.clone(), reason: reason.clone(), seconds };
            let AdminAnswer::Banned { ban, spared } = place.ask(AdminRequest::Ban(wanted))? else {
                return other();
            };
            if output.json {
                json(&serde_json::json!({ "ban": ban, "spared": spared }))
            } else {
                Ok(tell(&ban, &spared))
            }
        }
        Verb::Lift { network } => {
            place.ask(AdminRequest::LiftBan { network: network.clone() })?;
            Ok(format!("the ban of {} is lifted\n", network.trim()))
        }
    }
}

fn tell(ban: &BanLine, spared: &[String]) -> String {
    let until =
        ban.until.map_or_else(|| "until it is lifted".to_owned(), |at| format!("until {}", moment(at)));
    let mut text = format!("{} is banned {until}\n", ban.network);
    if !spared.is_empty() {
        text = text + "what is always let in stays open: " + &spared.join(", ") + "\n";
    }
    text
}

fn show(bans: Vec<BanLine>) -> String {
    if bans.is_empty() {
        return "nobody is banned\n".to_owned();
    }
    let rows = bans.into_iter().map(|ban| {
        let until = match ban.until {
            None => "lifted".to_owned(),
            Some(at) if ban.over => format!("{} (over)", moment(at)),
            Some(at) => moment(at),
        };
        [ban.network, moment(ban.since), until, ban.by, ban.reason]
    });
    table(["NETWORK", "SINCE", "UNTIL", "BY", "REASON"], rows.collect())
}
