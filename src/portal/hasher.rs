//! Password checks off the request path, on threads of their own: as many at once as there are cores, a short queue before
//! them, and a plain no beyond it (R28). The threads are nice, and ask many times in each hash whether somebody else wants
//! the core, so that a flood of passwords does not make the checks of requests wait.

#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{clock::Clock, live::PasswordMeter, rules::factor::password, secret::SecretText};

/// How many may wait for each that runs: at cost 12, some seconds of patience.
const QUEUE_PER_SLOT: usize = 16;

/// How nice the threads are: a tenth of what anybody else gets while a core is wanted by both.
const NICE: i32 = 10;

/// For so long the core is offered to others in each round of a hash. Whoever offers it gets it back last: on a machine
/// that has no core to spare for minutes, people must be able to sign in all the same.
const OFFERED: Duration = Duration::from_secs(1);

type Work = Box<dyn FnOnce() + Send>;

/// Checks passwords.
pub struct Hasher {
    threads: mpsc::Sender<Work>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    meter: Arc<PasswordMeter>,
    clock: Arc<dyn Clock>,
    #[cfg(test)]
    pub(crate) checks: std::sync::atomic::AtomicUsize,
}

/// Too many passwords are being checked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Hasher {
    /// Checks `slots` passwords at a time, at least one.
    pub fn new(slots: usize, meter: Arc<PasswordMeter>, clock: Arc<dyn Clock>) -> Self {
        let slots = slots.max(1);
        let (threads, work) = mpsc::channel();
        let work = Arc::new(Mutex::new(work));
        for _ in 0..slots {
            let work = Arc::clone(&work);
            // Without a thread its work waits for those that there are; without any it is refused as busy.
            let _ = thread::Builder::new().name("passwords".to_owned()).spawn(move || serve(&work));
        }
        Self {
            threads,
            running: Arc::new(Semaphore::new(slots)),
            admitted: Arc::new(Semaphore::new(slots.saturating_mul(QUEUE_PER_SLOT + 1))),
            meter,
            clock,
            #[cfg(test)]
            checks: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Whether the password has this hash. Without a hash, or with one cheaper than `cost`, it does the same work (R31).
    pub(crate) async fn verify(
        &self,
        password: SecretText,
        hash: Option<String>,
        cost: u32,
    ) -> Result<bool, Busy> {
        #[cfg(test)]
        self.checks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let clock = Arc::clone(&self.clock);
        let verify = move || {
            let pause = giving_way(clock, thread::yield_now);
            password::verify_evenly(&password, hash.as_deref(), cost, pause)
        };
        Ok(self.run(verify).await?.unwrap_or(false))
    }

    /// The hash of a new password; `None` for one that cannot have any. The salt must be fresh random bytes.
    pub(crate) async fn hash(&self, password: SecretText, salt: [u8; 16]) -> Result<Option<String>, Busy> {
        let clock = Arc::clone(&self.clock);
        let hash = move || {
            let pause = giving_way(clock, thread::yield_now);
            password::hash(&password, password::USUAL_COST, salt, pause).ok()
        };
        Ok(self.run(hash).await?.flatten())
    }

    /// Does slow work when it is its turn; `None` if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, Busy> {
        let _admitted = self.admitted.try_acquire().map_err(|_| {
            self.meter.refused.count();
            Busy
        })?;
        let slot = self.turn().await.map_err(|_| Busy)?;
        let meter = Arc::clone(&self.meter);
        let (done, result) = oneshot::channel();
        let work = move || {
            let running = meter.running.hold();
            let result = catch_unwind(AssertUnwindSafe(work)).ok();
            // A client that went away has not stopped the work, so the slot stays taken until it is done.
            drop((running, slot));
            let _ = done.send(result);
        };
        self.threads.send(Box::new(work)).map_err(|_| Busy)?;
        Ok(result.await.ok().flatten())
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
        let (since, _waiting) = (self.clock.mono(), self.meter.waiting.hold());
        let slot = Arc::clone(&self.running).acquire_owned().await;
        self.meter.wait.took(self.clock.mono().saturating_sub(since));
        slot
    }
}

/// A pause that lets others in, from now on and for [`OFFERED`].
fn giving_way(clock: Arc<dyn Clock>, mut offer: impl FnMut()) -> impl FnMut() {
    let since = clock.mono();
    move || {
        if clock.mono().saturating_sub(since) < OFFERED {
            offer();
        }
    }
}

/// Does what comes, one after the other, until nobody can send any more.
fn serve(work: &Mutex<mpsc::Receiver<Work>>) {
    // Whoever may not be nice is as quick as the others.
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(work) => work(),
            Err(mpsc::RecvError) => return,
        }
    }
}
