//! Administration from the command line: one handler, behind a Unix socket in the daemon, or in the process of the
//! command when no daemon runs.
//!
//! One JSON document on one line asks, one answers; what is too long for that comes as a stream ([`StreamRequest`]).

mod batches;
mod handler;
mod request;
mod socket;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use self::handler::Ground;
pub(super) use self::socket::serve;
pub use self::{
    handler::Handler,
    request::AdminRequest,
    stream::{StreamRequest, receive},
};
use super::{Reloader, accounts, backup, compose};
pub use crate::gate::journal::watch::Sighting;
use crate::{
    clock::SystemClock,
    entropy::SystemEntropy,
    feeds::keys::GivenMaster,
    gate::Gate,
    rules::{
        api_key::Scope,
        ban::{Sight, Spared},
        failures::Lockout,
        identity::{Role, UserName},
        policy::diff::Listing,
        record::Report,
        session::SiteId,
    },
    store::{RedbStore, Store, StoreError},
};

/// An account to import; what is absent stays as it is, or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Its name.
    pub name: UserName,
    /// One of the policies' roles; a new account needs one.
    pub role: Option<Role>,
    /// For people.
    pub display: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// bcrypt; a new account needs one.
    pub password_hash: Option<String>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

/// An API key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedKey {
    /// Whose.
    pub user: UserName,
    /// For people.
    pub name: String,
    /// In the words of the site's policy.
    pub scopes: Vec<String>,
    /// The site; may be left out where there is only one.
    pub site: Option<String>,
    /// Unix seconds; `None`: never.
    pub expires: Option<u64>,
}

/// A ban to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedBan {
    /// An address, a network, `country:DE` or `asn:64500`.
    pub whom: String,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For how many seconds; `None`: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// Bans that stand on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedList {
    /// The list's name.
    pub list: String,
    /// One for each; at most [`MOST_LISTED`].
    pub bans: Vec<WantedBan>,
    /// Whether what the list had before and has no more is lifted.
    pub replace: bool,
}

/// The longest list of bans.
pub const MOST_LISTED: usize = 100_000;

/// A policy that is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// For which site; may be left out where all have one policy.
    pub site: Option<String>,
    /// Its file, for places.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// What the policies of all sites name, for a handler without a gate.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// The roles.
    pub roles: Vec<Role>,
    /// The scopes of each site.
    pub scopes: BTreeMap<SiteId, BTreeSet<Scope>>,
}

/// What a handler without a gate has from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Roles and scopes.
    pub policies: Policies,
    /// The master key, if it comes from outside.
    pub master: Option<GivenMaster>,
    /// Whom no ban reaches.
    pub spared: Spared,
    /// Which databases there are to find somebody by country or autonomous system.
    pub sight: Sight,
    /// How wrong passwords and codes are answered.
    pub lockout: Arc<Lockout>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum AdminAnswer {
    /// It is done, and every request from now on is judged accordingly.
    Done,
    /// Accounts, by name.
    Users {
        /// One for each.
        users: Vec<UserLine>,
    },
    /// Sessions, newest first.
    Sessions {
        /// One for each.
        sessions: Vec<SessionLine>,
        /// Those that the store has and cannot read, in words.
        unreadable: Vec<String>,
    },
    /// A second factor that was just made; shown once.
    Enrolled {
        /// The `otpauth` address for an authenticator app.
        url: String,
        /// Its secret, base32, for typing.
        secret: String,
        /// The backup codes.
        backup_codes: Vec<String>,
    },
    /// API keys, newest first.
    Keys {
        /// One for each.
        keys: Vec<KeyLine>,
    },
    /// An API key that was just made; shown once.
    KeyMade {
        /// The key itself.
        text: String,
        /// What is known of it.
        key: KeyLine,
    },
    /// A decision, with what the running policy says now.
    Why {
        /// Without records if the journal has none.
        report: Box<Report>,
    },
    /// Bans.
    Bans {
        /// One for each.
        bans: Vec<BanLine>,
    },
    /// Somebody is banned.
    Banned {
        /// The ban.
        ban: BanLine,
        /// Networks inside it that are let in all the same: proxies, and what the configuration allows.
        spared: Vec<String>,
    },
    /// Whoever stands on a list is banned.
    BansImported(ListedBans),
    /// High Security Mode.
    Mode {
        /// Whether it is on for the installation.
        installation: bool,
        /// Whether it is on for the account, if one was named. It counts while it is on for the installation.
        account: Option<bool>,
    },
    /// What a policy would change.
    Difference {
        /// The version of the one in force.
        running: String,
        /// In words.
        listing: Box<Listing>,
    },
    /// How watched requests arrived, in the order in which they were judged.
    Sightings {
        /// One for each.
        sightings: Vec<Sighting>,
        /// Requests with the marker that there was no room for.
        #[serde(default)]
        lost_marked: usize,
        /// Questions that could not be read, and that there was no room for.
        #[serde(default)]
        lost_unread: usize,
    },
    /// So many sessions were ended.
    Ended {
        /// How many.
        sessions: usize,
    },
    /// Everything is sealed under the current master key but what no key opens.
    Resealed {
        /// So many values are sealed under the current key now.
        sealed: usize,
        /// So many of them were sealed under an older one before.
        renewed: usize,
        /// Whose values no key opens: account names, for authenticator apps, and public ids of sessions.
        lost: Vec<String>,
    },
    /// The answer is no.
    No {
        /// What to do about it.
        why: String,
    },
    /// It could not be done.
    Failed {
        /// What to do about it.
        why: String,
    },
}

