//! `panelgate policy`: asking the policy.

mod diff;
mod explain;
mod junit;
mod new;
mod replay;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

pub use self::{explain::ExplainArgs, test::TestArgs};
use super::{schema, verdict::finish};

/// The verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// What would happen to a request, and why.
    Explain(ExplainArgs),
    /// Run the tests beside policies: what each case should come to, and what it comes to.
    Test(TestArgs),
    /// What two policies answer differently: all of it, computed and not sampled.
    Diff(diff::DiffArgs),
    /// What a policy would have answered to the requests that there were.
    Replay(replay::ReplayArgs),
    /// Print the JSON Schema of a policy, for editors.
    Schema {
        /// That of the tests beside it, NAME.test.yaml.
        #[arg(long)]
        tests: bool,
    },
}

/// Runs the verb.
pub fn run(verb: &PolicyVerb) -> ExitCode {
    match verb {
        PolicyVerb::Explain(args) => explain::run(args),
        PolicyVerb::Test(args) => finish(test::run(args)),
        PolicyVerb::Diff(args) => diff::run(args),
        PolicyVerb::Replay(args) => replay::run(args),
        PolicyVerb::Schema { tests } => finish(Ok(schema::policy(*tests))),
    }
}
