//! What an embedded backend must be able to do, and the [`Store`] that follows from it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::oneshot;

use super::{
    Beginning, Change, Cursor, Everything, ExternalOpened, Found, Import, Reseal, Store, StoreError,
    UserChange, Which, Written,
    bans::{self, ListBanned, Listed},
    batches::{self, Restored},
    failures,
    feed::{self, Feed},
    operations, pieces,
    records::{self, Reading, Writing},
    tables::{Read, Tables},
};
use crate::{
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyId, KeyUse},
        ban::{Ban, Whom},
        failures::{Consequence, Failure as Guess, Kind, Lockout, Network, Success},
        identity::{Totp, User, UserId, UserName},
        session::{
            Elevation, EndReason, ExternalIdentity, ExternalKey, Presented, Rotation, Session, SessionChange,
            Sid,
        },
    },
    secret::SecretBytes,
};

/// A backend that keeps tables. Every engine is a [`Store`].
pub(super) trait Engine: Send + Sync + 'static {
    /// Answers a question from what is committed.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// What is committed at this moment, for as long as it is held; `None` if it is elsewhere.
    fn view(&self) -> impl Future<Output = Result<Option<View>, StoreError>> + Send;

    /// Runs a job in a durable transaction, publishes its changes, and only then lets it answer.
    fn submit(&self, job: Box<dyn Job>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The change stream.
    fn feed(&self) -> &Feed;

    /// Lets go of everything.
    fn shut(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A moment that is held fast.
pub(super) type View = Arc<dyn Read + Send + Sync>;

/// A write on its way to the transaction that it will share with others.
pub(super) trait Job: Send {
    /// Does the work and keeps the result.
    fn run(&mut self, to: &mut Writing<'_>) -> Result<(), StoreError>;

    /// Tells whoever waits: the position after the commit, or why nothing was done.
    fn answer(self: Box<Self>, outcome: Result<Cursor, StoreError>);
}

/// How far the changes of a transaction are counted. It is written down once, not by each of the jobs that share the
/// transaction; to them it looks as if it were.
pub(super) struct Position {
    at: Cursor,
    /// What the tables say.
    written: Cursor,
}

impl Position {
    /// Where the tables are.
    pub(super) fn of(tables: &dyn Read) -> Result<Self, StoreError> {
        let at = Reading(tables).cursor()?;
        Ok(Self { at, written: at })
    }

    /// Writes it down.
    pub(super) fn keep(self, tables: &mut dyn Tables) -> Result<(), StoreError> {
        if self.at > self.written { records::put_cursor(tables, self.at) } else { Ok(()) }
    }
}

/// What a job has left in the transaction.
pub(super) struct Applied {
    /// The position after it.
    pub(super) cursor: Cursor,
    /// In order.
    pub(super) changes: Vec<(Cursor, Change)>,
    /// Whether there is anything to commit.
    pub(super) wrote: bool,
}

/// Why a job was not applied.
pub(super) enum Failure {
    /// The job failed by itself and has left no trace.
    Job(StoreError),
    /// The transaction cannot be used any more.
    Transaction(StoreError),
}

/// Runs a job against a transaction, all or nothing.
pub(super) fn apply(
    job: &mut dyn Job,
    tables: &mut dyn Tables,
    position: &mut Position,
) -> Result<Applied, Failure> {
    let mut staged = records::counted(tables, position.at);
    let mut writing = Writing::new(&mut staged);
    job.run(&mut writing).map_err(Failure::Job)?;
    let Cursor(before) = position.at;
    let changes: Vec<_> = writing.into_changes().into_iter().zip(before + 1..).collect();
    let changes: Vec<_> = changes.into_iter().map(|(change, at)| (Cursor(at), change)).collect();
    let writes = staged.into_writes();
    let wrote = !writes.is_empty();
    writes.play(tables).map_err(Failure::Transaction)?;
    if let Some((last, _)) = changes.last() {
        position.at = *last;
    }
    Ok(Applied { cursor: position.at, changes, wrote })
}

/// The answer when the engine is gone before it could give one.
pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("it is closed; restart panelgate".into())
}

struct Typed<T, F> {
    operation: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<Written<T>, StoreError>>,
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, to: &mut Writing<'_>) -> Result<(), StoreError> {
        let operation = self.operation.take().ok_or_else(gone)?;
        self.value = Some(operation(to)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<Cursor, StoreError>) {
        let Self { value, reply, .. } = *self;
        let written = outcome.and_then(|cursor| Ok(Written { value: value.ok_or_else(gone)?, cursor }));
        // Whoever asked may have gone away; the write stands all the same.
        let _ = reply.send(written);
    }
}

/// Runs an operation in a durable transaction.
pub(super) async fn write<E, T, F>(engine: &E, operation: F) -> Result<Written<T>, StoreError>
where
    E: Engine,
    T: Send + 'static,
    F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    engine.submit(Box::new(Typed { operation: Some(operation), value: None, reply })).await?;
    answer.await.map_err(|_| gone())?
}

#[async_trait]
impl<E: Engine + Clone> Store for E {
    async fn everything(&self) -> Result<Everything, StoreError> {
        self.ask(|tables| Reading(tables).everything()).await
    }

    async fn rest(&self) -> Result<Everything, StoreError> {
        self.ask(|tables| Reading(tables).rest()).await
    }

    async fn begin(&self) -> Result<Beginning, StoreError> {
        match self.view().await? {
            Some(view) => pieces::begin(view).await,
            None => Ok(pieces::whole(self.everything().await?)),
        }
    }

    async fn changes(&self, from: Cursor) -> Result<BoxStream<'static, (Cursor, Change)>, StoreError> {
        let last = self.ask(|tables| Reading(tables).cursor()).await?;
        // A position that was never reached comes from another history of this store: start over.
        let from = if from > last { Cursor::default() } else { from };
        Ok(feed::follow(self.clone(), from))
    }

    async fn session(&self, sid: &Sid) -> Result<Option<Session>, StoreError> {
        let sid = *sid;
        self.ask(move |tables| Ok(Reading(tables).session(&sid)?.map(|kept| kept.session))).await
    }

    async fn session_at(&self, sid: &Sid) -> Result<Found<Option<Session>>, StoreError> {
        let sid = *sid;
        let question = move |tables: &dyn Read| {
            let records = Reading(tables);
            let value = records.session(&sid)?.map(|kept| kept.session);
            Ok(Found { value, cursor: records.cursor()? })
        };
        self.ask(question).await
    }

    async fn user_by_name(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let name = name.clone();
        self.ask(move |tables| Reading(tables).user_by_name(&name)).await
    }

    async fn add_user(&self, user: User) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::add_user(to, user)).await
    }

    async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        at: Wall,
    ) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::change_user(to, id, change, at)).await
    }

    async fn enrol(
        &self,
        id: UserId,
        totp: Totp,
        backup_codes: Vec<[u8; 32]>,
        replaces: Option<SecretBytes>,
    ) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::enrol(to, id, totp, backup_codes, replaces.as_ref())).await
    }

    async fn set_high_security(&self, on: bool) -> Result<Written<()>, StoreError> {
        write(self, move |to| to.put_high_security(on)).await
    }

    async fn import(
        &self,
        accounts: Vec<Import>,
        update: bool,
        at: Wall,
    ) -> Result<Written<Result<(), Vec<UserName>>>, StoreError> {
        write(self, move |to| batches::import(to, accounts, update, at)).await
    }

    async fn reseal(&self, values: Vec<Reseal>) -> Result<Written<usize>, StoreError> {
        write(self, move |to| batches::reseal(to, values)).await
    }

    async fn restored(
        &self,
        end_sessions: bool,
        totp_step: u64,
        at: Wall,
    ) -> Result<Written<Restored>, StoreError> {
        write(self, move |to| batches::restored(to, end_sessions, totp_step, at)).await
    }

    async fn remove_user(&self, id: UserId, at: Wall) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::remove_user(to, id, at)).await
    }

    async fn consume_totp(&self, id: UserId, step: u64) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::consume_totp(to, id, step)).await
    }

    async fn consume_backup_code(
        &self,
        id: UserId,
        hash: [u8; 32],
    ) -> Result<Written<Option<usize>>, StoreError> {
        write(self, move |to| operations::consume_backup_code(to, id, hash)).await
    }

    async fn open_session(&self, session: Session) -> Result<Written<()>, StoreError> {
        write(self, move |to| operations::open_session(to, session)).await
    }

    async fn sign_in(
        &self,
        session: Session,
        password_changed: Option<Wall>,
    ) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::sign_in(to, session, password_changed)).await
    }

    async fn open_external(
        &self,
        identity: ExternalIdentity,
        fresh_user: UserId,
        template: Session,
    ) -> Result<Written<ExternalOpened>, StoreError> {
        write(self, move |to| operations::open_external(to, identity, fresh_user, template)).await
    }

    async fn external(&self, key: &ExternalKey) -> Result<Option<Session>, StoreError> {
        let key = key.clone();
        self.ask(move |tables| Ok(Reading(tables).external(&key)?.map(|kept| kept.session))).await
    }

    async fn rotate(&self, presented: Presented) -> Result<Written<Option<Rotation>>, StoreError> {
        write(self, move |to| operations::rotate(to, &presented)).await
    }

    async fn mark_seen(&self, sid: Sid, generation: u64, at: Wall) -> Result<Written<()>, StoreError> {
        write(self, move |to| operations::mark_seen(to, sid, generation, at)).await
    }

    async fn elevate(&self, sid: Sid, elevation: Elevation) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::elevate(to, sid, elevation)).await
    }

    async fn change_session(
        &self,
        sid: Sid,
        change: SessionChange,
        at: Wall,
    ) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::change_session_state(to, sid, change, at)).await
    }

    async fn add_key(&self, key: ApiKey) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::add_key(to, key)).await
    }

    async fn remove_key(&self, user: UserId, id: KeyId) -> Result<Written<bool>, StoreError> {
        write(self, move |to| operations::remove_key(to, user, id)).await
    }

    async fn touch_keys(&self, uses: Vec<(KeyId, KeyUse)>) -> Result<Written<()>, StoreError> {
        write(self, move |to| operations::touch_keys(to, &uses)).await
    }

    async fn ban(&self, ban: Ban) -> Result<Written<bool>, StoreError> {
        write(self, move |to| bans::ban(to, ban)).await
    }

    async fn lift_ban(&self, whom: Whom) -> Result<Written<bool>, StoreError> {
        write(self, move |to| bans::lift(to, whom)).await
    }

    async fn ban_list(&self, list: Listed, replace: bool) -> Result<Written<ListBanned>, StoreError> {
        write(self, move |to| bans::list(to, list, replace)).await
    }

    async fn networks(&self, most: usize) -> Result<Vec<Network>, StoreError> {
        self.ask(move |tables| Reading(tables).networks(most)).await
    }

    async fn fail(&self, failure: Guess, rules: Arc<Lockout>) -> Result<Written<Consequence>, StoreError> {
        write(self, move |to| failures::fail(to, &failure, &rules)).await
    }

    async fn succeed(&self, success: Success, rules: Arc<Lockout>) -> Result<Written<()>, StoreError> {
        write(self, move |to| failures::succeed(to, &success, &rules)).await
    }

    async fn forgive(&self, user: UserId, kinds: Vec<Kind>) -> Result<Written<bool>, StoreError> {
        write(self, move |to| failures::forgive(to, user, &kinds)).await
    }

    async fn end(&self, which: Which, why: EndReason, at: Wall) -> Result<Written<usize>, StoreError> {
        write(self, move |to| operations::end(to, which, why, at)).await
    }

    async fn touch(&self, uses: Vec<(Sid, Wall)>) -> Result<Written<()>, StoreError> {
        write(self, move |to| operations::touch(to, &uses)).await
    }

    async fn purge(&self, now: Wall, limit: usize) -> Result<Written<usize>, StoreError> {
        write(self, move |to| operations::purge(to, now, limit)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shut().await
    }
}
