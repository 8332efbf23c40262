//! The client: HTTP/1.1 byte for byte as it is told, and HTTP/2 where that is the question. One connection each.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::observed::{Answer, fields_of};

/// For a whole exchange: longer than a proxy waits for the gate.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer that is read.
const LONGEST: usize = 1 << 20;

/// Where to knock, and as whom.
#[derive(Clone)]
pub(super) struct Wire {
    /// The address behind the public origin.
    pub(super) address: SocketAddr,
    /// The address to come from.
    pub(super) from: Option<IpAddr>,
    /// The name that the certificate must have.
    pub(super) host: String,
    /// What `Host` says.
    pub(super) authority: String,
    /// What is trusted; offers no protocol.
    pub(super) tls: Arc<ClientConfig>,
}

/// A request, as it goes out.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn get(target: &str) -> Self {
        Self { method: "GET".to_owned(), target: target.to_owned(), ..Self::default() }
    }

    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn bytes(&self, authority: &str) -> Vec<u8> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !self.has("host") {
            lines.push(format!("Host: {authority}"));
        }
        lines.extend(self.fields.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.has("connection") {
            lines.push("Connection: close".to_owned());
        }
        if !self.body.is_empty() {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

impl Wire {
    /// Sends a request over TLS and reads the answer.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Answer, String> {
        in_time(async {
            exchange(self.secure(None).await?, &ask.bytes(&self.authority), ask, |_| false).await
        })
        .await
    }

    /// The same, until `enough` says so of the body so far.
    pub(super) async fn send_until(
        &self,
        ask: &Ask,
        enough: impl FnMut(&[u8]) -> bool,
    ) -> Result<Answer, String> {
        in_time(async { exchange(self.secure(None).await?, &ask.bytes(&self.authority), ask, enough).await })
            .await
    }

    /// The same over plain TCP, to another address.
    pub(super) async fn send_plainly(&self, to: SocketAddr, ask: &Ask) -> Result<Answer, String> {
        in_time(async {
            exchange(self.connect(to).await?, &ask.bytes(&self.authority), ask, |_| false).await
        })
        .await
    }

    /// The same over HTTP/2; `None` if that is not offered.
    pub(super) async fn send_http2(&self, ask: &Ask) -> Result<Option<Answer>, String> {
        in_time(async {
            let stream = self.secure(Some("h2")).await?;
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Ok(None);
            }
            let broken = |error: hyper::Error| format!("no answer over HTTP/2: {error}");
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            let (mut sender, connection) = handshake.await.map_err(broken)?;
            tokio::spawn(connection);
            let uri = format!("https://{}{}", self.authority, ask.target);
            let mut request = http::Request::builder().method(ask.method.as_str()).uri(uri);
            for (name, value) in &ask.fields {
                request = request.header(name, value);
            }
            let request = request.body(Full::new(Bytes::from(ask.body.clone())));
            let answer = sender.send_request(request.map_err(|error| error.to_string())?).await;
            let (head, body) = answer.map_err(broken)?.into_parts();
            let body = body.collect().await.map_err(broken)?.to_bytes();
            let fields = fields_of(&head.headers);
            Ok(Some(Answer {
                status: head.status.as_u16(),
                fields,
                body: String::from_utf8_lossy(&body).into_owned(),
            }))
        })
        .await
    }

    /// Whether TLS comes about at all, which speaks for the certificate as well.
    pub(super) async fn handshake(&self) -> Result<IpAddr, String> {
        let stream = in_time(self.secure(None)).await?;
        let local = stream.get_ref().0.local_addr().map_err(|error| error.to_string())?;
        Ok(local.ip())
    }

    /// A plain connection.
    pub(super) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, String> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|error| error.to_string())?;
        if let Some(from) = self.from {
            socket.bind((from, 0).into()).map_err(|error| format!("cannot come from {from}: {error}"))?;
        }
        socket.connect(to).await.map_err(|error| format!("{to} does not answer: {error}"))
    }

    async fn secure(&self, protocol: Option<&str>) -> Result<TlsStream<TcpStream>, String> {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![protocol.unwrap_or("http/1.1").as_bytes().to_vec()];
        let name =
            ServerName::try_from(self.host.clone()).map_err(|error| format!("{}: {error}", self.host))?;
        let stream = self.connect(self.address).await?;
        let connected = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
        connected.map_err(|error| format!("{NO_TLS} with {}: {error}", self.address))
    }
}

/// How a failed handshake begins its message.
pub(super) const NO_TLS: &str = "no TLS";

async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, work).await.unwrap_or_else(late)
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    bytes: &[u8],
    ask: &Ask,
    mut enough: impl FnMut(&[u8]) -> bool,
) -> Result<Answer, String> {
    // A proxy may answer and close before it has read a body that it refuses.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    let (mut answer, start) = loop {
        match head(&read) {
            Some((answer, start)) if answer.status >= 200 || answer.status == 101 => break (answer, start),
            Some((_, start)) => drop(read.drain(..start)),
            None if more(&mut stream, &mut read).await == 0 => {
                return Err("the connection was closed without an answer".to_owned());
            }
            None => {}
        }
    };
    let bodyless = ask.method == "HEAD" || matches!(answer.status, 101 | 204 | 304);
    let length = answer.field("content-length").and_then(|text| text.parse::<usize>().ok());
    let chunked = answer.field("transfer-encoding").is_some();
    loop {
        let body = read.get(start..).unwrap_or_default();
        let whole =
            if chunked { body.ends_with(b"0\r\n\r\n") } else { length.is_some_and(|all| body.len() >= all) };
        if bodyless
            || whole
            || enough(body)
            || body.len() > LONGEST
            || more(&mut stream, &mut read).await == 0
        {
            break;
        }
    }
    let body = if bodyless { &[][..] } else { read.get(start..).unwrap_or_default() };
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> usize {
    // A close without TLS's own goodbye ends the answer like any other.
    stream.read_buf(read).await.unwrap_or(0)
}

/// The head of an answer, and where its body starts.
fn head(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = find(bytes, b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some((Answer { status, fields, body: String::new() }, end + 4))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// The bytes inside the chunks, as far as they came.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = bytes.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        let size = size.and_then(|line| line.split(';').next());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()) else { break };
        let rest = bytes.get(end + 2..).unwrap_or_default();
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        body.extend_from_slice(chunk);
        if size == 0 {
            break;
        }
        bytes = after.get(2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::{Ask, head, unchunked};

    #[test]
    fn a_request_goes_out_as_it_is_told() {
        let ask = Ask::get("/a//b?c").field("Connection", "close, Remote-User").field("X_Y", "1");
        let sent = String::from_utf8(ask.bytes("panel.example.com")).unwrap();
        assert_eq!(
            sent,
            "GET /a//b?c HTTP/1.1\r\nHost: panel.example.com\r\nConnection: close, Remote-User\r\nX_Y: 1\r\n\r\n"
        );
        let named = Ask::get("/").field("Host", "other.invalid");
        assert!(!String::from_utf8(named.bytes("panel.example.com")).unwrap().contains("panel.example.com"));
    }

    #[test]
    fn heads_and_chunks_are_read() {
        let (answer, start) =
            head(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=1\r\n\r\nbody").unwrap();
        assert_eq!((answer.status, answer.field("location"), start), (302, Some("/x"), 53));
        assert!(head(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n").is_none());
        assert_eq!(unchunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(unchunked(b"5\r\nab"), b"ab", "what broke off is kept as far as it came");
    }
}
