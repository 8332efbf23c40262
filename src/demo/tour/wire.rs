//! The client: HTTP/1.1 over TLS to the edge, over plain TCP to the sidecar. One connection for each request, so that
//! nothing that one request leaves behind can help the next.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Broken, answer::Answer};
use crate::demo::report::Report;

/// Nothing in the story takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which door to knock at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Edge,
    Sidecar,
}

/// Where the gate is now, and what was said to it. Cheap to clone; all clones see a restart.
#[derive(Clone)]
pub(super) struct Wire {
    target: Arc<Mutex<Target>>,
    transcript: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Target {
    edge: SocketAddr,
    sidecar: SocketAddr,
    site: String,
    tls: TlsConnector,
}

impl Wire {
    /// To the gate that the report describes.
    pub(super) fn new(report: &Report) -> Result<Self, Broken> {
        Ok(Self { target: Arc::new(Mutex::new(Target::new(report)?)), transcript: Arc::default() })
    }

    /// Goes on with a gate that was started again.
    pub(super) fn follow(&self, report: &Report) -> Result<(), Broken> {
        *lock(&self.target) = Target::new(report)?;
        Ok(())
    }

    /// The public origin: `https://localhost:8443`.
    pub(super) fn site(&self) -> String {
        lock(&self.target).site.clone()
    }

    /// The public host: `localhost:8443`.
    pub(super) fn host(&self) -> String {
        self.site().trim_start_matches("https://").to_owned()
    }

    /// Sends a request and waits for the whole answer. `as_told` is how the transcript puts the request.
    pub(super) async fn send(
        &self,
        at: At,
        request: Request<Full<Bytes>>,
        as_told: &str,
    ) -> Result<Answer, Broken> {
        let method_and_target = format!("{} {}", request.method(), request.uri());
        let door = if at == At::Edge { "edge" } else { "sidecar" };
        let whole = async {
            let (head, body) = self.open(at, request).await?.into_parts();
            let body =
                body.collect().await.map_err(|error| Broken(format!("the answer broke off: {error}")))?;
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        let answer = tokio::time::timeout(PATIENCE, whole).await.unwrap_or_else(|_| Err(too_slow()));
        let told = answer.as_ref().map_or_else(|Broken(found)| found.clone(), Answer::short);
        self.tell(format!("{door:7} {method_and_target} {as_told} → {told}"));
        answer
    }

    /// Sends a request and gives the answer while it is still under way.
    pub(super) async fn open(
        &self,
        at: At,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Broken> {
        match at {
            At::Edge => exchange(self.secure().await?, request).await,
            At::Sidecar => {
                let address = lock(&self.target).sidecar;
                exchange(connect(address).await?, request).await
            }
        }
    }

    /// A connection to the edge, past the TLS handshake.
    pub(super) async fn secure(&self) -> Result<TlsStream<TcpStream>, Broken> {
        let Target { edge, tls, .. } = lock(&self.target).clone();
        let name = ServerName::try_from("localhost").map_err(|error| Broken(error.to_string()))?;
        let handshake = tls.connect(name, connect(edge).await?);
        let stream = tokio::time::timeout(PATIENCE, handshake).await.map_err(|_| too_slow())?;
        stream.map_err(|error| Broken(format!("no TLS with the edge: {error}")))
    }

    /// Adds a line to the transcript.
    pub(super) fn tell(&self, line: String) {
        lock(&self.transcript).push(line);
    }

    /// Takes the transcript so far.
    pub(super) fn transcript(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.transcript))
    }
}

impl Target {
    fn new(report: &Report) -> Result<Self, Broken> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&report.ca)
            .map_err(|error| Broken(format!("{}: {error}", report.ca.display())))?;
        roots.add(authority).map_err(|error| Broken(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Broken(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            edge: loopback(&report.edge)?,
            sidecar: loopback(&report.sidecar)?,
            site: report.site.clone(),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }
}

/// The address behind `scheme://host:port`.
fn loopback(url: &str) -> Result<SocketAddr, Broken> {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port = port.ok_or_else(|| Broken(format!("{url} has no port")))?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Broken> {
    TcpStream::connect(address).await.map_err(|error| Broken(format!("{address} does not answer: {error}")))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| Broken(format!("no answer: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(broken)
}

fn too_slow() -> Broken {
    Broken(format!("no answer within {} s", PATIENCE.as_secs()))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
