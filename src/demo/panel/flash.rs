//! What a form did, carried over the redirect in a short-lived cookie and shown once.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const COOKIE: &str = "harbor_flash";

/// Goes to `place` (303, so that a reload repeats nothing) and says `text` there.
pub(crate) fn redirect(place: &str, text: &str) -> Response {
    let value = utf8_percent_encode(text, NON_ALPHANUMERIC);
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age=20; HttpOnly; SameSite=Lax");
    with_cookie(Redirect::to(place).into_response(), &cookie)
}

/// Takes the text out of the browser, once it has been shown.
pub(crate) fn forget(response: Response) -> Response {
    with_cookie(response, &format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"))
}

/// The text that the last form left.
pub(crate) fn shown(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .find(|value| !value.is_empty())
        .map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
