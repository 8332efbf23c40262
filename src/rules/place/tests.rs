//! `tests/data/geoip` holds MaxMind's own test databases.

use std::{fs, path::Path};

use super::*;

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip").join(name)).unwrap()
}

fn cities() -> Places {
    Places::parse(data("GeoLite2-City-Test.mmdb")).unwrap()
}

fn find(places: &Places, address: &str, language: &str) -> (String, String, String) {
    let Place { city, country, country_name } = places.find(address.parse().unwrap(), language);
    (city, country, country_name)
}

fn are(city: &str, country: &str, name: &str) -> (String, String, String) {
    (city.to_owned(), country.to_owned(), name.to_owned())
}

#[test]
fn known_addresses_are_where_maxmind_says() {
    let places = cities();
    places.verify().unwrap();
    assert_eq!(find(&places, "81.2.69.142", "en"), are("London", "GB", "United Kingdom"));
    assert_eq!(find(&places, "89.160.20.112", "en"), are("Linköping", "SE", "Sweden"));
    assert_eq!(find(&places, "89.160.20.112", "de"), are("Linköping", "SE", "Schweden"));
    assert_eq!(find(&places, "2001:218::1", "en").1, "JP");
    assert_eq!(places.find("81.2.69.142".parse().unwrap(), "en").short().unwrap(), "London, GB");
}

#[test]
fn what_is_not_in_the_database_is_unknown_and_so_is_everything_without_one() {
    for places in [cities(), Places::default()] {
        for address in ["127.0.0.1", "192.168.1.1", "::1", "255.255.255.255"] {
            let place = places.find(address.parse().unwrap(), "en");
            assert_eq!((place.short(), place), (None, Place::default()), "{address}");
        }
    }
    assert_eq!(Places::default().country("81.2.69.142".parse().unwrap()), "");
}

#[test]
fn a_database_of_countries_knows_no_cities_and_one_of_networks_is_refused() {
    let countries = Places::parse(data("GeoLite2-Country-Test.mmdb")).unwrap();
    assert_eq!(find(&countries, "89.160.20.112", "en"), are("", "SE", "Sweden"));
    assert_eq!(countries.find("89.160.20.112".parse().unwrap(), "en").short().unwrap(), "SE");
    assert_eq!(
        Places::parse(data("GeoLite2-ASN-Test.mmdb")).unwrap_err(),
        BadDatabase::Type { kind: "GeoLite2-ASN".into(), wanted: "cities or countries" }
    );
}

/// None of these may be taken for a good one, and no look-up in one may do worse than know nothing.
#[test]
fn damaged_databases_are_found_and_never_panic() {
    let mut seen = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip/bad")).unwrap() {
        let path = entry.unwrap().path();
        seen += 1;
        let Ok(places) = Places::parse(fs::read(&path).unwrap()) else { continue };
        for address in ["1.1.1.1", "81.2.69.142", "2001:218::1", "::", "255.255.255.255"] {
            let _ = places.find(address.parse().unwrap(), "en");
        }
        assert!(places.verify().is_err(), "{}", path.display());
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_database_cut_short_anywhere_is_not_taken() {
    let whole = data("GeoLite2-City-Test.mmdb");
    for length in (0..whole.len()).step_by(499) {
        assert!(Places::parse(whole[..length].to_vec()).is_err(), "{length}");
    }
}

/// 1.128.0.0/11 is Telstra's in MaxMind's test data, 12.81.92.0/22 is AT&T's.
#[test]
fn autonomous_systems_are_found_by_number_and_name() {
    let systems = Systems::parse(data("GeoLite2-ASN-Test.mmdb")).unwrap();
    systems.verify().unwrap();
    assert!(systems.built().is_some() && !systems.is_none());
    let found = systems.find("1.128.0.1".parse().unwrap()).unwrap();
    assert_eq!((found.asn, found.name.as_str()), (Asn(1221), "Telstra Pty Ltd"));
    for (address, asn) in
        [("1.128.0.1", Some(Asn(1221))), ("::ffff:1.128.0.1", Some(Asn(1221))), ("127.0.0.1", None)]
    {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(systems.asn(address.to_canonical()), asn, "{address}");
    }
    assert_eq!(Systems::default().asn("1.128.0.1".parse().unwrap()), None);
    assert_eq!(
        Systems::parse(data("GeoLite2-City-Test.mmdb")).unwrap_err(),
        BadDatabase::Type { kind: "GeoLite2-City".into(), wanted: "autonomous systems" }
    );
}

#[test]
fn the_country_alone_is_that_of_the_whole_record() {
    for name in ["GeoLite2-City-Test.mmdb", "GeoLite2-Country-Test.mmdb"] {
        let places = Places::parse(data(name)).unwrap();
        for address in ["81.2.69.142", "89.160.20.112", "2001:218::1", "216.160.83.58", "127.0.0.1", "::"] {
            let address = address.parse().unwrap();
            let code = places.country_code(address).map(|country| country.to_string());
            assert_eq!(code.unwrap_or_default(), places.country(address), "{name} {address}");
        }
    }
    assert_eq!(Places::default().country_code("81.2.69.142".parse().unwrap()), None);
}

/// None of them may panic either.
#[test]
fn damaged_databases_of_systems_know_nothing() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip/bad")).unwrap() {
        let Ok(systems) = Systems::parse(fs::read(entry.unwrap().path()).unwrap()) else { continue };
        for address in ["1.1.1.1", "81.2.69.142", "2001:218::1"] {
            let _ = (systems.asn(address.parse().unwrap()), systems.find(address.parse().unwrap()));
        }
    }
}
