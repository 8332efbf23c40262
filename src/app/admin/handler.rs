//! What each request of the command line does.

mod api_keys;
mod bans;
mod locks;
mod modes;
mod policies;
mod watches;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use super::{AdminAnswer, AdminRequest, Policies, SessionLine, UserLine};
use crate::{
    app::Reloader,
    clock::{Clock, Wall},
    entropy::Entropy,
    feeds::keys::{self, GivenMaster},
    gate::{
        Gate,
        accounts::{self, Matter},
    },
    rules::{
        api_key::Scope,
        ban::{Sight, Spared},
        factor::{backup, password, totp},
        failures::{Account, Barred, Lockout, Subject},
        identity::{Role, Totp, User, UserId, UserName, UserSource},
        outcome::DecisionId,
        record::Report,
        session::{self, EndReason, Origin, PublicId, Session, SiteId, Status},
        token::KeySet,
        trail::ARCHIVED,
    },
    store::{Everything, Store, StoreError, UserChange, Which, Written},
};

/// Answers administration requests.
pub struct Handler {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    ground: Ground,
}

/// Where the handler stands.
pub(super) enum Ground {
    /// In the daemon: what it does must show at the gate before it answers.
    Daemon {
        /// Shows it.
        gate: Arc<Gate>,
        /// Reads the configuration again.
        reloader: Arc<Reloader>,
    },
    /// In a process of its own, with what the policies name.
    Alone {
        /// Roles and scopes.
        policies: Policies,
        /// The folder of the keys.
        keys: PathBuf,
        /// The master key, if it comes from outside.
        master: Option<GivenMaster>,
        /// Whom no ban reaches.
        spared: Spared,
        /// Which databases there are.
        sight: Sight,
        /// How wrong passwords and codes are answered.
        lockout: Arc<Lockout>,
    },
}

/// Why nothing is done that has to be accounted for.
pub(super) const UNWRITABLE: &str = "the audit trail cannot be written, and this has to be in it: make room on the disk of \
                                     the data directory, or see the log; nothing was done";

/// What was done, and is not in the trail.
pub(super) fn unwritten() -> AdminAnswer {
    let why = "it was done, but the audit trail could not be written in time: see the log, and whether the disk is full";
    AdminAnswer::Failed { why: why.to_owned() }
}

/// Why a request was not carried out.
pub(super) enum Refusal {
    No(String),
    Fault(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(fault: StoreError) -> Self {
        Self::Fault(fault)
    }
}

pub(super) type Outcome = Result<AdminAnswer, Refusal>;

impl Handler {
    /// Works on a store; `ground` says whether a gate has to follow.
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        ground: Ground,
    ) -> Self {
        Self { store, clock, entropy, ground }
    }

    /// Carries a request out. `by` is the user id of whoever asks, for the audit.
    pub async fn handle(&self, request: AdminRequest, by: u32) -> AdminAnswer {
        let held = request.is_held();
        if !held && !self.can_account() {
            return AdminAnswer::Failed { why: UNWRITABLE.to_owned() };
        }
        let (outcome, receipt) =
            accounts::run(Matter::of_command(), Box::pin(self.carry_out(request, by))).await;
        // What is held back until there is room is not waited for.
        let held = held && !self.can_account();
        match outcome {
            Ok(_) if !held && !receipt.is_written().await => unwritten(),
            Ok(answer) => answer,
            Err(Refusal::No(why)) => AdminAnswer::No { why },
            Err(Refusal::Fault(fault)) => AdminAnswer::Failed { why: fault.to_string() },
        }
    }

