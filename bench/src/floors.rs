//! The floors: servers that do nothing but what is measured beside the gate cannot do without.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, UPGRADE},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pingora_core::{
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, UnixListener},
};

use crate::Outcome;

/// A hyper server that answers every request with the same 200, on one thread; with `?bytes=N`, with so many. It takes WebSockets and keeps them open, so
/// that it can stand in for a panel, too.
///
/// # Errors
/// When it cannot listen.
pub fn hyper(port: u16, socket: Option<PathBuf>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        if let Some(path) = socket {
            let listener = UnixListener::bind(path)?;
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream));
                }
            });
        }
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream));
        }
    })
}

/// What is sent to whoever asks for many bytes.
static LARGE: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 1 << 20].into());

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let answer = service_fn(async |request| Ok::<_, Infallible>(answer(request).await));
    let connection =
        http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), answer);
    // A client that goes away is no event.
    let _ = connection.with_upgrades().await;
}

async fn answer(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        tokio::spawn(async move {
            let Ok(socket) = hyper::upgrade::on(&mut request).await else { return };
            // Idle: it says nothing, and ends when the other side does.
            let mut ignored = [0; 64];
            let mut socket = TokioIo::new(socket);
            while socket.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        // To the key of RFC 6455 §1.3, which the bench's client always sends.
        headers.insert("sec-websocket-accept", HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        return response;
    }
    let asked = request.uri().query().and_then(|query| query.strip_prefix("bytes=")?.parse().ok());
    let body = request.body_mut();
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = Response::new(match asked {
        Some(bytes) => Full::from(LARGE.slice(..usize::min(bytes, LARGE.len()))),
        None => Full::from("ok\n"),
    });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// pingora's own server, which passes every request through to one upstream: plain on one port, TLS on another.
pub struct PassThrough {
    /// Where plain requests arrive.
    pub plain: u16,
    /// Where those over TLS do.
    pub tls: u16,
    /// Certificate and key, in PEM.
    pub certificate: (PathBuf, PathBuf),
    /// Where they go.
    pub upstream: SocketAddr,
}

struct To(SocketAddr);

#[async_trait]
impl ProxyHttp for To {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        (): &mut Self::CTX,
    ) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

/// Runs pingora's server until it is told to stop.
///
/// # Errors
/// When the certificate cannot be used.
pub fn pingora(settings: &PassThrough) -> Outcome<()> {
    let conf = ServerConf {
        threads: 1,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut proxy = http_proxy_service(&Arc::clone(&server.configuration), To(settings.upstream));
    proxy.add_tcp(&format!("127.0.0.1:{}", settings.plain));
    let (certificate, key) = &settings.certificate;
    let text = |path: &PathBuf| {
        path.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("a path that is not UTF-8"))
    };
    proxy.add_tls(&format!("127.0.0.1:{}", settings.tls), &text(certificate)?, &text(key)?)?;
    server.add_service(proxy);
    server.run_forever()
}
