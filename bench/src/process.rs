//! Servers as processes of their own, each on its core, ended when they are dropped.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, machine};

/// How long a server may take to listen.
const STARTING: Duration = Duration::from_secs(120);
/// How long it may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// A running server.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program on the servers' core. What it says goes to a file in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(name: &str, program: &Path, args: &[A], folder: &Path) -> Outcome<Self> {
        Self::start_on(machine::SERVERS, name, program, args, folder)
    }

    fn start_on<A: AsRef<OsStr>>(
        core: usize,
        name: &str,
        program: &Path,
        args: &[A],
        folder: &Path,
    ) -> Outcome<Self> {
        let log = folder.join(format!("{name}.log"));
        let said = File::create(&log)?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(args)
            // Ours, and nothing that a gate would know.
            .env_remove("PANELGATE_BENCH_OUT")
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// Waits until a port is open.
    ///
    /// # Errors
    /// When the server ends before, or takes too long; with what it has said.
    pub fn listens_on(&mut self, port: u16) -> Outcome<()> {
        let end = Instant::now() + STARTING;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            self.still_runs()?;
            if Instant::now() > end {
                return Err(format!("{} does not listen on {port}:\n{}", self.name, self.said()).into());
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// An error if it has ended.
    ///
    /// # Errors
    /// With what it has said.
    pub fn still_runs(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} has ended with {status}:\n{}", self.name, self.said()).into()),
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The time that it and its children have computed.
    pub fn computed(&self) -> Duration {
        let own = computed(self.id()).unwrap_or_default();
        children(self.id()).into_iter().filter_map(computed).fold(own, |sum, more| sum + more)
    }

    /// The memory that it has now, in bytes.
    pub fn memory(&self) -> u64 {
        memory(self.id(), "VmRSS:")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let end = Instant::now() + ENDING;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            sleep(Duration::from_millis(5));
        }
    }
}

/// A line of `/proc/PID/status`, in bytes.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let kib = found.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse().ok());
    kib.map_or(0, |kib: u64| kib * 1024)
}

/// The time that a process has computed, ended children of its own included.
pub fn computed(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: u64 = rest.split(' ').skip(11).take(4).filter_map(|word| word.parse::<u64>().ok()).sum();
    Some(Duration::from_secs_f64(ticks as f64 / machine::ticks_per_second()))
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
