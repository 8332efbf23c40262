//! Certificates, key sets and the databases of addresses: what is there, and for how long it is good.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use crate::{
    cli::verdict::moment,
    clock::Wall,
    config::{FileKind, NamedFile, Settings},
    feeds::{
        self,
        certs::Certificates,
        places::{Database, LoadError},
        validity,
    },
    rules::{
        place::{Places, Systems},
        token::PublicKeys,
        written::{At, Findings},
    },
};

const DAY: i64 = 86_400;
/// Renewal usually happens 30 days before the end.
const SOON: i64 = 30 * DAY;
/// Databases are built anew every week.
const OLD: i64 = 60 * DAY;

/// Looks at what the files say of themselves.
pub(super) fn look(named: &[NamedFile], settings: Option<&Settings>, now: Wall, found: &mut Findings) {
    let now = i64::try_from(now.secs()).unwrap_or(i64::MAX);
    for file in named {
        match file.kind {
            FileKind::Certificate => certificate(&file.path, &file.at, now, found),
            FileKind::CertificateFolder => folder(file, settings, now, found),
            FileKind::Places => database(file, feeds::places::look::<Places>(&file.path), now, found),
            FileKind::Systems => database(file, feeds::places::look::<Systems>(&file.path), now, found),
            FileKind::KeySet => key_set(file, found),
            FileKind::Secret
            | FileKind::Key
            | FileKind::Policy
            | FileKind::DataDir
            | FileKind::AdminSocket => {}
        }
    }
}

fn folder(file: &NamedFile, settings: Option<&Settings>, now: i64, found: &mut Findings) {
    match Certificates::load(&file.path) {
        Ok(certificates) => {
            for path in certificates_in(&file.path) {
                certificate(&path, &file.at, now, found);
            }
            if let Some(settings) = settings {
                origins(file, &certificates, settings, found);
            }
        }
        Err(problems) => {
            for problem in problems.0 {
                let help = "each NAME.crt, its own certificate first, has a NAME.key beside it, both PEM";
                found.error("C095", &file.at, problem.to_string(), help);
            }
        }
    }
}

fn certificates_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "crt")).collect();
    files.sort();
    files
}

fn certificate(path: &Path, at: &At, now: i64, found: &mut Findings) {
    let Some(good) = validity::of(path) else { return };
    let (shown, date) = (path.display(), |seconds: i64| moment(u64::try_from(seconds).unwrap_or(0)));
    if now > good.until {
        let what = format!("the certificate {shown} has expired ({})", date(good.until));
        found.error("C093", at, what, "renew it");
    } else if now < good.from {
        let what = format!("the certificate {shown} is not good before {}", date(good.from));
        found.error("C093", at, what, "wait, or look whether the clock of this machine is right");
    } else if good.until - now < SOON {
        let days = (good.until - now) / DAY;
        let what = format!("the certificate {shown} expires in {days} days ({})", date(good.until));
        found.warning("C092", at, what, "renew it, and look why that has not happened by itself");
    }
}

/// Origins that no certificate is for.
fn origins(file: &NamedFile, certificates: &Certificates, settings: &Settings, found: &mut Findings) {
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    for origin in settings.sites.iter().flat_map(|site| &site.site.origins).filter(|origin| origin.secure) {
        let name = origin.host.name();
        let shown = match name.parse::<IpAddr>() {
            Ok(address) => certificates.find(None, address),
            Err(_) => certificates.find(Some(name), nowhere),
        };
        if shown.is_none() {
            let what = format!("no certificate in {} is for {name}", file.path.display());
            found.warning("C094", &file.at, what, "the edge cannot serve it: get one with this name in it");
        }
    }
}

fn key_set(file: &NamedFile, found: &mut Findings) {
    // What cannot be read has been said.
    let Ok(text) = feeds::files::read(&file.path) else { return };
    if let Err(error) = PublicKeys::parse(&text) {
        let what = format!("{} cannot be used: {error}", file.path.display());
        let help =
            "nobody can come with a token of this issuer: name the JSON with its public keys (RFC 7517)";
        found.error("C024", &file.at, what, help);
    }
}

fn database<D: Database>(file: &NamedFile, opened: Result<D, LoadError>, now: i64, found: &mut Findings) {
    // What cannot even be opened has been said.
    let Ok(database) = opened else { return };
    if let Err(damage) = database.verify() {
        let what = format!("{} is {damage}", file.path.display());
        found.error("C097", &file.at, what, "fetch it again");
        return;
    }
    let built = database.built().and_then(|built| i64::try_from(built).ok()).unwrap_or(now);
    if now - built > OLD {
        let days = (now - built) / DAY;
        let what = format!("the database {} was built {days} days ago", file.path.display());
        found.warning(
            "C096",
            &file.at,
            what,
            "fetch a new one, and look why that has not happened by itself",
        );
    }
}
