//! `panelgate session`: who is signed in.

use std::process::ExitCode;

use super::{
    ConfigArgs,
    arguments::{OfUser, OneOrAll, Output},
    connect::Place,
    user::other,
    verdict::{Trouble, finish, json, moment, table},
};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, SessionLine},
    rules::session::PublicId,
};

/// Manage sessions.
#[derive(Clone, Debug, clap::Args)]
pub struct SessionArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show who is signed in.
    List {
        #[command(flatten)]
        of: OfUser,
        /// Those that are over as well, with the reason.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// End one session, or all of an account. Its very next request is refused.
    Revoke {
        #[command(flatten)]
        which: OneOrAll,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs the verb.
pub fn run(args: &SessionArgs) -> ExitCode {
    finish(Place::find(&args.config).and_then(|place| carry_out(&args.verb, &place)))
}

pub(super) fn carry_out(verb: &Verb, place: &Place) -> Result<String, Trouble> {
    match verb {
        Verb::List { of, all, output } => {
            let answer = place.ask(AdminRequest::ListSessions { user: of.user.clone(), ended: *all })?;
            let AdminAnswer::Sessions { sessions, unreadable } = answer else { return other() };
            if output.json { json(&sessions) } else { Ok(show(sessions) + &tell_unreadable(&unreadable)) }
        }
        Verb::Revoke { which, output } => {
            let request = match (&which.id, &which.user) {
                (_, Some(user)) => AdminRequest::RevokeSessionsOf { user: user.clone() },
                (Some(id), None) => AdminRequest::RevokeSession { id: PublicId(id.as_str().into()) },
                (None, None) => return Err(Trouble::Usage("which session? give its id or --user".into())),
            };
            let AdminAnswer::Ended { sessions } = place.ask(request)? else { return other() };
            if output.json {
                return json(&serde_json::json!({ "ended": sessions }));
            }
            Ok(match sessions {
                0 => "nothing to do: it was over already\n".to_owned(),
                1 => "1 session is ended\n".to_owned(),
                n => format!("{n} sessions are ended\n"),
            })
        }
    }
}

fn tell_unreadable(sessions: &[String]) -> String {
    let lines = sessions.iter().map(|what| format!("cannot be read, and is refused: {what}\n"));
    lines.collect()
}

fn show(sessions: Vec<SessionLine>) -> String {
    if sessions.is_empty() {
        return "nobody is signed in\n".to_owned();
    }
    let rows = sessions.into_iter().map(|session| {
        let elevated = session.elevated.map_or_else(|| "no".to_owned(), moment);
        let from = session
            .issuer
            .map_or(session.address.clone(), |issuer| format!("{} (issuer {issuer})", session.address));
        let seen = moment(session.seen);
        [
            session.id,
            session.user,
            session.state,
            moment(session.opened),
            seen,
            elevated,
            from,
            session.device,
        ]
    });
    table(["ID", "USER", "STATE", "OPENED", "LAST SEEN", "2FA AT", "FROM", "DEVICE"], rows.collect())
}
