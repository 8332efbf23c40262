//! The audit trail of this process: for whoever has to know whether it takes records, and for the tasks whose records are
//! in it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    gate::{
        Gate,
        accounts::{self, Accounts, PATIENCE, Sheet},
    },
    live::ReloadProblem,
    telemetry::{Attached, Recorder, Task},
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
    attached: Mutex<Option<Attached>>,
    /// Changes with the trail.
    current: watch::Sender<Option<Arc<dyn Recorder>>>,
}

impl Book {
    pub(super) fn new(attached: Attached) -> Self {
        let current = watch::Sender::new(Some(Arc::clone(attached.recorder())));
        Self { attached: Mutex::new(Some(attached)), current }
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
