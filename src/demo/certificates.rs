//! A certificate authority of the demo's own and one certificate for the names that lead to this machine.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::{DemoError, place::Place};
use crate::clock::Wall;

/// What a client has to trust.
pub(super) const AUTHORITY: &str = "ca.pem";

const NAMES: [&str; 3] = ["localhost", "panel.localhost", "127.0.0.1"];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Makes both, unless the directory has them already: whoever has trusted the authority need not do so again.
pub(super) fn make(place: &Place, now: Wall) -> Result<(), DemoError> {
    let files = [AUTHORITY, "certs/localhost.crt", "certs/localhost.key"];
    if files.iter().all(|name| place.path(name).exists()) {
        return Ok(());
    }
    let made =
        issue(now).map_err(|error| DemoError::Other(format!("no certificate could be made: {error}")))?;
    for (name, text) in files.into_iter().zip([made.authority, made.certificate, made.key]) {
        place.write(name, &text)?;
    }
    Ok(())
}

struct Made {
    authority: String,
    certificate: String,
    key: String,
}

fn issue(now: Wall) -> Result<Made, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = params(now, &[], "Panelgate demo authority")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_certificate = authority.self_signed(&authority_key)?;
    // The authority's key ends here: it signs this one certificate and is never written down.
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let mut leaf = params(now, &NAMES, "Panelgate demo")?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = leaf.signed_by(&key, &issuer)?;
    Ok(Made {
        authority: authority_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn params(now: Wall, names: &[&str], common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    // From yesterday, for clocks that go wrong; for a year, which every browser accepts.
    let (year, month, date) = day(Wall::from_secs(now.secs().saturating_sub(DAY.as_secs())));
    params.not_before = date_time_ymd(year, month, date);
    let (year, month, date) = day(now.plus(365 * DAY));
    params.not_after = date_time_ymd(year, month, date);
    Ok(params)
}

/// Year, month and day in UTC.
fn day(at: Wall) -> (i32, u8, u8) {
    let seconds = i64::try_from(at.secs()).unwrap_or(0);
    let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or(1);
    (date.year().into(), part(date.month()), part(date.day()))
}
