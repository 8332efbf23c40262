//! WebSockets go through a tunnel of our own.
//!
//! The engine's upgrade path loses a race on quick upstreams (pingora issue 946) and runs no hook on an idle tunnel, so
//! it could not be cut when a session is revoked. Nothing that the client sends early reaches the panel before the
//! panel has agreed to the handshake with 101 (R23).

use std::{
    future::poll_fn,
    io::{self, Cursor},
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use pingora_core::protocols::{Shutdown, Stream, http::ServerSession};
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    forward,
    gateway::{Passage, WRITE},
    panel, response,
};
use crate::{
    doors::{identity_headers, trace},
    gate::RefusalKind,
    rules::reason::Reason,
};

/// The longest answer head that the panel may send.
const MAX_HEAD: usize = 32 * 1024;
/// What is read at once.
const PIECE: usize = 16 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the panel has answered the handshake.
    pub(super) answer: Duration,
    /// Without a byte in either direction.
    pub(super) idle: Duration,
}

/// The panel did not take the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It could not be reached, or answered nonsense.
    Away,
    /// It did not answer.
    Slow,
}

impl Refused {
    pub(super) fn kind(self) -> (RefusalKind, Reason) {
        match self {
            Self::Away => (RefusalKind::BadGateway, Reason::UpstreamUnreachable),
            Self::Slow => (RefusalKind::GatewayTimeout, Reason::UpstreamTimeout),
        }
    }

    fn because(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Slow } else { Self::Away }
    }
}

/// What the panel said to a handshake.
pub(super) enum Agreed {
    /// Yes: bytes go both ways from now on, as soon as the client has the answer.
    Yes(Box<Tunnel>),
    /// Something else, which the client has got.
    Otherwise,
}

/// A WebSocket that both sides have agreed to. It has nothing of the engine any more, whose session would be most of
/// what an idle WebSocket costs.
pub(super) struct Tunnel {
    client: Stream,
    /// The answer, and what the client has sent ahead.
    head: Bytes,
    early: Bytes,
    panel: TokioIo<Upgraded>,
    idle: Duration,
}

/// Carries a handshake to the panel.
///
/// # Errors
/// The outer error is the client's connection; the inner one is the panel's, and nothing was answered yet.
pub(super) async fn ask_for(
    session: &mut Session,
    passage: &Passage,
    cut: &CancellationToken,
    patience: Patience,
) -> Result<std::result::Result<Agreed, Refused>> {
    let asking = async {
        tokio::select! {
            () = cut.cancelled() => Err(Refused::Away),
            answer = timeout(patience.answer, ask(session, passage)) => answer.unwrap_or(Err(Refused::Slow)),
        }
    };
    let (answer, driver) = match asking.await {
        Ok(answered) => answered,
        Err(refused) => {
            session.set_keepalive(None);
            return Ok(Err(refused));
        }
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        session.set_keepalive(None);
        relay(session, passage, answer, patience).await?;
        return Ok(Ok(Agreed::Otherwise));
    }
    let head = switching(&answer, passage)?;
    let panel = if agrees(&answer) { hyper::upgrade::on(answer).await.ok() } else { None };
    drop(driver);
    let Some(panel) = panel else {
        session.set_keepalive(None);
        return Ok(Err(Refused::Away));
    };
    let (client, early) = take_over(session).await?;
    let (panel, idle) = (TokioIo::new(panel), patience.idle);
    Ok(Ok(Agreed::Yes(Box::new(Tunnel { client, head, early, panel, idle }))))
}

/// Takes the client's connection from the engine, which is left with one that nothing comes from and that is gone with
/// the session. A handshake has no body, so whatever came after its head is the tunnel's.
async fn take_over(session: &mut Session) -> Result<(Stream, Bytes)> {
    let lost = || Error::explain(ErrorType::InternalError, "the connection of a handshake cannot be kept");
    let nowhere = ServerSession::new_http1(Box::new(Cursor::new(Vec::<u8>::new())));
    let mut client = std::mem::replace(&mut *session.downstream_session, nowhere);
    client.set_keepalive(Some(1));
    client.set_keepalive_reuses_remaining(None);
    client.set_pipelining_enabled(true);
    let ServerSession::H1(client) = client else { return Err(lost()) };
    let (stream, early) = client.reuse().await?.ok_or_else(lost)?.into_parts();
    Ok((stream, early.unwrap_or_default().freeze()))
}

type Answered = (Response<Incoming>, AbortOnDropHandle<()>);

