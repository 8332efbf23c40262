//! The one thread that writes.

use std::sync::Arc;

use ::redb::Database;
use tokio::sync::mpsc;

use super::{
    super::{
        Change, Cursor, StoreError,
        engine::{Failure, Job, Position, apply},
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
        .spawn(move || Writer { shared, queue }.serve())
        .map(drop)
        .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {error}")))
}

struct Writer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Order>,
}

impl Drop for Writer {
    /// However the thread ends, nobody may go on reading what can no longer be written, or wait for ever.
    fn drop(&mut self) {
        drop(self.shared.take_database());
        // The heir's changes still come.
        if *self.shared.holder.borrow() != Holder::Heir {
            self.shared.feed.close();
        }
        // An order that is just being sent would outlive the receiver, and whoever sent it would never be told.
        self.queue.close();
        while let Some(order) = self.queue.blocking_recv() {
            if let Order::Write(job) = order {
                job.answer(Err(self.shared.why_not()));
            }
        }
    }
}

impl Writer {
    fn serve(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut jobs = vec![];
            let mut next = Some(first);
            let last = loop {
                match next {
                    Some(Order::Write(job)) => jobs.push(job),
                    last => break last,
                }
                next = if jobs.len() < BATCH_LENGTH { self.queue.try_recv().ok() } else { None };
            };
            let shared = &self.shared;
            if !jobs.is_empty() && !shared.meter.timed(jobs.len(), || commit(shared, jobs)) {
                return;
            }
            match last {
                Some(Order::Close(done)) => {
                    let closed = self.shared.take_database().map_or(Ok(()), Database::close).map_err(fault);
                    // Nobody may be waiting any more.
                    let _ = done.send(closed);
                    return;
                }
                Some(Order::Lend { done, back }) => match self.shared.lend(done, back) {
                    After::Here => {}
                    After::With(heir) => return relay::pass_on(&self.shared, &mut self.queue, &heir),
                    After::Lost => return,
                },
                Some(Order::Write(_)) | None => {}
            }
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
    let mut position = Position::of(&tables)?;
    for job in jobs {
        match apply(&mut **job, &mut tables, &mut position) {
            Ok(applied) => {
                wrote |= applied.wrote;
                batch.changes.extend(applied.changes);
                batch.outcomes.push(Ok(applied.cursor));
            }
            Err(Failure::Job(error)) => batch.outcomes.push(Err(error)),
            Err(Failure::Transaction(error)) => return Err(error),
        }
    }
    position.keep(&mut tables)?;
    drop(tables);
    if wrote {
        transaction.commit().map_err(fault)?;
    } else {
        transaction.abort().map_err(fault)?;
    }
    Ok(batch)
}
