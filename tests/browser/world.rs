//! A demo of the test's own, the people in it, and a connection to the browser.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{cdp::Cdp, chromium, device::Device, totp::App, workspace::repository};

/// Everything that one test uses. Dropping it ends the demo, and fails the test when a page of ours complained.
pub(crate) struct World {
    pub(crate) cdp: Arc<Cdp>,
    pub(crate) site: String,
    sidecar: String,
    config: PathBuf,
    people: BTreeMap<String, Person>,
    // In this order: the demo ends before its directory goes.
    demo: Child,
    _output: BufReader<ChildStdout>,
    _directory: TempDir,
}

/// One account of the demo.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) password: String,
    app: Option<App>,
}

impl Person {
    /// The authenticator app on this person's phone.
    pub(crate) fn app(&mut self) -> &mut App {
        self.app.as_mut().expect("this account has a second factor")
    }

    /// A new app, with the key that the set-up showed.
    pub(crate) fn scans(&mut self, app: App) {
        self.app = Some(app);
    }
}

impl World {
    /// A demo as it comes.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A demo with settings from the environment: `("LIFETIMES__ACCESS", "4s")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::in_directory(directory(), settings).await
    }

    /// A demo whose policy has more to say.
    pub(crate) async fn with_policy(addition: &str) -> Self {
        let directory = directory();
        let policy = fs::read_to_string(repository("policies/demo.yaml")).unwrap();
        fs::create_dir(directory.path().join("policies")).unwrap();
        fs::write(directory.path().join("policies/demo.yaml"), format!("{policy}\n{addition}\n")).unwrap();
        Self::in_directory(directory, &[]).await
    }

    /// A demo that tries a candidate beside its policy.
    pub(crate) async fn with_candidate(policy: &str) -> Self {
        let directory = directory();
        fs::write(directory.path().join("next.yaml"), policy).unwrap();
        Self::in_directory(directory, &[("SITES__0__SHADOW", "next.yaml")]).await
    }

    async fn in_directory(directory: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panelgate"));
        command.args(["demo", "--json", "--port-base", "0", "--dir"]).arg(directory.path());
        command.envs(settings.iter().map(|(name, value)| (format!("PANELGATE_{name}"), value)));
        let log = fs::File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut demo = command.spawn().unwrap();
        let mut output = BufReader::new(demo.stdout.take().unwrap());
        let mut line = String::new();
        timeout(Duration::from_secs(30), output.read_line(&mut line)).await.expect("no output").unwrap();
        let facts: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let people = facts["users"].as_array().unwrap().iter().map(person);
        Self {
            cdp: Arc::new(Cdp::connect(chromium::address()).await),
            site: facts["site"].as_str().unwrap().to_owned(),
            sidecar: facts["sidecar"].as_str().unwrap().to_owned(),
            config: facts["config"].as_str().unwrap().into(),
            people: people.map(|person| (person.name.clone(), person)).collect(),
            demo,
            _output: output,
            _directory: directory,
        }
    }

    /// Somebody with name, password and (root and admin) app.
    pub(crate) fn person(&self, name: &str) -> Person {
        self.people[name].clone()
    }

    /// A computer or phone with a browser that was never here before.
    pub(crate) async fn device(&self) -> Device {
        Device::new(&self.cdp, &self.site, true).await
    }

    /// Likewise, with scripts switched off.
    pub(crate) async fn device_without_scripts(&self) -> Device {
        Device::new(&self.cdp, &self.site, false).await
    }

    /// A program somewhere that asks for a page with a key: the status that the sidecar answers to its proxy.
    pub(crate) async fn program(&self, key: &str, method: &str, path: &str) -> u16 {
        let (host, address) =
            (self.site.trim_start_matches("https://"), self.sidecar.trim_start_matches("http://"));
        let ask = format!(
            "GET /api/authz/forward-auth HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Method: {method}\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Uri: {path}\r\n\
             X-Forwarded-For: 203.0.113.7\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("no answer").unwrap();
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }

    /// Runs a verb of the command line against the demo, as its operator would; answers what it printed.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panelgate"));
        command.args(arguments).arg("--config").arg(&self.config).stdin(Stdio::null()).kill_on_drop(true);
        let ran = timeout(Duration::from_secs(30), command.output());
        let output = ran.await.expect("it takes too long").unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        out.into_owned()
    }

    /// What the demo has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory().join("log")).unwrap()
    }

    /// Where the demo keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.config.parent().expect("a file is in a directory")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.demo.start_kill();
        let complaints = self.cdp.complaints();
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "the browser complained:\n{}", complaints.join("\n"));
        }
    }
}

fn directory() -> TempDir {
    tempfile::Builder::new().prefix("panelgate-browser-").tempdir().unwrap()
}

fn person(facts: &Value) -> Person {
    let text = |member: &str| facts[member].as_str().map(str::to_owned);
    Person {
        name: text("name").unwrap(),
        password: text("password").unwrap(),
        app: text("totp_secret").map(|secret| App::new(&secret)),
    }
}
