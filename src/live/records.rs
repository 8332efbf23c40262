//! Sessions and accounts in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use dashmap::{DashMap, mapref::entry::Entry};
use tokio::sync::watch;

use super::{Map, bans::Bans, failures::Failures, loading::Loading, tokens::Tokens};
use crate::{
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyId, KeyUse},
        factor::password,
        identity::{User, UserId, UserName},
        judge::View,
        session::{ExternalKey, Origin, PublicId, Session, Short, Sid},
        token::{AccessClaims, BadToken, KeySet},
    },
    store::{Change, Cursor, Everything},
};

/// Sessions and accounts in memory. No guard of a map leaves this type.
pub struct Records {
    pub(super) loading: Loading,
    sessions: Map<Sid, Arc<Session>>,
    external: DashMap<ExternalKey, Sid>,
    public: Map<Short, Sid>,
    users: Map<UserId, Arc<User>>,
    names: DashMap<UserName, UserId>,
    keys: Map<KeyId, Arc<ApiKey>>,
    pub(super) tokens: Tokens,
    bans: Bans,
    failures: Failures,
    /// High Security Mode is off for the whole installation.
    relaxed: AtomicBool,
    /// Uses not yet written down.
    touched: Map<Sid, Wall>,
    keys_touched: Map<KeyId, KeyUse>,
    /// The highest bcrypt cost of any account since the start; 0 while there is none.
    password_cost: AtomicU32,
    applied: watch::Sender<Cursor>,
    /// Set while the change stream cannot be followed: what is in memory may then be out of date.
    lost: AtomicBool,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            loading: Loading::default(),
            sessions: Map::default(),
            external: DashMap::new(),
            public: Map::default(),
            users: Map::default(),
            names: DashMap::new(),
            keys: Map::default(),
            tokens: Tokens::default(),
            bans: Bans::default(),
            failures: Failures::default(),
            relaxed: AtomicBool::new(false),
            touched: Map::default(),
            keys_touched: Map::default(),
            password_cost: AtomicU32::new(0),
            applied: watch::Sender::new(Cursor::default()),
            lost: AtomicBool::new(false),
        }
    }
}

impl Records {
    /// Loads everything.
    pub fn load(&self, mut everything: Everything) {
        let mut gone = self.loading.lock();
        self.keep_only(&everything);
        for session in std::mem::take(&mut everything.sessions) {
            self.put_session(session);
        }
        self.load_rest(everything);
        self.loading.end(&mut gone);
    }

    /// Loads everything but the sessions, which come by [`Records::put_missing`] until [`Records::end_loading`].
    pub fn begin(&self, rest: Everything) {
        self.loading.begin();
        self.load_rest(rest);
    }

    /// All sessions were put in.
    pub fn end_loading(&self) {
        self.loading.end(&mut self.loading.lock());
    }

    fn load_rest(&self, everything: Everything) {
        for user in everything.users {
            self.put_user(Arc::new(user));
        }
        for key in everything.keys {
            self.keys.insert(key.id, Arc::new(key));
        }
        self.bans.load(everything.bans);
        self.failures.load(everything.failures);
        self.relaxed.store(everything.high_security == Some(false), Ordering::Release);
        self.applied.send_replace(everything.cursor);
    }

    /// Applies one change; changes come in order, and may come again.
    pub fn apply(&self, cursor: Cursor, change: Change) {
        match change {
            Change::Session(session) => self.put_session(session),
            Change::SessionGone(sid) => {
                let mut gone = self.loading.lock();
                self.drop_session(&sid);
                if let Some(gone) = &mut *gone {
                    gone.insert(sid);
                }
            }
            Change::User(user) => self.put_user(user),
            Change::UserGone(id) => self.drop_user(&id),
            Change::Key(key) => drop(self.keys.insert(key.id, key)),
            Change::KeyGone(id) => {
                self.keys.remove(&id);
                self.keys_touched.remove(&id);
            }
            Change::Ban(ban) => self.bans.put(ban),
            Change::BanGone(whom) => self.bans.remove(&whom),
            Change::Everything(everything) => {
                self.load(Arc::unwrap_or_clone(everything));
            }
            Change::Failures(subject, account) => self.failures.put(subject, account),
            Change::HighSecurity(on) => self.relaxed.store(!on, Ordering::Release),
        }
        self.applied.send_if_modified(|applied| {
            let news = cursor > *applied;
            *applied = (*applied).max(cursor);
            news
        });
    }

