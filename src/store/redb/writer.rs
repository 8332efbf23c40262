//! The one thread that writes.

use std::sync::Arc;

use ::redb::Database;
use tokio::sync::mpsc;

use super::{
    super::{
        Change, Cursor, StoreError,
        engine::{Failure, Job, apply},
    },
    Order, Shared,
    lend::{After, Holder},
    relay,
    transaction::{Pending, begin, fault},
};

/// How many writes share one transaction at most.
const BATCH_LENGTH: usize = 512;

/// Starts the writer. It ends on [`Order::Close`], on a failed commit, or when no store handle is left.
pub(super) fn start(shared: Arc<Shared>, queue: mpsc::Receiver<Order>) -> Result<(), StoreError> {
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || serve(&Stopping(shared), queue))
        .map(drop)
        .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {error}")))
}

/// However the thread ends, nobody may go on reading what can no longer be written, or wait for changes for ever.
struct Stopping(Arc<Shared>);

impl Drop for Stopping {
    fn drop(&mut self) {
        drop(self.0.take_database());
        // The heir's changes still come.
        if *self.0.holder.borrow() != Holder::Heir {
            self.0.feed.close();
        }
    }
}

fn serve(shared: &Stopping, mut queue: mpsc::Receiver<Order>) {
    let shared = &*shared.0;
    while let Some(first) = queue.blocking_recv() {
        let mut jobs = vec![];
        let mut next = Some(first);
        let last = loop {
            match next {
                Some(Order::Write(job)) => jobs.push(job),
                last => break last,
            }
            next = if jobs.len() < BATCH_LENGTH { queue.try_recv().ok() } else { None };
        };
        let committed = jobs.is_empty() || shared.meter.timed(jobs.len(), || commit(shared, jobs));
        match last {
            Some(Order::Close(done)) => {
                let closed = shared.take_database().map_or(Ok(()), Database::close).map_err(fault);
                // Nobody may be waiting any more.
                let _ = done.send(closed);
                return refuse(shared, queue);
            }
            Some(Order::Lend { done, back }) if committed => match shared.lend(done, back) {
                After::Here => {}
                After::With(heir) => {
                    relay::pass_on(shared, &mut queue, &heir);
                    return refuse(shared, queue);
                }
                After::Lost => return refuse(shared, queue),
            },
            Some(Order::Lend { .. } | Order::Write(_)) | None => {}
        }
        if !committed {
            return refuse(shared, queue);
        }
    }
}

/// Tells everybody that the file does not come back, and nobody can be asked. A queue that is only dropped may keep an
/// order that came at that moment, and with it whoever waits for the answer.
fn refuse(shared: &Shared, mut queue: mpsc::Receiver<Order>) {
    queue.close();
    while let Some(order) = queue.blocking_recv() {
        if let Order::Write(job) = order {
            job.answer(Err(shared.why_not()));
        }
    }
}

/// Commits all jobs in one transaction and answers them; `false` if the store has failed.
fn commit(shared: &Shared, mut jobs: Vec<Box<dyn Job>>) -> bool {
    let attempt = match shared.database().as_ref() {
        Some(database) => attempt(database, &mut jobs),
        None => Err(shared.why_not()),
    };
    match attempt {
        Ok(batch) => {
            shared.feed.publish(batch.changes);
            for (job, outcome) in jobs.into_iter().zip(batch.outcomes) {
                job.answer(outcome);
            }
            true
        }
        Err(error) => {
            shared.fail(&error);
            for job in jobs {
                job.answer(Err(StoreError::Unavailable(error.to_string())));
            }
            false
        }
    }
}

/// A committed batch.
#[derive(Default)]
struct Batch {
    /// One for each job.
    outcomes: Vec<Result<Cursor, StoreError>>,
    changes: Vec<(Cursor, Change)>,
}

fn attempt(database: &Database, jobs: &mut [Box<dyn Job>]) -> Result<Batch, StoreError> {
    let transaction = begin(database)?;
    let mut batch = Batch::default();
    let mut wrote = false;
    let mut tables = Pending::over(&transaction)?;
    for job in jobs {
        match apply(&mut **job, &mut tables) {
            Ok(applied) => {
                wrote |= applied.wrote;
                batch.changes.extend(applied.changes);
                batch.outcomes.push(Ok(applied.cursor));
            }
            Err(Failure::Job(error)) => batch.outcomes.push(Err(error)),
            Err(Failure::Transaction(error)) => return Err(error),
        }
    }
    drop(tables);
    if wrote {
        transaction.commit().map_err(fault)?;
    } else {
        transaction.abort().map_err(fault)?;
    }
    Ok(batch)
}
