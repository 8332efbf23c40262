//! The style sheet and the two scripts, one for the panel's pages and one for ours. All are part of the binary and answer with a strong `ETag`; with the digest in the
//! address they may be kept for ever.

pub(crate) mod accent;

use axum::{body::Body, extract::Request, response::Response};
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::context::Cx;

const STYLE: &str = include_str!("style.css");
/// For the panel's pages.
const CLIENT: &str = include_str!("client.js");
/// For our own.
const PORTAL: &str = include_str!("portal.js");

/// The address of the style sheet in a site's colours, digest included.
pub(crate) fn style_address(accent: &str) -> String {
    format!("/_gate/style.css?v={}", digest(&style(accent)))
}

/// The address of the script of our own pages, digest included.
pub(crate) fn script_address() -> String {
    format!("/_gate/portal.js?v={}", digest(PORTAL))
}

/// `GET /_gate/style.css`
pub(crate) async fn style_sheet(cx: Cx, request: Request) -> Response {
    respond("text/css; charset=utf-8", style(&cx.visit.site.accent), request.headers(), cx.query("v"))
}

/// `GET /_gate/client.js`
pub(crate) async fn client_script(cx: Cx, request: Request) -> Response {
    respond("text/javascript; charset=utf-8", CLIENT.to_owned(), request.headers(), cx.query("v"))
}

/// `GET /_gate/portal.js`
pub(crate) async fn portal_script(cx: Cx, request: Request) -> Response {
    respond("text/javascript; charset=utf-8", PORTAL.to_owned(), request.headers(), cx.query("v"))
}

fn style(accent: &str) -> String {
    format!("{}{STYLE}", accent::properties(accent))
}

fn respond(kind: &'static str, text: String, headers: &HeaderMap, version: Option<&str>) -> Response {
    let digest = digest(&text);
    let tag = format!("\"{digest}\"");
    let fresh = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.contains(&tag));
    let mut response = Response::new(if fresh { Body::empty() } else { Body::from(text) });
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let kept =
        if version == Some(&digest) { "public, max-age=31536000, immutable" } else { "public, no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let head: Vec<u8> = digest.as_ref().iter().copied().take(8).collect();
    HEXLOWER.encode(&head)
}
