//! The `geoip` section: the databases that say where addresses are, and whose networks they are in.

use std::path::PathBuf;

use super::{named::FileKind, read::Base, sources::Sources};
use crate::{
    feeds::places::{self, Database},
    rules::{
        place::{Places, Systems},
        written::Fields,
    },
};

/// MaxMind databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeoipSettings {
    /// Of cities or countries.
    pub city: Option<PathBuf>,
    /// Of autonomous systems.
    pub asn: Option<PathBuf>,
}

/// The databases that are named; their descriptions are looked at, their records are not.
pub(super) fn read(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> GeoipSettings {
    let Some(mut section) = fields.sub("geoip", &mut sources.found) else { return GeoipSettings::default() };
    let city = database::<Places>(
        ("city", FileKind::Places),
        &mut section,
        base,
        sources,
        "name a database of cities or countries (GeoLite2-City.mmdb), or leave `geoip` out",
    );
    let asn = database::<Systems>(
        ("asn", FileKind::Systems),
        &mut section,
        base,
        sources,
        "name a database of autonomous systems (GeoLite2-ASN.mmdb), or leave `asn` out",
    );
    section.finish(&mut sources.found);
    GeoipSettings { city, asn }
}

fn database<D: Database>(
    (key, kind): (&'static str, FileKind),
    section: &mut Fields<'_>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
    help: &str,
) -> Option<PathBuf> {
    let written = section.text(key, &mut sources.found)?;
    let path = base.path(&written);
    sources.name(kind, &path, &written.at);
    if let Err(error) = places::look::<D>(&path) {
        sources.found.error("C025", &written.at, error.to_string(), help);
    }
    Some(path)
}
