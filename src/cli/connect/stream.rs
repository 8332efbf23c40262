//! Answers that are too long for a line.

use std::io::Write;

use super::{BETWEEN_TRIES, Place, TRIES, Trouble};
use crate::{
    app::{
        admin::{self, StreamRequest},
        backup::{self, Contents, Made},
    },
    cli::environment,
    store::StoreError,
    telemetry,
};

impl Place {
    /// Has a backup written to `out` by whoever holds the store: the daemon, or a thread that becomes the owner of the
    /// data for it. `out` stays whoever's it is.
    pub(in crate::cli) fn back_up(
        &self,
        contents: Contents,
        config: &std::path::Path,
        out: &mut (dyn Write + Send),
        told: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Made, Trouble> {
        if let Some(made) = self.by_daemon(contents, out, told)? {
            return Ok(made);
        }
        // A user is changed for one thread and for good, so it is one of its own.
        let working = std::thread::scope(|scope| {
            scope.spawn(|| self.back_up_alone(contents, config, out, told)).join()
        });
        working.unwrap_or_else(|_| Err(self.no_store(&"the backup failed")))
    }

    fn by_daemon(
        &self,
        contents: Contents,
        out: &mut (dyn Write + Send),
        told: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Option<Made>, Trouble> {
        let Some(stream) = self.daemon()? else { return Ok(None) };
        let request = StreamRequest::Backup { journal: contents.journal };
        match admin::receive(stream, request, out, told) {
            Ok(Ok(made)) => Ok(Some(made)),
            Ok(Err(why)) => Err(Trouble::Failed(why)),
            Err(error) => Err(Trouble::Failed(format!("the backup was cut off: {error}"))),
        }
    }

    fn back_up_alone(
        &self,
        contents: Contents,
        config: &std::path::Path,
        mut out: &mut (dyn Write + Send),
        told: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Made, Trouble> {
        let by = rustix::process::getuid().as_raw();
        self.become_owner()?;
        telemetry::start_quiet();
        let _turn = self.turn()?;
        for _ in 0..TRIES {
            let mut tell = |done, total| {
                told(done, total);
                Ok(())
            };
            let config = (config, &environment());
            match backup::alone(&self.data_dir, config, contents, by, &mut out, &mut tell) {
                Ok(made) => return made.map_err(|error| Trouble::Failed(error.to_string())),
                Err(StoreError::Locked) => std::thread::park_timeout(BETWEEN_TRIES),
                Err(error) => return Err(self.no_store(&error)),
            }
            if let Some(made) = self.by_daemon(contents, out, told)? {
                return Ok(made);
            }
        }
        Err(self.held_in_silence())
    }
}
