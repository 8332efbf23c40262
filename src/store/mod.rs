//! Everything durable, behind one trait of meaning (not of keys and values).
//!
//! The transitions themselves are pure functions of `rules::session`; a store applies them in one durable
//! transaction. A write is acknowledged only when it is durable (R33), and every write shows up in [`Store::changes`],
//! from which alone `live` is fed.

mod bans;
mod batches;
#[cfg(test)]
mod contract;
mod engine;
mod failures;
mod feed;
mod memory;
mod meter;
mod operations;
mod pieces;
mod records;
mod redb;
mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

pub use self::{
    bans::{ListBanned, Listed},
    batches::Restored,
    memory::MemoryStore,
    meter::StoreMeter,
    records::SCHEMA,
    redb::{Copied, Frozen, Heir, Lent, RedbStore},
};
use crate::{
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyId, KeyUse},
        ban::{Ban, Whom},
        failures::{Account as Failures, Consequence, Failure, Kind, Lockout, Network, Subject, Success},
        identity::{Known, Role, Totp, User, UserId, UserName},
        session::{
            Elevation, EndReason, ExternalIdentity, ExternalKey, Presented, Rotation, Session, SessionChange,
            Sid,
        },
    },
    secret::SecretBytes,
};

/// How many API keys an account can have.
pub const MOST_KEYS: usize = 50;

/// A position in the change stream; later is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor(pub u64);

/// The result of a durable write and its position in the change stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// What came of it.
    pub value: T,
    /// `live` shows the write once it has applied the stream up to here.
    pub cursor: Cursor,
}

/// One change, in commit order. Idempotent: it carries the whole new record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// A session was opened or changed.
    Session(Arc<Session>),
    /// A session's record, tombstone included, is no longer needed.
    SessionGone(Sid),
    /// An account was made or changed.
    User(Arc<User>),
    /// An account was removed.
    UserGone(UserId),
    /// An API key was made or used.
    Key(Arc<ApiKey>),
    /// An API key was removed.
    KeyGone(KeyId),
    /// A network, a country or an autonomous system was banned, or its ban was changed.
    Ban(Arc<Ban>),
    /// A ban was lifted, or has been over for long.
    BanGone(Whom),
    /// Everything again, for a follower that fell behind: what is not in it is gone.
    Everything(Arc<Everything>),
    /// High Security Mode was switched for the whole installation.
    HighSecurity(bool),
    /// Failures were counted or forgiven; `None`: they are forgotten.
    Failures(Subject, Option<Arc<Failures>>),
}

/// Everything at one position of the change stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Everything {
    /// The position.
    pub cursor: Cursor,
    /// All sessions, tombstones included.
    pub sessions: Vec<Arc<Session>>,
    /// All accounts.
    pub users: Vec<User>,
    /// All API keys.
    pub keys: Vec<ApiKey>,
    /// All bans, those that were over a short while ago included.
    pub bans: Vec<Ban>,
    /// What failures have left of accounts and of names that are none.
    pub failures: Vec<(Subject, Failures)>,
    /// Whether High Security Mode is on; it is unless it was switched off.
    pub high_security: Option<bool>,
    /// Sessions that cannot be read, in words. Whoever presents one is refused.
    pub unreadable: Vec<String>,
}

/// What a gate begins with: everything but the sessions, which can be very many, and those little by little.
pub struct Beginning {
    /// Everything but the sessions.
    pub rest: Everything,
    /// All sessions, tombstones included, as they were at the position of `rest`; read as they are asked for.
    pub sessions: BoxStream<'static, Result<Piece, StoreError>>,
}

/// Some of the sessions.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// Those that can be read.
    pub sessions: Vec<Arc<Session>>,
    /// Those that cannot, in words.
    pub unreadable: Vec<String>,
}

/// What was read, and the position of the change stream that it was read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was there.
    pub value: T,
    /// Changes up to here are in it; whoever follows the stream may not have come so far.
    pub cursor: Cursor,
}

/// What the store could not do. Whatever it was, nothing is half done, and the gate stays closed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or written; try again later.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The file or a record is not what we wrote.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// It was made by another version.
    #[error(
        "the store has schema {found}, this program needs {wanted}: run the version that made it, or restore a backup"
    )]
    Schema {
        /// In the file.
        found: u32,
        /// Ours.
        wanted: u32,
    },
    /// Another process holds it.
    #[error("the store is in use by another process (a running panelgate?)")]
    Locked,
    /// Another process has taken over, and cannot be asked to do it any more.
    #[error("another panelgate has taken over; try again in a moment")]
    HandedOver,
}

/// What [`Store::open_external`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalOpened {
    /// A new session.
    New(Session),
    /// It was there already, alive or ended: the record says.
    Known(Session),
}