async fn ask(session: &Session, passage: &Passage) -> std::result::Result<Answered, Refused> {
    let request = handshake(session, passage).ok_or(Refused::Away)?;
    let wire = passage.upstream.dial().await.map_err(|error| Refused::because(&error))?;
    let connected =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake::<_, Body>(TokioIo::new(wire)).await;
    let (mut sender, connection) = connected.map_err(|_| Refused::Away)?;
    let driver = AbortOnDropHandle::new(tokio::spawn(async move {
        // Its end is seen by whoever reads or writes.
        let _ = connection.with_upgrades().await;
    }));
    let answer = sender.send_request(request).await.map_err(|_| Refused::Away)?;
    Ok((answer, driver))
}

fn handshake(session: &Session, passage: &Passage) -> Option<Request<Body>> {
    let client = &session.req_header().headers;
    let mut headers = forward::head(client, &passage.visit, &passage.grant, &passage.assertion);
    panel::carry(&mut headers, passage);
    trace::carry(&mut headers, passage.span.as_ref());
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.remove(header::EXPECT);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(&*passage.visit.facts.target.raw).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// A 101 that switches to something else than was asked for is no agreement.
fn agrees(answer: &Response<Incoming>) -> bool {
    let upgrade = answer.headers().get(header::UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && answer.headers().contains_key(header::SEC_WEBSOCKET_ACCEPT)
}

/// The answer as the client gets it.
fn switching(answer: &Response<Incoming>, passage: &Passage) -> Result<Bytes> {
    let mut head = copy(answer, passage)?;
    head.insert_header(header::CONNECTION, HeaderValue::from_static("Upgrade"))?;
    head.insert_header(header::UPGRADE, HeaderValue::from_static("websocket"))?;
    let mut wire = BytesMut::from(&b"HTTP/1.1 101 Switching Protocols\r\n"[..]);
    head.header_to_h1_wire(&mut wire);
    wire.extend_from_slice(b"\r\n");
    Ok(wire.freeze())
}

fn copy(answer: &Response<Incoming>, passage: &Passage) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(answer.status(), Some(answer.headers().len()))?;
    for (name, value) in answer.headers() {
        if !identity_headers::is_hop_by_hop(name.as_str()) && name != header::TRANSFER_ENCODING {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    response::clean(&mut head, &passage.visit.site, &passage.grant)?;
    // What a handshake sets is not learned, but no browser gets it either.
    panel::keep_back(&mut head, passage)?;
    Ok(head)
}

/// The panel answered the handshake like any other request.
async fn relay(
    session: &mut Session,
    passage: &Passage,
    answer: Response<Incoming>,
    patience: Patience,
) -> Result<()> {
    let mut head = copy(&answer, passage)?;
    if !head.headers.contains_key(header::CONTENT_LENGTH) {
        head.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
    }
    session.downstream_session.write_response_header(Box::new(head)).await?;
    let mut body = answer.into_body();
    while let Ok(Some(piece)) = timeout(patience.answer, body.frame()).await {
        let piece = piece.or_err(ErrorType::ReadError, "the panel's answer to a handshake")?;
        if let Ok(data) = piece.into_data() {
            session.downstream_session.write_response_body(data, false).await?;
        }
    }
    session.downstream_session.write_response_body(Bytes::new(), true).await
}

impl Tunnel {
    /// Carries bytes both ways until somebody stops or `cut` is cancelled.
    pub(super) async fn run(mut self, cut: &CancellationToken) {
        tokio::select! {
            biased;
            () = cut.cancelled() => {}
            // Either end may simply be gone, which is how tunnels end.
            _ = self.pump() => {}
        }
        Shutdown::shutdown(&mut *self.client).await;
    }

    /// While one direction waits for its reader the other waits too; that is bounded.
    async fn pump(&mut self) -> io::Result<()> {
        let (head, early) = (std::mem::take(&mut self.head), std::mem::take(&mut self.early));
        write(&mut self.client, &head, WRITE).await?;
        if !early.is_empty() {
            write(&mut self.panel, &early, self.idle).await?;
        }
        drop((head, early));
        let mut idle = Box::pin(sleep(self.idle));
        loop {
            tokio::select! {
                up = piece(&mut self.client) => match up? {
                    bytes if bytes.is_empty() => return Ok(()),
                    bytes => write(&mut self.panel, &bytes, self.idle).await?,
                },
                down = piece(&mut self.panel) => match down? {
                    bytes if bytes.is_empty() => return Ok(()),
                    bytes => write(&mut self.client, &bytes, WRITE).await?,
                },
                () = idle.as_mut() => return Ok(()),
            }
            // A later deadline for the same timer costs nothing.
            idle.as_mut().reset(sleep(self.idle).deadline());
        }
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], limit: Duration) -> io::Result<()> {
    let sending = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    timeout(limit, sending).await?
}

/// What has come; nothing at the end. The room for it is taken only when there is something: most WebSockets are idle.
async fn piece(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(read.filled().to_vec()))
    })
    .await
}
