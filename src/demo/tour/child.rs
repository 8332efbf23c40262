//! The gate, as a child process that can be killed.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use super::Broken;
use crate::{config::Environment, demo::report::Report};

/// How long the gate may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running demo.
pub(super) struct Gate {
    process: Child,
    /// Kept open: a demo whose output is closed goes on, but would rather not.
    _output: BufReader<ChildStdout>,
}

impl Gate {
    /// Starts this program's demo on `dir` with `settings` in the environment instead of those in `ambient`, and waits
    /// until it serves.
    pub(super) async fn start(
        dir: &Path,
        ambient: &Environment,
        settings: &[(&str, &str)],
    ) -> Result<(Self, Report), Broken> {
        let broken = |error: std::io::Error| Broken(format!("the gate cannot be started: {error}"));
        let program = std::env::current_exe().map_err(broken)?;
        let mut command = Command::new(program);
        for name in ambient.keys().filter(|name| name.starts_with("PANELGATE_")) {
            command.env_remove(name);
        }
        let mut process = command
            .args(["demo", "--with-parent", "--json", "--port-base", "0", "--dir"])
            .arg(dir)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let output = process.stdout.take().ok_or_else(|| Broken("the gate has no output".to_owned()))?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, output.read_line(&mut line)).await;
        read.map_err(|_| Broken(format!("the gate was not up within {} s", PATIENCE.as_secs())))?
            .map_err(broken)?;
        let report = serde_json::from_str(&line)
            .map_err(|error| Broken(format!("the gate did not start ({error}); it said: {line:?}")))?;
        Ok((Self { process, _output: output }, report))
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Broken> {
        self.process.kill().await.map_err(|error| Broken(format!("the gate cannot be killed: {error}")))
    }
}