    async fn carry_out(&self, request: AdminRequest, by: u32) -> Outcome {
        match request {
            AdminRequest::AddUser { name, role, display, email, password_hash } => {
                let account = self.fresh_account(name, role, password_hash);
                self.add_user(User { display, email, ..account }, by).await
            }
            AdminRequest::ListUsers => self.list_users().await,
            AdminRequest::ShowUser { name } => {
                let user = self.user(&name).await?;
                let failures = self.failures().await?;
                Ok(AdminAnswer::Users { users: vec![self.user_line(&user, &failures)] })
            }
            AdminRequest::Unlock { name } => self.unlock(&name, by).await,
            AdminRequest::Enrol { name } => self.enrol(&name, by).await,
            AdminRequest::SetPassword { name, password_hash } => {
                check_hash(&password_hash)?;
                let change = UserChange { password: Some(password_hash), ..UserChange::default() };
                self.change_user(&name, change, "password-set", by).await
            }
            AdminRequest::SetRole { name, role } => {
                self.check_role(&role)?;
                let change = UserChange { role: Some(role), ..UserChange::default() };
                self.change_user(&name, change, "role-set", by).await
            }
            AdminRequest::SetDisabled { name, disabled } => {
                let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
                let event = if disabled { "user-disabled" } else { "user-enabled" };
                self.change_user(&name, change, event, by).await
            }
            AdminRequest::RemoveFactor { name } => self.remove_factor(&name, by).await,
            AdminRequest::ListSessions { user, ended } => self.list_sessions(user, ended).await,
            AdminRequest::RevokeSession { id } => self.revoke_session(&id, by).await,
            AdminRequest::RevokeSessionsOf { user } => {
                let account = self.user(&user).await?;
                self.end(Which::AllOf(account.id), (user.as_str(), "all"), by).await
            }
            AdminRequest::ImportUsers { users, update } => self.import(users, update, by).await,
            AdminRequest::Reseal => self.reseal(by).await,
            AdminRequest::ListKeys { user } => self.list_keys(user).await,
            AdminRequest::MakeKey(wanted) => self.make_key(wanted, by).await,
            AdminRequest::RevokeKey { id } => self.revoke_key(&id, by).await,
            AdminRequest::Why { id } => self.why(id).await,
            AdminRequest::RemoveUser { name } => self.remove_user(&name, by).await,
            AdminRequest::ListBans { over } => self.list_bans(over).await,
            AdminRequest::Ban(wanted) => self.ban(wanted, by).await,
            AdminRequest::LiftBan { whom } => self.lift_ban(&whom, by).await,
            AdminRequest::ImportBans(list) => self.ban_list(list, by).await,
            AdminRequest::HighSecurity { name, on } => self.high_security(name.as_ref(), on, by).await,
            AdminRequest::Watch { marker } => self.watch(&marker, by),
            AdminRequest::Watched { marker } => self.watched(&marker),
            AdminRequest::Reload => self.reload().await,
            AdminRequest::DiffPolicy(new) => self.diff_policy(new).await,
            AdminRequest::SettleJournal => self.settle_journal().await,
            AdminRequest::NoteRotated { what } => Ok(note_rotated(&what, by)),
            AdminRequest::NoteArchived { to, to_hash, folder, files } => {
                Ok(note_archived((to, &to_hash), &folder, files, by))
            }
        }
    }

    fn can_account(&self) -> bool {
        match &self.ground {
            Ground::Daemon { gate, .. } => gate.can_account(),
            // Whoever opened the trail has looked.
            Ground::Alone { .. } => true,
        }
    }

    fn fresh_account(&self, name: UserName, role: Role, password_hash: String) -> User {
        User {
            id: UserId(self.entropy.array()),
            name,
            display: String::new(),
            email: String::new(),
            role,
            source: UserSource::Embedded,
            password: Some(password_hash),
            disabled: false,
            totp: None,
            backup_codes: vec![],
            created: self.clock.wall(),
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        }
    }

    async fn add_user(&self, account: User, by: u32) -> Outcome {
        self.check_role(&account.role)?;
        check_hash(account.password.as_deref().unwrap_or_default())?;
        let (name, role) = (account.name.clone(), account.role.clone());
        if !self.settled(self.store.add_user(account).await?).await {
            return no(format!(
                "there is an account `{name}` already: `panelgate user passwd` or `user role` change it"
            ));
        }
        tracing::info!(target: "panelgate::audit", event = "user-added", user = %name, %role, by);
        Ok(AdminAnswer::Done)
    }

