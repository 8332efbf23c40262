//! Clients: raw bytes over TLS, and hyper for well-formed requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::rig::{HOST, Rig};

/// Nothing in the tests takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) type Tls = TlsStream<TcpStream>;

impl Rig {
    fn connector(&self, alpn: &[&[u8]]) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    /// A TLS connection that names `name` and offers `alpn`.
    pub(super) async fn connect(&self, name: &str, alpn: &[&[u8]]) -> std::io::Result<Tls> {
        let socket = TcpStream::connect(self.address).await?;
        self.handshake(socket, name, alpn).await
    }

    pub(super) async fn handshake(
        &self,
        socket: TcpStream,
        name: &str,
        alpn: &[&[u8]],
    ) -> std::io::Result<Tls> {
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        timeout(PATIENCE, self.connector(alpn).connect(name, socket)).await?
    }

    pub(super) async fn raw(&self) -> Tls {
        self.connect(HOST, &[b"http/1.1"]).await.unwrap()
    }

    /// Sends bytes, and reads until the edge closes.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut tls = self.raw().await;
        // The edge may close before it has read everything.
        let _ = tls.write_all(bytes).await;
        let _ = tls.flush().await;
        rest(&mut tls).await
    }

    pub(super) async fn http1(&self) -> http1::SendRequest<Body> {
        let tls = self.raw().await;
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    }

    pub(super) async fn http2(&self) -> http2::SendRequest<Body> {
        let tls = self.connect(HOST, &[b"h2"]).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// One signed-in GET on a connection of its own.
    pub(super) async fn get(&self, target: &str) -> Answer {
        send(&mut self.http1().await, self.request("GET", target)).await
    }

    /// A signed-in request.
    pub(super) fn request(&self, method: &str, target: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(target);
        request.header("host", HOST).header("cookie", &self.cookie).body(Body::empty()).unwrap()
    }

    /// A signed-in request for HTTP/2, whose authority is in the URI.
    pub(super) fn request2(&self, method: &str, target: &str) -> Request<Body> {
        let mut request = self.request(method, &format!("https://{HOST}{target}"));
        request.headers_mut().remove("host");
        request
    }
}

/// Reads until the other side closes, or for as long as patience lasts.
pub(super) async fn rest(tls: &mut Tls) -> String {
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = tls.read(&mut piece).await {
            answer.extend_from_slice(&piece[..read]);
        }
    };
    timeout(PATIENCE, reading).await.expect("the edge did not close the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of the first answer in some bytes; 0 if there is none.
pub(super) fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One request on a kept connection.
pub(super) async fn send(sender: &mut http1::SendRequest<Body>, request: Request<Body>) -> Answer {
    sender.ready().await.expect("the connection was kept");
    Answer::of(sender.send_request(request).await.unwrap()).await
}

impl Answer {
    pub(super) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The value of a field that the panel's `/echo` saw; `None` if it saw none, a panic if it saw several.
    pub(super) fn echoed(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        let mut values = self.text().lines().filter_map(|line| line.strip_prefix(start.as_str()));
        let value = values.next();
        assert_eq!(values.next(), None, "{name} arrived more than once");
        value
    }
}

pub(super) async fn plain(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}