    /// Notes whether the change stream can be followed.
    pub fn set_lost(&self, lost: bool) {
        self.lost.store(lost, Ordering::Release);
    }

    /// Whether the change stream cannot be followed, so that nothing here may decide any more (R33).
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Puts records in that were read from the store because they were missing here, at a position up to which the
    /// change stream was applied. Once all are here, the stream alone brings sessions.
    pub fn put_missing(&self, sessions: impl IntoIterator<Item = Arc<Session>>) {
        let loading = self.loading.lock();
        let Some(gone) = &*loading else { return };
        for session in sessions {
            if gone.contains(&session.sid) {
                continue;
            }
            // The change stream may bring a newer record at this very moment; an entry is looked at and filled as one.
            if let Entry::Vacant(place) = self.sessions.entry(session.sid) {
                self.index(&session);
                place.insert(session);
            }
        }
    }

    /// Where the change stream has been applied to; wait on it to read one's own writes.
    pub fn applied(&self) -> watch::Receiver<Cursor> {
        self.applied.subscribe()
    }

    /// The account with this name.
    pub fn user_by_name(&self, name: &UserName) -> Option<Arc<User>> {
        let id = *self.names.get(name)?;
        self.user(&id)
    }

    /// What every password check has to cost, so that none is told from another by its time (R31).
    pub fn password_cost(&self) -> u32 {
        match self.password_cost.load(Ordering::Relaxed) {
            0 => password::USUAL_COST,
            cost => cost,
        }
    }

    /// All accounts, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        let mut users: Vec<_> = self.users.iter().map(|entry| Arc::clone(entry.value())).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// The session with this public id, if it is here.
    pub(super) fn by_public(&self, id: &PublicId) -> Option<Arc<Session>> {
        let sid = *self.public.get(&id.short()?)?;
        self.session(&sid)
    }

    /// Looks at every session that is here.
    pub(super) fn each_session(&self, mut look: impl FnMut(&Arc<Session>)) {
        for entry in &self.sessions {
            look(entry.value());
        }
    }

    /// Notes a use, without a write per request.
    pub fn touch(&self, sid: Sid, at: Wall) {
        let mut entry = self.touched.entry(sid).or_insert(at);
        *entry = (*entry).max(at);
    }

    /// When the session was last used, unwritten uses included.
    pub fn last_seen(&self, session: &Session) -> Wall {
        self.touched.get(&session.sid).map_or(session.seen, |at| session.seen.max(*at))
    }

    /// Takes the uses that are not written down yet.
    pub fn take_touched(&self) -> Vec<(Sid, Wall)> {
        let uses: HashMap<Sid, Wall> =
            self.touched.iter().map(|entry| (*entry.key(), *entry.value())).collect();
        for (sid, at) in &uses {
            self.touched.remove_if(sid, |_, now| now == at);
        }
        uses.into_iter().collect()
    }

    /// The API keys of an account, newest first, with uses that are not written down yet.
    pub fn keys_of(&self, user: &UserId) -> Vec<ApiKey> {
        let of_user = self.keys.iter().filter(|entry| entry.value().user == *user);
        let mut keys: Vec<ApiKey> = of_user.map(|entry| ApiKey::clone(entry.value())).collect();
        for key in &mut keys {
            key.used = self.keys_touched.get(&key.id).map(|used| *used).or(key.used);
        }
        keys.sort_by_key(|key| (std::cmp::Reverse(key.created), key.id));
        keys
    }

    /// The bans.
    pub fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Wrong passwords and codes.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Whether High Security Mode is on for the installation.
    pub fn is_high_security(&self) -> bool {
        !self.relaxed.load(Ordering::Acquire)
    }

