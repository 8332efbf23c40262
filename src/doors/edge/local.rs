//! Answers that are not the panel's: the portal's, and short ones of our own.
//!
//! They are written past the engine's modules, which may have begun to compress the panel's answer already.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tokio::time::timeout;
use tower::ServiceExt;

use super::request::Unfit;
use crate::{
    doors::{PortalService, accept::conn_of},
    gate::{Gate, Refusal, Visit, journal::Stray},
    rules::facts::Door,
};

/// The longest body that the portal is given (R28).
const MAX_BODY: usize = 64 * 1024;
/// How long a body that nobody wants is read on, so that the answer is not lost in a reset.
const DRAIN: Duration = Duration::from_secs(1);

/// A request for one of the gate's own pages. `patience`: for the whole body.
pub(super) async fn portal(
    session: &mut Session,
    gate: &Gate,
    portal: &PortalService,
    visit: &Arc<Visit>,
    patience: Duration,
) -> Result<()> {
    let body = match timeout(patience, body(session)).await {
        Ok(body) => body?,
        Err(_) => {
            return plain(session, gate, Unfit { status: 408, what: "the request body took too long" }).await;
        }
    };
    let Some(body) = body else {
        return plain(session, gate, Unfit { status: 413, what: "the request body is too long" }).await;
    };
    let parts = session.req_header().as_owned_parts();
    let mut request = Request::from_parts(parts, Body::from(body));
    // Codes and sessions are held against the time at which the whole request is there.
    request.extensions_mut().insert(Arc::new(Visit { moment: gate.moment(), ..Visit::clone(visit) }));
    ask(session, portal, request).await
}

/// A refusal, rendered by the portal.
pub(super) async fn refuse(
    session: &mut Session,
    portal: &PortalService,
    visit: Option<&Arc<Visit>>,
    refusal: Refusal,
) -> Result<()> {
    drain(session).await;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/_gate/refused");
    *request.headers_mut() = session.req_header().headers.clone();
    if let Some(visit) = visit {
        request.extensions_mut().insert(Arc::clone(visit));
    }
    request.extensions_mut().insert(refusal);
    ask(session, portal, request).await
}

/// A short answer of our own, for requests that never reach the gate.
pub(super) async fn plain(session: &mut Session, gate: &Gate, unfit: Unfit) -> Result<()> {
    drain(session).await;
    let decision = gate.note_stray(stray(session, unfit));
    let body = Bytes::from(format!("{}\nDecision {decision}\n", unfit.what));
    let mut head = ResponseHeader::build(unfit.status, Some(4))?;
    head.insert_header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))?;
    head.insert_header(header::CONTENT_LENGTH, HeaderValue::from(body.len()))?;
    head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    let empty = session.req_header().method == http::Method::HEAD;
    session.downstream_session.write_response_header(Box::new(head)).await?;
    if empty { Ok(()) } else { session.downstream_session.write_response_body(body, true).await }
}

/// What is known of a request that never reaches the gate.
fn stray(session: &Session, unfit: Unfit) -> Stray<'_> {
    let head = session.req_header();
    let conn = session.digest().and_then(conn_of);
    let host = head.headers.get(header::HOST).map(HeaderValue::as_bytes);
    Stray {
        door: Door::Edge,
        dialect: "edge",
        peer: conn.map_or(Ipv4Addr::UNSPECIFIED.into(), |conn| conn.peer.ip()),
        host: host.or(head.uri.authority().map(|named| named.as_str().as_bytes())).unwrap_or_default(),
        method: head.method.as_str().as_bytes(),
        target: head.raw_path(),
        what: unfit.what,
    }
}

/// The same request once more, with its method and body (RFC 9110 §15.4.8).
pub(super) async fn again(session: &mut Session, url: &str) -> Result<()> {
    drain(session).await;
    let mut head = ResponseHeader::build(307, Some(3))?;
    head.insert_header(header::LOCATION, url)?;
    head.insert_header(header::CONTENT_LENGTH, HeaderValue::from_static("0"))?;
    head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    session.downstream_session.write_response_header(Box::new(head)).await?;
    session.downstream_session.write_response_body(Bytes::new(), true).await
}

async fn ask(session: &mut Session, portal: &PortalService, request: Request<Body>) -> Result<()> {
    let response = match portal.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, mut body) = response.into_parts();
    let mut head = ResponseHeader::from(parts);
    let bodiless = session.req_header().method == http::Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    frame(&mut head, &body, bodiless, session.is_http2())?;
    let empty = bodiless || body.is_end_stream();
    session.downstream_session.write_response_header(Box::new(head)).await?;
    if empty {
        return Ok(());
    }
    while let Some(piece) = body.frame().await {
        let piece =
            piece.map_err(|error| Error::because(ErrorType::InternalError, "the portal's answer", error))?;
        if let Ok(data) = piece.into_data() {
            session.downstream_session.write_response_body(data, false).await?;
        }
    }
    session.downstream_session.write_response_body(Bytes::new(), true).await
}

/// States the length, so that the connection can be kept.
fn frame(head: &mut ResponseHeader, body: &Body, bodiless: bool, http2: bool) -> Result<()> {
    if bodiless || head.headers.contains_key(header::CONTENT_LENGTH) {
        return Ok(());
    }
    match body.size_hint().exact() {
        Some(length) => head.insert_header(header::CONTENT_LENGTH, HeaderValue::from(length)),
        None if http2 => Ok(()),
        None => head.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
    }
}

/// The whole body; `None` if it is too long.
async fn body(session: &mut Session) -> Result<Option<Bytes>> {
    let headers = &session.req_header().headers;
    let stated =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > MAX_BODY) {
        return Ok(None);
    }
    if headers.contains_key(header::EXPECT) && !session.is_body_empty() {
        session.write_continue_response().await?;
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = session.read_request_body().await? {
        if whole.len() + piece.len() > MAX_BODY {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole.freeze()))
}

/// Reads on for a short while. What is left then closes the connection.
async fn drain(session: &mut Session) {
    if session.req_header().headers.contains_key(header::EXPECT) {
        return;
    }
    let reading = async {
        let mut left = MAX_BODY;
        while let Ok(Some(piece)) = session.read_request_body().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    // Too slow is as good as too long.
    let _ = timeout(DRAIN, reading).await;
}
