//! Configuration: YAML → what was written → every problem at once, or [`Settings`].

mod cookies;
mod environment;
mod issuers;
mod journal;
mod limits;
mod listeners;
mod logins;
mod master_key;
mod named;
mod notices;
mod outline;
mod passwords;
mod problems;
mod read;
pub mod schema;
mod secrets;
mod settings;
mod sites;
mod sources;
#[cfg(test)]
mod tests;
mod yaml;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use self::sources::Sources;
pub use self::{
    named::{FileKind, NamedFile},
    notices::{NoticeSettings, SmtpSettings, SmtpTls, WebhookSettings},
    outline::Outline,
    problems::Problems,
    settings::{
        ClaimNames, EdgeLimits, EdgeSettings, IssuerSettings, KeySource, LogFormat, LogSettings, ProxySecret,
        Settings, SidecarSettings, SidecarTls, SiteSettings, Upstream,
    },
};
use crate::rules::{
    policy::{RuleSet, compile},
    written::At,
};

/// The environment as a map; read once, in `cli`.
pub type Environment = BTreeMap<String, String>;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What somebody should look at.
    pub warnings: Problems,
}

/// Everything that can be said about a configuration, whether or not it can be used.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What it says, if it can be used.
    pub settings: Option<Settings>,
    /// What was found.
    pub problems: Problems,
    /// The files that it names.
    pub named: Vec<NamedFile>,
}

/// Reads the configuration and every file it names, and says what there is to say.
pub fn examine(path: &Path, environment: &Environment) -> Examined {
    let mut sources = Sources::new(environment);
    let settings = sources.open(path, None).and_then(|mut root| {
        environment::over_config(&mut root, environment, &mut sources.found);
        let settings = read::settings(&root, path, &mut sources)?;
        Some(Settings { outline: Outline::of(&root, &sources.texts), ..settings })
    });
    let settings = settings.filter(|_| !sources.found.any_errors());
    let named = sources.named;
    Examined { settings, problems: Problems::new(sources.found, sources.texts), named }
}

/// Reads the configuration and every file it names; policies are compiled in the same pass.
///
/// `PANELGATE_SECTION__KEY` in the environment overrides what the file says.
///
/// # Errors
/// With everything that is wrong in any of the files.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    let Examined { settings, problems, .. } = examine(path, environment);
    match settings {
        Some(settings) => Ok(Loaded { settings, warnings: problems }),
        None => Err(problems),
    }
}

/// Reads and compiles a policy alone.
///
/// # Errors
/// With everything that is wrong with it.
pub fn load_policy(path: &Path, environment: &Environment) -> Result<(Arc<RuleSet>, Problems), Problems> {
    let mut sources = Sources::new(environment);
    let rules = sources.policy(path, None).filter(|_| !sources.found.any_errors());
    let problems = Problems::new(sources.found, sources.texts);
    rules.map(|rules| (rules, problems.clone())).ok_or(problems)
}

impl Sources<'_> {
    /// Reads and compiles a policy; one that several sites name is read once.
    fn policy(&mut self, path: &Path, named: Option<&At>) -> Option<Arc<RuleSet>> {
        if let Some(rules) = self.policies.get(path) {
            return rules.clone();
        }
        if let Some(at) = named {
            self.name(FileKind::Policy, path, at);
        }
        let rules = self.open(path, named).and_then(|mut root| {
            environment::over_policy(&mut root, self.environment, &mut self.found);
            let rules = compile(&root, &mut self.found)?;
            let text = self.texts.get(&root.at.source).map_or(&[][..], |text| text.as_bytes());
            Some(Arc::new(rules.compiled_from(text)))
        });
        self.policies.insert(path.to_owned(), rules.clone());
        rules
    }
}