/// A change to an account; only what is `Some` changes.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// The new role.
    pub role: Option<Role>,
    /// The new bcrypt hash; ends every session of the account but `keep`.
    pub password: Option<String>,
    /// Disabled (ends every session) or enabled.
    pub disabled: Option<bool>,
    /// Enrol (`Some(Some)`) or remove (`Some(None)`) the authenticator app. Removing drops the backup codes too.
    pub totp: Option<Option<Totp>>,
    /// Replaces all backup codes by these hashes.
    pub backup_codes: Option<Vec<[u8; 32]>>,
    /// What the password has to be before the change; otherwise nothing changes.
    pub password_was: Option<String>,
    /// The session that survives a password change.
    pub keep: Option<Sid>,
    /// The new mail address.
    pub email: Option<String>,
    /// The new name for people.
    pub display: Option<String>,
    /// Switches High Security Mode for the account.
    pub high_security: Option<bool>,
    /// A place that the account has signed in from, to be remembered.
    pub known: Option<Known>,
}

/// An account to import: as it is to be if there is none of this name, and otherwise what changes about the one there is.
#[derive(Clone, Debug)]
pub struct Import {
    /// The new account.
    pub fresh: User,
    /// The change.
    pub change: UserChange,
}

/// A sealed value and the same one sealed again; see [`Store::reseal`].
#[derive(Clone, Debug)]
pub struct Reseal {
    /// Whose.
    pub of: Sealed,
    /// As it was read.
    pub old: SecretBytes,
    /// As it is to be.
    pub new: SecretBytes,
}

/// What holds sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// An account's authenticator app.
    Totp(UserId),
    /// A session's second factor that is being set up.
    Enrolment(Sid),
    /// A session's sign-in at the panel.
    Panel(Sid),
}

/// Which sessions to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(Sid),
    /// All of an account.
    AllOf(UserId),
    /// All of an account but one.
    OthersOf(UserId, Sid),
}

