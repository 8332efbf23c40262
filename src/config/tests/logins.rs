//! Logins of panels, and where the master key comes from.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    config::{Environment, Settings, load},
    rules::login::{PassOn, Token},
};

const SITE: &str = r#"version: 1
data_dir: data
sites:
  - name: panel
    origins: ["https://panel.example.com"]
    policy: policy.yaml
    upstream: http://127.0.0.1:8080
    identities: panel-login
sidecar: { socket: sidecar.sock }
"#;

const LOGIN: &str = r#"logins:
  - name: panel-login
    url: http://127.0.0.1:8080/login
    form: { user: "{username}", pass: "{password}", go: "1" }
    success: { status: [302], location_not: /login, cookie: panel_session }
    role: root
    pass_on: { cookies: [panel_session], token: { pointer: /token } }
    signed_out: { status: [401], location: /login }
"#;

const POLICY: &str =
    "version: 1\nroles: [root]\npages:\n  - { name: all, paths: [\"/**\"], access: { root: full } }\n";

fn read(config: &str, environment: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    prepare(folder.path());
    let here = folder.path().display().to_string();
    let environment: Environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), value.replace("DIR", &here))).collect();
    match load(&file, &environment) {
        Ok(loaded) if loaded.warnings.is_empty() => Ok(loaded.settings),
        Ok(loaded) => Err(loaded.warnings.to_string()),
        Err(problems) => Err(problems.to_string()),
    }
}

fn said(config: &str) -> String {
    read(config, &[], |_| {}).map_or_else(|said| said, |_| String::new())
}

#[test]
fn a_site_names_the_login_that_is_asked_for_its_people() {
    let settings = read(&format!("{SITE}{LOGIN}"), &[], |_| {}).unwrap();
    let recipe = settings.sites[0].site.login.clone().unwrap();
    assert_eq!((&*recipe.name, recipe.url.path(), recipe.renew), ("panel-login", "/login", false));
    assert_eq!(recipe.timeout.as_secs(), 5);
    let token = Token { pointer: "/token".into(), header: "authorization".into(), prefix: "Bearer ".into() };
    assert_eq!(recipe.pass_on, PassOn { cookies: vec!["panel_session".into()], token: Some(token) });
    let embedded = SITE.replace("panel-login", "embedded");
    assert!(read(&embedded, &[], |_| {}).unwrap().sites[0].site.login.is_none());
}

#[test]
fn every_mistake_in_a_login_is_said_with_its_mend() {
    for (wrong, right, mend) in [
        ("127.0.0.1:8080/login", "panel.example.com/login", "https://"),
        ("pass: \"{password}\"", "pass: secret", "{password}"),
        ("go: \"1\"", "go: \"{token}\"", "before"),
        ("form: {", "json: '{}'\n    form: {", "only one of"),
        (
            "form: { user: \"{username}\", pass: \"{password}\", go: \"1\" }",
            "json: '{\"u\":{username},\"p\":\"{password}\"}'",
            "inside strings",
        ),
        ("{ status: [302], location_not: /login, cookie: panel_session }", "{}", "wrong password"),
        (
            "{ status: [302], location_not: /login, cookie: panel_session }",
            "{ status: [200] }",
            "many panels answer 200",
        ),
        ("status: [302]", "status: [99]", "200 to 499"),
        ("location_not: /login", "location_not: login", "from the root"),
        ("    role: root\n", "", "claims: { role:"),
        ("role: root", "role: boss", "`root`"),
        ("role: root", "role: root\n    roles: { admin: boss }", "`root`"),
        ("cookies: [panel_session]", "cookies: [\"a b\"]", "bare name"),
        ("cookies: [panel_session]", "cookies: [__Host-gate_access]", "gate's own"),
        ("pointer: /token", "pointer: token", "/user/name"),
        ("pointer: /token", "pointer: /token, header: Cookie", "Authorization"),
        ("signed_out: { status: [401], location: /login }", "renew: true", "signed_out"),
        ("location: /login }", "cookie: other }", "not one of the cookies"),
        ("name: panel-login", "name: embedded", "another name"),
        ("name: panel-login", "name: other", "embedded"),
    ] {
        assert!(LOGIN.contains(wrong), "{wrong}");
        let said = said(&format!("{SITE}{}", LOGIN.replace(wrong, right)));
        assert!(said.contains(mend), "{right}\n{said}");
    }
    let unused = said(&format!("{}{LOGIN}", SITE.replace("    identities: panel-login\n", "")));
    assert!(unused.contains("no site names the login"), "{unused}");
}

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn write_secret(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn the_master_key_comes_from_a_file_the_environment_or_a_credential() {
    let plain = SITE.replace("panel-login", "embedded");
    let filed = format!("{plain}master_key_file: key\n");
    let with_file = |folder: &Path| write_secret(folder, "key", &format!("{KEY}\n"));
    let with_credential = |folder: &Path| write_secret(folder, "master-key", KEY);
    let variable = [("PANELGATE_MASTER_KEY", KEY)];
    let credential = [("CREDENTIALS_DIRECTORY", "DIR")];
    let read_key = |settings: Result<Settings, String>| settings.unwrap().master_key.map(|key| key.current);
    let wanted = Some(crate::secret::SecretBytes::new([1; 32]));
    assert_eq!(read_key(read(&plain, &[], |_| {})), None, "the keys directory");
    assert_eq!(read_key(read(&filed, &[], with_file)), wanted);
    assert_eq!(read_key(read(&plain, &variable, |_| {})), wanted);
    assert_eq!(read_key(read(&plain, &credential, with_credential)), wanted);
    assert_eq!(read_key(read(&plain, &credential, |_| {})), None, "a unit with other credentials");

    let twice = read(&filed, &variable, with_file).unwrap_err();
    assert!(twice.contains("master_key_file") && twice.contains("PANELGATE_MASTER_KEY"), "{twice}");
    let twice = read(&plain, &[variable, credential].concat(), with_credential).unwrap_err();
    assert!(twice.contains("credential") && twice.contains("PANELGATE_MASTER_KEY"), "{twice}");
    assert!(!twice.contains(KEY), "{twice}");

    let bad = read(&plain, &[("PANELGATE_MASTER_KEY", "password")], |_| {}).unwrap_err();
    assert!(bad.contains("openssl rand -base64 32") && !bad.contains("`password`"), "{bad}");
    let alone = read(&plain, &[("PANELGATE_MASTER_KEY_OLD", KEY)], |_| {}).unwrap_err();
    assert!(alone.contains("give the current one as well"), "{alone}");
    let both = [("PANELGATE_MASTER_KEY", KEY), ("PANELGATE_MASTER_KEY_OLD", KEY)];
    assert!(read(&plain, &both, |_| {}).unwrap().master_key.unwrap().older.is_some());
}
