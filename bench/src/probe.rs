//! What is asked of a gate beside throughput: how soon it decides, what connections cost it, whether it obeys at once.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream as Connection,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use crate::{
    Outcome,
    load::{ask, status},
    place::{Member, Place},
    process::Process,
};

/// The address of a port of this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A running gate.
pub struct Gate {
    /// Its process.
    pub process: Process,
    /// Where it runs.
    pub place: Arc<Place>,
    /// From its start to its first decision.
    pub first_decision: Duration,
}

impl Gate {
    /// Starts it, and waits until it has decided for the first time.
    ///
    /// # Errors
    /// When it does not start, or its first decision is another one than yes.
    pub fn start(place: &Arc<Place>, program: &Path) -> Outcome<Self> {
        let config = place.config();
        let args = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let begin = Instant::now();
        let mut process = Process::start("gate", program, &args, &place.dir)?;
        process.listens_on(place.ports.sidecar)?;
        let answer = ask(local(place.ports.sidecar), &place.question(0))?;
        let first_decision = begin.elapsed();
        if !allows(&answer, "user-0") {
            return Err(format!("the first decision is no: {answer}").into());
        }
        Ok(Self { process, place: Arc::clone(place), first_decision })
    }

    /// Waits until all sessions are in memory, which a start does not wait for; what they cost shows only then.
    ///
    /// # Errors
    /// When they do not come.
    pub fn loaded(&self) -> Outcome<()> {
        let begin = Instant::now();
        while self.metric("panelgate_sessions ") < self.place.size.sessions as f64 {
            if begin.elapsed() > Duration::from_secs(120) {
                return Err("not all sessions are in memory after two minutes".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where the sidecar is asked.
    pub fn sidecar(&self) -> SocketAddr {
        local(self.place.ports.sidecar)
    }

    /// Ends a session by the command line, and asks in its name on a connection that is open already, at once. An error
    /// unless it was let in before and is not after.
    ///
    /// # Errors
    /// When the revocation is not obeyed by the very next request.
    pub fn revoke(&self, index: usize, program: &Path) -> Outcome<()> {
        let question = self.place.question(index);
        let mut stream = TcpStream::connect(self.sidecar())?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let before = crate::load::ask_on(&mut stream, &question)?;
        if status(&before) != 200 {
            return Err(format!("before the revocation: {before}").into());
        }
        let Member { session, .. } = &self.place.members[index];
        let done = Command::new(program)
            .env_remove("PANELGATE_BENCH_OUT")
            .args(["session", "revoke", &session.sid.public().to_string(), "--config"])
            .arg(self.place.config())
            .output()?;
        let after = crate::load::ask_on(&mut stream, &question)?;
        if !done.status.success() {
            return Err(format!("`session revoke`: {}", String::from_utf8_lossy(&done.stderr)).into());
        }
        if status(&after) != 401 {
            return Err(format!("a revocation was not obeyed at once: {after}").into());
        }
        Ok(())
    }

    /// A line of the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let text = ask(
            local(self.place.ports.metrics),
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        let text = text.unwrap_or_default();
        let figures =
            text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
        figures.filter_map(|(_, figure)| figure.parse::<f64>().ok()).sum()
    }
}

/// Whether an answer lets this account in, and names it.
pub fn allows(answer: &str, user: &str) -> bool {
    let named = answer.lines().any(|line| {
        line.split_once(": ")
            .is_some_and(|(name, value)| name.eq_ignore_ascii_case("remote-user") && value.trim_end() == user)
    });
    status(answer) == 200 && named
}

/// What a connection costs a gate that is open and does nothing, in bytes each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// Keep-alive to the sidecar.
    pub sidecar: f64,
    /// Keep-alive to the edge, over TLS.
    pub edge: f64,
    /// A WebSocket through the edge, over TLS.
    pub websocket: f64,
}

/// Opens so many of each kind, has each answer once, lets them be idle, and looks at the memory of the gate.
///
/// # Errors
/// When one cannot be opened.
pub fn connections(gate: &Gate, each: usize) -> Outcome<Costs> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let place = &gate.place;
        let settle = || async { tokio::time::sleep(Duration::from_millis(1500)).await };
        let per = |before: u64, after: u64| after.saturating_sub(before) as f64 / each as f64;
        // What the first connections need once is not theirs.
        let edge = Edge::of(place)?;
        let question = place.question(1);
        let host = format!("localhost:{}", place.ports.edge);
        let request = place.requests(&host).swap_remove(1);
        let upgrade = request.replacen(
            "\r\n\r\n",
            &format!(
                "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://{host}\r\n\r\n"
            ),
            1,
        );
        drop(opened(gate, &question, 50).await?);
        drop(edge.opened(&request, 200, 50).await?);
        drop(edge.opened(&upgrade, 101, 50).await?);
        settle().await;
        let mut marks = vec![gate.process.memory()];
        let sidecar = opened(gate, &question, each).await?;
        settle().await;
        marks.push(gate.process.memory());
        let kept = edge.opened(&request, 200, each).await?;
        settle().await;
        marks.push(gate.process.memory());
        let tunnels = edge.opened(&upgrade, 101, each).await?;
        settle().await;
        marks.push(gate.process.memory());
        drop((sidecar, kept, tunnels));
        Ok(Costs {
            sidecar: per(marks[0], marks[1]),
            edge: per(marks[1], marks[2]),
            websocket: per(marks[2], marks[3]),
        })
    })
}

