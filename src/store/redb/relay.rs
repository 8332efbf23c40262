//! After the file was given away: what this process still has to read or write, the heir does for it.
//!
//! The operations are the same, and run here. Only the tables are elsewhere: what an operation reads it asks the heir
//! for, who holds one transaction open for it, and what it writes the heir commits, numbers and tells everybody. So a
//! request that reached the old process just before the hand-over, or on a connection that it still holds, is answered
//! as if nothing had happened.

use std::{io, ops::Bound, os::unix::net::UnixStream, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{
        Change, Cursor, StoreError,
        engine::Job,
        records::Writing,
        tables::{Entry, Read, Staged, StagedWrites, Table},
    },
    Order, RedbStore, Shared,
    lend::Holder,
};
use crate::frames;

/// How long either side waits for the other within an operation; the heir commits nothing of its own meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the heir's changes may be on their way.
const TELLING: Duration = Duration::from_secs(2);
/// How long the old process waits until its turn comes in the heir's queue, and for the commit.
const TURN: Duration = Duration::from_secs(20);

/// What the old process asks.
#[derive(Serialize, Deserialize)]
enum Ask {
    /// For a transaction.
    Begin,
    Get(Table, Vec<u8>),
    Range(Table, Vec<u8>, Bound<Vec<u8>>, usize),
    /// All of it, or nothing.
    Commit(StagedWrites, Vec<Change>),
    /// The operation failed by itself.
    Abandon,
}

/// What the heir answers.
#[derive(Serialize, Deserialize)]
enum Answer {
    Begun,
    Value(Option<Vec<u8>>),
    Entries(Vec<Entry>),
    /// After a commit, and after an operation that was abandoned.
    Ended(Result<Cursor, String>),
    /// Nothing comes of this operation.
    Fault(String),
}

/// The heir's tables, as long as it holds a transaction open.
struct Away<'a>(&'a UnixStream);

impl Away<'_> {
    fn ask(&self, question: &Ask) -> io::Result<Answer> {
        frames::write(self.0, question)?;
        frames::read(self.0)
    }

    fn begin(&self) -> io::Result<()> {
        let answer = self.ask(&Ask::Begin)?;
        if matches!(answer, Answer::Begun) { Ok(()) } else { Err(io::Error::other(answer.fault())) }
    }

    fn end(&self, last: &Ask) -> io::Result<Result<Cursor, StoreError>> {
        match self.ask(last)? {
            Answer::Ended(outcome) => Ok(outcome.map_err(StoreError::Unavailable)),
            Answer::Fault(why) => Ok(Err(StoreError::Unavailable(why))),
            other @ (Answer::Begun | Answer::Value(_) | Answer::Entries(_)) => {
                Err(io::Error::other(other.fault()))
            }
        }
    }
}

impl Read for Away<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.ask(&Ask::Get(table, key.to_vec())).map_err(|error| broken(&error))? {
            Answer::Value(value) => Ok(value),
            other @ (Answer::Begun | Answer::Entries(_) | Answer::Ended(_) | Answer::Fault(_)) => {
                Err(other.fault())
            }
        }
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let question = Ask::Range(table, from.to_vec(), upto.map(<[u8]>::to_vec), limit);
        match self.ask(&question).map_err(|error| broken(&error))? {
            Answer::Entries(entries) => Ok(entries),
            other @ (Answer::Begun | Answer::Value(_) | Answer::Ended(_) | Answer::Fault(_)) => {
                Err(other.fault())
            }
        }
    }
}

impl Answer {
    fn fault(self) -> StoreError {
        match self {
            Self::Fault(why) | Self::Ended(Err(why)) => StoreError::Unavailable(why),
            Self::Begun | Self::Value(_) | Self::Entries(_) | Self::Ended(Ok(_)) => {
                broken(&io::Error::other("it answered something unexpected"))
            }
        }
    }
}

fn broken(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the panelgate that has taken over cannot be asked: {error}"))
}

/// The old process: passes on whatever is ordered, until that is not possible any more or nobody can order anything.
pub(super) fn pass_on(shared: &Shared, queue: &mut mpsc::Receiver<Order>, heir: &UnixStream) {
    while let Some(order) = queue.blocking_recv() {
        match order {
            Order::Write(mut job) => {
                let outcome = run(&mut *job, heir);
                let lost = outcome.is_err();
                if let Ok(Ok(cursor)) = &outcome {
                    // A write shows in the change stream before it is answered, here as everywhere.
                    shared.feed.wait_for(*cursor, TELLING);
                }
                job.answer(outcome.unwrap_or_else(|error| {
                    tracing::error!(%error, "the new process does not do what this one cannot any more");
                    Err(shared.why_not())
                }));
                if lost {
                    return;
                }
            }
            Order::Close(done) => {
                // Nothing is left to ask for.
                shared.holder.send_replace(Holder::Us);
                // Nobody may be waiting any more.
                let _ = done.send(Ok(()));
                return;
            }
            // Whoever wants it hears that it is not here.
            Order::Lend { .. } => {}
        }
    }
}

