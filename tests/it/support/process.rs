//! Programs that the tests start. They end with the test run, however it ends.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::workspace::repository;

/// A program that runs until the test run ends.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    log: PathBuf,
    child: Mutex<Child>,
}

/// Where a program is: in the project's `.venv`, or installed from Debian.
///
/// # Panics
/// With the command that installs it: without the proxies nothing is proved, so this is a failure and not a skip.
pub(crate) fn program(name: &str) -> PathBuf {
    let folders = [
        repository(".venv/bin"),
        "/usr/sbin".into(),
        "/usr/bin".into(),
        "/usr/local/sbin".into(),
        "/usr/local/bin".into(),
    ];
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; run scripts/setup.sh test"))
}

impl Running {
    /// Starts a program; what it prints goes to `NAME.log` in `directory`.
    pub(crate) fn start(name: &str, directory: &Path, program: &Path, arguments: &[&str]) -> Self {
        Self::start_in(name, directory, program, arguments, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_in(
        name: &str,
        directory: &Path,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Self {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).expect("the log file can be made");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .current_dir(directory)
            .env("XDG_DATA_HOME", directory)
            .env("XDG_CONFIG_HOME", directory)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file can be shared"))
            .stderr(output);
        let child = spawn(command).unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), log, child: Mutex::new(child) }
    }

    /// Waits until a port accepts connections.
    ///
    /// # Panics
    /// With the end of the log, when the program ends or 30 s pass.
    pub(crate) fn wait_for_port(&self, port: u16) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.wait_until("listen", || TcpStream::connect(address).is_ok());
    }

    /// Waits until something holds.
    ///
    /// # Panics
    /// With the end of the log, when the program ends or 30 s pass.
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..600 {
            if holds() {
                return;
            }
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            if let Ok(Some(status)) = ended {
                panic!("{} ended with {status} before it could {what}:\n{}", self.name, self.log_tail());
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        panic!("{} did not {what} within 30 s:\n{}", self.name, self.log_tail());
    }

    /// Asks it to end, waits until it has, and gives everything that it printed.
    ///
    /// # Panics
    /// When it has not ended after 30 s.
    pub(crate) fn stop(&self) -> Vec<u8> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "{} cannot be asked to end", self.name);
        for _ in 0..600 {
            if child.try_wait().expect("it can be waited for").is_some() {
                return fs::read(&self.log).expect("the log can be read");
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        panic!("{} did not end within 30 s:\n{}", self.name, self.log_tail());
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        ended.is_ok_and(|status| status.is_some())
    }

    /// Everything that it, and whoever took its place, has printed.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines that it printed.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(30)).copied().collect::<Vec<_>>().join("\n")
    }
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Starts a child from one thread that lives as long as the test run: the death signal of a child is sent when the
/// *thread* that started it ends, and each test has its own.
fn spawn(command: Command) -> std::io::Result<Child> {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, incoming) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in incoming {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    keeper.send((command, answer)).expect("the keeper runs");
    child.recv().expect("the keeper answers")
}
