//! The forwarding headers that the edge itself sends to the panel.

use http::{HeaderName, HeaderValue};

use crate::rules::facts::Facts;

/// Whether a client's field would tell the panel who, what or where the request was. All of these are removed.
pub fn is_forwarding(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    ["x-forwarded", "x-original-", "x-rewrite-"].iter().any(|start| folded.starts_with(start))
        || matches!(
            folded.as_str(),
            "forwarded"
                | "x-real-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
                | "client-ip"
                | "x-host"
                | "x-http-host-override"
        )
}

/// What the panel is told instead: for, proto and host of the request that was judged.
pub fn forwarding(facts: &Facts) -> [(HeaderName, HeaderValue); 4] {
    let address = value(&facts.client.ip.to_string());
    [
        (HeaderName::from_static("x-forwarded-for"), address.clone()),
        (HeaderName::from_static("x-real-ip"), address),
        (HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(facts.scheme.as_str())),
        (HeaderName::from_static("x-forwarded-host"), value(facts.host.as_str())),
    ]
}

/// Addresses and canonical hosts are printable ASCII, so nothing is lost here.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
