//! Connections that stay open: a WebSocket and an event stream.

use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Request, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

use super::{
    Broken,
    browser::{Ask, BACKGROUND, Browser},
    wire::{At, Wire},
};

/// How long an open connection may go on before a step gives up on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A WebSocket to the panel's clock, through the edge.
pub(super) struct Socket(WebSocketStream<TlsStream<TcpStream>>);

/// The panel's event stream, through the edge.
pub(super) struct Events(Incoming);

impl Socket {
    /// Connects; the first message has arrived when this returns.
    pub(super) async fn open(wire: &Wire, browser: &Browser) -> Result<Self, Broken> {
        let request = Request::get(format!("wss://{}/live/ws", wire.host()))
            .header(header::HOST, wire.host())
            .header(header::ORIGIN, wire.site())
            .header(header::COOKIE, browser.cookies_for("/live/ws").unwrap_or_default())
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", tungstenite::handshake::client::generate_key())
            .body(())
            .map_err(|error| Broken(error.to_string()))?;
        let connected = client_async(request, wire.secure().await?).await;
        let (stream, _) = connected.map_err(|error| Broken(format!("no WebSocket: {error}")))?;
        let mut socket = Self(stream);
        let first = within(socket.0.next()).await?;
        match first {
            Some(Ok(message)) => wire.tell(format!("edge    GET /live/ws (WebSocket) → 101, then {message}")),
            other => return Err(Broken(format!("the WebSocket says {other:?}"))),
        }
        Ok(socket)
    }

    /// Returns when the connection has ended.
    pub(super) async fn ended(mut self) -> Result<(), Broken> {
        within(async { while let Some(Ok(_)) = self.0.next().await {} }).await
    }
}

impl Events {
    /// Connects; the first event has arrived when this returns.
    pub(super) async fn open(wire: &Wire, browser: &Browser) -> Result<Self, Broken> {
        let ask = Ask { method: "GET", target: "/live/events", headers: &BACKGROUND, body: None };
        let response = wire.open(At::Edge, browser.request(&ask)?).await?;
        let status = response.status();
        let mut events = Self(response.into_body());
        let first = within(events.0.frame()).await?;
        let Some(Ok(frame)) = first else {
            return Err(Broken(format!("the event stream ended at once, with status {status}")));
        };
        let text = frame.into_data().map(|data| String::from_utf8_lossy(&data).replace('\n', " "));
        wire.tell(format!("edge    GET /live/events → {status}, then {}", text.unwrap_or_default().trim()));
        Ok(events)
    }

    /// Returns when the stream has ended, cleanly or not.
    pub(super) async fn ended(mut self) -> Result<(), Broken> {
        within(async { while let Some(Ok(_)) = self.0.frame().await {} }).await
    }
}

async fn within<T>(wait: impl Future<Output = T>) -> Result<T, Broken> {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.map_err(|_| Broken(format!("nothing came for {} s", PATIENCE.as_secs())))
}
