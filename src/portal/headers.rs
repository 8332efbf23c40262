//! The headers that every answer of the portal carries (R21).

use std::sync::Arc;

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::gate::Visit;

/// Sets what an answer does not have yet.
pub(crate) async fn apply(request: Request, next: Next) -> Response<Body> {
    let policy = policy(request.extensions().get::<Arc<Visit>>().map(|visit| &**visit));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        default(headers, name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        default(headers, header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

const FIXED: [(HeaderName, &str); 8] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "Cookie, Authorization, Accept-Language"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

fn default(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// Scripts and styles are named by their exact address: the panel shares our origin, and what its users can upload there
/// must not run on a page that takes passwords. Forms may lead to the site's origins, since browsers hold redirects
/// after a form against `form-action` too.
fn policy(visit: Option<&Visit>) -> String {
    const BASE: &str = "default-src 'none'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
    let Some(visit) = visit else { return format!("{BASE}; style-src 'self'; form-action 'none'") };
    let here = format!("{}://{}", visit.facts.scheme.as_str(), visit.facts.host);
    let mut text = format!(
        "{BASE}; style-src {here}/_gate/style.css; script-src {here}/_gate/portal.js; connect-src {here}/_gate/api/; form-action 'self'"
    );
    let origins = &visit.site.origins;
    let apart = Some(&visit.site.portal).filter(|portal| !origins.contains(portal));
    for origin in origins.iter().chain(apart) {
        text.push(' ');
        text.push_str(&origin.text);
    }
    text
}