async fn opened(gate: &Gate, question: &str, count: usize) -> Outcome<Vec<Connection>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = Connection::connect(gate.sidecar()).await?;
        expect(&mut stream, question, 200).await?;
        open.push(stream);
    }
    Ok(open)
}

/// Sends a request and reads until the end of the head that comes back.
async fn expect<S>(stream: &mut S, request: &str, wanted: u16) -> Outcome<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut got = Vec::new();
    let mut piece = [0; 2048];
    while !got.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => return Err("the gate has closed a connection".into()),
            count => got.extend_from_slice(&piece[..count]),
        }
    }
    let answer = String::from_utf8_lossy(&got);
    if status(&answer) == wanted { Ok(()) } else { Err(format!("{wanted} was expected: {answer}").into()) }
}

/// A TLS client.
pub struct Edge {
    connector: TlsConnector,
    address: SocketAddr,
}

impl Edge {
    /// For the edge of a place.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn of(place: &Place) -> Outcome<Self> {
        Self::to(local(place.ports.edge), &place.certificate().0, true)
    }

    /// For a server that shows this certificate. Without `resuming`, every handshake is a whole one.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn to(address: SocketAddr, certificate: &Path, resuming: bool) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        if !resuming {
            config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
        }
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), address })
    }

    /// A connection after its handshake.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connect(&self) -> Outcome<TlsStream<Connection>> {
        let stream = Connection::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(self.connector.connect(ServerName::try_from("localhost")?, stream).await?)
    }

    async fn opened(&self, request: &str, wanted: u16, count: usize) -> Outcome<Vec<TlsStream<Connection>>> {
        let mut open = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = self.connect().await?;
            expect(&mut stream, request, wanted).await?;
            open.push(stream);
        }
        Ok(open)
    }

    /// Connects, asks and closes so many times; how many of the handshakes were resumed.
    ///
    /// # Errors
    /// When an answer is not 200.
    pub async fn handshakes(&self, request: &str, count: usize) -> Outcome<usize> {
        let mut resumed = 0;
        for _ in 0..count {
            let mut stream = self.connect().await?;
            resumed += usize::from(stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed));
            expect(&mut stream, request, 200).await?;
            stream.shutdown().await?;
        }
        Ok(resumed)
    }
}

/// Passwords that are tried while something else is measured.
pub struct Flood {
    stop: Arc<std::sync::atomic::AtomicBool>,
    threads: Vec<std::thread::JoinHandle<[u64; 2]>>,
}

impl Flood {
    /// Begins: several clients sign in, each again and again.
    pub fn begin(gate: &Gate, clients: usize) -> Self {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let threads = (0..clients).map(|client| {
            let (stop, server) = (Arc::clone(&stop), gate.sidecar());
            std::thread::spawn(move || {
                let mut counts = [0, 0];
                let mut turn = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = ask(server, &sign_in(client * 60 + turn % 60));
                    // Whoever comes when the queue is full is told so at once.
                    counts[usize::from(!answer.is_ok_and(|answer| status(&answer) == 200))] += 1;
                    turn += 1;
                    sleep(Duration::from_millis(50));
                }
                counts
            })
        });
        Self { threads: threads.collect(), stop }
    }

    /// Ends: how many signed in, and how many were told to come back later.
    pub fn end(self) -> [u64; 2] {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let counts = self.threads.into_iter().filter_map(|thread| thread.join().ok());
        counts.fold([0, 0], |sum, more| [sum[0] + more[0], sum[1] + more[1]])
    }
}

fn sign_in(account: usize) -> String {
    let body = format!(r#"{{"username":"user-{account}","password":"{}"}}"#, crate::place::PASSWORD);
    let host = crate::place::HOST;
    format!(
        "POST /_gate/api/v1/sign-in HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 198.51.77.7\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: {host}\r\nOrigin: https://{host}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
