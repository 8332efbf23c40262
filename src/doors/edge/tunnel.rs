//! WebSockets go through a tunnel of our own.
//!
//! The engine's upgrade path loses a race on quick upstreams (pingora issue 946) and runs no hook on an idle tunnel, so
//! it could not be cut when a session is revoked. Nothing that the client sends early reaches the panel before the
//! panel has agreed to the handshake with 101 (R23).

use std::{io, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use pingora_error::{ErrorType, OrErr, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{forward, gateway::Passage, panel, response};
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

/// Carries a handshake to the panel, and then bytes both ways until somebody stops or `cut` is cancelled.
///
/// # Errors
/// The outer error is the client's connection; the inner one is the panel's, and nothing was answered yet.
pub(super) async fn run(
    session: &mut Session,
    passage: &Passage,
    cut: &CancellationToken,
    patience: Patience,
) -> Result<std::result::Result<(), Refused>> {
    session.set_keepalive(None);
    let asking = async {
        tokio::select! {
            () = cut.cancelled() => Err(Refused::Away),
            answer = timeout(patience.answer, ask(session, passage)) => answer.unwrap_or(Err(Refused::Slow)),
        }
    };
    let (answer, _driver) = match asking.await {
        Ok(answered) => answered,
        Err(refused) => return Ok(Err(refused)),
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        relay(session, passage, answer, patience).await?;
        return Ok(Ok(()));
    }
    if !agrees(&answer) {
        return Ok(Err(Refused::Away));
    }
    let head = switching(&answer, passage)?;
    let Ok(panel) = hyper::upgrade::on(answer).await else { return Ok(Err(Refused::Away)) };
    session.set_read_timeout(None);
    session.downstream_session.write_response_header(Box::new(head)).await?;
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        // Either end may simply be gone, which is how tunnels end.
        _ = pump(session, panel, patience.idle) => {}
    }
    Ok(Ok(()))
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

fn switching(answer: &Response<Incoming>, passage: &Passage) -> Result<ResponseHeader> {
    let mut head = copy(answer, passage)?;
    head.insert_header(header::CONNECTION, HeaderValue::from_static("Upgrade"))?;
    head.insert_header(header::UPGRADE, HeaderValue::from_static("websocket"))?;
    Ok(head)
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

/// Bytes both ways. While one direction waits for its reader the other waits too; the idle limit bounds that.
async fn pump(session: &mut Session, panel: Upgraded, idle: Duration) -> Result<()> {
    let (mut from_panel, mut to_panel) = tokio::io::split(TokioIo::new(panel));
    let mut piece = BytesMut::with_capacity(PIECE);
    loop {
        tokio::select! {
            () = sleep(idle) => return Ok(()),
            up = session.read_request_body() => {
                let Some(bytes) = up? else { return Ok(()) };
                let sending = async {
                    to_panel.write_all(&bytes).await?;
                    to_panel.flush().await
                };
                let sent = timeout(idle, sending).await;
                sent.or_err(ErrorType::WriteTimedout, "the panel does not read")?
                    .or_err(ErrorType::WriteError, "to the panel")?;
            }
            down = from_panel.read_buf(&mut piece) => {
                if down.or_err(ErrorType::ReadError, "from the panel")? == 0 {
                    return Ok(());
                }
                let bytes = piece.split().freeze();
                piece.reserve(PIECE);
                session.downstream_session.write_response_body(bytes, false).await?;
            }
        }
    }
}
