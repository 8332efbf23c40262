//! The command line as an operator meets it: the built binary, a real daemon, a shell.

mod backup;
mod manners;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What came of a command.
#[derive(Debug)]
struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed.
    ///
    /// # Panics
    /// When it did not end well.
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What it printed as JSON.
    fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).expect("JSON")
    }

    /// That it said no with `code`, and `why` on standard error only.
    fn says(&self, code: i32, why: &str) {
        assert!(self.code == code && self.err.contains(why) && self.out.is_empty(), "{code} {why}: {self:?}");
    }
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_panelgate")
}

/// A command without anything of ours in its environment.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).env_remove("PANELGATE_CONFIG");
    command
}

fn run(arguments: &[&str]) -> Told {
    Told::of(command(arguments).output().expect("panelgate starts"))
}

/// The same, for a configuration.
fn run_for(config: &Path, arguments: &[&str]) -> Told {
    let config = config.display().to_string();
    run(&[arguments, &["--config", &config]].concat())
}

/// A configuration of its own that names no secret, with an empty data directory.
fn place(directory: &Path) -> PathBuf {
    std::fs::create_dir_all(directory.join("data")).expect("the workspace is writable");
    std::fs::write(directory.join("policy.yaml"), POLICY).expect("the workspace is writable");
    let config = directory.join("config.yaml");
    std::fs::write(&config, CONFIG).expect("the workspace is writable");
    config
}

const CONFIG: &str = "\
version: 1
data_dir: data
sites:
  - { name: panel, origins: [\"https://panel.example.com\"], policy: policy.yaml }
sidecar: { socket: sidecar.sock, socket_peers: [root] }
";

const POLICY: &str = "\
version: 1
roles: [root, user, reader]
pages:
  - { name: all, paths: [\"/**\"], access: { root: full, user: full, reader: read } }
";
