//! `panelgate policy`: asking the policy.

mod explain;
mod junit;
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
        PolicyVerb::Schema { tests } => finish(Ok(schema::policy(*tests))),
    }
}
