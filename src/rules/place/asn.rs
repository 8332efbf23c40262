//! Autonomous systems: whose network an address is in (RFC 1930, RFC 6793).

use std::{fmt, net::IpAddr, sync::Arc};

use maxminddb::{Reader, geoip2, path};
use serde::{Deserialize, Serialize};

use super::{BadDatabase, damaged, open, text};

/// The number of an autonomous system; 0 is none (RFC 7607).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asn(pub u32);

impl Asn {
    /// Reads `64500` or `AS64500`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("as") => text.get(2..)?,
            _ => text,
        };
        // `u32` would take a sign as well.
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (number != 0).then_some(Self(number))
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

impl fmt::Debug for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Its number.
    pub asn: Asn,
    /// Whose it is; may be empty.
    pub name: String,
}

/// The autonomous systems of all addresses. Without a database, none is known. Cheap to clone.
#[derive(Clone, Default)]
pub struct Systems {
    database: Option<Arc<Reader<Vec<u8>>>>,
}

impl Systems {
    /// Looks at a database's description alone: whether it is one, and one of autonomous systems.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BadDatabase> {
        Ok(Self { database: Some(open(bytes, &["ASN", "ISP"], "autonomous systems")?) })
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

    /// The number alone, for bans.
    pub fn asn(&self, address: IpAddr) -> Option<Asn> {
        let found = self.database.as_ref()?.lookup(address).ok()?;
        let number = found.decode_path::<u32>(&path!["autonomous_system_number"]).ok()??;
        (number != 0).then_some(Asn(number))
    }

    /// The number with the name, for people.
    pub fn find(&self, address: IpAddr) -> Option<System> {
        let found = self.database.as_ref()?.lookup(address).ok()?;
        let record = found.decode::<geoip2::Asn<'_>>().ok()??;
        let asn = Asn(record.autonomous_system_number.filter(|number| *number != 0)?);
        Some(System { asn, name: text(record.autonomous_system_organization) })
    }
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.database.as_ref().map_or("none", |reader| reader.metadata().database_type.as_str());
        write!(f, "Systems({kind})")
    }
}
