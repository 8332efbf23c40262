//! Answers for machines: RFC 9457 problem documents.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

/// One problem document. The type is a URN of the reason, so that it stays the same wherever the gate runs.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    document: Map<String, Value>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
}

impl Problem {
    /// A problem with its stable code; `detail` is for people.
    pub(crate) fn new(status: StatusCode, reason: &str, title: &str, detail: &str) -> Self {
        let mut document = Map::new();
        document.insert("type".into(), format!("urn:panelgate:reason:{reason}").into());
        document.insert("title".into(), title.into());
        document.insert("status".into(), status.as_u16().into());
        document.insert("detail".into(), detail.into());
        document.insert("reason".into(), reason.into());
        Self { status, document, retry_after: None, challenge: None }
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.document.insert(name.into(), value.into());
        self
    }

    /// Says when it is worth trying again, in whole seconds rounded up.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self.with("retry_after", seconds_up(wait))
    }

    /// Says what would be accepted (RFC 9110 §11.6.1 asks every 401 for this).
    pub(crate) fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(Value::Object(self.document).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// A JSON answer.
pub(crate) fn answer(value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `{"state": …}` with further members.
pub(crate) fn state(name: &str, mut rest: Value) -> Response {
    if let Some(members) = rest.as_object_mut() {
        members.insert("state".into(), json!(name));
    }
    answer(&rest)
}

/// At least one, so that nobody is told to come back at once.
pub(crate) fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}
