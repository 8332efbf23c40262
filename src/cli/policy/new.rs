//! Policies off the command line, and the ones that they are compared with.

use std::{fs, path::Path, sync::Arc};

use crate::{
    cli::{ConfigArgs, connect::Place, environment, verdict::Trouble},
    config::{self, Loaded, Settings},
    rules::{policy::RuleSet, site::Site},
};

/// A policy alone.
pub(super) fn policy(file: &Path) -> Result<Arc<RuleSet>, Trouble> {
    let loaded = config::load_policy(file, &environment());
    loaded.map(|(rules, _)| rules).map_err(|problems| Trouble::Failed(problems.to_string()))
}

/// What a policy's file says.
pub(super) fn text(file: &Path) -> Result<String, Trouble> {
    fs::read_to_string(file).map_err(|error| Trouble::Failed(format!("{}: {error}", file.display())))
}

/// The configuration, and where its daemon is.
pub(super) fn configuration(args: &ConfigArgs) -> Result<(Settings, Place), Trouble> {
    let Loaded { settings, .. } = config::load(&args.config, &environment()).map_err(|problems| {
        Trouble::Failed(format!("{problems}\nthe configuration says where panelgate is"))
    })?;
    let place = Place::of(&settings);
    Ok((settings, place))
}

/// The site that is meant.
pub(super) fn site<'s>(settings: &'s Settings, name: Option<&str>) -> Result<&'s Site, Trouble> {
    let sites: Vec<&Site> = settings.sites.iter().map(|site| &site.site).collect();
    Site::choose(&sites, name).map_err(Trouble::Usage)
}
