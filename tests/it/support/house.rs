//! A gate with both doors in front of the sample panel, as a service that is reloaded, restarted and loaded.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use panelgate::clock::{Clock as _, SystemClock};
use rustls::ClientConfig;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{
    browser::Browser,
    certificates,
    client::Client,
    gate::{self, Gate, HOST, More},
    panel, ports,
    process::program,
    workspace,
};

/// A WebSocket through the edge.
pub(crate) type Socket = WebSocketStream<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

/// The whole house.
pub(crate) struct House {
    /// The gate as it was started.
    pub(crate) gate: Gate,
    /// Where everything is.
    pub(crate) directory: PathBuf,
    /// The edge's port.
    pub(crate) edge: u16,
    metrics: u16,
    tls: Arc<ClientConfig>,
    told: UnixDatagram,
    /// Processes that took over; they are not children of the test.
    heirs: Mutex<Vec<u32>>,
}

/// wrk, running.
pub(crate) struct Load {
    child: Child,
    what: String,
}

impl House {
    /// Starts one from which nobody is banned.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, "bans: { allow: [127.0.0.0/8] }")
    }

    /// Starts one with more in its configuration.
    pub(crate) fn start_with(name: &str, top: &str) -> Self {
        let directory = workspace::directory(name);
        let (edge, metrics) = (ports::free(), ports::free());
        let tls = certificates::issue(&directory, HOST);
        let folder = directory.join("certs");
        fs::create_dir_all(&folder).expect("the workspace is writable");
        install_certificate(&directory, &folder);
        symlink(env!("CARGO_BIN_EXE_panelgate"), directory.join("panelgate"))
            .expect("the workspace is writable");
        let told = UnixDatagram::bind(directory.join("notify")).expect("the workspace is writable");
        told.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        let more = More {
            site: format!("    upstream: http://127.0.0.1:{}\n", panel::start()),
            top: format!(
                "edge: {{ listen: [\"127.0.0.1:{edge}\"], certificates: certs }}\n\
                 metrics: {{ listen: \"127.0.0.1:{metrics}\" }}\nrestart: {{ drain: 60s }}\n{top}\n"
            ),
            requests: Some("1000000/s"),
            binary: Some(directory.join("panelgate")),
            environment: vec![("NOTIFY_SOCKET", directory.join("notify").display().to_string())],
        };
        let gate = Gate::start_with(&directory, Duration::from_secs(900), &more);
        gate.running.wait_for_port(edge);
        let house = Self { gate, directory, edge, metrics, tls, told, heirs: Mutex::default() };
        assert_eq!(house.hear(), "READY=1");
        house
    }

    /// What systemd would be told next, without the time.
    ///
    /// # Panics
    /// When nothing is said within 30 s.
    pub(crate) fn hear(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self
            .told
            .recv(&mut buffer)
            .unwrap_or_else(|_| panic!("nothing was said:\n{}", self.gate.log_tail()));
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        said.lines().filter(|line| !line.starts_with("MONOTONIC")).collect::<Vec<_>>().join(" ")
    }

    /// Lets a new process take over and gives its id.
    pub(crate) fn replace(&self) -> u32 {
        signal("USR2", self.serving());
        // The new one says READY before the old one has named it.
        let said = [self.hear(), self.hear()];
        let pid = said.iter().find_map(|text| text.strip_prefix("MAINPID=")?.split(' ').next()?.parse().ok());
        let pid = pid.unwrap_or_else(|| panic!("nobody took over: {said:?}\n{}", self.gate.log_tail()));
        self.heirs.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
        pid
    }

    /// The process that serves.
    pub(crate) fn serving(&self) -> u32 {
        let heirs = self.heirs.lock().unwrap_or_else(PoisonError::into_inner);
        heirs.last().copied().unwrap_or_else(|| self.gate.running.pid())
    }

    /// A client with an address of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.edge, HOST, Arc::clone(&self.tls))
    }

    /// Somebody who has signed in.
    pub(crate) async fn somebody(&self) -> Browser {
        let (name, password) = gate::user("user");
        Browser::signed_in(self.client(), &name, password).await
    }

    /// A WebSocket of somebody.
    pub(crate) async fn socket(&self, browser: &Browser) -> Socket {
        let mut request = format!("wss://{HOST}/live/ws").into_client_request().expect("a good address");
        let cookies = browser.cookies("/live/ws").expect("somebody has signed in");
        let fields = [("cookie", cookies), ("origin", format!("https://{HOST}"))];
        for (name, value) in fields {
            request.headers_mut().insert(name, value.parse().expect("a good field"));
        }
        let connected = client_async(request, self.client().connect().await).await;
        connected.unwrap_or_else(|error| panic!("no WebSocket: {error}")).0
    }

    /// What `/readyz` or `/metrics` says.
    pub(crate) fn metrics(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).expect("metrics listen");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("metrics listen");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("metrics answer");
        answer
    }

    /// Waits until something holds.
    ///
    /// # Panics
    /// With the end of the log, after 20 s.
    pub(crate) async fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..400 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not within 20 s: {what}\n{}", self.gate.log_tail());
    }

    /// wrk through the edge, as somebody.
    pub(crate) fn load_edge(&self, browser: &Browser, seconds: u32) -> Load {
        let cookies = browser.cookies("/echo/x").expect("somebody has signed in");
        let fields = [format!("Host: {HOST}"), format!("Cookie: {cookies}")];
        Load::start(&format!("https://127.0.0.1:{}/echo/x", self.edge), &fields, seconds)
    }

    /// wrk at the sidecar, as a proxy would ask for somebody.
    pub(crate) fn load_sidecar(&self, browser: &Browser, seconds: u32) -> Load {
        let cookies = browser.cookies("/echo/x").expect("somebody has signed in");
        let fields = [
            format!("Cookie: {cookies}"),
            format!("X-Gate-Proxy-Secret: {}", self.gate.secret),
            "X-Forwarded-Method: GET".into(),
            "X-Forwarded-Proto: https".into(),
            format!("X-Forwarded-Host: {HOST}"),
            "X-Forwarded-Uri: /echo/x".into(),
            "X-Forwarded-For: 192.0.2.7".into(),
        ];
        Load::start(&format!("http://127.0.0.1:{}/api/authz/forward-auth", self.gate.port), &fields, seconds)
    }

    /// Puts a script in place of the program, as an update would.
    pub(crate) fn update(&self, script: &str) {
        let draft = self.directory.join("panelgate.new");
        fs::write(&draft, script).expect("the workspace is writable");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(&draft, self.directory.join("panelgate")).expect("the workspace is writable");
    }

    /// Puts another text in place of a file, by renaming, as editors do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let draft = self.directory.join(format!("{name}.new"));
        fs::write(&draft, text).expect("the workspace is writable");
        fs::rename(&draft, self.directory.join(name)).expect("the workspace is writable");
    }

    /// What a file says.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).expect("it is there")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for pid in self.heirs.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// Sends a signal.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{pid} is gone");
}