/// Everything durable. All methods are safe to call again after an unknown result.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Everything, at one position of the change stream. A session that cannot be read is left out and named.
    async fn everything(&self) -> Result<Everything, StoreError>;

    /// Everything but the sessions, at one position of the change stream.
    async fn rest(&self) -> Result<Everything, StoreError>;

    /// The same, with the sessions of that position to be read afterwards.
    async fn begin(&self) -> Result<Beginning, StoreError>;

    /// The changes after `from`, at least once, in order, without end. An item is the position after the change.
    async fn changes(&self, from: Cursor) -> Result<BoxStream<'static, (Cursor, Change)>, StoreError>;

    /// One session, tombstones included.
    async fn session(&self, sid: &Sid) -> Result<Option<Session>, StoreError>;

    /// The same, for whoever follows the change stream as well.
    async fn session_at(&self, sid: &Sid) -> Result<Found<Option<Session>>, StoreError>;

    /// An account by name.
    async fn user_by_name(&self, name: &UserName) -> Result<Option<User>, StoreError>;

    /// Makes an account; `false` if the name is taken.
    async fn add_user(&self, user: User) -> Result<Written<bool>, StoreError>;

    /// Changes an account in one transaction; `false` if there is none, or its password is another one than
    /// [`UserChange::password_was`]. Taking the second factor away ends every elevation.
    async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        at: Wall,
    ) -> Result<Written<bool>, StoreError>;

    /// Gives an account an authenticator app and backup codes, if the sealed secret of its app is `replaces` (`None`: if
    /// it has no app); `false` if not. Exactly one of any number of parallel calls is told `true`.
    async fn enrol(
        &self,
        id: UserId,
        totp: Totp,
        backup_codes: Vec<[u8; 32]>,
        replaces: Option<SecretBytes>,
    ) -> Result<Written<bool>, StoreError>;

    /// Switches High Security Mode for the whole installation.
    async fn set_high_security(&self, on: bool) -> Result<Written<()>, StoreError>;

    /// Makes accounts, all or none. Accounts that exist already are changed if `update` says so, as
    /// [`Store::change_user`] would; otherwise, and if they are not of the embedded source, they are named and nothing
    /// is done.
    async fn import(
        &self,
        accounts: Vec<Import>,
        update: bool,
        at: Wall,
    ) -> Result<Written<Result<(), Vec<UserName>>>, StoreError>;

    /// Replaces sealed values that are still what was read; how many it replaced.
    async fn reseal(&self, values: Vec<Reseal>) -> Result<Written<usize>, StoreError>;

    /// What has to be done to a store that was restored from an earlier time: ends every session if `end_sessions`, and
    /// lets no authenticator code up to `totp_step` count, which may have been used already.
    async fn restored(
        &self,
        end_sessions: bool,
        totp_step: u64,
        at: Wall,
    ) -> Result<Written<Restored>, StoreError>;

    /// Removes an account, ends its sessions and drops its API keys; `false` if there is none.
    async fn remove_user(&self, id: UserId, at: Wall) -> Result<Written<bool>, StoreError>;

    /// Accepts an authenticator step if it is later than the last accepted one (R14). Exactly one of any number of
    /// parallel calls with one step is told `true`.
    async fn consume_totp(&self, id: UserId, step: u64) -> Result<Written<bool>, StoreError>;

    /// Takes a backup code out of the account. `Some(remaining)` to exactly one caller per code.
    async fn consume_backup_code(
        &self,
        id: UserId,
        hash: [u8; 32],
    ) -> Result<Written<Option<usize>>, StoreError>;

    /// Writes a new session down.
    async fn open_session(&self, session: Session) -> Result<Written<()>, StoreError>;

    /// Writes a new session down, unless the password has been changed since: `password_changed` is the account's when
    /// the password was checked. `false` if it was not opened.
    async fn sign_in(
        &self,
        session: Session,
        password_changed: Option<Wall>,
    ) -> Result<Written<bool>, StoreError>;

    /// Opens the session of an issuer's session claim, unless there is one (a tombstone counts as one). The account
    /// is made at first sight: `fresh_user` is its id then. `template` is the record to write if it is new.
    async fn open_external(
        &self,
        identity: ExternalIdentity,
        fresh_user: UserId,
        template: Session,
    ) -> Result<Written<ExternalOpened>, StoreError>;

    /// Finds an external session by its key, tombstones included.
    async fn external(&self, key: &ExternalKey) -> Result<Option<Session>, StoreError>;

    /// Compare-and-swap rotation of the refresh family (R13), by `rules::session::rotate`. `None`: no such session.
    async fn rotate(&self, presented: Presented) -> Result<Written<Option<Rotation>>, StoreError>;

    /// Notes that the current generation was seen in an access token (`rules::session::mark_seen`).
    async fn mark_seen(&self, sid: Sid, generation: u64, at: Wall) -> Result<Written<()>, StoreError>;

    /// Writes a proof of the second factor into a live session; `false` if the session is not alive.
    async fn elevate(&self, sid: Sid, elevation: Elevation) -> Result<Written<bool>, StoreError>;

    /// Changes what a live session carries (`rules::session::change`); `false` if it is not alive, or already acts as
    /// somebody and should do so again.
    async fn change_session(
        &self,
        sid: Sid,
        change: SessionChange,
        at: Wall,
    ) -> Result<Written<bool>, StoreError>;

    /// Writes a new API key down; `false` if its account is gone or has [`MOST_KEYS`] already.
    async fn add_key(&self, key: ApiKey) -> Result<Written<bool>, StoreError>;

    /// Removes an API key of this account; `false` if it has none with this id.
    async fn remove_key(&self, user: UserId, id: KeyId) -> Result<Written<bool>, StoreError>;

    /// Notes uses of API keys, a batch at a time.
    async fn touch_keys(&self, uses: Vec<(KeyId, KeyUse)>) -> Result<Written<()>, StoreError>;

    /// Bans somebody; a ban of the same network, country or autonomous system is replaced. `true` if there was none that
    /// counts.
    async fn ban(&self, ban: Ban) -> Result<Written<bool>, StoreError>;

    /// Lifts exactly this ban; `false` if there is none.
    async fn lift_ban(&self, whom: Whom) -> Result<Written<bool>, StoreError>;

    /// Bans whoever stands on a list, all at once. What no list banned stays as it is, and so does what another list banned
    /// for as long; what the same list had is written again, and with `replace` what is not on it any more is lifted.
    async fn ban_list(&self, list: Listed, replace: bool) -> Result<Written<ListBanned>, StoreError>;

    /// What failures have left of networks, those that failed last first, at most `most`.
    async fn networks(&self, most: usize) -> Result<Vec<Network>, StoreError>;

    /// Counts a failure at an account or a name, and at a network, which is banned when it was one too many.
    async fn fail(&self, failure: Failure, rules: Arc<Lockout>) -> Result<Written<Consequence>, StoreError>;

    /// Takes note of a success, which takes back what failed from the same network and nothing else.
    async fn succeed(&self, success: Success, rules: Arc<Lockout>) -> Result<Written<()>, StoreError>;

    /// Forgets the failures at an account; whether there were any. A new password forgives those with passwords, a new
    /// second factor those with codes.
    async fn forgive(&self, user: UserId, kinds: Vec<Kind>) -> Result<Written<bool>, StoreError>;

    /// Ends sessions; the number that were alive and are not any more.
    async fn end(&self, which: Which, why: EndReason, at: Wall) -> Result<Written<usize>, StoreError>;

    /// Notes uses of sessions, a batch at a time.
    async fn touch(&self, uses: Vec<(Sid, Wall)>) -> Result<Written<()>, StoreError>;

    /// Removes at most `limit` sessions that nothing can name any more, and as many bans that have long been over; how many
    /// sessions it removed.
    async fn purge(&self, now: Wall, limit: usize) -> Result<Written<usize>, StoreError>;

    /// Makes everything written so far durable and lets go of the file. Later calls fail.
    async fn close(&self) -> Result<(), StoreError>;
}
