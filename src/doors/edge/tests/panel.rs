//! The panel behind the edge: answers by path, and remembers every byte it was sent.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::sign::CertifiedKey;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, UnixListener},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use super::super::UpstreamAddress;

/// A panel that runs as long as its runtime.
pub(super) struct Panel {
    pub(super) address: UpstreamAddress,
    seen: Arc<Mutex<Vec<u8>>>,
}

pub(super) const PAGE: &str =
    "<!doctype html><html><head><title>t</title></head><body><p>hello</p></body></html>";

impl Panel {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp(listener.local_addr().unwrap(), false);
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let recorder = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                tokio::spawn(serve(socket, Arc::clone(&recorder)));
            }
        });
        Self { address, seen }
    }

    pub(super) async fn start_tls(pair: Arc<CertifiedKey>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp(listener.local_addr().unwrap(), true);
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let recorder = Arc::clone(&seen);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(tls) = acceptor.accept(socket).await {
                    tokio::spawn(serve(tls, Arc::clone(&recorder)));
                }
            }
        });
        Self { address, seen }
    }

    pub(super) fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let recorder = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&recorder)));
            }
        });
        Self { address: UpstreamAddress::Unix(path.to_owned()), seen }
    }

    /// Nobody listens.
    pub(super) async fn away() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { address: tcp(listener.local_addr().unwrap(), false), seen: Arc::default() }
    }

    /// Everything it was ever sent.
    pub(super) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }
}

fn tcp(address: SocketAddr, secure: bool) -> UpstreamAddress {
    UpstreamAddress::Tcp { host: address.ip().to_string(), port: address.port(), secure }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(socket: S, seen: Arc<Mutex<Vec<u8>>>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
    let io = TokioIo::new(Recorder { socket, seen });
    // A connection that was cut is part of the tests.
    let _ = http1::Builder::new().serve_connection(io, service).with_upgrades().await;
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let plain =
        |body: Body| Response::builder().header(header::CONTENT_TYPE, "text/plain").body(body).unwrap();
    match path.as_str() {
        "/upload" | "/vault/upload" => {
            let bytes = count(request.into_body()).await;
            plain(Body::from(format!("{bytes} bytes")))
        }
        "/download" => plain(Body::from_stream(pieces(Duration::ZERO, 160))),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            plain(Body::empty())
        }
        "/late" | "/vault/late" => {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            plain(Body::from("late"))
        }
        "/events" | "/vault/events" => events(pieces(Duration::from_millis(50), usize::MAX).boxed()),
        "/idle-events" => events(pieces(Duration::ZERO, 1).chain(futures_util::stream::pending()).boxed()),
        "/page" => page(Body::from(PAGE)),
        "/page-in-pieces" => {
            let pieces =
                PAGE.as_bytes().chunks(7).map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece)));
            page(Body::from_stream(futures_util::stream::iter(pieces.collect::<Vec<_>>())))
        }
        "/page-404" => {
            let mut missing = page(Body::from(PAGE));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            missing
        }
        "/page-policy" => with_policy(request.uri().query().unwrap_or_default()),
        "/page-gzip" => encoded("gzip", packed(PAGE)),
        "/page-odd" => encoded("x-odd", b"odd".to_vec()),
        "/page-identity" => encoded("Identity", PAGE.into()),
        "/page-slow" => {
            let first = Ok::<_, io::Error>(Bytes::from_static(b"<html><head></head><body><p>working"));
            page(Body::from_stream(
                futures_util::stream::iter([first]).chain(futures_util::stream::pending()),
            ))
        }
        "/member" => member(&request),
        "/headers" => headers(),
        "/ws" | "/vault/ws" => websocket(request),
        "/ws-no" => {
            Response::builder().status(403).header("x-gate-role", "root").body(Body::from("no")).unwrap()
        }
        "/ws-not-agreed" => plain(Body::from("HTTP/1.1 200")),
        _ => plain(Body::from(echo(&request))),
    }
}

/// A page of a panel with a session of its own: only `sid=1` and up are known there, and each visit sets the next one.
fn member(request: &Request<Incoming>) -> Response<Body> {
    let cookies = request.headers().get(header::COOKIE).map_or("", |value| value.to_str().unwrap());
    let sid = cookies.split("; ").find_map(|pair| pair.strip_prefix("sid=")).unwrap_or("none");
    let Ok(number) = sid.parse::<u32>() else {
        let to_login = Response::builder().status(302).header(header::LOCATION, "/login?next=member");
        return to_login.body(Body::empty()).unwrap();
    };
    Response::builder()
        .header(header::SET_COOKIE, format!("sid={}; Path=/; HttpOnly", number + 100))
        .header(header::SET_COOKIE, "theme=dark")
        .body(Body::from(format!("{} {cookies}", request.method())))
        .unwrap()
}

fn echo(request: &Request<Incoming>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text = format!("{text}{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

async fn count(mut body: Incoming) -> usize {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.into_data().map_or(0, |data| data.len());
    }
    bytes
}

fn pieces(
    pause: Duration,
    count: usize,
) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> + Send {
    futures_util::stream::iter(0..count).then(move |_| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(Bytes::from(vec![b'x'; if pause.is_zero() { 64 * 1024 } else { 16 }]))
    })
}

fn events(stream: futures_util::stream::BoxStream<'static, Result<Bytes, io::Error>>) -> Response<Body> {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .body(Body::from_stream(stream))
        .unwrap()
}

fn page(body: Body) -> Response<Body> {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::ETAG, "\"1\"")
        .body(body)
        .unwrap()
}

fn with_policy(query: &str) -> Response<Body> {
    let (policy, _) = url::form_urlencoded::parse(query.as_bytes()).next().unwrap();
    let mut answer = page(Body::from(PAGE));
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.parse().unwrap());
    answer
}

fn encoded(coding: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let mut answer = page(Body::from(bytes));
    answer.headers_mut().insert(header::CONTENT_ENCODING, coding.parse().unwrap());
    answer
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn headers() -> Response<Body> {
    Response::builder()
        .header("x-gate-role", "root")
        .header(header::ALT_SVC, "h3=\":443\"")
        .header(header::SET_COOKIE, "__Host-gate_access=stolen; Secure; Path=/")
        .header(header::SET_COOKIE, "panel=1; Path=/")
        .header(header::CONTENT_TYPE, "text/html")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(Body::from("<p>"))
        .unwrap()
}

fn websocket(mut request: Request<Incoming>) -> Response<Body> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    Response::builder()
        .status(101)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .unwrap()
}

struct Recorder<S> {
    socket: S,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorder<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        // Heads are what matters; a large body need not be kept.
        let mut seen = self.seen.lock().unwrap();
        if seen.len() < 1024 * 1024 {
            seen.extend_from_slice(&buf.filled()[before..]);
        }
        drop(seen);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorder<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