/// Copies the certificate that was issued last to where the edge looks.
pub(crate) fn install_certificate(from: &Path, folder: &Path) {
    for (source, target) in [("key.pem", "panel.key"), ("chain.pem", "panel.crt")] {
        let text = fs::read_to_string(from.join(source)).expect("it was just written");
        gate::write_privately(&folder.join(format!("{target}.new")), &text);
        fs::rename(folder.join(format!("{target}.new")), folder.join(target))
            .expect("the workspace is writable");
    }
}

/// Whether a WebSocket still goes through to the panel and back.
pub(crate) async fn echoes(socket: &mut Socket) -> bool {
    use futures_util::{SinkExt as _, StreamExt as _};
    let asked = async {
        socket.send(Message::text("still there?")).await.ok()?;
        loop {
            match socket.next().await? {
                Ok(Message::Text(text)) if text.contains("still there?") => return Some(()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), asked).await.ok().flatten().is_some()
}

/// How long it takes until a WebSocket is cut.
///
/// # Panics
/// When it is not within 10 s.
pub(crate) async fn cut_after(socket: &mut Socket) -> Duration {
    use futures_util::StreamExt as _;
    let clock = SystemClock::new();
    let start = clock.moment().mono;
    let cut = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), cut).await.expect("it was not cut");
    clock.moment().mono.saturating_sub(start)
}

impl Load {
    fn start(url: &str, fields: &[String], seconds: u32) -> Self {
        let mut wrk = Command::new(program("wrk"));
        wrk.args(["-t1", "-c8", &format!("-d{seconds}s"), "--timeout", "5s"]);
        for field in fields {
            wrk.args(["-H", field]);
        }
        let child = wrk.arg(url).stdout(Stdio::piped()).spawn().expect("wrk starts");
        Self { child, what: url.to_owned() }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When a request failed, or hardly any was answered.
    pub(crate) fn finish(self) {
        let output = self.child.wait_with_output().expect("wrk ends");
        let report = String::from_utf8_lossy(&output.stdout);
        let failed = report.contains("Socket errors") || report.contains("Non-2xx");
        assert!(!failed, "requests failed at {}:\n{report}", self.what);
        let requests =
            report.lines().find_map(|line| line.split_once(" requests in")?.0.trim().parse::<u64>().ok());
        assert!(
            requests.is_some_and(|requests| requests > 100),
            "hardly any request at {}:\n{report}",
            self.what
        );
    }
}
