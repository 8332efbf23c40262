//! A gate and a panel with the proxies in front; started by the first test that needs them, used by all.

use std::{
    net::Ipv4Addr,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::recipe::{self, Addresses, Proxy, Started};
use crate::support::{
    browser::Browser,
    certificates,
    client::Client,
    gate::{self, Gate, HOST, Operator},
    panel, workspace,
};

/// A gate, a panel, and what is needed to put proxies in front of them.
pub(super) struct Stack {
    gate: Gate,
    addresses: Addresses,
    tls: Arc<ClientConfig>,
    directory: PathBuf,
    /// `None` when the proxy did not start: the first test that needs it says why, and the others do not try again.
    fronts: [OnceLock<Option<Started>>; 5],
}

/// One proxy, in front of one gate and one panel.
pub(super) struct Front {
    /// Which.
    pub(super) proxy: Proxy,
    stack: &'static Stack,
    started: &'static Started,
}

/// A proxy in front of a gate with ordinary lifetimes.
pub(super) fn front(proxy: Proxy) -> Front {
    static STACK: LazyLock<Stack> = LazyLock::new(|| Stack::start("usual", Duration::from_secs(900)));
    STACK.front(proxy)
}

/// A proxy in front of a gate whose access tokens live for a few seconds.
pub(super) fn short_lived(proxy: Proxy) -> Front {
    static STACK: LazyLock<Stack> = LazyLock::new(|| Stack::start("short", SHORT));
    STACK.front(proxy)
}

/// The life of an access token at [`short_lived`].
pub(super) const SHORT: Duration = Duration::from_secs(8);

impl Stack {
    fn start(name: &str, access: Duration) -> Self {
        let directory = workspace::directory(name);
        let tls = certificates::issue(&directory, HOST);
        let panel = panel::start();
        let gate = Gate::start(&directory, access);
        let addresses = Addresses {
            certificates: directory.clone(),
            socket: gate.socket.clone(),
            sidecar: gate.port,
            secret: gate.secret.clone(),
            panel,
        };
        Self { gate, addresses, tls, directory, fronts: Default::default() }
    }

    fn front(&'static self, proxy: Proxy) -> Front {
        let start = || recipe::start(proxy, &self.addresses, &self.directory, &self.tls);
        let started =
            self.fronts[proxy as usize].get_or_init(|| panic::catch_unwind(AssertUnwindSafe(start)).ok());
        let started = started.as_ref().unwrap_or_else(|| panic!("{} did not start", proxy.name()));
        Front { proxy, stack: self, started }
    }
}

impl Front {
    /// A client from an address of its own.
    pub(super) fn client(&self) -> Client {
        Client::new(self.started.port, HOST, Arc::clone(&self.stack.tls))
    }

    /// An API key that may look at the open pages, and one that may change them as well.
    pub(super) fn keys(&self) -> (&str, &str) {
        (&self.stack.gate.reader, &self.stack.gate.writer)
    }

    /// The answer of the plain listener, as text.
    pub(super) async fn plain(&self, target: &str) -> String {
        let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, self.started.plain)).await;
        let mut stream = connected.expect("the plain listener accepts");
        let request = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the request can be sent");
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        read.expect("it closes when it has answered").expect("the answer can be read");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A browser that nobody is signed in with.
    pub(super) fn browser(&self) -> Browser {
        Browser::new(self.client())
    }

    /// A browser in which an account of this role is signed in, without second factor.
    pub(super) async fn signed_in(&self, role: &str) -> Browser {
        let (name, password) = gate::user(role);
        Browser::signed_in(self.client(), &name, password).await
    }

    /// A browser in which an account with a second factor is signed in, not elevated; no other test uses the account.
    pub(super) async fn operator(&self) -> (Browser, Operator) {
        let (operator, password) = self.stack.gate.operator();
        (Browser::signed_in(self.client(), &operator.name, password).await, operator)
    }
}

/// What the panel saw of a request over HTTP/2 with these `Cookie` fields.
pub(super) async fn over_http2(front: &Front, target: &str, cookies: &[&str]) -> Value {
    let mut tls = (*front.stack.tls).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let client = Client::new(front.started.port, HOST, Arc::new(tls));
    let stream = client.connect().await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()), "the proxy offers no HTTP/2");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("the proxy speaks HTTP/2");
    tokio::spawn(connection);
    let mut request = http::Request::get(format!("https://{HOST}{target}"));
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    let request = request.body(Empty::<Bytes>::new()).expect("a valid request");
    let answer = sender.send_request(request).await.expect("the proxy answers");
    assert_eq!(answer.status(), 200, "{answer:?}");
    let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
    serde_json::from_slice(&body).expect("the echo is JSON")
}
