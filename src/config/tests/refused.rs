//! Broken configurations: each is refused, with the place, the fault and the mend.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::config::{Environment, load};

const SOUND: &str = r#"version: 1
data_dir: data
sites:
  - name: panel
    origins: ["https://panel.example.com"]
    policy: policy.yaml
    upstream: http://127.0.0.1:8080
sidecar:
  socket: sidecar.sock
"#;

const POLICY: &str =
    "version: 1\nroles: [root]\npages:\n  - { name: all, paths: [\"/**\"], access: { root: full } }\n";

/// What `load` says about a configuration in a folder of its own.
fn problems(config: &str, prepare: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    prepare(folder.path());
    let said = match load(&file, &Environment::new()) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(problems) => problems.to_string(),
    };
    said.replace(&folder.path().display().to_string(), "DIR")
}

fn with(extra: &str) -> String {
    problems(&format!("{SOUND}{extra}"), |_| {})
}

#[test]
fn the_sound_one_has_no_problem() {
    assert_eq!(with(""), "");
}

#[test]
fn a_sidecar_on_a_port_that_believes_nobody_or_everybody_does_not_start() {
    let port = SOUND.replace("  socket: sidecar.sock\n", "  listen: 127.0.0.1:9091\n");
    let said = problems(&port, |_| {});
    assert!(said.contains("config.yaml:9") && said.contains("trusted_proxies"), "R1: {said}");
    for everybody in ["0.0.0.0/0", "::/0"] {
        let said = problems(&format!("{port}  trusted_proxies: [\"{everybody}\"]\n"), |_| {});
        assert!(said.contains("config.yaml:10:") && said.contains("everybody"), "R1 (row 3): {said}");
    }
}

#[test]
fn a_secret_that_is_missing_short_or_readable_by_all_does_not_start() {
    let secrets = format!("{SOUND}  secrets: [{{ name: nginx, secret_file: nginx.secret }}]\n");
    let missing = problems(&secrets, |_| {});
    assert!(missing.contains("config.yaml:10:") && missing.contains("nginx.secret"), "row 36: {missing}");
    for (content, mode, fault) in
        [("", 0o600, "0 bytes"), ("short", 0o600, "5 bytes"), (&"x".repeat(40), 0o644, "chmod")]
    {
        let said = problems(&secrets, |folder| {
            let file = folder.join("nginx.secret");
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        });
        assert!(said.contains(fault), "{said}");
    }
}

#[test]
fn a_shared_secret_never_goes_with_a_key_set_nor_a_key_set_with_a_shared_secret() {
    let issuer = |keys: &str, algorithm: &str| {
        let text = format!(
            "issuers:\n  - {{ name: p, issuer: i, audience: a, cookies: [c], algorithms: [{algorithm}], {keys} }}\n"
        );
        let sound = SOUND.replace("    upstream", "    issuers: [p]\n    upstream");
        problems(&format!("{sound}{text}"), |folder| {
            fs::write(folder.join("jwks.json"), "{\"keys\":[]}").unwrap();
            fs::write(folder.join("s"), "x".repeat(40)).unwrap();
            fs::set_permissions(folder.join("s"), fs::Permissions::from_mode(0o600)).unwrap();
        })
    };
    assert_eq!(issuer("jwks_file: jwks.json", "RS256"), "");
    assert_eq!(issuer("secret_file: s", "HS256"), "");
    assert!(
        issuer("jwks_file: jwks.json", "HS256").contains("secret_file"),
        "R10: key confusion begins here"
    );
    assert!(issuer("secret_file: s", "RS256").contains("HS256"));
    assert!(issuer("secret_file: s, jwks_file: jwks.json", "HS256").contains("only one of"));
    assert!(issuer("jwks_url: \"http://example.com/k\"", "RS256").contains("https"));
}

#[test]
fn every_mistake_has_its_place_and_its_mend() {
    for (broken, place, mend) in [
        (SOUND.replace("data_dir", "data_dirr"), ":2:1:", "did you mean `data_dir`?"),
        (SOUND.replace("https://panel", "http://panel"), ":5:", "https"),
        (SOUND.replace("https://panel.example.com\"", "panel\""), ":5:", "https://panel.example.com"),
        (SOUND.replace("policy.yaml", "other.yaml"), "other.yaml", "cannot be read"),
        (SOUND.replace("8080", "8080/path"), ":7:", "without a path"),
        (format!("{SOUND}log: {{ level: loud }}\n"), ":10:", "`debug`"),
        (format!("{SOUND}limits: {{ requests: many }}\n"), ":10:", "600/min"),
        (format!("{SOUND}lifetimes: {{ access: 15 }}\n"), ":10:", "15m"),
        (format!("{SOUND}log: {{}}\nlog: {{}}\n"), ":11:", "line 10"),
        (SOUND.replace("version: 1", "version: 2"), ":1:", "`1`"),
        (SOUND.replace("    name", "\tname").replace("  - name", "\t- name"), "Y001", "spaces only"),
    ] {
        let said = problems(&broken, |_| {});
        assert!(said.contains(place) && said.contains(mend), "{broken}\n{said}");
    }
}
