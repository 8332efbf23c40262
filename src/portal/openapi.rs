//! The API, described: `GET /_gate/api/v1/openapi.json`.

use std::sync::LazyLock;

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use serde_json::Value;

use super::context::Cx;

const CORE: &str = include_str!("openapi/core.json");
/// What the features add: objects of `paths` and `schemas`.
const PARTS: [&str; 8] = [
    include_str!("openapi/account.json"),
    include_str!("openapi/acting.json"),
    include_str!("openapi/admin.json"),
    include_str!("openapi/devices.json"),
    include_str!("openapi/keys.json"),
    include_str!("openapi/operators.json"),
    include_str!("openapi/overview.json"),
    include_str!("openapi/policy.json"),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(CORE).unwrap_or_default();
    for part in PARTS {
        let mut part: Value = serde_json::from_str(part).unwrap_or_default();
        for (name, place) in [("paths", "/paths"), ("schemas", "/components/schemas")] {
            let into = document.pointer_mut(place).and_then(Value::as_object_mut);
            if let (Some(into), Some(more)) = (into, part.get_mut(name).and_then(Value::as_object_mut)) {
                into.append(more);
            }
        }
    }
    document.to_string()
});

/// `GET /_gate/api/v1/openapi.json`
pub(crate) async fn document(_cx: Cx) -> Response {
    let mut response = Response::new(Body::from(DOCUMENT.as_str()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::portal::routes;

    /// The document describes exactly the calls that the router has.
    #[test]
    fn it_describes_every_call_and_nothing_else() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let routed: BTreeSet<String> = routes::guarded()
            .iter()
            .filter(|route| route.path.contains("/api/") || route.path == "/_gate/refresh")
            .flat_map(|route| route.methods.iter().map(|method| format!("{method} {}", route.path)))
            .collect();
        assert_eq!(described, routed);
    }

    /// A part that is not JSON would be left out in silence.
    #[test]
    fn every_part_is_read() {
        for part in PARTS.iter().chain([&CORE]) {
            serde_json::from_str::<Value>(part).unwrap();
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for part in DOCUMENT.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
