//! The tests beside policies: `panel.test.yaml` beside `panel.yaml`.

use std::{
    fs, io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Environment, Problems, sources::Sources};
use crate::rules::policy::{
    RuleSet,
    testing::{Beside, Suite},
};

/// Where the tests of a policy are, if there are any.
pub fn tests_beside(policy: &Path) -> PathBuf {
    let extension = policy.extension().map_or_else(|| "yaml".into(), |own| own.to_string_lossy());
    policy.with_extension(format!("test.{extension}"))
}

/// The policy that a file of tests is about, by its name.
pub fn policy_beside(tests: &Path) -> Option<PathBuf> {
    let (stem, extension) = (tests.file_stem()?.to_str()?, tests.extension()?.to_str()?);
    Some(tests.with_file_name(format!("{}.{extension}", stem.strip_suffix(".test")?)))
}

/// Reads the tests of a policy alone.
///
/// # Errors
/// With everything that is wrong with them.
pub fn load_tests(path: &Path, rules: &RuleSet, environment: &Environment) -> Result<Suite, Problems> {
    let mut sources = Sources::new(environment);
    let suite = sources.open(path, None).and_then(|root| Suite::read(&root, rules, &mut sources.found));
    suite.ok_or_else(|| Problems::new(sources.found, sources.texts))
}

impl Sources<'_> {
    /// Reads what there is beside a policy. Nothing that is wrong there keeps the policy from being used.
    pub(super) fn beside(&mut self, policy: &Path, rules: &RuleSet) -> Beside {
        if let Some(known) = self.tests.get(policy) {
            return known.clone();
        }
        let path = tests_beside(policy);
        let missing = fs::metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let beside = if missing {
            // Watched, so that it is noticed when somebody writes it.
            self.files.push(path);
            Beside::Nothing
        } else {
            self.suite(&path, rules)
        };
        self.tests.insert(policy.to_owned(), beside.clone());
        beside
    }

    fn suite(&mut self, path: &Path, rules: &RuleSet) -> Beside {
        let around = mem::take(&mut self.found);
        let suite = self.open(path, None).and_then(|root| Suite::read(&root, rules, &mut self.found));
        let found = mem::replace(&mut self.found, around);
        let said = Problems::new(found.clone(), self.texts.clone()).to_string();
        self.found_in_tests.extend(found);
        suite.map_or_else(|| Beside::Broken(said.into()), |suite| Beside::Tests(Arc::new(suite)))
    }
}