    async fn list_users(&self) -> Outcome {
        let Everything { mut users, failures, .. } = self.store.rest().await?;
        users.sort_by(|a, b| a.name.cmp(&b.name));
        let failures = failures.into_iter().collect();
        Ok(AdminAnswer::Users { users: users.iter().map(|user| self.user_line(user, &failures)).collect() })
    }

    async fn change_user(&self, name: &UserName, change: UserChange, event: &str, by: u32) -> Outcome {
        let account = self.user(name).await?;
        let role = change.role.as_ref().unwrap_or(&account.role).to_string();
        let before = change.role.is_some().then(|| account.role.to_string());
        let written = self.store.change_user(account.id, change, self.clock.wall()).await?;
        if !self.settled(written).await {
            return no_user(name);
        }
        tracing::info!(target: "panelgate::audit", event, user = %name, before, role, by);
        Ok(AdminAnswer::Done)
    }

    /// For operators: the account's owner gets the secret from whoever ran the command.
    async fn enrol(&self, name: &UserName, by: u32) -> Outcome {
        let account = self.user(name).await?;
        if account.totp.is_some() {
            return no(format!(
                "`{name}` has a second factor already: `panelgate 2fa disable {name}` removes it"
            ));
        }
        let keys = self.keys()?;
        let secret: [u8; totp::SECRET_LENGTH] = self.entropy.array();
        let codes = backup::generate(std::array::from_fn(|_| self.entropy.array()));
        let sealed_secret = totp::seal(keys.master(), &account.id, &secret, self.entropy.array());
        let change = UserChange {
            totp: Some(Some(Totp { sealed_secret, last_step: 0 })),
            backup_codes: Some(codes.iter().map(|code| backup::hash(&account.id, code.expose())).collect()),
            ..UserChange::default()
        };
        self.change_user(name, change, "second-factor-enrolled", by).await?;
        Ok(AdminAnswer::Enrolled {
            url: totp::url(&secret, "Panelgate", name.as_str()),
            secret: data_encoding::BASE32_NOPAD.encode(&secret),
            backup_codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
        })
    }

    pub(super) fn keys(&self) -> Result<KeySet, Refusal> {
        match &self.ground {
            Ground::Daemon { gate, .. } => Ok(gate.live().snapshot().keys.clone()),
            Ground::Alone { keys, master, .. } => {
                keys::load_or_create_under(keys, master.as_ref(), &*self.entropy, self.clock.wall())
                    .map_err(|error| Refusal::Fault(StoreError::Unavailable(error.to_string())))
            }
        }
    }

    async fn remove_factor(&self, name: &UserName, by: u32) -> Outcome {
        let account = self.user(name).await?;
        if account.totp.is_none() && account.backup_codes.is_empty() {
            return no(format!("`{name}` has no second factor"));
        }
        let change = UserChange { totp: Some(None), ..UserChange::default() };
        self.change_user(name, change, "second-factor-removed", by).await
    }

    async fn remove_user(&self, name: &UserName, by: u32) -> Outcome {
        let account = self.user(name).await?;
        if !self.settled(self.store.remove_user(account.id, self.clock.wall()).await?).await {
            return no_user(name);
        }
        tracing::info!(target: "panelgate::audit", event = "user-removed", user = %name, by);
        Ok(AdminAnswer::Done)
    }