    /// Notes a use of an API key, without a write per request.
    pub fn touch_key(&self, id: KeyId, used: KeyUse) {
        let mut entry = self.keys_touched.entry(id).or_insert(used);
        if used.at > entry.at {
            *entry = used;
        }
    }

    /// Takes the uses of API keys that are not written down yet.
    pub fn take_touched_keys(&self) -> Vec<(KeyId, KeyUse)> {
        let uses: Vec<(KeyId, KeyUse)> =
            self.keys_touched.iter().map(|entry| (*entry.key(), *entry.value())).collect();
        for (id, used) in &uses {
            self.keys_touched.remove_if(id, |_, now| now == used);
        }
        uses
    }

    /// Drops what is not there any more.
    fn keep_only(&self, everything: &Everything) {
        if self.sessions.is_empty() && self.users.is_empty() && self.keys.is_empty() {
            return;
        }
        let sids: HashSet<Sid> = everything.sessions.iter().map(|session| session.sid).collect();
        let users: HashSet<UserId> = everything.users.iter().map(|user| user.id).collect();
        let keys: HashSet<KeyId> = everything.keys.iter().map(|key| key.id).collect();
        let gone: Vec<Sid> =
            self.sessions.iter().map(|entry| *entry.key()).filter(|sid| !sids.contains(sid)).collect();
        for sid in &gone {
            self.drop_session(sid);
        }
        let gone: Vec<UserId> =
            self.users.iter().map(|entry| *entry.key()).filter(|id| !users.contains(id)).collect();
        for id in &gone {
            self.drop_user(id);
        }
        self.keys.retain(|id, _| keys.contains(id));
    }

    fn put_session(&self, session: Arc<Session>) {
        self.index(&session);
        if session.ended.is_some() {
            self.tokens.forget(&session.sid);
        }
        self.sessions.insert(session.sid, session);
    }

    fn index(&self, session: &Session) {
        if let Origin::External(key) = &session.origin {
            self.external.insert(ExternalKey::clone(key), session.sid);
        }
        self.public.insert(session.sid.short(), session.sid);
    }

    fn drop_session(&self, sid: &Sid) {
        if let Some((_, session)) = self.sessions.remove(sid) {
            if let Origin::External(key) = &session.origin {
                self.external.remove_if(key, |_, now| now == sid);
            }
            self.public.remove(&sid.short());
            self.touched.remove(sid);
            self.tokens.forget(sid);
        }
    }

    fn put_user(&self, user: Arc<User>) {
        let cost = user.password.as_deref().and_then(password::cost_of).unwrap_or(0);
        self.password_cost.fetch_max(cost, Ordering::Relaxed);
        self.names.insert(user.name.clone(), user.id);
        self.users.insert(user.id, user);
    }

    fn drop_user(&self, id: &UserId) {
        if let Some((_, user)) = self.users.remove(id) {
            self.names.remove_if(&user.name, |_, now| now == id);
        }
    }
}

impl View for Records {
    fn session(&self, sid: &Sid) -> Option<Arc<Session>> {
        self.sessions.get(sid).map(|entry| Arc::clone(entry.value()))
    }

    fn external(&self, key: &ExternalKey) -> Option<Arc<Session>> {
        let sid = *self.external.get(key)?;
        self.session(&sid)
    }

    fn user(&self, id: &UserId) -> Option<Arc<User>> {
        self.users.get(id).map(|entry| Arc::clone(entry.value()))
    }

    fn key(&self, id: &KeyId) -> Option<Arc<ApiKey>> {
        self.keys.get(id).map(|entry| Arc::clone(entry.value()))
    }

    fn high_security(&self, user: &User) -> bool {
        user.high_security && self.is_high_security()
    }

    fn last_seen(&self, session: &Session) -> Wall {
        Self::last_seen(self, session)
    }

    fn access(&self, keys: &KeySet, text: &str, site: &str, now: Wall) -> Result<AccessClaims, BadToken> {
        let lives = |sid: &Sid| self.sessions.get(sid).is_some_and(|entry| entry.value().ended.is_none());
        self.tokens.read(keys, text, site, now, lives)
    }
}
