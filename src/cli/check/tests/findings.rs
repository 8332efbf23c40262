//! Findings beyond the files themselves: permissions, certificates, places, store and keys.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::super::Report;
use crate::{
    app::admin::{AdminRequest, WantedKey},
    cli::connect::tests::place,
    clock::Wall,
    config::Environment,
    feeds,
    rules::identity::UserName,
};

/// In 2026.
const NOW: Wall = Wall::from_secs(1_780_000_000);

const CONFIG: &str = "version: 1
data_dir: data
sites:
  - name: panel
    origins: [\"https://panel.example.com\"]
    policy: policy.yaml
    upstream: http://127.0.0.1:8080
sidecar: { socket: sidecar.sock }
";

const POLICY: &str = "version: 1
roles: [root, user]
pages:
  - name: everything
    paths: [\"/**\"]
    access: { root: full, user: read }
  - name: users
    paths: [\"/users/**\"]
    scopes: { read: users:read, write: users:write }
    access: { root: full }
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(more: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put("config.yaml", &format!("{CONFIG}{more}"), 0o600);
        folder.put("policy.yaml", POLICY, 0o600);
        fs::create_dir(folder.path("data")).unwrap();
        folder.mode("data", 0o700);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        self.mode(name, mode);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A certificate that is good in these years.
    fn certificate(&self, name: &str, host: &str, years: (i32, i32)) {
        let key = KeyPair::generate().unwrap();
        let mut about = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (about.not_before, about.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let certificate = about.self_signed(&key).unwrap();
        self.put(&format!("{name}.crt"), &certificate.pem(), 0o644);
        self.put(&format!("{name}.key"), &key.serialize_pem(), 0o600);
    }

    fn report(&self, now: Wall) -> Report {
        Report::of(&self.path("config.yaml"), &Environment::new(), now)
    }

    fn said(&self) -> String {
        self.said_at(NOW)
    }

    fn said_at(&self, now: Wall) -> String {
        let here = format!("{}/", self.0.path().display());
        self.report(now).text(false, "config.yaml").replace(&here, "")
    }
}

#[test]
fn a_sound_configuration_is_said_to_be_so() {
    let said = Folder::new("").said();
    assert!(said.contains("note[C099]: data/panelgate.redb is not there yet"), "{said}");
    assert!(said.contains("panel: 2 pages, open to everybody: none\n"), "{said}");
    assert!(said.contains("config.yaml can be used: no problem found\n"), "{said}");
}

#[test]
fn a_candidate_is_checked_and_said_to_be_a_shadow() {
    let folder = Folder::new("");
    let with = CONFIG.replace("    upstream:", "    shadow: next.yaml\n    upstream:");
    folder.put("config.yaml", &with, 0o600);
    folder.put("next.yaml", &POLICY.replace("access: { root: full }", "anonymous: read"), 0o600);
    let said = folder.said();
    let line = "panel, shadow next.yaml, without effect: 2 pages, open to everybody: users\n";
    assert!(said.contains("panel: 2 pages, open to everybody: none\n") && said.contains(line), "{said}");
    let json = folder.report(NOW).json();
    assert_eq!(json["sites"][0]["shadow"]["anonymous"], serde_json::json!(["users"]));
    folder.put("next.yaml", &POLICY.replace("user: read", "uesr: read"), 0o600);
    let said = folder.said();
    assert!(said.contains("next.yaml:6:27: error[P017]: unknown role `uesr`"), "{said}");
    assert!(said.contains("config.yaml cannot be used"), "{said}");
}

#[test]
fn files_and_folders_that_others_may_use_are_named_with_the_command_that_mends_it() {
    let folder = Folder::new("");
    folder.mode("config.yaml", 0o664);
    folder.mode("policy.yaml", 0o666);
    folder.mode("data", 0o755);
    let said = folder.said();
    for line in [
        "config.yaml: warning[C090]: config.yaml can be changed by others than its owner (mode 664)\n  help: chmod go-w",
        "config.yaml:6:13: warning[C090]: policy.yaml can be changed",
        "config.yaml:2:11: warning[C091]: data, which holds the store",
        "help: chmod 700 data",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(said.ends_with("says more about a code\n") && said.contains("can be used: 3 warnings"), "{said}");
}

#[test]
fn a_socket_in_a_folder_of_others_is_found() {
    let folder = Folder::new("admin: { socket: shared/admin.sock }\n");
    fs::create_dir(folder.path("shared")).unwrap();
    folder.mode("shared", 0o777);
    assert!(folder.said().contains("others could put a socket of their own into shared (mode 777)"));
    folder.mode("shared", 0o1777);
    assert!(!folder.said().contains("C091"), "{}", folder.said());
}

fn with_edge() -> Folder {
    let folder = Folder::new("edge: { listen: [\"127.0.0.1:8443\"], certificates: certs }\n");
    fs::create_dir(folder.path("certs")).unwrap();
    folder
}

#[test]
fn certificates_are_looked_at_before_browsers_do() {
    let folder = with_edge();
    assert!(folder.said().contains("error[C095]: certs holds no certificate"), "{}", folder.said());
    folder.certificate("certs/panel", "panel.example.com", (2024, 2030));
    assert!(folder.said().contains("no problem found"), "{}", folder.said());
    folder.mode("certs/panel.key", 0o644);
    assert!(folder.said().contains("warning[C090]: the private key certs/panel.key"), "{}", folder.said());
    folder.certificate("certs/panel", "panel.example.com", (2024, 2025));
    assert!(folder.said().contains("error[C093]: the certificate certs/panel.crt has expired (2025-01-01T"));
    folder.certificate("certs/panel", "panel.example.com", (2028, 2030));
    assert!(
        folder.said().contains("error[C093]: the certificate certs/panel.crt is not good before 2028-01-01T")
    );
    folder.certificate("certs/panel", "other.example.com", (2024, 2030));
    assert!(folder.said().contains("warning[C094]: no certificate in certs is for panel.example.com"));
}

#[test]
fn a_certificate_that_ends_within_a_month_is_warned_of() {
    let folder = with_edge();
    folder.certificate("certs/panel", "panel.example.com", (2024, 2027));
    let end = 1_798_761_600;
    let days = |days: u64| folder.said_at(Wall::from_secs(end - days * 86_400));
    assert!(!days(31).contains("C092"), "{}", days(31));
    assert!(
        days(12).contains("warning[C092]: the certificate certs/panel.crt expires in 12 days (2027-01-01T")
    );
}

#[test]
fn an_old_database_of_places_is_warned_of_and_a_damaged_one_refused() {
    let folder = Folder::new("geoip: { city: city.mmdb }\n");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geoip");
    fs::copy(data.join("GeoLite2-City-Test.mmdb"), folder.path("city.mmdb")).unwrap();
    folder.mode("city.mmdb", 0o644);
    let built = feeds::places::look::<crate::rules::place::Places>(&folder.path("city.mmdb"))
        .unwrap()
        .built()
        .unwrap();
    let days = |days: u64| folder.said_at(Wall::from_secs(built + days * 86_400));
    assert!(!days(60).contains("C096"), "{}", days(60));
    assert!(days(61).contains("warning[C096]: the database city.mmdb was built 61 days ago"), "{}", days(61));
    let mut bytes = fs::read(folder.path("city.mmdb")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xff);
    fs::write(folder.path("city.mmdb"), bytes).unwrap();
    assert!(days(1).contains("error[C097]: city.mmdb is "), "{}", days(1));
}

#[test]
fn a_key_set_that_others_may_change_or_that_holds_no_key_is_found() {
    const ISSUER: &str = "issuers:
  - { name: p, issuer: i, audience: a, cookies: [c], algorithms: [EdDSA], jwks_file: jwks.json }
";
    const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let folder = Folder::new("");
    let config = CONFIG.replace("    upstream:", "    issuers: [p]\n    upstream:") + ISSUER;
    folder.put("config.yaml", &config, 0o600);
    folder.put("jwks.json", SET, 0o644);
    assert!(folder.said().contains("no problem found"), "{}", folder.said());
    folder.mode("jwks.json", 0o666);
    assert!(folder.said().contains("warning[C090]: jwks.json can be changed by others"), "{}", folder.said());
    for broken in ["", "{}", r#"{"keys":[]}"#] {
        folder.put("jwks.json", broken, 0o600);
        assert!(folder.said().contains("error[C024]: jwks.json cannot be used: "), "{}", folder.said());
    }
}

#[test]
fn a_store_and_keys_that_cannot_be_used_are_found() {
    let folder = Folder::new("");
    folder.put("data/panelgate.redb", "nothing of the kind", 0o600);
    fs::create_dir(folder.path("data/keys")).unwrap();
    folder.put("data/keys/keys.json", "{}", 0o600);
    folder.mode("data/keys", 0o700);
    let said = folder.said();
    assert!(said.contains("error[C098]: "), "{said}");
    assert!(said.contains("error[C100]: "), "{said}");
    assert!(folder.report(NOW).unusable);
}

#[test]
fn a_key_whose_scope_no_page_names_any_more_is_found() {
    let folder = Folder::new("");
    let place = place(&folder.path("data"));
    let user = || UserName::parse("alice").unwrap();
    let account = AdminRequest::AddUser {
        name: user(),
        role: "root".into(),
        display: String::new(),
        email: String::new(),
        password_hash: bcrypt::hash("correct horse", 4).unwrap(),
    };
    place.ask(account).unwrap();
    let scopes = vec!["users:read".to_owned(), "users:write".to_owned()];
    let key = WantedKey { user: user(), name: "script".into(), scopes, site: None, expires: None };
    place.ask(AdminRequest::MakeKey(key)).unwrap();
    assert!(!folder.said().contains("C102"), "{}", folder.said());
    folder.put("policy.yaml", &POLICY.replace("read: users:read", "read: accounts:read"), 0o600);
    let said = folder.said();
    assert!(said.contains(" of alice has the scope `users:read`, which no page of `panel` names"), "{said}");
    assert!(!said.contains("scope `users:write`"), "{said}");
}

#[test]
fn everything_is_said_at_once_also_when_the_configuration_cannot_be_used() {
    let folder = with_edge();
    folder.put(
        "config.yaml",
        &fs::read_to_string(folder.path("config.yaml")).unwrap().replace("sidecar", "sidcar"),
        0o666,
    );
    folder.put("policy.yaml", &POLICY.replace("root: full }", "rot: full }"), 0o600);
    let said = folder.said();
    for code in ["C003", "P017", "C090", "C095"] {
        assert!(said.contains(&format!("[{code}]")), "{code}\n{said}");
    }
    assert!(said.contains("cannot be used"), "{said}");
}

#[test]
fn a_configuration_whose_tests_alone_do_not_hold_can_be_used() {
    let folder = Folder::new("");
    let case = |name: &str, expect: &str| {
        format!("  - {{ name: {name}, role: user, path: /users/7, expect: {expect} }}\n")
    };
    let two = format!("cases:\n{}{}", case("first", "allow"), case("second", "allow"));
    folder.put("policy.test.yaml", &two, 0o600);
    let said = folder.said();
    assert!(said.contains("config.yaml can be used, but 2 tests do not hold: 2 errors\n"), "{said}");
    assert!(
        said.ends_with("--explain T011` says more about a code\n"),
        "an error comes before notes: {said}"
    );
    let json = folder.report(NOW).json();
    assert_eq!((&json["usable"], &json["errors"]), (&true.into(), &2.into()));
    folder.put("policy.test.yaml", &format!("cases:\n{}", case("first", "allow")), 0o600);
    assert!(folder.said().contains("can be used, but 1 test does not hold: 1 error\n"), "{}", folder.said());
    folder.put("policy.test.yaml", "cases: []\n", 0o600);
    assert!(folder.said().contains("can be used, but not all of its tests: "), "{}", folder.said());
    folder.put("policy.yaml", &POLICY.replace("root: full }", "rot: full }"), 0o600);
    assert!(folder.said().contains("config.yaml cannot be used: "), "{}", folder.said());
}

#[test]
fn machines_get_counts_places_and_the_open_pages() {
    let folder = Folder::new("");
    folder.put("policy.yaml", &POLICY.replace("access: { root: full }", "anonymous: read"), 0o600);
    let json = folder.report(NOW).json();
    assert_eq!((&json["usable"], &json["errors"], &json["warnings"]), (&true.into(), &0.into(), &2.into()));
    assert_eq!(json["sites"][0]["anonymous"], serde_json::json!(["users"]));
    let problem =
        json["problems"].as_array().unwrap().iter().find(|problem| problem["code"] == "P032").unwrap();
    assert_eq!(
        (&problem["severity"], &problem["line"], &problem["column"]),
        (&"note".into(), &7.into(), &11.into())
    );
}
