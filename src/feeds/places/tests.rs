use std::{fs, path::Path};

use super::*;
use crate::{
    clock::SystemClock,
    live::{Quotas, Snapshot},
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip").join(name)
}

fn memory(places: Places) -> Arc<Live> {
    let quota = crate::rules::limit::Quota { count: std::num::NonZeroU32::MIN, per: Duration::from_secs(1) };
    let quotas = Quotas::all(quota);
    Arc::new(Live::new(Snapshot { places, ..Snapshot::default() }, quotas))
}

fn city(live: &Live) -> String {
    live.snapshot().places.find("89.160.20.112".parse().unwrap(), "en").city
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn a_changed_file_counts_within_seconds_and_a_broken_one_keeps_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    fs::copy(data("GeoLite2-Country-Test.mmdb"), &file).unwrap();
    let live = memory(load(&file).unwrap());
    assert_eq!(city(&live), "", "a database of countries");
    let (stop, first) = (CancellationToken::new(), Watched::of(Some(file.clone())).await);
    let named = file.clone();
    let following = tokio::spawn(follow::<Places>(
        move || Some(named.clone()),
        first,
        Arc::clone(&live),
        Arc::new(SystemClock::new()),
        stop.clone(),
    ));
    fs::copy(data("GeoLite2-City-Test.mmdb"), folder.path().join("next")).unwrap();
    fs::rename(folder.path().join("next"), &file).unwrap();
    eventually("the new database counts", || city(&live) == "Linköping").await;
    let generation = live.snapshot().generation;
    fs::write(&file, "half a datab").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fs::remove_file(&file).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(live.reload.load().stale["geoip"].what.contains("cannot be read"));
    assert_eq!(
        (city(&live).as_str(), live.snapshot().generation),
        ("Linköping", generation),
        "the old one stays"
    );
    fs::copy(data("GeoLite2-Country-Test.mmdb"), &file).unwrap();
    eventually("a mended file counts", || city(&live).is_empty()).await;
    assert!(live.reload.load().stale.is_empty(), "and nothing is said of it any more");
    stop.cancel();
    following.await.unwrap();
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let said = |name: &str| load::<Places>(&data(name)).unwrap_err().to_string();
    assert!(
        said("missing.mmdb").ends_with("missing.mmdb cannot be read: No such file or directory (os error 2)")
    );
    assert!(said("GeoLite2-ASN-Test.mmdb").ends_with(
        "GeoLite2-ASN-Test.mmdb is a database of the type `GeoLite2-ASN`, which knows no cities or countries"
    ));
    assert!(said("LICENSE-MIT").contains("LICENSE-MIT is not a MaxMind database, or a damaged one: "));
    assert!(said("").ends_with("cannot be read: it is not a regular file"));
    let broken = data("bad/GeoIP2-City-Test-Broken-Double-Format.mmdb");
    assert!(load::<Places>(&broken).is_err(), "damage inside is found");
}
