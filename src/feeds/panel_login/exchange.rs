//! One question and its answer over HTTP, bounded in size. Redirects are never followed: the credentials go to the
//! address that the configuration names and nowhere else.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use crate::{
    feeds::chain,
    rules::login::{Jar, SetCookie},
    secret::SecretBytes,
};

/// The largest answer, in bytes (R28).
const LARGEST: usize = 256 * 1024;
/// Cookies of one answer that are looked at.
const MOST_COOKIES: usize = 64;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("cannot reach it: {0}")]
    Reach(String),
    #[error("its answer has more than {LARGEST} bytes")]
    TooLarge,
    #[error("its login page has no form field `{0}` with a value")]
    NoToken(String),
    #[error("the sign-in succeeded, but the answer has nothing of what `pass_on` names")]
    NothingToPassOn,
}

/// An answer.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) cookies: Vec<SetCookie>,
    pub(super) body: Bytes,
}

type Plain = legacy::Client<HttpConnector, Full<Bytes>>;
type Secure = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// An HTTP client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Exchange {
    plain: Plain,
    /// Or why there is none: a machine without certificates can still ask itself.
    secure: Result<Secure, Arc<str>>,
}

impl Exchange {
    /// A client that trusts these authorities, or the machine's if there are none.
    pub(super) fn new(authorities: &[Vec<u8>]) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        // Credentials travel on connections that nobody else's have been on.
        builder.pool_max_idle_per_host(0);
        let secure = tls(authorities).map(|tls| {
            let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
            builder.build(connector.build())
        });
        Self { plain: builder.build_http(), secure: secure.map_err(Arc::from) }
    }

    pub(super) async fn get(
        &self,
        url: &url::Url,
        for_whom: &(HeaderName, HeaderValue),
    ) -> Result<Answered, Fault> {
        self.ask(Request::builder().method(Method::GET), url, Bytes::new(), for_whom).await
    }

    pub(super) async fn post(
        &self,
        url: &url::Url,
        content_type: &'static str,
        body: SecretBytes,
        cookies: &Jar,
        for_whom: &(HeaderName, HeaderValue),
    ) -> Result<Answered, Fault> {
        let mut request = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, content_type)
            // Frameworks compare these with their own address before they take a form.
            .header(header::ORIGIN, url.origin().ascii_serialization())
            .header(header::REFERER, url.as_str());
        if let Some(cookies) = field(cookies) {
            request = request.header(header::COOKIE, cookies);
        }
        self.ask(request, url, Bytes::from_owner(Wiped(body)), for_whom).await
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        url: &url::Url,
        body: Bytes,
        for_whom: &(HeaderName, HeaderValue),
    ) -> Result<Answered, Fault> {
        let reach = |error: &dyn std::fmt::Display| Fault::Reach(error.to_string());
        let request = request
            .uri(url.as_str())
            .header(header::ACCEPT, "application/json, text/html;q=0.9, */*;q=0.5")
            .header(header::USER_AGENT, "panelgate")
            .header(&for_whom.0, &for_whom.1)
            .body(Full::new(body))
            .map_err(|error| reach(&error))?;
        let asking = match &self.secure {
            _ if request.uri().scheme() == Some(&Scheme::HTTP) => self.plain.request(request),
            Ok(secure) => secure.request(request),
            Err(why) => return Err(Fault::Reach(why.to_string())),
        };
        let answer = asking.await.map_err(|error| Fault::Reach(chain(&error)))?;
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => return Err(Fault::TooLarge),
            Err(error) => return Err(Fault::Reach(error.to_string())),
        };
        let location = head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let cookies = head.headers.get_all(header::SET_COOKIE).iter().take(MOST_COOKIES);
        Ok(Answered {
            status: head.status.as_u16(),
            location: location.map(str::to_owned),
            cookies: cookies.filter_map(|value| SetCookie::parse(value.as_bytes())).collect(),
            body,
        })
    }
}

/// Bytes that are wiped when the request is gone.
struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

fn field(jar: &Jar) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(&jar.pairs()).ok().filter(|value| !value.is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

fn tls(authorities: &[Vec<u8>]) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = if authorities.is_empty() {
        hyper_rustls::ConfigBuilderExt::with_native_roots(builder).map_err(|error| error.to_string())?
    } else {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let added = roots.add(CertificateDer::from(authority.clone()));
            added.map_err(|error| error.to_string())?;
        }
        builder.with_root_certificates(roots)
    };
    Ok(builder.with_no_client_auth())
}
