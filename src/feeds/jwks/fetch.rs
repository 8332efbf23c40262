//! Getting the bytes of a key set, in bounded time and size.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::io::AsyncReadExt;

use crate::{
    feeds::{chain, files},
    rules::token::BadKeySet,
};

/// For the whole question and answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest key set, in bytes (R28).
const LARGEST: usize = 64 * 1024;

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("cannot read it: {0}")]
    File(#[from] std::io::Error),
    #[error("cannot reach it: {0}")]
    Reach(String),
    #[error("it answers {0}, not 200; redirects are not followed")]
    Status(StatusCode),
    #[error("it has more than {LARGEST} bytes")]
    TooLarge,
    #[error("no whole answer within {} seconds", DEADLINE.as_secs())]
    TooSlow,
    #[error(transparent)]
    Set(#[from] BadKeySet),
}

/// An HTTP client with the machine's trusted certificates. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    plain: legacy::Client<HttpConnector, Empty<Bytes>>,
    /// Or why there is none: a machine without certificates can still ask itself.
    secure: Result<legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, Arc<str>>,
}

impl Client {
    pub(super) fn new() -> Self {
        // Ten minutes lie between two questions: no connection is worth keeping.
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let secure = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map(|tls| builder.build(tls.https_only().enable_http1().build()));
        Self { plain: builder.build_http(), secure: secure.map_err(|error| error.to_string().into()) }
    }

    pub(super) async fn get(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        tokio::time::timeout(DEADLINE, self.exchange(uri)).await.map_err(|_| FetchError::TooSlow)?
    }

    async fn exchange(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        let request = Request::get(uri.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, "panelgate")
            .body(Empty::new())
            .map_err(|error| FetchError::Reach(error.to_string()))?;
        let asking = match &self.secure {
            _ if uri.scheme() == Some(&Scheme::HTTP) => self.plain.request(request),
            Ok(secure) => secure.request(request),
            Err(why) => return Err(FetchError::Reach(why.to_string())),
        };
        let answer = asking.await.map_err(|error| FetchError::Reach(chain(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        match Limited::new(answer.into_body(), LARGEST).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(FetchError::TooLarge),
            Err(error) => Err(FetchError::Reach(error.to_string())),
        }
    }
}

/// The file's content.
pub(super) async fn file(path: &Path) -> Result<Bytes, FetchError> {
    let mut text = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let path = path.to_owned();
    let opened =
        tokio::task::spawn_blocking(move || files::open(&path)).await.map_err(std::io::Error::other)??;
    tokio::fs::File::from_std(opened).take(limit.saturating_add(1)).read_to_end(&mut text).await?;
    if text.len() > LARGEST { Err(FetchError::TooLarge) } else { Ok(text.into()) }
}
