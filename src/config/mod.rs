//! Configuration: YAML → what was written → every problem at once, or [`Settings`].

mod problems;
mod settings;

use std::{collections::BTreeMap, path::Path};

pub use self::{
    problems::Problems,
    settings::{
        ClaimNames, EdgeLimits, EdgeSettings, IssuerSettings, KeySource, LogFormat, LogSettings, ProxySecret,
        Settings, SidecarSettings, SidecarTls, SiteSettings, Upstream,
    },
};
use crate::rules::written::{At, Findings};

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

/// Reads the configuration and every file it names; policies are compiled in the same pass.
///
/// `PANELGATE_SECTION__KEY` in the environment overrides what the file says.
///
/// # Errors
/// With everything that is wrong in any of the files.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    let _ = environment;
    let mut found = Findings::default();
    found.error("C001", &At::source(&path.display().to_string()), "cannot be read", "");
    Err(Problems::new(found, BTreeMap::new()))
}
