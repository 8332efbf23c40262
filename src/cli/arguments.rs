//! Arguments that several verbs share, so that they read alike everywhere.

use super::verdict::{Trouble, json};
use crate::{
    clock::{Clock, SystemClock, Wall},
    rules::{
        identity::{BadUserName, UserName},
        written::parse_duration,
    },
};

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Output {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl Output {
    /// What a verb says that has nothing to say but that it is done: a sentence, or `{"done":"disabled","name":"carol"}`.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(super) fn done(
        self,
        what: &str,
        name: &str,
        text: impl FnOnce() -> String,
    ) -> Result<String, Trouble> {
        if self.json { json(&serde_json::json!({ "done": what, "name": name })) } else { Ok(text()) }
    }
}

/// Whose, where a list can be narrowed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OfUser {
    /// Only this account's.
    #[arg(long, value_parser = user_name, value_name = "NAME")]
    pub user: Option<UserName>,
}

/// One thing by its id, or all of an account.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct OneOrAll {
    /// The id that the list shows.
    pub id: Option<String>,
    /// All of this account.
    #[arg(long, value_parser = user_name, value_name = "NAME")]
    pub user: Option<UserName>,
}

/// How long something lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Until somebody ends it.
    Ever,
    /// For so many seconds.
    Seconds(u64),
}

impl Lasts {
    /// In seconds; `None`: until somebody ends it.
    pub const fn seconds(self) -> Option<u64> {
        match self {
            Self::Ever => None,
            Self::Seconds(seconds) => Some(seconds),
        }
    }

    /// Reads `30d` or `never`.
    ///
    /// # Errors
    /// With what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let duration = parse_duration(text).filter(|duration| duration.as_secs() > 0);
        match (text, duration) {
            ("never", _) => Ok(Self::Ever),
            (_, Some(duration)) => Ok(Self::Seconds(duration.as_secs())),
            (_, None) => Err("write a duration such as `30d`, or `never`".to_owned()),
        }
    }
}

/// Reads an account name off the command line, in any spelling.
///
/// # Errors
/// If it is no account name.
pub fn user_name(text: &str) -> Result<UserName, BadUserName> {
    UserName::parse(text)
}

/// Reads a point of time off the command line: so long ago, or at this time.
///
/// # Errors
/// With what to write instead.
pub fn when(text: &str) -> Result<Wall, String> {
    if let Some(ago) = parse_duration(text).and_then(|ago| u64::try_from(ago.as_millis()).ok()) {
        return Ok(Wall::from_millis(SystemClock::new().wall().millis().saturating_sub(ago)));
    }
    let at: Option<jiff::Timestamp> = text.parse().ok();
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok())
        .map(Wall::from_millis)
        .ok_or_else(|| "write a duration such as 24h, or a time such as 2026-11-25T08:00:00Z".to_owned())
}
