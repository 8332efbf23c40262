//! `panelgate check`: every problem of the configuration, the policies and the certificates at once.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    process::ExitCode,
};

use super::{ConfigArgs, NO, environment};
use crate::{
    config::{self, EdgeSettings, Loaded, Settings},
    feeds::{self, certs::Certificates},
    rules::{outcome::Access, place::Places},
};

/// Checks the configuration, the policies and every file they name.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints all problems and warnings; exit code 0 if it can be used, 1 if not.
#[expect(clippy::print_stdout, reason = "the list is the answer")]
pub fn run(args: &CheckArgs) -> ExitCode {
    let (text, usable) = match config::load(&args.config.config, &environment()) {
        Ok(loaded) => look(&loaded),
        Err(problems) => (format!("{problems}\n"), false),
    };
    let verdict = if usable { "can be used" } else { "cannot be used" };
    println!("{text}{} {verdict}", args.config.config.display());
    if usable { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

/// What can be said about a configuration that loads, and whether it can be used.
fn look(loaded: &Loaded) -> (String, bool) {
    let mut text = String::new();
    if !loaded.warnings.is_empty() {
        let _ = writeln!(text, "{}", loaded.warnings);
    }
    let certificates = loaded.settings.edge.as_ref().map(|edge| certificates(edge, &loaded.settings));
    let usable = match certificates {
        Some(Ok(missing)) => {
            text.push_str(&missing);
            true
        }
        Some(Err(problems)) => {
            let _ = writeln!(text, "{problems}\n");
            false
        }
        None => true,
    };
    let places = loaded.settings.places.as_deref().map_or(Ok(Places::default()), feeds::places::load);
    if let Err(problem) = &places {
        let _ = writeln!(text, "{problem}\n");
    }
    for site in &loaded.settings.sites {
        let pages = site.site.policy.pages();
        let open: Vec<&str> =
            pages.iter().filter(|page| page.anonymous > Access::None).map(|page| &*page.name).collect();
        let open = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
        let _ = writeln!(text, "{}: {} pages, open to everybody: {open}", site.site.id, pages.len());
    }
    (text, usable && places.is_ok())
}

/// Warnings about origins that no certificate is for.
fn certificates(edge: &EdgeSettings, settings: &Settings) -> Result<String, String> {
    let certificates = Certificates::load(&edge.certificates).map_err(|problems| problems.to_string())?;
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut text = String::new();
    for origin in settings.sites.iter().flat_map(|site| &site.site.origins).filter(|origin| origin.secure) {
        let name = origin.host.name();
        let found = match name.parse::<IpAddr>() {
            Ok(address) => certificates.find(None, address),
            Err(_) => certificates.find(Some(name), nowhere),
        };
        if found.is_none() {
            let folder = edge.certificates.display();
            let _ = writeln!(
                text,
                "warning: no certificate in {folder} is for {name}, the edge cannot serve it\n"
            );
        }
    }
    Ok(text)
}
