//! A password or a code being tried: begun only where failures before it allow it, before any work is done.

use super::{context::Cx, fault::Fault};
use crate::{
    live::Try,
    rules::failures::{Barred, Consequence, Kind, Subject},
};

/// A try that is under way; it ends when it is dropped, so that it is dropped only when its outcome is in memory.
pub(crate) struct Attempt<'a> {
    cx: &'a Cx,
    kind: Kind,
    guessed: Option<(Subject, Try<'a>)>,
}

impl<'a> Attempt<'a> {
    /// Begins it; without a subject, for a name that nobody can have, it counts for the network alone.
    pub(crate) fn begin(cx: &'a Cx, subject: Option<Subject>, kind: Kind) -> Result<Self, Fault> {
        let begun = subject
            .map(|subject| cx.gate().begin_guess(&cx.visit, subject, kind).map(|held| (subject, held)));
        Ok(Self { cx, kind, guessed: begun.transpose()? })
    }

    /// It was wrong.
    pub(crate) async fn failed(self) -> Result<Consequence, Fault> {
        let gate = self.cx.gate();
        let Some((subject, _)) = &self.guessed else {
            gate.note_guess(&self.cx.visit, self.kind.into());
            return Ok(Consequence::default());
        };
        Ok(gate.guess_failed(&self.cx.visit, *subject, self.kind).await?)
    }
}

impl From<Barred> for Fault {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::For(wait) => Self::Throttled(wait),
            Barred::Stopped => Self::Stopped,
        }
    }
}
