//! `PANELGATE_SECTION__KEY`.

use std::{fs, path::PathBuf, time::Duration};

use super::super::*;

const CONFIG: &str = "version: 1
sites:
  - name: panel
    origins: [\"https://panel.example.com\"]
    policy: policy.yaml
    lifetimes: { access: 10m, idle: 1d }
  - name: other
    origins: [\"https://other.example.com\"]
    policy: policy.yaml
sidecar: { socket: sidecar.sock }
";

const POLICY: &str = "version: 1
roles: [root]
elevation: { lasts: 10m }
pages:
  - { name: all, paths: [/**], access: { root: full } }
  - { name: system, paths: [/system], lasts: 5m, access: { root: full } }
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.yaml"), CONFIG).unwrap();
        fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        load(&self.path("config.yaml"), &environment)
    }

    fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        self.load(variables).unwrap_or_else(|problems| panic!("{problems}")).settings
    }
}

#[test]
fn a_lifetime_from_the_environment_wins_over_every_site() {
    let folder = Folder::new();
    let access = |variables: &[(&str, &str)]| {
        let sites = folder.settings(variables).sites;
        sites.iter().map(|site| site.site.lifetimes.access.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(access(&[]), [600, 900]);
    assert_eq!(access(&[("PANELGATE_LIFETIMES__ACCESS", "1s")]), [1, 1]);
    let settings = folder.settings(&[("PANELGATE_LIFETIMES__ACCESS", "1s")]);
    assert_eq!(settings.sites[0].site.lifetimes.idle, Duration::from_hours(24), "the rest stays the site's");
}

#[test]
fn elevation_from_the_environment_shortens_every_page() {
    let folder = Folder::new();
    let lasts = |variables: &[(&str, &str)]| {
        let policy = Arc::clone(&folder.settings(variables).sites[0].site.policy);
        policy.pages().iter().map(|page| page.lasts.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(lasts(&[]), [600, 300]);
    assert_eq!(lasts(&[("PANELGATE_ELEVATION__LASTS", "2s")]), [2, 2]);
}

#[test]
fn sections_lists_and_entries_of_lists_can_be_set_and_keys_taken_out() {
    let folder = Folder::new();
    let settings = folder.settings(&[
        ("PANELGATE_DATA_DIR", "/srv/gate"),
        ("PANELGATE_LOG__LEVEL", "debug"),
        ("PANELGATE_SIDECAR__SOCKET", ""),
        ("PANELGATE_SIDECAR__LISTEN", "127.0.0.1:9091"),
        ("PANELGATE_SIDECAR__TRUSTED_PROXIES", "127.0.0.1/32, 10.0.0.0/8"),
        ("PANELGATE_SITES__1__ORIGINS", "https://new.example.com"),
    ]);
    assert_eq!(settings.admin_socket, PathBuf::from("/srv/gate/admin.socket"));
    assert_eq!(settings.log.level, "debug");
    let sidecar = settings.sidecar.unwrap();
    assert_eq!((sidecar.socket, sidecar.trusted_proxies.len()), (None, 2));
    assert_eq!(&*settings.sites[1].site.origins[0].text, "https://new.example.com");
}

#[test]
fn lists_are_written_whole_or_entry_by_entry() {
    let folder = Folder::new();
    let settings = folder.settings(&[
        ("PANELGATE_SIDECAR__LISTEN", "127.0.0.1:9091"),
        ("PANELGATE_SIDECAR__SECRETS__0__NAME", "nginx"),
        ("PANELGATE_SIDECAR__SECRETS__0__SECRET", "0123456789abcdef0123456789abcdef"),
        ("PANELGATE_SIDECAR__TRUSTED_PROXIES", "[127.0.0.1/32, \"2001:db8::/32\"]"),
        ("PANELGATE_METRICS__LISTEN", "[::1]:9959"),
        ("PANELGATE_SITES__1__ORIGINS__1", "https://also.other.example.com"),
        ("PANELGATE_SITES__1__COOKIES__DOMAIN", "other.example.com"),
        ("PANELGATE_SITES__2__NAME", "third"),
        ("PANELGATE_SITES__2__ORIGINS__0", "https://third.example.com"),
        ("PANELGATE_SITES__2__POLICY", "policy.yaml"),
    ]);
    let sidecar = settings.sidecar.unwrap();
    assert_eq!((sidecar.secrets.len(), sidecar.trusted_proxies.len()), (1, 2));
    assert_eq!(settings.metrics.unwrap().to_string(), "[::1]:9959", "an address is not a list");
    assert_eq!(settings.sites[1].site.origins.len(), 2);
    assert_eq!(&*settings.sites[2].site.id, "third");
}

#[test]
fn what_looks_like_a_setting_and_is_none_is_refused_with_what_was_meant() {
    let folder = Folder::new();
    for (name, meant) in [
        ("PANELGATE_LOG_LEVEL", "`PANELGATE_LOG__LEVEL`"),
        ("PANELGATE_DATADIR", "`PANELGATE_DATA_DIR`"),
        ("PANELGATE_SITES_0_UPSTREAM", "`PANELGATE_SITES__0__UPSTREAM`"),
        ("PANELGATE_CONFG", "`PANELGATE_CONFIG`"),
        ("PANELGATE_SOMETHING", "two underscores"),
        ("PANELGATE_LOG__", "PANELGATE_"),
    ] {
        let said = folder.load(&[(name, "x")]).map_or_else(|said| said.to_string(), |_| String::new());
        assert!(said.contains(meant), "{name}: {said}");
    }
}

/// Orchestrators set such names for a service that is called panelgate.
#[test]
fn names_that_are_not_ours_are_left_alone() {
    let folder = Folder::new();
    folder.settings(&[
        ("PANELGATE_CONFIG", "/etc/panelgate/config.yaml"),
        ("PANELGATE_PORT", "tcp://10.0.0.1:9091"),
        ("PANELGATE_PORT_9091_TCP_ADDR", "10.0.0.1"),
        ("PANELGATE_SERVICE_HOST", "10.0.0.1"),
        ("PANELGATE_SERVICE_PORT_HTTPS", "8443"),
        ("PANELGATE_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("PANELGATE_METRICS_PORT", "tcp://10.0.0.1:9959"),
        ("PATH", "/bin"),
    ]);
}

#[test]
fn a_setting_that_says_nothing_is_named_with_its_variable() {
    let folder = Folder::new();
    let said = |name: &str, value: &str| folder.load(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        said("PANELGATE_LIFETIMES__ACESS", "1s"),
        "environment PANELGATE_LIFETIMES__ACESS: error[C003]: unknown key `acess` in lifetimes\n  \
         help: did you mean `access`?\n"
    );
    assert_eq!(
        said("PANELGATE_LIFETIMES__ACCESS", "1 second"),
        "environment PANELGATE_LIFETIMES__ACCESS: error[C006]: `1 second` is not a duration\n  \
         help: did you mean `1s`?\n"
    );
    assert_eq!(
        said("PANELGATE_SITES__7__UPSTREAM", "http://127.0.0.1:8080"),
        "environment PANELGATE_SITES__7__UPSTREAM: error[C007]: there is no place for `sites.7.upstream`\n  \
         help: sections are mappings; an entry of a list is named by its number, from 0, and only the next \
         one can be added\n"
    );
    assert!(said("PANELGATE_SIDECAR__TRUSTED_PROXIES", "0.0.0.0/0").contains("C053"), "R1 holds here, too");
}
