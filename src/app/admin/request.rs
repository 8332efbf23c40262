//! What can be asked.

use serde::{Deserialize, Serialize};

use super::{NewPolicy, NewUser, WantedBan, WantedKey, WantedList};
use crate::rules::{
    identity::{Role, UserName},
    outcome::DecisionId,
    session::PublicId,
};

/// What the command line asks for. Passwords come as bcrypt hashes: hashing is the asker's work.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AdminRequest {
    /// Makes an account.
    AddUser {
        /// Its name.
        name: UserName,
        /// One of the policies' roles.
        role: Role,
        /// For people; may be empty.
        display: String,
        /// May be empty.
        email: String,
        /// bcrypt.
        password_hash: String,
    },
    /// All accounts.
    ListUsers,
    /// Gives an account a new password and signs it out everywhere.
    SetPassword {
        /// Whose.
        name: UserName,
        /// bcrypt.
        password_hash: String,
    },
    /// Gives an account another role.
    SetRole {
        /// Whose.
        name: UserName,
        /// One of the policies' roles.
        role: Role,
    },
    /// Disables an account, which ends its sessions, or enables it.
    SetDisabled {
        /// Whose.
        name: UserName,
        /// Which of the two.
        disabled: bool,
    },
    /// Forgets wrong passwords and codes, so that the account is locked nowhere.
    Unlock {
        /// Whose.
        name: UserName,
    },
    /// One account.
    ShowUser {
        /// Whose.
        name: UserName,
    },
    /// Gives an account that has none an authenticator app and backup codes; they are in the answer and nowhere else.
    Enrol {
        /// Whose.
        name: UserName,
    },
    /// Removes the second factor and the backup codes.
    RemoveFactor {
        /// Whose.
        name: UserName,
    },
    /// Sessions that are alive, and the others as well if `ended`.
    ListSessions {
        /// Of one account, or of all.
        user: Option<UserName>,
        /// Whether to list those that are over, too.
        ended: bool,
    },
    /// Ends one session.
    RevokeSession {
        /// Its public id.
        id: PublicId,
    },
    /// Ends all sessions of an account.
    RevokeSessionsOf {
        /// Whose.
        user: UserName,
    },
    /// Makes accounts, all or none, and changes those that exist if `update` says so.
    ImportUsers {
        /// One for each.
        users: Vec<NewUser>,
        /// Whether accounts that exist are changed, as far as something is said about them.
        update: bool,
    },
    /// Seals everything under the current master key that is sealed under an older one.
    Reseal,
    /// API keys, of one account or of all.
    ListKeys {
        /// Whose.
        user: Option<UserName>,
    },
    /// Makes an API key; its text is in the answer and nowhere else.
    MakeKey(WantedKey),
    /// Deletes an API key.
    RevokeKey {
        /// Its public id.
        id: PublicId,
    },
    /// Everything there is to say about one decision.
    Why {
        /// Its name.
        id: DecisionId,
    },
    /// Removes an account with its sessions and API keys.
    RemoveUser {
        /// Whose.
        name: UserName,
    },
    /// Bans, newest first.
    ListBans {
        /// Whether to list those that are over, too.
        over: bool,
    },
    /// Bans an address, a network, a country or an autonomous system.
    Ban(WantedBan),
    /// Lifts a ban.
    LiftBan {
        /// Whose, as `ban list` shows it.
        whom: String,
    },
    /// Bans whoever stands on a list, all or none.
    ImportBans(WantedList),
    /// High Security Mode, of the installation or of one account.
    HighSecurity {
        /// Whose; `None`: the installation's.
        name: Option<UserName>,
        /// Switches it; `None` only asks.
        on: Option<bool>,
    },
    /// Follows the requests whose path has this marker in it, for `doctor`.
    Watch {
        /// At least twelve small letters and digits.
        marker: String,
    },
    /// What has been seen of them; the watch ends.
    Watched {
        /// As it was opened with.
        marker: String,
    },
    /// Reads configuration, policies and keys again.
    Reload,
    /// What a policy would change.
    DiffPolicy(NewPolicy),
    /// Writes down every decision that was taken before.
    SettleJournal,
    /// Notes that keys are about to be replaced.
    NoteRotated {
        /// Which, in words.
        what: String,
    },
    /// Notes that files of the audit trail may be elsewhere from now on.
    NoteArchived {
        /// Their last record.
        to: u64,
        /// Its hash, in hexadecimal.
        to_hash: String,
        /// Where to.
        folder: String,
        /// How many.
        files: usize,
    },
}

impl AdminRequest {
    /// Whether it is carried out although it cannot be accounted for at once: what only looks, and what takes something
    /// away from whoever has it.
    pub(super) const fn is_held(&self) -> bool {
        match self {
            Self::ListUsers
            | Self::ShowUser { .. }
            | Self::ListSessions { .. }
            | Self::RevokeSession { .. }
            | Self::RevokeSessionsOf { .. }
            | Self::SetDisabled { disabled: true, .. }
            | Self::ListKeys { .. }
            | Self::RevokeKey { .. }
            | Self::Why { .. }
            | Self::ListBans { .. }
            | Self::Ban(_)
            | Self::HighSecurity { on: None, .. }
            | Self::Watched { .. }
            | Self::DiffPolicy(_)
            | Self::SettleJournal => true,
            Self::AddUser { .. }
            | Self::SetPassword { .. }
            | Self::SetRole { .. }
            | Self::SetDisabled { disabled: false, .. }
            | Self::Unlock { .. }
            | Self::Enrol { .. }
            | Self::RemoveFactor { .. }
            | Self::ImportUsers { .. }
            | Self::Reseal
            | Self::MakeKey(_)
            | Self::RemoveUser { .. }
            | Self::LiftBan { .. }
            | Self::ImportBans(_)
            | Self::HighSecurity { on: Some(_), .. }
            | Self::Watch { .. }
            | Self::Reload
            | Self::NoteRotated { .. }
            | Self::NoteArchived { .. } => false,
        }
    }
}
