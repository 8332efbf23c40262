//! The audit trail of this process: for whoever has to know whether it takes records, and for the tasks whose records are
//! in it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    gate::{
        Gate,
        accounts::{self, Accounts, PATIENCE, Sheet},
    },
    live::ReloadProblem,
    telemetry::{
        self, Attached, Recorder, Task,
        trail::{Desk, Trail},
    },
};

/// What records hear of the task that they are of.
pub(super) const TASK: Task = Task {
    about: accounts::about,
    noted: |trail, ticket| {
        let sheet: Arc<dyn Sheet> = Arc::new(Paper(Arc::clone(trail)));
        accounts::note(&sheet, ticket);
    },
};

struct Paper(Arc<dyn Recorder>);

impl Sheet for Paper {
    fn written(&self, ticket: u64) -> BoxFuture<'_, bool> {
        self.0.durable(ticket, PATIENCE)
    }
}

/// The trail, while this process writes it; whoever holds the store does.
pub(super) struct Book {
    desk: Desk,
    attached: Mutex<Option<Attached>>,
    /// Changes with the trail.
    current: watch::Sender<Option<Arc<dyn Recorder>>>,
}

/// What happens from now on is in this trail.
pub(super) fn attach(trail: Trail) -> Attached {
    telemetry::attach(Arc::new(trail), TASK)
}

impl Book {
    /// Opens the trail; what happens from now on is in it.
    ///
    /// # Errors
    /// Those of [`Desk::open`].
    pub(super) fn open(desk: Desk) -> io::Result<Self> {
        let attached = attach(desk.open()?);
        let current = watch::Sender::new(Some(Arc::clone(attached.recorder())));
        Ok(Self { desk, attached: Mutex::new(Some(attached)), current })
    }

    /// Goes on with the trail on the disk, as soon as it can be opened; what took the records meanwhile is given back.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn reopen(&self) -> io::Result<Option<Attached>> {
        Ok(self.replace(attach(self.desk.reopen()?)))
    }

    /// What the trail is written with.
    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Why records cannot be taken now, if so.
    pub(super) fn problem(&self) -> Option<Arc<str>> {
        let trail = self.current.borrow().clone();
        trail.and_then(|trail| trail.problem().borrow().clone())
    }

    /// Takes the trail away, for whoever ends it.
    pub(super) fn take(&self) -> Option<Attached> {
        self.current.send_replace(None);
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Goes on with another one; the one before is for whoever ends it.
    pub(super) fn replace(&self, attached: Attached) -> Option<Attached> {
        self.current.send_replace(Some(Arc::clone(attached.recorder())));
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).replace(attached)
    }
}

impl Accounts for Book {
    fn is_open(&self) -> bool {
        self.current.borrow().as_ref().is_some_and(|trail| trail.is_open())
    }
}

/// Says at `/readyz` why nothing can be written down.
pub(super) async fn follow(book: Arc<Book>, gate: Arc<Gate>, stop: CancellationToken) {
    let mut current = book.current.subscribe();
    loop {
        let trail = current.borrow_and_update().clone();
        let mut problem = trail.map(|trail| trail.problem());
        loop {
            let why = problem.as_mut().and_then(|problem| problem.borrow_and_update().clone());
            let at = gate.moment().wall;
            gate.live().note_unaccounted(why.map(|why| ReloadProblem { at, what: why.to_string() }));
            let changed = async {
                match &mut problem {
                    Some(problem) => problem.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = current.changed() => break,
                goes_on = changed => if !goes_on {
                    problem = None;
                },
            }
        }
    }
}