    async fn list_sessions(&self, user: Option<UserName>, ended: bool) -> Outcome {
        let of = match &user {
            Some(name) => Some(self.user(name).await?.id),
            None => None,
        };
        let everything = self.store.everything().await?;
        let names: BTreeMap<UserId, String> =
            everything.users.iter().map(|user| (user.id, user.name.to_string())).collect();
        let now = self.clock.wall();
        let (mut sessions, unreadable) = (everything.sessions, everything.unreadable);
        sessions.retain(|session| of.is_none_or(|user| session.user == user));
        sessions.retain(|session| ended || session::status(session, session.seen, now) == Status::Alive);
        sessions.sort_by_key(|session| (std::cmp::Reverse(session.opened), session.sid));
        let line = |session: &Arc<Session>| session_line(session, names.get(&session.user), now);
        Ok(AdminAnswer::Sessions { sessions: sessions.iter().map(line).collect(), unreadable })
    }

    async fn revoke_session(&self, id: &PublicId, by: u32) -> Outcome {
        let Everything { users, sessions, .. } = self.store.everything().await?;
        let Some(session) = sessions.iter().find(|session| session.sid.public() == *id) else {
            return no(format!("there is no session `{id}`: `panelgate session list` shows those there are"));
        };
        let user = users.iter().find(|user| user.id == session.user).map_or("", |user| user.name.as_str());
        self.end(Which::One(session.sid), (user, &id.0), by).await
    }

    async fn end(&self, which: Which, (user, what): (&str, &str), by: u32) -> Outcome {
        let written = self.store.end(which, EndReason::Revoked, self.clock.wall()).await?;
        let sessions = self.settled(written).await;
        tracing::info!(target: "panelgate::audit", event = "sessions-revoked", user, what, ended = sessions, by);
        Ok(AdminAnswer::Ended { sessions })
    }

    async fn why(&self, id: DecisionId) -> Outcome {
        let Ground::Daemon { gate, .. } = &self.ground else {
            return no("no panelgate is running; the journal's files tell");
        };
        let (records, span) = (gate.archive().find(id).await, gate.archive().span().await);
        let report = Report { records, now: None, span };
        let snapshot = gate.live().snapshot();
        let site = report.record().and_then(|record| record.site.clone());
        let site = snapshot.sites.all().iter().find(|running| Some(&running.id) == site.as_ref());
        let report = Box::new(report.under(site.map(|site| &*site.policy)));
        Ok(AdminAnswer::Why { report })
    }

    async fn reload(&self) -> Outcome {
        match &self.ground {
            Ground::Daemon { reloader, .. } => match reloader.reload("panelgate reload").await {
                Ok(()) => Ok(AdminAnswer::Done),
                Err(problems) => no(problems),
            },
            Ground::Alone { .. } => no("no panelgate is running; it reads the configuration when it starts"),
        }
    }

    async fn user(&self, name: &UserName) -> Result<User, Refusal> {
        match self.store.user_by_name(name).await? {
            Some(user) => Ok(user),
            None => Err(Refusal::No(unknown_user(name))),
        }
    }

    /// The value of a write, once the gate judges by it.
    pub(super) async fn settled<T>(&self, written: Written<T>) -> T {
        match &self.ground {
            Ground::Daemon { gate, .. } => gate.settled(written).await,
            Ground::Alone { .. } => written.value,
        }
    }

    fn roles(&self) -> Vec<Role> {
        let Ground::Daemon { gate, .. } = &self.ground else {
            let Ground::Alone { policies, .. } = &self.ground else { return vec![] };
            return policies.roles.clone();
        };
        let snapshot = gate.live().snapshot();
        snapshot.sites.all().iter().flat_map(|site| site.policy.roles().to_vec()).collect()
    }

    fn scopes(&self) -> BTreeMap<SiteId, BTreeSet<Scope>> {
        let Ground::Daemon { gate, .. } = &self.ground else {
            let Ground::Alone { policies, .. } = &self.ground else { return BTreeMap::new() };
            return policies.scopes.clone();
        };
        let snapshot = gate.live().snapshot();
        snapshot.sites.all().iter().map(|site| (SiteId::clone(&site.id), site.policy.scopes())).collect()
    }

