//! A gate, a proxy in front, and the doctor.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;

use crate::{
    proxies::recipe::{self, Addresses, Edit, Proxy},
    support::{
        certificates,
        gate::{Gate, HOST, More},
        house::{House, signal},
        panel, ports, workspace,
    },
};

/// How the doctor gets the panel's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    StandIn,
    Echo,
}

/// What chains are put on.
pub(super) struct Ground {
    gate: Gate,
    directory: PathBuf,
    tls: Arc<ClientConfig>,
}

impl Ground {
    pub(super) fn start(name: &str) -> Self {
        let directory = workspace::directory(name);
        let tls = certificates::issue(&directory, HOST);
        let more = More { requests: Some("1000000/s"), ..More::default() };
        let gate = Gate::start_with(&directory, Duration::from_secs(900), &more);
        Self { gate, directory, tls }
    }

    /// Starts a proxy with its recipe, changed or not, and lets the doctor look at it. Gives its exit code and report.
    pub(super) async fn examine(
        &self,
        proxy: Proxy,
        name: &str,
        edits: &'static [Edit],
        view: View,
    ) -> (i32, Value) {
        let panel = if view == View::Echo { panel::start() } else { ports::free() };
        let addresses = self.addresses(panel);
        let directory = self.directory.join(name);
        let tls = Arc::clone(&self.tls);
        let (started, directory) = on_a_thread(move || {
            (recipe::start_changed(proxy, &addresses, &directory, &tls, edits), directory)
        })
        .await;
        let mut doctor = doctor(&self.directory, started.port, proxy.name());
        doctor.args(["--connect-plain", &format!("127.0.0.1:{}", started.plain)]);
        match view {
            View::StandIn => doctor.args(["--page", "/echo", "--stand-in", &format!("127.0.0.1:{panel}")]),
            View::Echo => doctor.args(["--panel-echo", "/echo", "--panel", &format!("127.0.0.1:{panel}")]),
        };
        let name = directory.display().to_string();
        on_a_thread(move || {
            let done = report(doctor, &name);
            started.stop();
            done
        })
        .await
    }
}

impl Ground {
    /// Behind the shipped recipe, a panel that listens for everybody and is named as another address of the site.
    pub(super) async fn examine_beside(&self) -> (i32, Value) {
        let open = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("there is a free port");
        let port = open.local_addr().expect("it is bound").port();
        let panel = panel::start();
        let addresses = self.addresses(panel);
        let directory = self.directory.join("beside");
        let tls = Arc::clone(&self.tls);
        let start = move || recipe::start_changed(Proxy::Nginx, &addresses, &directory, &tls, &[]);
        let started = on_a_thread(start).await;
        let mut doctor = doctor(&self.directory, started.port, "nginx");
        doctor.args(["--connect-plain", &format!("127.0.0.1:{}", started.plain), "--panel-echo", "/echo"]);
        doctor.args([
            "--panel",
            &format!("127.0.0.1:{port}"),
            "--also",
            &format!("http://127.0.0.1:{panel}"),
        ]);
        on_a_thread(move || {
            let done = report(doctor, "beside");
            started.stop();
            drop(open);
            done
        })
        .await
    }

    /// Somebody with a certificate of another authority, who would accept whatever is sent.
    pub(super) async fn examine_a_stranger(&self) -> (i32, Value) {
        let addresses = self.addresses(ports::free());
        let (directory, tls) = (self.directory.join("stranger"), Arc::clone(&self.tls));
        let start = move || recipe::start_changed(Proxy::Nginx, &addresses, &directory, &tls, &[]);
        let started = on_a_thread(start).await;
        let elsewhere = workspace::directory("doctor-elsewhere");
        certificates::issue(&elsewhere, HOST);
        let mut doctor = trusting(&elsewhere, &self.directory, started.port, "nginx");
        doctor.arg("--page").arg("/echo");
        on_a_thread(move || {
            let done = report(doctor, "stranger");
            started.stop();
            done
        })
        .await
    }

    fn addresses(&self, panel: u16) -> Addresses {
        Addresses {
            certificates: self.directory.clone(),
            socket: self.gate.socket.clone(),
            sidecar: self.gate.port,
            secret: self.gate.secret.clone(),
            panel,
        }
    }
}

/// The doctor in front of a port that nobody listens on.
pub(super) fn at_nobody() -> (i32, String) {
    let directory = workspace::directory("doctor-nobody");
    certificates::issue(&directory, HOST);
    let output = doctor(&directory, ports::free(), "nginx").output().expect("the doctor starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("it was not killed"), told)
}

/// The doctor in front of the edge.
pub(super) async fn examine_edge(house: &House) -> (i32, Value) {
    let mut doctor = doctor(&house.directory, house.edge, "edge");
    // Nothing redirects here; port 80 may be somebody else's.
    doctor.args(["--panel-echo", "/echo", "--connect-plain", &format!("127.0.0.1:{}", ports::free())]);
    on_a_thread(move || report(doctor, "edge")).await
}

/// The doctor in front of the edge, ended with a signal once it has an account. Gives its exit code, what it said, and the
/// accounts that there are then.
pub(super) async fn end_at_the_edge(house: &House, with: &str) -> (i32, String, String) {
    let made = || house.gate.running.log().matches("user-added").count();
    let before = made();
    let mut doctor = doctor(&house.directory, house.edge, "edge");
    doctor.args(["--panel-echo", "/echo", "--connect-plain", &format!("127.0.0.1:{}", ports::free())]);
    let doctor = doctor.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the doctor starts");
    house.wait_until("the doctor has an account", || made() > before).await;
    signal(with, doctor.id());
    let output = on_a_thread(move || doctor.wait_with_output().expect("it is ours")).await;
    let mut list = Command::new(env!("CARGO_BIN_EXE_panelgate"));
    list.args(["user", "list", "--config"]).arg(house.directory.join("config.yaml"));
    let accounts = on_a_thread(move || list.output().expect("panelgate starts")).await;
    assert!(accounts.status.success(), "{accounts:?}");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stderr), text(&accounts.stdout))
}

fn doctor(directory: &Path, port: u16, proxy: &str) -> Command {
    trusting(directory, directory, port, proxy)
}

/// The doctor, who trusts the authority in one folder, and finds the configuration in another.
fn trusting(authority: &Path, directory: &Path, port: u16, proxy: &str) -> Command {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let from = format!("127.66.0.{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_panelgate"));
    doctor
        .args(["doctor", "--json", "--through", &format!("https://{HOST}"), "--from", &from])
        .args(["--connect", &format!("127.0.0.1:{port}")])
        .arg("--ca")
        .arg(authority.join("ca.pem"))
        .arg("--config")
        .arg(directory.join("config.yaml"));
    // These two do not name themselves.
    if ["traefik", "haproxy"].contains(&proxy) {
        doctor.args(["--proxy", proxy]);
    }
    doctor
}

fn report(mut doctor: Command, what: &str) -> (i32, Value) {
    let output = doctor.output().expect("the doctor starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{what}: no report ({error}), {}: {told}", output.status));
    (output.status.code().expect("it was not killed"), report)
}

/// Starting programs and waiting for them blocks.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it did not panic")
}
