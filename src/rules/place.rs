//! Where an address is: city and country, and whose network it is in, by MaxMind databases that are held in memory.

mod asn;
mod country;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc};

pub use self::{
    asn::{Asn, System, Systems},
    country::Country,
};

use maxminddb::{
    Reader,
    geoip2::{City, Names},
    path,
};

/// Where an address is, as far as it is known; every part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The city, in the language that was asked for, or in English.
    pub city: String,
    /// The country: ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// The country's name, in the language that was asked for, or in English.
    pub country_name: String,
}

impl Place {
    /// `Linköping, SE`, `SE`, or nothing when nothing is known.
    pub fn short(&self) -> Option<String> {
        match (self.city.as_str(), self.country.as_str()) {
            ("", "") => None,
            ("", country) => Some(country.to_owned()),
            (city, "") => Some(city.to_owned()),
            (city, country) => Some(format!("{city}, {country}")),
        }
    }
}

/// Why a database cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDatabase {
    /// It is no MaxMind database, or it is damaged.
    #[error("not a MaxMind database, or a damaged one: {0}")]
    Damaged(String),
    /// It knows something else.
    #[error("a database of the type `{kind}`, which knows no {wanted}")]
    Type {
        /// What it says that it is.
        kind: String,
        /// What was looked for in it.
        wanted: &'static str,
    },
}

/// The places of all addresses. Without a database, every address is somewhere unknown. Cheap to clone.
#[derive(Clone, Default)]
pub struct Places {
    database: Option<Arc<Reader<Vec<u8>>>>,
}

impl Places {
    /// Looks at a database's description alone: whether it is one, and one of cities or countries.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BadDatabase> {
        let reader = open(bytes, &["City", "Country", "Enterprise"], "cities or countries")?;
        Ok(Self { database: Some(reader) })
    }

    /// Whether there is no database.
    pub fn is_none(&self) -> bool {
        self.database.is_none()
    }

    /// When the database was built, in Unix seconds; `None` without one.
    pub fn built(&self) -> Option<u64> {
        self.database.as_ref().map(|reader| reader.metadata().build_epoch)
    }

    /// Looks at every record. Takes seconds for a database of the usual size.
    ///
    /// # Errors
    /// With the first damage that is found.
    pub fn verify(&self) -> Result<(), BadDatabase> {
        self.database.as_ref().map_or(Ok(()), |reader| reader.verify()).map_err(damaged)
    }

    /// Where `address` is; nothing is known of one that has no entry, or a damaged one. `language` is `en`, `de`, ….
    pub fn find(&self, address: IpAddr, language: &str) -> Place {
        let Some(reader) = &self.database else { return Place::default() };
        let Some(found) =
            reader.lookup(address).ok().and_then(|found| found.decode::<City<'_>>().ok().flatten())
        else {
            return Place::default();
        };
        Place {
            city: text(name(&found.city.names, language)),
            country: text(found.country.iso_code.filter(|code| is_country(code))),
            country_name: text(name(&found.country.names, language)),
        }
    }

    /// The country of an address: ISO 3166-1 alpha-2, or empty when it is not known.
    pub fn country(&self, address: IpAddr) -> String {
        self.find(address, "en").country
    }

    /// The same at the price of one look-up, for bans: of the whole record nothing else is read.
    pub fn country_code(&self, address: IpAddr) -> Option<Country> {
        let found = self.database.as_ref()?.lookup(address).ok()?;
        Country::parse(found.decode_path::<&str>(&path!["country", "iso_code"]).ok()??)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.database.as_ref().map_or("none", |reader| reader.metadata().database_type.as_str());
        write!(f, "Places({kind})")
    }
}

fn name<'a>(names: &Names<'a>, language: &str) -> Option<&'a str> {
    let wanted = match language {
        "de" => names.german,
        "es" => names.spanish,
        "fr" => names.french,
        "ja" => names.japanese,
        "pt" => names.brazilian_portuguese,
        "ru" => names.russian,
        "zh" => names.simplified_chinese,
        _ => None,
    };
    wanted.or(names.english)
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Shown to people and sent by mail: one line of at most 80 characters.
fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Looks at a database's description alone.
fn open(bytes: Vec<u8>, kinds: &[&str], wanted: &'static str) -> Result<Arc<Reader<Vec<u8>>>, BadDatabase> {
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    let kind = &reader.metadata().database_type;
    if kinds.iter().any(|known| kind.contains(known)) {
        return Ok(Arc::new(reader));
    }
    Err(BadDatabase::Type { kind: kind.chars().filter(|c| !c.is_control()).take(40).collect(), wanted })
}

fn damaged(error: maxminddb::MaxMindDbError) -> BadDatabase {
    BadDatabase::Damaged(error.to_string())
}
