//! From the engine's request to the gate's question.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;

use crate::{
    doors::{
        accept::{Conn, MAX_FIELDS, OriginOf, conn_of},
        dialect,
    },
    gate::Gate,
    rules::{
        address::{AddrSource, ClientAddr, TrustedProxies},
        facts::{Ask, Door, Route},
        site::{Origin, Site},
    },
};

/// Fields that ask for less than the whole page.
pub(super) const PARTIAL: [HeaderName; 4] =
    [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// Everything an [`Ask`] borrows from.
pub(super) struct Arrival {
    /// The connection it came on.
    pub(super) conn: Arc<Conn>,
    authority: Vec<u8>,
    client: ClientAddr,
}

/// A request that is answered before the gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) status: u16,
    pub(super) what: &'static str,
}

impl Arrival {
    /// Looks at the connection and the authority.
    pub(super) fn of(session: &ServerSession, trusted: &TrustedProxies) -> Result<Self, Unfit> {
        let request = session.req_header();
        let conn = session
            .digest()
            .and_then(conn_of)
            .ok_or(Unfit { status: 500, what: "the connection is not known" })?;
        fit(request)?;
        let authority = authority(request)?;
        let client = match conn.announced {
            Some(ip) => {
                let believed = dialect::edge::client(ip, &request.headers, trusted);
                if believed.from == AddrSource::Peer {
                    ClientAddr { ip: believed.ip, from: AddrSource::ProxyProtocol }
                } else {
                    believed
                }
            }
            None => dialect::edge::client(conn.peer.ip(), &request.headers, trusted),
        };
        Ok(Self { conn, authority, client })
    }

    /// The question.
    pub(super) fn ask<'a>(&'a self, request: &'a RequestHeader) -> Ask<'a> {
        Ask {
            door: Door::Edge,
            scheme: b"https",
            authority: &self.authority,
            method: request.method.as_str().as_bytes(),
            target: request.raw_path(),
            client: self.client,
            route: self.route(),
            headers: &request.headers,
        }
    }

    /// Whether a listed proxy sent it, as far as is known: the one that the PROXY protocol names, else the peer.
    pub(super) fn is_from_proxy(&self, trusted: &TrustedProxies) -> bool {
        trusted.contains(self.conn.announced.unwrap_or(self.conn.peer.ip()))
    }

    /// How it came.
    pub(super) fn route(&self) -> Route {
        Route { dialect: "edge", peer: self.conn.peer.ip(), forwarded_in: dialect::edge::FORWARDED_IN }
    }
}

/// What HTTP/2 lets through and HTTP/1 heads are already checked for.
fn fit(request: &Parts) -> Result<(), Unfit> {
    if matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(Unfit { status: 405, what: "CONNECT and TRACE are not allowed" });
    }
    if request.headers.len() > MAX_FIELDS {
        return Err(Unfit { status: 431, what: "there are too many header fields" });
    }
    let expected = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !request.headers.get_all(header::EXPECT).iter().all(expected) {
        return Err(Unfit { status: 417, what: "Expect is not exactly `100-continue`" });
    }
    Ok(())
}

/// The one authority: `Host`, or `:authority`, or both if they are the same (R6).
fn authority(request: &Parts) -> Result<Vec<u8>, Unfit> {
    let named = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = request.headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    match (named, hosts.next(), hosts.next()) {
        (Some(authority), None, _) => Ok(authority.to_vec()),
        (None, Some(host), None) => Ok(host.to_vec()),
        (Some(authority), Some(host), None) if authority.eq_ignore_ascii_case(host) => Ok(authority.to_vec()),
        _ => Err(Unfit { status: 400, what: "the request does not name exactly one host" }),
    }
}

/// Whether the name in the TLS handshake is one of the site's (R6): a certificate for several sites must not let a
/// request for one of them travel on a connection that was opened for another.
pub(super) fn named_alike(conn: &Conn, site: &Site) -> bool {
    let Some(name) = &conn.server_name else { return true };
    let is = |origin: &Origin| host_name(origin) == &**name;
    site.origins.iter().any(is) || is(&site.portal)
}

/// The host without its port.
fn host_name(origin: &Origin) -> &str {
    let host = origin.host.as_str();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// For the plain listener: host name → https origin.
pub(super) fn origins(gate: Arc<Gate>) -> OriginOf {
    Arc::new(move |name| {
        let snapshot = gate.live().snapshot();
        let all = snapshot.sites.all();
        let mut origins = all.iter().flat_map(|site| site.origins.iter().chain([&site.portal]));
        origins
            .find(|origin| origin.secure && host_name(origin) == name)
            .map(|origin| Arc::clone(&origin.text))
    })
}

/// Whether a handshake is a WebSocket's and nothing else's (R23).
pub(super) fn is_websocket(request: &Parts, http1: bool) -> bool {
    let one = |name: HeaderName| {
        let mut values = request.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).map(HeaderValue::as_bytes)
    };
    http1
        && request.method == Method::GET
        && one(header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && names_upgrade(&request.headers)
        && one(header::SEC_WEBSOCKET_VERSION) == Some(b"13")
        && one(header::SEC_WEBSOCKET_KEY).is_some_and(is_key)
        && !request.headers.contains_key(header::CONTENT_LENGTH)
        && !request.headers.contains_key(header::TRANSFER_ENCODING)
}

/// Whether a page is fetched to stand inside another one, which has the mark already. The frames of a frameset count as
/// pages: the frameset itself shows nothing.
pub(super) fn is_embedded(request: &Parts) -> bool {
    let destination = request.headers.get("sec-fetch-dest").map(HeaderValue::as_bytes).unwrap_or_default();
    [&b"iframe"[..], b"embed", b"object", b"fencedframe"].contains(&destination)
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let tokens =
        headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    tokens.map(<[u8]>::trim_ascii).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

/// 16 bytes in base64 (RFC 6455, section 4.1).
fn is_key(value: &[u8]) -> bool {
    data_encoding::BASE64.decode(value).is_ok_and(|bytes| bytes.len() == 16)
}
