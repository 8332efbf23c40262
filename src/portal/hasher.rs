//! Password checks off the request path: as many at once as there are cores, a short queue before them, and a plain no
//! beyond it (R28).

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::{clock::Clock, live::PasswordMeter, rules::factor::password, secret::SecretText};

/// How many may wait for each that runs: at cost 12, some seconds of patience.
const QUEUE_PER_SLOT: usize = 16;

/// Checks passwords.
pub struct Hasher {
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
        Self {
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
        let matches = self.run(move || password::verify_evenly(&password, hash.as_deref(), cost)).await?;
        Ok(matches.unwrap_or(false))
    }

    /// The hash of a new password; `None` for one that cannot have any. The salt must be fresh random bytes.
    pub(crate) async fn hash(&self, password: SecretText, salt: [u8; 16]) -> Result<Option<String>, Busy> {
        Ok(self.run(move || password::hash(&password, password::USUAL_COST, salt).ok()).await?.flatten())
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
        let work = spawn_blocking(move || {
            let running = meter.running.hold();
            let result = work();
            // A client that went away has not stopped the work, so the slot stays taken until it is done.
            drop((running, slot));
            result
        });
        Ok(work.await.ok())
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
        let (since, _waiting) = (self.clock.moment().mono, self.meter.waiting.hold());
        let slot = Arc::clone(&self.running).acquire_owned().await;
        self.meter.wait.took(self.clock.moment().mono.saturating_sub(since));
        slot
    }
}
