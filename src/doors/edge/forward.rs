//! What the panel gets to see of a request: the client's own header fields without everything that is not the
//! client's to say, and ours (R5, R7, R8).

use http::{HeaderMap, HeaderValue, header};

use crate::{
    doors::{dialect, identity_headers},
    gate::Visit,
    rules::outcome::Grant,
};

/// The head that goes to the panel, its request line aside. The bytes of the target are those of the visit (R5).
pub(super) fn head(client: &HeaderMap, visit: &Visit, grant: &Grant, assertion: &HeaderValue) -> HeaderMap {
    let mut headers = client.clone();
    identity_headers::strip_hop_by_hop(&mut headers);
    headers.remove(header::TRANSFER_ENCODING);
    identity_headers::strip_credentials(&mut headers, &visit.site.credentials);
    identity_headers::strip(&mut headers);
    dialect::edge::strip(&mut headers);
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
