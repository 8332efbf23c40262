//! Progress of long work, for whoever sits at the terminal and for nobody else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::{Stream, wants_colour};

/// Whether the verb keeps quiet about how far it is.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct QuietArgs {
    /// Show no progress bar.
    #[arg(long, short)]
    pub quiet: bool,
}

/// A bar on standard error. Draws nothing when standard error is no terminal, or the verb is quiet.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Counts bytes out of `total`.
    pub fn bytes(what: &'static str, total: u64, quiet: QuietArgs) -> Self {
        Self::start(what, total, quiet, "{bytes}/{total_bytes}, {eta} left")
    }

    /// Counts things out of `total`.
    pub fn count(what: &'static str, total: u64, quiet: QuietArgs) -> Self {
        Self::start(what, total, quiet, "{human_pos}/{human_len}, {eta} left")
    }

    /// So many more are done.
    pub fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    /// So much of so much is done; both may have been unknown before.
    pub fn reach(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Takes the bar away, so that the result stands where it was.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }

    fn start(what: &'static str, total: u64, quiet: QuietArgs, numbers: &str) -> Self {
        if quiet.quiet || !Stream::Err.is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let colour = if wants_colour(Stream::Err) { ".cyan" } else { "" };
        let template = format!("{{msg}} [{{bar:30{colour}}}] {numbers}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        Self(bar.with_style(style.progress_chars("=> ")).with_message(what))
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, QuietArgs};

    #[test]
    fn a_bar_that_nobody_sees_counts_and_draws_nothing() {
        let progress = Progress::bytes("copying", 100, QuietArgs { quiet: true });
        progress.advance(40);
        progress.advance(2);
        assert!(progress.0.is_hidden());
        assert_eq!(progress.0.position(), 42);
        progress.finish();
    }
}
