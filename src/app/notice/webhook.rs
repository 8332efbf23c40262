//! A call to a program: JSON by POST, with an HMAC-SHA256 over the body as `X-Gate-Signature-256: sha256=…`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{NotTold, Told, Way};
use crate::{config::WebhookSettings, feeds::chain, portal::NewSignIn};

/// For the whole call.
const PATIENCE: Duration = Duration::from_secs(10);

/// The field that says who sent it.
const SIGNATURE: &str = "x-gate-signature-256";

/// A program that is called.
pub(super) struct Webhook {
    url: Uri,
    key: hmac::Key,
    plain: legacy::Client<HttpConnector, Full<Bytes>>,
    /// Or why there is none.
    secure: Result<legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>, Arc<str>>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let secure = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map(|tls| builder.build(tls.https_only().enable_http1().build()));
        Self {
            url: settings.url.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, settings.secret.expose()),
            plain: builder.build_http(),
            secure: secure.map_err(|error| error.to_string().into()),
        }
    }

    async fn call(&self, news: &NewSignIn) -> Result<StatusCode, NotTold> {
        let body = news.document().to_string();
        let signature =
            format!("sha256={}", HEXLOWER.encode(hmac::sign(&self.key, body.as_bytes()).as_ref()));
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "panelgate")
            .header(SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| NotTold { why: error.to_string(), again: false })?;
        let calling = match &self.secure {
            _ if self.url.scheme() == Some(&Scheme::HTTP) => self.plain.request(request),
            Ok(secure) => secure.request(request),
            Err(why) => return Err(NotTold { why: why.to_string(), again: false }),
        };
        match tokio::time::timeout(PATIENCE, calling).await {
            Ok(Ok(answer)) => Ok(answer.status()),
            Ok(Err(error)) => Err(NotTold { why: chain(&error), again: true }),
            Err(_) => Err(NotTold { why: "no answer within 10 seconds".to_owned(), again: true }),
        }
    }
}

#[async_trait]
impl Way for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn tell(&self, news: &NewSignIn) -> Result<Told, NotTold> {
        let status = self.call(news).await?;
        if status.is_success() {
            return Ok(Told::Sent);
        }
        let again = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Err(NotTold { why: format!("it answers {status}; redirects are not followed"), again })
    }
}
