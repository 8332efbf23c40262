use std::{fs, net::IpAddr, path::Path};

use rcgen::{CertificateParams, KeyPair};

use super::*;

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
    let following = tokio::spawn(Arc::clone(&certificates).follow(Duration::from_millis(10), stop.clone()));
    put(folder.path(), "b", &["b.test"]);
    let found = async {
        while certificates.find(Some("b.test"), LOOPBACK).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap();
    stop.cancel();
    following.await.unwrap();
}