/// An account as the command line shows it. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLine {
    /// The account name.
    pub name: String,
    /// For people.
    pub display: String,
    /// May be empty.
    pub email: String,
    /// The role.
    pub role: String,
    /// Whether a policy knows the role; one that none knows has no access anywhere.
    pub role_known: bool,
    /// The issuer that it came from, or `None` if it was made here.
    pub issuer: Option<String>,
    /// The panel's login that it came from, or `None`.
    pub login: Option<String>,
    /// Whether it can sign in here with a password.
    pub password: bool,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether an authenticator app is enrolled.
    pub second_factor: bool,
    /// Backup codes that are left.
    pub backup_codes: usize,
    /// When it was made.
    pub created: u64,
    /// Until when nobody can sign in from networks that the account does not come from, after wrong passwords or codes.
    pub locked_until: Option<u64>,
    /// The same until it is unlocked.
    pub stopped: bool,
}

/// A session as the command line shows it. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// The public id.
    pub id: String,
    /// The account name, or its id if the account is gone.
    pub user: String,
    /// The site.
    pub site: String,
    /// `alive`, `idle`, `expired`, `signed-out`, `revoked`, `refresh-reuse`, `password-changed` or `account-disabled`.
    pub state: String,
    /// The issuer, or `None` if it was opened at the portal.
    pub issuer: Option<String>,
    /// When it was opened.
    pub opened: u64,
    /// Last use that was written down.
    pub seen: u64,
    /// Its absolute end.
    pub expires: u64,
    /// When a second factor was last proved, if ever.
    pub elevated: Option<u64>,
    /// Browser and system, as the client named itself.
    pub device: String,
    /// The client's address at sign-in.
    pub address: String,
}

/// An API key as the command line shows it. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// The public id.
    pub id: String,
    /// The account name, or its id if the account is gone.
    pub user: String,
    /// The site.
    pub site: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: u64,
    /// When it stops working, if ever.
    pub expires: Option<u64>,
    /// Whether that is over.
    pub expired: bool,
    /// The last use that was written down.
    pub used: Option<u64>,
    /// From where.
    pub used_from: Option<String>,
}

/// What came of a list of bans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedBans {
    /// Bans that are new.
    pub added: usize,
    /// Bans that the list had before.
    pub kept: usize,
    /// Bans that stay as they are: those that no list made, and those of another list that last as long.
    pub others: usize,
    /// Bans that the list had before and has no more.
    pub lifted: usize,
    /// What cannot be banned, with the reason; the first [`SHOWN`](Self::SHOWN).
    pub spared: Vec<String>,
    /// How much of that there is.
    pub spared_count: usize,
}

impl ListedBans {
    /// So much is shown of what cannot be banned.
    pub const SHOWN: usize = 50;
}

/// A ban as the command line shows it. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanLine {
    /// Whom it is for: a network, `country:DE` or `asn:64500`.
    pub whom: String,
    /// The network, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The country, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The number of the autonomous system, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// For people.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// From when.
    pub since: u64,
    /// Until when; `None`: until it is lifted.
    pub until: Option<u64>,
    /// Whether it is over.
    pub over: bool,
    /// Whether it reaches nobody, because no database is configured that says who that is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

/// The handler of a running daemon.
pub(super) fn of_daemon(gate: &Arc<Gate>, reloader: &Arc<Reloader>) -> Handler {
    let ground = Ground::Daemon { gate: Arc::clone(gate), reloader: Arc::clone(reloader) };
    Handler::new(Arc::clone(gate.store()), Arc::clone(gate.clock()), Arc::new(SystemEntropy), ground)
}

/// Answers one request without a daemon: opens the store, does it, and lets go of the store again.
///
/// # Errors
/// When the store cannot be opened; [`StoreError::Locked`] if a daemon runs after all.
pub async fn alone(data_dir: &Path, named: Named, request: AdminRequest) -> Result<AdminAnswer, StoreError> {
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
    backup::finish_interrupted(data_dir).map_err(|error| unavailable(&error))?;
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&compose::store_file(data_dir))?);
    let clock = Arc::new(SystemClock::new());
    let handler = Handler::new(
        Arc::clone(&store),
        clock,
        Arc::new(SystemEntropy),
        Ground::Alone {
            policies: named.policies,
            keys: compose::keys_dir(data_dir),
            master: named.master,
            spared: named.spared,
            sight: named.sight,
            lockout: named.lockout,
        },
    );
    // Nothing is done that cannot be accounted for.
    let trail = compose::open_trail_alone(data_dir).map_err(|error| unavailable(&error))?;
    let trail = accounts::attach(trail);
    if !trail.recorder().is_open() && !request.is_held() {
        return Err(unavailable(&handler::UNWRITABLE));
    }
    let answer = handler.handle(request, rustix::process::getuid().as_raw()).await;
    let written = trail.recorder().is_open() && trail.recorder().flush();
    drop(trail);
    store.close().await?;
    Ok(if written { answer } else { handler::unwritten() })
}