    pub(super) fn check_role(&self, role: &Role) -> Result<(), Refusal> {
        let mut known = self.roles();
        if known.contains(role) {
            return Ok(());
        }
        known.dedup();
        let known: Vec<_> = known.iter().map(|role| format!("`{role}`")).collect();
        Err(Refusal::No(format!("no policy knows the role `{role}`; there are {}", known.join(", "))))
    }

    fn user_line(&self, user: &User, failures: &HashMap<Subject, Account>) -> UserLine {
        let now = self.clock.wall();
        let failures = failures.get(&Subject::Account(user.id));
        let barred = failures.and_then(|failures| failures.standing(&self.lockout(), now).worst());
        UserLine {
            name: user.name.to_string(),
            display: user.display.clone(),
            email: user.email.clone(),
            role: user.role.to_string(),
            role_known: self.roles().contains(&user.role),
            issuer: match &user.source {
                UserSource::Issuer(issuer) => Some(issuer.clone()),
                UserSource::Embedded | UserSource::Login(_) => None,
            },
            login: match &user.source {
                UserSource::Login(login) => Some(login.clone()),
                UserSource::Embedded | UserSource::Issuer(_) => None,
            },
            password: user.password.is_some(),
            disabled: user.disabled,
            second_factor: user.totp.is_some(),
            backup_codes: user.backup_codes.len(),
            created: user.created.secs(),
            locked_until: match barred {
                Some(Barred::For(wait)) => Some(now.plus(wait).secs()),
                Some(Barred::Stopped) | None => None,
            },
            stopped: barred == Some(Barred::Stopped),
        }
    }
}

fn note_rotated(what: &str, by: u32) -> AdminAnswer {
    tracing::info!(target: "panelgate::audit", event = "keys-rotated", what, by);
    AdminAnswer::Done
}

fn note_archived((to, to_hash): (u64, &str), folder: &str, files: usize, by: u32) -> AdminAnswer {
    tracing::info!(target: "panelgate::audit", event = ARCHIVED, to, to_hash, folder, files, by);
    AdminAnswer::Done
}

fn session_line(session: &Session, name: Option<&String>, now: Wall) -> SessionLine {
    SessionLine {
        id: session.sid.public().to_string(),
        user: name.cloned().unwrap_or_else(|| session.user.to_string()),
        site: session.site.to_string(),
        state: state(session::status(session, session.seen, now)).to_owned(),
        issuer: match &session.origin {
            Origin::Portal => None,
            Origin::External(key) => Some(key.issuer.clone()),
        },
        opened: session.opened.secs(),
        seen: session.seen.secs(),
        expires: session.expires.secs(),
        elevated: session.elevation.map(|elevation| elevation.at.secs()),
        device: session.device.clone(),
        address: session.address.to_string(),
    }
}

fn state(status: Status) -> &'static str {
    match status {
        Status::Alive => "alive",
        Status::Idle => "idle",
        Status::Expired => "expired",
        Status::Ended(EndReason::SignedOut) => "signed-out",
        Status::Ended(EndReason::Revoked) => "revoked",
        Status::Ended(EndReason::RefreshReuse) => "refresh-reuse",
        Status::Ended(EndReason::PasswordChanged) => "password-changed",
        Status::Ended(EndReason::AccountDisabled) => "account-disabled",
    }
}

pub(super) fn check_hash(hash: &str) -> Result<(), Refusal> {
    if password::well_formed(hash) {
        return Ok(());
    }
    Err(Refusal::No("the password hash is not a bcrypt hash ($2a$, $2b$ or $2y$)".into()))
}

fn unknown_user(name: &UserName) -> String {
    format!("there is no account `{name}`: `panelgate user list` shows those there are")
}

fn no_user(name: &UserName) -> Outcome {
    no(unknown_user(name))
}

pub(super) fn no(why: impl Into<String>) -> Outcome {
    Err(Refusal::No(why.into()))
}
