//! `config schema`, `policy schema`: JSON Schemas of the files that people write.

use clap::Subcommand;

use crate::config::schema;

/// The verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print the JSON Schema of config.yaml, for editors.
    Schema,
}

/// Runs the verb.
pub(super) fn config(verb: &ConfigVerb) -> String {
    match verb {
        ConfigVerb::Schema => schema::CONFIG.to_owned(),
    }
}

/// The schema of a policy, or of the tests beside it.
pub(super) fn policy(tests: bool) -> String {
    (if tests { schema::TESTS } else { schema::POLICY }).to_owned()
}
