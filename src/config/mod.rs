//! Configuration: YAML → what was written → every problem at once, or [`Settings`].

mod cookies;
mod environment;
mod geoip;
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
mod suites;
#[cfg(test)]
mod tests;
mod traces;
mod yaml;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::suites::{load_tests, policy_beside, tests_beside};
pub use self::{
    geoip::GeoipSettings,
    named::{FileKind, NamedFile},
    notices::{NoticeSettings, SmtpSettings, SmtpTls, WebhookSettings},
    outline::Outline,
    problems::Problems,
    settings::{
        ClaimNames, EdgeLimits, EdgeSettings, IssuerSettings, KeySource, LogFormat, LogSettings, ProxySecret,
        Settings, SidecarSettings, SidecarTls, SiteSettings, Upstream,
    },
    traces::TraceSettings,
};
use self::{outline::Contents, sources::Sources};
use crate::{
    feeds,
    rules::{
        policy::{RuleSet, compile},
        written::{At, Findings, Node},
    },
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
    /// Every file that was looked at.
    pub files: Vec<PathBuf>,
    /// A digest over them as they were read; see [`feeds::files::digest`].
    pub seen: Vec<u8>,
    /// What it says, if it can be used.
    pub settings: Option<Settings>,
    /// What was found.
    pub problems: Problems,
    /// What was found in the tests beside the policies, which keeps nothing from being used.
    pub in_tests: Findings,
    /// The files that it names.
    pub named: Vec<NamedFile>,
}

/// Reads the configuration and every file it names, and says what there is to say.
pub fn examine(path: &Path, environment: &Environment) -> Examined {
    let mut sources = Sources::new(environment);
    let settings = sources.open(path, None).and_then(|mut root| {
        environment::over_config(&mut root, environment, &mut sources.found);
        let settings = read::settings(&root, path, &mut sources)?;
        let outline = Outline::of(&root, &sources.texts, &sources.contents(path));
        Some(Settings { outline, ..settings })
    });
    let settings = settings.filter(|_| !sources.found.any_errors());
    let seen = sources.seen();
    let (named, files, in_tests) = (sources.named, sources.files, sources.found_in_tests);
    let problems = Problems::new(sources.found, sources.texts);
    Examined { files, seen, settings, problems, in_tests, named }
}

/// Reads the configuration and every file it names; policies are compiled in the same pass.
///
/// `PANELGATE_SECTION__KEY` in the environment overrides what the file says. What is wrong with tests beside policies is
/// a warning here, since it keeps nothing from being used.
///
/// # Errors
/// With everything that is wrong in any of the files.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    let Examined { settings, problems, in_tests, .. } = examine(path, environment);
    match settings {
        Some(settings) => Ok(Loaded { settings, warnings: problems.and(in_tests.softened()) }),
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

/// Compiles a policy from its text, which stands in the file `name`.
///
/// # Errors
/// With everything that is wrong with it.
pub fn policy_from(name: &str, text: &str, environment: &Environment) -> Result<Arc<RuleSet>, Problems> {
    let mut sources = Sources::new(environment);
    let rules = sources.take(name.into(), text.into()).and_then(|root| sources.compile(root));
    let rules = rules.filter(|_| !sources.found.any_errors());
    rules.ok_or_else(|| Problems::new(sources.found, sources.texts))
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
        let rules = self.open(path, named).and_then(|root| self.compile(root));
        self.policies.insert(path.to_owned(), rules.clone());
        rules
    }

    /// What YAML was read, and what the other files hold.
    fn seen(&self) -> Vec<u8> {
        feeds::files::digest(self.files.iter().map(|file| {
            let text = self.texts.get(&*file.display().to_string());
            // Of a longer one, only the beginning was read.
            let text = text.filter(|text| text.len() <= yaml::MAX_BYTES);
            let content = text.map(|text| text.as_bytes().to_vec()).or_else(|| feeds::files::read(file).ok());
            (file.as_path(), content)
        }))
    }

    /// What the files hold that are no YAML.
    fn contents(&self, config: &Path) -> Contents {
        let folder = std::path::absolute(config).ok().and_then(|file| file.parent().map(Path::to_owned));
        let credentials = self.environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let yaml = |path: &&PathBuf| self.texts.contains_key(&*path.display().to_string());
        Contents::read(
            credentials.into_iter().chain(folder).collect(),
            self.files.iter().filter(|path| !yaml(path)),
        )
    }

    fn compile(&mut self, mut root: Node) -> Option<Arc<RuleSet>> {
        environment::over_policy(&mut root, self.environment, &mut self.found);
        let rules = compile(&root, &mut self.found)?;
        let text = self.texts.get(&root.at.source).map_or(&[][..], |text| text.as_bytes());
        Some(Arc::new(rules.compiled_from(text)))
    }
}
