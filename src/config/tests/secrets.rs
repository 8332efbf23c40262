//! Secrets: in place, in files, as systemd credentials.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crate::config::{Environment, Examined, FileKind, examine};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const SITE: &str = r#"version: 1
data_dir: data
sites:
  - name: panel
    origins: ["https://panel.example.com"]
    policy: policy.yaml
    issuers: [p]
sidecar:
  listen: 127.0.0.1:9091
  secrets: [{ name: nginx, SIDECAR }]
issuers:
  - { name: p, issuer: i, audience: a, cookies: [c], algorithms: [HS256], ISSUER }
notices:
  smtp: { host: mail.example.com, from: panel@example.com, user: panel, SMTP }
  webhook: { url: "https://hooks.example.com/", WEBHOOK }
"#;

const POLICY: &str =
    "version: 1\nroles: [root]\npages:\n  - { name: all, paths: [\"/**\"], access: { root: full } }\n";

fn write(path: &Path, text: &str, mode: u32) {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
}

/// Loads a configuration whose four secrets are written as `how` says, from a folder with `files` and from one of
/// credentials as systemd makes it: mode 0500, files 0400.
fn read(how: [&str; 4], files: &[&str], credentials: &[&str]) -> Result<Examined, String> {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("credentials");
    fs::DirBuilder::new().mode(0o700).create(&given).unwrap();
    for name in credentials {
        write(&given.join(name), SECRET, 0o400);
    }
    for name in files {
        write(&folder.path().join(name), &SECRET.replace('0', "f"), 0o600);
    }
    write(&folder.path().join("policy.yaml"), POLICY, 0o600);
    let mut text = SITE.to_owned();
    for (place, how) in ["SIDECAR", "ISSUER", "SMTP", "WEBHOOK"].into_iter().zip(how) {
        text = text.replace(place, how);
    }
    let config = folder.path().join("config.yaml");
    write(&config, &text, 0o600);
    let environment = Environment::from([("CREDENTIALS_DIRECTORY".into(), given.display().to_string())]);
    let examined = examine(&config, &environment);
    if examined.settings.is_some() { Ok(examined) } else { Err(examined.problems.to_string()) }
}

fn secrets(loaded: &Examined) -> [String; 2] {
    let settings = loaded.settings.as_ref().unwrap();
    let (sidecar, smtp) = (settings.sidecar.as_ref().unwrap(), settings.notices.smtp.as_ref().unwrap());
    [&sidecar.secrets[0].secret, &smtp.login.as_ref().unwrap().1].map(|secret| secret.expose().to_owned())
}

#[test]
fn every_secret_can_stand_in_a_file_or_in_place() {
    let file = ["secret_file: s", "secret_file: s", "password_file: s", "secret_file: s"];
    let loaded = read(file, &["s"], &[]).unwrap();
    assert_eq!(secrets(&loaded), [SECRET.replace('0', "f"), SECRET.replace('0', "f")]);
    assert_eq!(loaded.named.iter().filter(|file| file.kind == FileKind::Secret).count(), 4);
    let place = ["secret: 0123456789abcdef0123456789abcdef"; 4].map(str::to_owned);
    let smtp = place[2].replace("secret:", "password:");
    let loaded = read([&place[0], &place[1], &smtp, &place[3]], &[], &[]).unwrap();
    assert_eq!(secrets(&loaded), [SECRET, SECRET]);
}

#[test]
fn a_bare_name_is_a_systemd_credential_if_there_is_one_and_a_file_beside_the_configuration_otherwise() {
    let bare = ["secret_file: s", "secret_file: s", "password_file: s", "secret_file: s"];
    assert_eq!(secrets(&read(bare, &["s"], &["s"]).unwrap()), [SECRET, SECRET]);
    assert_eq!(secrets(&read(bare, &["s"], &["other"]).unwrap())[0], SECRET.replace('0', "f"));
    let path = ["secret_file: ./s", "secret_file: ./s", "password_file: ./s", "secret_file: ./s"];
    assert_eq!(
        secrets(&read(path, &["s"], &["s"]).unwrap())[0],
        SECRET.replace('0', "f"),
        "a path is a path"
    );
    let missing = read(bare, &[], &["other"]).unwrap_err();
    assert!(missing.contains("no credential of this name"), "{missing}");
}

#[test]
fn a_secret_in_place_and_in_a_file_is_an_error_everywhere_and_never_shown() {
    let both = |file: &str| format!("{}: {SECRET}, {file}: s", file.trim_end_matches("_file"));
    let [secret, password] = [both("secret_file"), both("password_file")];
    let said = read([&secret, &secret, &password, &secret], &["s"], &[]).unwrap_err();
    assert_eq!(said.matches("C026").count(), 4, "{said}");
    assert!(!said.contains(SECRET), "{said}");
}