/// The outer error: the heir cannot be asked any more.
fn run(job: &mut dyn Job, heir: &UnixStream) -> io::Result<Result<Cursor, StoreError>> {
    heir.set_read_timeout(Some(TURN))?;
    let away = Away(heir);
    away.begin()?;
    heir.set_read_timeout(Some(PATIENCE))?;
    let mut staged = Staged::over(&away);
    let mut writing = Writing::new(&mut staged);
    let failed = job.run(&mut writing).err();
    let changes = writing.into_changes();
    let last = if failed.is_some() { Ask::Abandon } else { Ask::Commit(staged.into_writes(), changes) };
    heir.set_read_timeout(Some(TURN))?;
    let ended = away.end(&last)?;
    Ok(match failed {
        Some(error) => Err(error),
        None => ended,
    })
}

impl RedbStore {
    /// The heir's part: does what the process that gave the file away still asks for, in a thread of its own, until that
    /// process is gone.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn serve_predecessor(&self, line: UnixStream) -> io::Result<()> {
        let orders = self.orders.clone();
        std::thread::Builder::new().name("store-relay".into()).spawn(move || serve(&orders, line)).map(drop)
    }
}

fn serve(orders: &mpsc::Sender<Order>, line: UnixStream) {
    let line = Arc::new(line);
    if line.set_write_timeout(Some(PATIENCE)).is_err() {
        return;
    }
    while let Ok(Ask::Begin) = frames::read(&*line) {
        let (done, ended) = oneshot::channel();
        let job = Remote { line: Arc::clone(&line), done, usable: false };
        let ordered = orders.blocking_send(Order::Write(Box::new(job)));
        if ordered.is_err() || ended.blocking_recv() != Ok(true) || line.set_read_timeout(None).is_err() {
            break;
        }
    }
    // Whatever it still waits for does not come; it may be gone already.
    let _ = line.shutdown(std::net::Shutdown::Both);
}

/// An operation that runs in the old process, over a transaction here.
struct Remote {
    line: Arc<UnixStream>,
    done: oneshot::Sender<bool>,
    /// Whether the old process still listens.
    usable: bool,
}

impl Remote {
    /// Answers until the operation has ended; what it has left.
    fn converse(&self, tables: &dyn Read) -> io::Result<Result<(StagedWrites, Vec<Change>), StoreError>> {
        let line = &*self.line;
        line.set_read_timeout(Some(PATIENCE))?;
        frames::write(line, &Answer::Begun)?;
        loop {
            let answer = match frames::read(line)? {
                Ask::Get(table, key) => tables.get(table, &key).map(Answer::Value),
                Ask::Range(table, from, upto, limit) => {
                    let upto = upto.as_ref().map(Vec::as_slice);
                    tables.range(table, &from, upto, limit).map(Answer::Entries)
                }
                Ask::Commit(writes, changes) => return Ok(Ok((writes, changes))),
                Ask::Abandon => return Ok(Ok((StagedWrites::default(), Vec::new()))),
                Ask::Begin => return Err(io::Error::other("an operation within an operation")),
            };
            match answer {
                Ok(answer) => frames::write(line, &answer)?,
                Err(error) => {
                    frames::write(line, &Answer::Fault(error.to_string()))?;
                    // What the operation makes of it is its own affair: it cannot have seen everything.
                    match frames::read(line)? {
                        Ask::Abandon | Ask::Commit(..) => return Ok(Err(error)),
                        Ask::Begin | Ask::Get(..) | Ask::Range(..) => {
                            return Err(io::Error::other("an operation that goes on after a fault"));
                        }
                    }
                }
            }
        }
    }
}

impl Job for Remote {
    fn run(&mut self, to: &mut Writing<'_>) -> Result<(), StoreError> {
        let left = self.converse(to.tables()).map_err(|error| {
            StoreError::Unavailable(format!("the process that was replaced did not finish: {error}"))
        })?;
        self.usable = true;
        let (writes, changes) = left?;
        to.adopt(writes, changes)
    }

    fn answer(self: Box<Self>, outcome: Result<Cursor, StoreError>) {
        let ended = Answer::Ended(outcome.map_err(|error| error.to_string()));
        let told = self.usable && frames::write(&*self.line, &ended).is_ok();
        // Nobody may be waiting any more.
        let _ = self.done.send(told);
    }
}
