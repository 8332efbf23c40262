//! An HTTP/1.1 client that sends exactly what it is told: doubled fields, odd spellings, ambiguous targets.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longer than the slowest panel here, so that nothing waits for ever.
const DEADLINE: Duration = Duration::from_secs(40);

/// Speaks TLS to one address, as one client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Where the proxy listens.
    pub(crate) server: SocketAddr,
    /// The host that it is asked for.
    pub(crate) host: &'static str,
    /// The address to come from; another one for each client, as limits count addresses.
    pub(crate) from: Ipv4Addr,
    /// What `Host` says.
    authority: String,
    tls: Arc<ClientConfig>,
}

/// A request, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    /// Without transfer coding.
    pub(crate) body: Vec<u8>,
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub(crate) struct Open {
    /// The head.
    pub(crate) answer: Answer,
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Ask {
    /// A request without fields and body.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), fields: Vec::new(), body: Vec::new() }
    }

    /// With one more field line.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body of known length.
    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.field("Content-Type", kind).field("Content-Length", &length)
    }

    /// Path and query, as sent.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
            head += "Connection: close\r\n";
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

impl Answer {
    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Everything of it as it came, without the cookies that it sets.
    pub(crate) fn without_cookies(&self) -> Vec<u8> {
        let fields = self.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        let lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {value}\n")).collect();
        let head = lines.concat();
        [head.as_bytes(), &self.body].concat()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    fn parse(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { status: status.unwrap_or_else(|| panic!("no status line: {head}")), fields, body: Vec::new() }
    }
}

impl Client {
    /// A client with an address that no other client has.
    pub(crate) fn new(port: u16, host: &'static str, tls: Arc<ClientConfig>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let from = Ipv4Addr::new(127, 64 + number[1], number[2], number[3]);
        Self { server: (Ipv4Addr::LOCALHOST, port).into(), host, from, authority: host.to_owned(), tls }
    }

    /// The same client, for an origin that is not on the usual port.
    pub(crate) fn naming_its_port(mut self) -> Self {
        self.authority = format!("{}:{}", self.host, self.server.port());
        self
    }

    /// Trusts another authority, and no other, from now on.
    pub(crate) fn trust(&mut self, tls: Arc<ClientConfig>) {
        self.tls = tls;
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        let whole = async { self.send_over(self.connect().await, ask).await };
        timeout(DEADLINE, whole).await.unwrap_or_else(|_| panic!("no answer within {DEADLINE:?} to {ask:?}"))
    }

    /// The same, over a connection that is there already.
    pub(crate) async fn send_over(&self, stream: TlsStream<TcpStream>, ask: &Ask) -> Answer {
        self.open_over(stream, ask).await.finish(ask.method == "HEAD").await
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn open(&self, ask: &Ask) -> Open {
        self.open_over(self.connect().await, ask).await
    }

    async fn open_over(&self, mut stream: TlsStream<TcpStream>, ask: &Ask) -> Open {
        // A proxy may answer and close before it has read a body that it refuses.
        let sent = stream.write_all(&ask.bytes(&self.authority)).await;
        let mut read = Vec::new();
        loop {
            if let Some(end) = find(&read, b"\r\n\r\n") {
                let answer = Answer::parse(&read[..end]);
                read.drain(..end + 4);
                if answer.status != 100 {
                    return Open { answer, stream, read };
                }
            } else if more(&mut stream, &mut read).await == 0 {
                panic!("closed without an answer (sending: {sent:?}) to {ask:?}");
            }
        }
    }

    /// Whether the server already shows the certificate that it should: some listen before they have read it.
    pub(crate) fn is_served(&self) -> bool {
        let name = ServerName::try_from(self.host).expect("a valid host name");
        let session = ClientConnection::new(Arc::clone(&self.tls), name);
        let stream = std::net::TcpStream::connect_timeout(&self.server, Duration::from_secs(1));
        let (Ok(mut session), Ok(mut stream)) = (session, stream) else { return false };
        let bounded = stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok();
        bounded && session.complete_io(&mut stream).is_ok()
    }

    /// A connection with TLS.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().expect("sockets can be made");
        socket.bind((IpAddr::V4(self.from), 0).into()).expect("every loopback address can be used");
        let stream = socket.connect(self.server).await.expect("the proxy listens");
        let name = ServerName::try_from(self.host).expect("a valid host name");
        let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        connected.expect("the proxy has the certificate of our authority")
    }
}

impl Open {
    /// Reads until the body so far contains a text; `None` when it ends or the time is over before that.
    pub(crate) async fn read_until(&mut self, text: &str, within: Duration) -> Option<()> {
        let reading = async {
            while find(&self.read, text.as_bytes()).is_none() {
                if more(&mut self.stream, &mut self.read).await == 0 {
                    return None;
                }
            }
            Some(())
        };
        timeout(within, reading).await.ok().flatten()
    }

    async fn finish(mut self, is_head: bool) -> Answer {
        let bodyless = is_head || matches!(self.answer.status, 204 | 304);
        let length = self.answer.field("Content-Length").and_then(|text| text.parse::<usize>().ok());
        let chunked = self.answer.field("Transfer-Encoding").is_some();
        while !bodyless && length.is_none_or(|length| chunked || self.read.len() < length) {
            if more(&mut self.stream, &mut self.read).await == 0 {
                break;
            }
        }
        self.answer.body = match (bodyless, chunked) {
            (true, _) => Vec::new(),
            (false, true) => unchunked(&self.read),
            (false, false) => self.read,
        };
        self.answer
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> usize {
    // A close without TLS's own goodbye ends the answer like any other.
    stream.read_buf(read).await.unwrap_or(0)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let size = size.unwrap_or_else(|| panic!("not a chunk size: {:?}", &bytes[..end]));
        let chunk = bytes.get(end + 2..end + 2 + size).expect("the answer broke off inside a chunk");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + size + 2..).unwrap_or_default();
    }
    panic!("the answer broke off between chunks");
}
