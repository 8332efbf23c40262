//! A whole gate whose files change.

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, time::Duration};

use rcgen::{CertificateParams, KeyPair};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use super::{changes::AT_START, fresh::is_of};
use crate::{
    app::{self, Running},
    config::{self, Environment, schema},
    live::ReloadState,
    rules::{facts::Target, policy::Manner},
};

const CONFIG: &str = "\
version: 1
data_dir: data
metrics: { listen: \"127.0.0.1:0\" }
sites:
  - { name: panel, origins: [\"https://panel.example.com\"], policy: policies/policy.yaml, upstream: http://127.0.0.1:9 }
sidecar: { socket: sidecar.sock, listen: \"127.0.0.1:0\", secrets: [{ name: nginx, secret_file: nginx.secret }] }
edge: { listen: [\"127.0.0.1:0\"], certificates: certs }
limits: { requests: 600/min }
";
const POLICY: &str = "\
version: 1
roles: [root, user]
pages:
  - { name: all, paths: [\"/**\"], access: { root: full, user: read } }
";

struct House {
    folder: tempfile::TempDir,
    running: Running,
}

impl House {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        for name in ["certs", "policies"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        put(folder.path(), "config.yaml", CONFIG);
        put(folder.path(), "policies/policy.yaml", POLICY);
        put(folder.path(), "nginx.secret", &"s".repeat(40));
        certificate(&folder.path().join("certs"));
        let environment = Environment::new();
        let loaded = config::load(&folder.path().join("config.yaml"), &environment);
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let running = app::start(settings, environment).await.unwrap();
        Self { folder, running }
    }

    fn put(&self, name: &str, text: &str) {
        put(self.folder.path(), name, text);
    }

    async fn look(&self) -> Result<(), String> {
        self.running.reloader.look_again().await
    }

    fn state(&self) -> ReloadState {
        ReloadState::clone(&self.running.gate.live().reload.load())
    }

    fn generation(&self) -> u64 {
        self.running.gate.live().snapshot().generation
    }

    /// The page that a path leads to.
    fn page(&self, path: &str) -> String {
        let snapshot = self.running.gate.live().snapshot();
        let manner = Manner { method: "GET", upgrade: false, method_override: false };
        let ruling =
            snapshot.sites.all()[0].policy.rule_for(&Target::parse(path.as_bytes()).unwrap(), manner);
        ruling.page.map_or_else(String::new, |page| page.name.to_string())
    }

    /// Waits for the files to be looked at by themselves.
    async fn until(&self, what: &str, holds: impl Fn(&ReloadState) -> bool) {
        for _ in 0..400 {
            if holds(&self.state()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not within 20 s: {what}: {:?}", self.state());
    }
}

fn put(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
}

fn certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["panel.example.com".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    put(folder, "panel.crt", &certificate.pem());
    put(folder, "panel.key", &key.serialize_pem());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reload_changes_is_said_and_what_waits_is_named() {
    let house = House::start().await;
    let before = house.state();
    assert!(before.changes.is_empty() && before.waiting.is_empty() && before.compared);
    // The files are looked at meanwhile as well: they change together or not at all.
    let still = house.running.reloader.parts().await;
    house.put("policies/policy.yaml", &POLICY.replace("user: read", "user: full"));
    let config = CONFIG.replace("600/min", "700/min");
    let config = config.replace("listen: [\"127.0.0.1:0\"]", "listen: [\"127.0.0.1:0\", \"127.0.0.2:0\"]");
    house.put("config.yaml", &(config + "log: { format: json, level: debug }\nrestart: { drain: 7s }\n"));
    drop(still);
    house.look().await.unwrap();
    let state = house.state();
    assert_eq!(state.waiting, ["edge.listen", "log.format"]);
    assert_eq!((state.keys, state.cells.opens, state.cells.closes), (5, 2, 0), "{:?}", state.changes);
    for line in ["key edge.listen", "key limits.requests", "key log.level", "key restart.drain"] {
        assert!(state.changes.iter().any(|known| known == line), "{line} in {:?}", state.changes);
    }
    let opened = state.changes.iter().find(|line| line.starts_with("+ all: user, change: ")).cloned();
    assert!(opened.is_some(), "{:?}", state.changes);
    assert_ne!(state.digest, before.digest);
    assert_eq!(house.running.reloader.settings().drain, Duration::from_secs(7), "counts at once");
    // What is as it was at the start waits for nothing.
    house.put("config.yaml", CONFIG);
    house.look().await.unwrap();
    let state = house.state();
    assert_eq!((state.waiting.len(), state.keys, state.cells.all()), (0, 5, 0));
    house.running.stop().await;
}

/// A mistake anywhere keeps everything as it was, and is gone with the mistake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_configuration_is_taken_or_nothing() {
    let house = House::start().await;
    // Whatever was looked at before it ran.
    house.look().await.unwrap();
    let (digest, generation) = (house.state().digest, house.generation());
    // A sound policy with another page, and a folder of certificates that is not there yet.
    let still = house.running.reloader.parts().await;
    house.put("policies/policy.yaml", &POLICY.replace("name: all", "name: everything"));
    house.put("config.yaml", &CONFIG.replace("certificates: certs", "certificates: other"));
    drop(still);
    let problem = house.look().await.unwrap_err();
    assert!(problem.contains("other"), "{problem}");
    let state = house.state();
    assert_eq!((&state.digest, house.generation(), house.page("/x").as_str()), (&digest, generation, "all"));
    assert!(state.problem.is_some());
    // Trying again says nothing new.
    house.look().await.unwrap_err();
    assert_eq!(house.state().failed, state.failed);
    let other = house.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    certificate(&other);
    house.look().await.unwrap();
    assert_eq!(house.page("/x"), "everything");
    let state = house.state();
    assert!(state.problem.is_none() && state.digest != digest);
    // What is as it is in force is not taken again.
    let generation = house.generation();
    house.look().await.unwrap();
    assert_eq!(house.generation(), generation);
    // Unless somebody says so.
    house.running.reloader.reload("test").await.unwrap();
    assert!(house.generation() > generation);
    house.running.stop().await;
}

/// Half-written, removed, replaced by something else, swapped behind a link: the last good policy stays until there is
/// another good one, without anybody saying so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_file_the_last_good_state_stays_until_there_is_a_better_one() {
    let house = House::start().await;
    let path = house.folder.path().join("policies/policy.yaml");
    let trouble = |state: &ReloadState| state.problem.is_some();
    let peace = |state: &ReloadState| state.problem.is_none();
    let (half, _) = POLICY.split_at(POLICY.len() - 20);
    house.put("policies/policy.yaml", half);
    house.until("half of a file is refused", trouble).await;
    assert_eq!(house.page("/x"), "all");
    house.put("policies/policy.yaml", POLICY);
    house.until("the whole file is good", peace).await;
    fs::remove_file(&path).unwrap();
    house.until("a file that is gone is a problem", trouble).await;
    house.put("policies/policy.yaml", POLICY);
    house.until("it is there again", peace).await;
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    house.until("a folder is no policy", trouble).await;
    fs::remove_dir(&path).unwrap();
    // As an orchestrator mounts it.
    let folder = house.folder.path().join("policies");
    for (name, page) in [("one", "first"), ("two", "second")] {
        fs::create_dir(folder.join(name)).unwrap();
        put(&folder, &format!("{name}/policy.yaml"), &POLICY.replace("name: all", &format!("name: {page}")));
    }
    symlink("one", folder.join("..data")).unwrap();
    symlink("..data/policy.yaml", &path).unwrap();
    house.until("what is behind the link counts", peace).await;
    assert_eq!(house.page("/x"), "first");
    symlink("two", folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("..data")).unwrap();
    let done = house.state().done;
    house.until("the link was swapped", |state| state.done > done).await;
    assert_eq!(house.page("/x"), "second");
    assert!(house.state().failed >= 3);
    // A configuration that names what comes only after it.
    house.put("config.yaml", &CONFIG.replace("policies/policy.yaml", "policies/late.yaml"));
    house.until("it is not there yet", trouble).await;
    house.put("policies/late.yaml", &POLICY.replace("name: all", "name: late"));
    house.until("it has come", peace).await;
    assert_eq!(house.page("/x"), "late");
    house.running.stop().await;
}

/// Nobody ever writes into it: whoever opened it as a file would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_under_a_watched_name_is_a_mistake_like_any_other_and_later_changes_are_taken() {
    let house = House::start().await;
    let path = house.folder.path().join("policies/policy.yaml");
    // At once: a look in between would find it missing, which is another mistake.
    let pipe = house.folder.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    fs::rename(&pipe, &path).unwrap();
    let refused = |state: &ReloadState| {
        state.problem.as_ref().is_some_and(|problem| problem.what.contains("it is not a regular file"))
    };
    house.until("a pipe is no policy", refused).await;
    assert_eq!(house.page("/x"), "all");
    fs::remove_file(&path).unwrap();
    house.put("policies/policy.yaml", &POLICY.replace("name: all", "name: after"));
    house.until("the next change is taken", |state| state.problem.is_none()).await;
    assert_eq!(house.page("/x"), "after");
    house.running.stop().await;
}

/// Issuers come and go; whoever stays keeps the keys that are known while its source has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusted_issuers_are_taken_with_their_keys() {
    let house = House::start().await;
    let trusted = || format!("{:?}", house.running.gate.live().snapshot().issuers);
    assert_eq!(trusted(), "[]");
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"first","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    house.put("jwks.json", set);
    let issuers = |audience: &str| {
        format!(
            "issuers:\n  - {{ name: theirs, issuer: i, audience: {audience}, jwks_file: jwks.json, algorithms: [EdDSA], cookies: [panel_jwt], claims: {{ user: sub, session: sid }} }}\n"
        )
    };
    let site = CONFIG.replace("upstream:", "issuers: [theirs], upstream:");
    house.put("config.yaml", &(site.clone() + &issuers("one")));
    house.look().await.unwrap();
    assert!(trusted().contains("first") && trusted().contains("\"one\""), "{}", trusted());
    house.put("jwks.json", "{");
    house.until("a broken set shows", |state| state.stale.contains_key("issuers[theirs]")).await;
    assert!(house.state().problem.is_none(), "the configuration is good all the same");
    house.put("config.yaml", &(site + &issuers("two")));
    house.look().await.unwrap();
    assert!(trusted().contains("first") && trusted().contains("\"two\""), "{}", trusted());
    house.put("jwks.json", &set.replace("first", "second"));
    house.until("a mended set counts", |state| state.stale.is_empty()).await;
    assert!(trusted().contains("second"), "{}", trusted());
    house.put("config.yaml", CONFIG);
    house.look().await.unwrap();
    assert_eq!(trusted(), "[]");
    house.running.stop().await;
}

/// The gate's own keys are read when somebody says so; damaged ones are not taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_keys_keep_the_old_ones() {
    let house = House::start().await;
    let jwks = || house.running.gate.live().snapshot().keys.jwks().to_string();
    let (before, folder) = (jwks(), house.folder.path().join("data/keys"));
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let file = files.iter().find(|file| file.extension().is_some_and(|kind| kind == "json")).unwrap();
    let whole = fs::read(file).unwrap();
    fs::write(file, &whole[..whole.len() / 2]).unwrap();
    let problem = house.running.reloader.reload("test").await.unwrap_err();
    assert!(problem.contains("keys"), "{problem}");
    assert_eq!(jwks(), before);
    fs::write(file, whole).unwrap();
    house.running.reloader.reload("test").await.unwrap();
    assert!(house.state().problem.is_none());
    assert_eq!(jwks(), before);
    house.running.stop().await;
}

/// Every key of the configuration either counts at once or is named where it waits.
#[test]
fn no_key_is_forgotten() {
    const AT_ONCE: [&str; 20] = [
        "bans",
        "edge.certificates",
        "geoip",
        "issuers",
        "journal",
        "lifetimes",
        "limits",
        "lockout",
        "log.level",
        "logins",
        "master_key_file",
        "master_key_old_file",
        "notices",
        "passwords",
        "restart",
        "second_factor",
        "sidecar.secrets",
        "sidecar.tls",
        "sidecar.trusted_proxies",
        "sites",
    ];
    let document: Value = serde_json::from_str(schema::CONFIG).unwrap();
    let properties = |node: &Value| {
        let node = match node["$ref"].as_str() {
            Some(place) => document.pointer(place.strip_prefix('#').unwrap()).unwrap(),
            None => node,
        };
        node["properties"].as_object().cloned().unwrap_or_default()
    };
    let mut keys = BTreeSet::new();
    for (key, node) in properties(&document) {
        match key.as_str() {
            "sidecar" | "edge" | "log" => {
                keys.extend(properties(&node).keys().map(|below| format!("{key}.{below}")));
            }
            _ => drop(keys.insert(key)),
        }
    }
    assert!(keys.contains("edge.limits") && keys.contains("data_dir"), "{keys:?}");
    for key in &keys {
        let counts = |sections: &[&str]| sections.iter().any(|section| is_of(key, section));
        assert!(counts(&AT_START) != counts(&AT_ONCE), "does `{key}` count at once, or at the start?");
    }
}
