use std::{fs, net::IpAddr, os::unix::fs::symlink, path::Path};

use rcgen::{CertificateParams, KeyPair};

use super::*;

use crate::{
    clock::SystemClock,
    live::{Quotas, Snapshot},
};

fn memory() -> Arc<Live> {
    let quota = crate::rules::limit::Quota { count: std::num::NonZeroU32::MIN, per: Duration::from_secs(1) };
    let quotas = Quotas::all(quota);
    Arc::new(Live::new(Snapshot::default(), quotas))
}

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn put(folder: &Path, file: &str, names: &[&str]) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join(format!("{file}.crt")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
}

fn same(a: Option<Arc<CertifiedKey>>, b: Option<Arc<CertifiedKey>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.cert == b.cert,
        _ => false,
    }
}

fn only(errors: Result<Certificates, CertErrors>) -> String {
    let errors = errors.err().unwrap();
    assert_eq!(errors.0.len(), 1, "{errors}");
    errors.to_string()
}

#[test]
fn certificates_are_found_by_the_names_in_them() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "b", &["panel.example.com"]);
    put(folder.path(), "a", &["*.shop.example.com", "127.0.0.1"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let find = |name| certificates.find(Some(name), LOOPBACK);
    assert!(find("panel.example.com").is_some());
    assert!(same(find("one.shop.example.com"), find("two.shop.example.com")));
    assert!(!same(find("one.shop.example.com"), find("panel.example.com")));
    for stranger in ["example.com", "shop.example.com", "a.b.shop.example.com", "evil.test", ""] {
        assert!(find(stranger).is_none(), "{stranger}");
    }
}

#[test]
fn r30_a_client_that_names_no_host_gets_the_certificate_of_the_address_or_none() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a", &["panel.example.com"]);
    put(folder.path(), "b", &["127.0.0.1"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let by_name = certificates.find(Some("panel.example.com"), LOOPBACK);
    let by_address = certificates.find(None, LOOPBACK);
    assert!(by_address.is_some() && !same(by_address, by_name));
    assert!(certificates.find(None, "192.0.2.1".parse().unwrap()).is_none());
}

#[test]
fn a_reload_takes_the_whole_folder_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a", &["a.test"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let before = certificates.find(Some("a.test"), LOOPBACK);
    assert!(!certificates.reload().unwrap(), "nothing has changed");

    put(folder.path(), "a", &["a.test"]);
    put(folder.path(), "b", &["b.test"]);
    fs::remove_file(folder.path().join("b.key")).unwrap();
    assert!(certificates.reload().is_err());
    assert!(same(certificates.find(Some("a.test"), LOOPBACK), before.clone()), "the old one stays");

    put(folder.path(), "b", &["b.test"]);
    assert!(certificates.reload().unwrap());
    assert!(!same(certificates.find(Some("a.test"), LOOPBACK), before));
    assert!(certificates.find(Some("b.test"), LOOPBACK).is_some());
}

#[test]
fn every_problem_names_the_file_and_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(only(Certificates::load(&path.join("none"))).contains("cannot read"));
    assert!(only(Certificates::load(path)).contains("put NAME.crt"));
    put(path, "a", &["a.test"]);
    let other = KeyPair::generate().unwrap().serialize_pem();
    fs::write(path.join("a.key"), other).unwrap();
    assert!(only(Certificates::load(path)).contains("a.key does not belong to"));
    fs::write(path.join("a.key"), "nothing").unwrap();
    assert!(only(Certificates::load(path)).contains("a.key holds no private key"));
    fs::write(path.join("a.crt"), "nothing").unwrap();
    assert!(only(Certificates::load(path)).contains("a.crt holds no certificate"));
    fs::remove_file(path.join("a.key")).unwrap();
    assert!(only(Certificates::load(path)).contains("put its private key at"));
    put(path, "b", &["b.test"]);
    fs::write(path.join("b.crt"), "").unwrap();
    assert_eq!(Certificates::load(path).err().unwrap().0.len(), 2, "all problems at once");
}

#[tokio::test]
async fn the_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a", &["a.test"]);
    let certificates = Arc::new(Certificates::load(folder.path()).unwrap());
    let stop = CancellationToken::new();
    let (live, clock) = (memory(), Arc::new(SystemClock::new()));
    let follow =
        Arc::clone(&certificates).follow(Duration::from_millis(10), Arc::clone(&live), clock, stop.clone());
    let following = tokio::spawn(follow);
    put(folder.path(), "b", &["b.test"]);
    let found = async {
        while certificates.find(Some("b.test"), LOOPBACK).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap();
    let is_stale = |wanted: bool| {
        let live = &live;
        let waited = async move {
            while live.reload.load().stale.contains_key("certificates") != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waited)
    };
    let whole = fs::read(folder.path().join("b.crt")).unwrap();
    fs::write(folder.path().join("b.crt"), &whole[..whole.len() / 2]).unwrap();
    is_stale(true).await.expect("half a certificate shows");
    assert!(certificates.find(Some("b.test"), LOOPBACK).is_some(), "the old one stays");
    fs::write(folder.path().join("b.crt"), &whole).unwrap();
    is_stale(false).await.expect("once it is whole nothing is said of it any more");
    // As an orchestrator does: the folder's files are links into one that is swapped.
    let data = folder.path().join("..data");
    for name in ["one", "two"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        put(&folder.path().join(name), "c", &[&format!("{name}.test")]);
    }
    symlink("one", &data).unwrap();
    for name in ["c.crt", "c.key"] {
        symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
    }
    symlink("two", folder.path().join("next")).unwrap();
    fs::rename(folder.path().join("next"), &data).unwrap();
    let swapped = async {
        while certificates.find(Some("two.test"), LOOPBACK).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), swapped).await.expect("the other folder counts");
    // Another folder is taken as a whole, and followed from then on.
    let other = tempfile::tempdir().unwrap();
    put(other.path(), "d", &["d.test"]);
    certificates.take(Set::read(other.path()).unwrap());
    assert!(certificates.find(Some("a.test"), LOOPBACK).is_none());
    assert!(certificates.find(Some("d.test"), LOOPBACK).is_some());
    stop.cancel();
    following.await.unwrap();
}
