//! A stand-in for the panel: listens where the panel does while that is stopped, and shows each request as it arrived.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{StatusCode, header};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify, task::AbortHandle};

use super::observed::{Saw, fields_of};

/// How long the second event waits for word that the first has arrived.
const WORD: Duration = Duration::from_secs(3);
/// The longest body that is measured.
const LONGEST: u64 = 16 << 20;

/// What the panel's own refusal says.
pub(super) const OWN_REFUSAL: &str = "the panel's own refusal";
/// Where the panel's own redirect leads.
pub(super) const OWN_REDIRECT: &str = "/moved/by-the-panel";
/// Cookies that the panel sets.
pub(super) const OWN_COOKIES: [&str; 2] = ["doctor_first=1; Path=/; HttpOnly", "doctor_second=2; Path=/x"];
/// The events of its stream.
pub(super) const EVENTS: [&str; 2] = ["data: first\n\n", "data: second\n\n"];

/// It listens while this lives.
pub(super) struct StandIn {
    shared: Arc<Shared>,
    serving: AbortHandle,
}

#[derive(Default)]
struct Shared {
    saw: Mutex<Vec<Saw>>,
    heard: Notify,
}

impl StandIn {
    /// Starts to listen.
    pub(super) async fn start(address: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| {
            format!("cannot stand in for the panel at {address}: {error}; is the panel stopped?")
        })?;
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let router = Router::new().fallback(move |request: Request| answer(Arc::clone(&state), request));
        let serving = tokio::spawn(async move {
            // It ends with the process, if not before.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, serving: serving.abort_handle() })
    }

    /// What it saw, in order.
    pub(super) fn saw(&self) -> Vec<Saw> {
        self.shared.saw.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that the first event has arrived.
    pub(super) fn heard(&self) {
        self.shared.heard.notify_one();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let saw = Saw {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: fields_of(&parts.headers),
        body_bytes: measure(body).await,
    };
    let target = saw.target.clone();
    let number = {
        let mut all = shared.saw.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(saw.clone());
        all.len()
    };
    // No two answers are the same, so that one that is kept shows.
    let echo = json!({
        "method": saw.method, "target": saw.target, "headers": saw.headers, "body_bytes": saw.body_bytes,
        "number": number,
    });
    let built = if target.contains("-stream") {
        let later = stream::once(async move {
            // Whoever holds the first back gets the second all the same, only later.
            let _ = tokio::time::timeout(WORD, shared.heard.notified()).await;
            EVENTS[1]
        });
        let events =
            stream::iter([EVENTS[0]]).chain(later).map(|event| Ok::<_, Infallible>(Bytes::from(event)));
        Response::builder().header(header::CONTENT_TYPE, "text/event-stream").body(Body::from_stream(events))
    } else if target.contains("-redirect") {
        let [first, second] = OWN_COOKIES;
        let response = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, OWN_REDIRECT);
        response.header(header::SET_COOKIE, first).header(header::SET_COOKIE, second).body(Body::empty())
    } else if target.contains("-refusal") {
        Response::builder().status(StatusCode::FORBIDDEN).body(Body::from(OWN_REFUSAL))
    } else {
        let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
        // An invitation to keep what must not be kept.
        let kept = target.contains("-cached");
        let response =
            if kept { response.header(header::CACHE_CONTROL, "public, max-age=60") } else { response };
        response.body(Body::from(echo.to_string()))
    };
    built.unwrap_or_default()
}

async fn measure(body: Body) -> u64 {
    let mut total = 0;
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        total += chunk.len() as u64;
        if total > LONGEST {
            break;
        }
    }
    total
}
