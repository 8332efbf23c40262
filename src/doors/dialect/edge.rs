//! Forwarding headers at our own edge: those of a client are believed only from a listed proxy, and the panel gets
//! fresh ones, whatever the client sent.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::rules::address::{ClientAddr, TrustedProxies, walk};

/// The field that the walk to the client goes over.
pub(in crate::doors) const FORWARDED_IN: &str = "x-forwarded-for";

/// Names that some panel or framework may take for the client's address, the host, the scheme or the target.
const FORWARDING: [&str; 24] = [
    "forwarded",
    "forwarded-for",
    "x-forwarded",
    "client-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-originating-ip",
    "x-proxyuser-ip",
    "fastly-client-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "cf-connecting-ipv6",
    "x-envoy-external-address",
    "x-envoy-original-path",
    // A CGI program reads it as HTTP_PROXY (CVE-2016-5385).
    "proxy",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-rewrite-url",
    "x-host",
    "x-http-host-override",
    "via",
];

/// The client's address: the peer's own, or what a listed proxy says (R1, R17).
pub(in crate::doors) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> ClientAddr {
    let lines: Vec<&[u8]> = headers.get_all(FORWARDED_IN).iter().map(HeaderValue::as_bytes).collect();
    walk(peer, &lines, trusted)
}

/// Whether a field says of a request what only we may say.
pub(in crate::doors) fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded-") || name.starts_with("x-original-") || FORWARDING.contains(&name)
}

/// The client's address, for the panel.
pub(super) fn on_behalf_of(client: IpAddr) -> (HeaderName, HeaderValue) {
    // An address is always a valid value.
    let value = HeaderValue::try_from(client.to_string()).unwrap_or(HeaderValue::from_static(""));
    (HeaderName::from_static("x-forwarded-for"), value)
}

/// Tells the panel who its client is, and how the client reached us. `host` is the host that was judged.
pub(in crate::doors) fn stamp(headers: &mut HeaderMap, client: IpAddr, host: &str) {
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let values = [("x-forwarded-for", client.to_string()), ("x-forwarded-host", host.to_owned())];
    for (name, value) in values {
        // An address and a canonical host are always valid values.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
