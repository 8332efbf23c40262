//! What the panel gets to see of a request: the client's own header fields without everything that is not the
//! client's to say, and ours (R5, R7, R8).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    doors::{dialect, identity_headers},
    gate::Visit,
    rules::outcome::Grant,
};

/// Fields that are put in beside the client's: eleven of identity, three of forwarding, the host, and the trace.
const OURS: usize = 16;

/// The head that goes to the panel, its request line aside. The bytes of the target are those of the visit (R5).
pub(super) fn head(client: &HeaderMap, visit: &Visit, grant: &Grant, assertion: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.len() + OURS);
    for (name, value) in client.iter().filter(|(name, _)| is_the_clients(name)) {
        headers.append(name.clone(), value.clone());
    }
    identity_headers::strip_credentials(&mut headers, &visit.site.credentials);
    for (name, value) in identity_headers::all(grant, assertion.clone()) {
        headers.insert(name, value);
    }
    let host = visit.facts.host.as_str();
    dialect::edge::stamp(&mut headers, visit.facts.client.ip, host);
    // A canonical host is always a valid value.
    if let Ok(host) = HeaderValue::try_from(host) {
        headers.insert(header::HOST, host);
    }
    headers
}

fn is_the_clients(name: &HeaderName) -> bool {
    let text = name.as_str();
    *name != header::TRANSFER_ENCODING
        && !identity_headers::is_hop_by_hop(text)
        && !identity_headers::is_forbidden(text)
        && !dialect::edge::is_forwarding(text)
}
