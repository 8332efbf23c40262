//! `/echo/**`: the request as the panel saw it.

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::{Query, Request},
};
use futures_util::StreamExt as _;
use http::request::Parts;
use serde::{Deserialize, Serialize};

/// The longest that `/echo/slow` waits, in seconds.
const LONGEST: u64 = 30;

/// A request, written down.
#[derive(Serialize)]
pub(crate) struct Echo {
    method: String,
    /// Path and query, as they arrived.
    target: String,
    /// In order of arrival, names in lower case, repeated fields repeated.
    headers: Vec<(String, String)>,
    /// How long the body was; less than was sent if it broke off.
    body_bytes: u64,
}

#[derive(Deserialize)]
pub(crate) struct Wait {
    #[serde(default)]
    seconds: u64,
}

/// Answers with the request.
pub(crate) async fn echo(request: Request) -> Json<Echo> {
    let (parts, body) = request.into_parts();
    let body_bytes = measure(body).await;
    Json(describe(&parts, body_bytes))
}

/// Answers after a while (`?seconds=`, at most 30): for what happens when something lapses under way.
pub(crate) async fn slow(Query(wait): Query<Wait>, request: Request) -> Json<Echo> {
    tokio::time::sleep(pause(wait.seconds)).await;
    echo(request).await
}

/// How long to wait.
pub(super) fn pause(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST))
}

async fn measure(body: Body) -> u64 {
    let mut total = 0;
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        total += chunk.len() as u64;
    }
    total
}

fn describe(parts: &Parts, body_bytes: u64) -> Echo {
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    Echo { method: parts.method.to_string(), target, headers, body_bytes }
}
