//! Reading the fields of a dialect: each exactly once.

use http::{HeaderMap, HeaderName, Version, header, request::Parts};

use super::Caller;
use crate::rules::address::{ClientAddr, walk, walk_beyond};

/// A field that a dialect reads, with the line that makes the proxy send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// As people write it.
    pub(super) name: &'static str,
    /// The same for looking it up.
    pub(super) key: HeaderName,
    /// What to do when it is missing.
    pub(super) mend: &'static str,
}

// What Caddy, Traefik and HAProxy set, whatever they ask about.

/// The scheme of the client.
pub(super) const PROTO: Field = Field {
    name: "X-Forwarded-Proto",
    key: HeaderName::from_static("x-forwarded-proto"),
    mend: "let the proxy set it to the client's scheme",
};

/// The client's `Host`.
pub(super) const HOST: Field = Field {
    name: "X-Forwarded-Host",
    key: HeaderName::from_static("x-forwarded-host"),
    mend: "let the proxy set it to the client's Host",
};

/// Where the client is.
pub(super) const FOR: Field = Field {
    name: "X-Forwarded-For",
    key: HeaderName::from_static("x-forwarded-for"),
    mend: "let the proxy set it to the client's address",
};

/// The question cannot be read, so it is answered with no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// Nobody vouches for who asks (R1).
    #[error(
        "the peer is not a trusted proxy; list its network in trusted_proxies, or let it use the socket or its secret"
    )]
    Untrusted,
    /// A field that the dialect needs is absent.
    #[error("the {name} header is missing; {mend}")]
    Missing {
        /// Which.
        name: &'static str,
        /// How to make the proxy send it.
        mend: &'static str,
    },
    /// A field came more than once.
    #[error("the {name} header came more than once; {mend}, which replaces what the client sent")]
    Doubled {
        /// Which.
        name: &'static str,
        /// How to make the proxy send it once.
        mend: &'static str,
    },
    /// A field, or the request line, cannot be understood.
    #[error("{name} cannot be understood; {mend}")]
    Unparsable {
        /// Which.
        name: &'static str,
        /// How to make the proxy send it well.
        mend: &'static str,
    },
}

/// The one value of a field.
pub(super) fn one<'a>(headers: &'a HeaderMap, field: &Field) -> Result<&'a [u8], DialectError> {
    let Field { name, ref key, mend } = *field;
    let mut values = headers.get_all(key).iter();
    let value =
        values.next().filter(|value| !value.is_empty()).ok_or(DialectError::Missing { name, mend })?;
    if values.next().is_some() {
        return Err(DialectError::Doubled { name, mend });
    }
    Ok(value.as_bytes())
}

/// The client's address: the walk over the one forwarding field, from a caller that is trusted.
pub(super) fn client(
    headers: &HeaderMap,
    caller: &Caller<'_>,
    field: &Field,
) -> Result<ClientAddr, DialectError> {
    let forwarded = one(headers, field)?;
    Ok(if caller.channel_trusted {
        walk_beyond(caller.peer, &[forwarded], caller.trusted)
    } else {
        walk(caller.peer, &[forwarded], caller.trusted)
    })
}

/// Refuses callers that nobody vouches for. The listener has done so already; this is the second lock.
pub(super) fn vouched(caller: &Caller<'_>) -> Result<(), DialectError> {
    if caller.channel_trusted || caller.trusted.contains(caller.peer) {
        Ok(())
    } else {
        Err(DialectError::Untrusted)
    }
}

/// Path and query of the request line itself. Absolute form is refused: it names a second host.
pub(super) fn origin_form(parts: &Parts) -> Result<&str, DialectError> {
    let absolute = parts.uri.authority().is_some() && parts.version < Version::HTTP_2;
    match parts.uri.path_and_query() {
        Some(target) if !absolute => Ok(target.as_str()),
        _ => Err(DialectError::Unparsable {
            name: "the request line",
            mend: "ask with a path that starts with a slash, without scheme and host",
        }),
    }
}

/// The host that the request line or the `Host` field names, exactly once; both must agree (R6).
pub(super) fn own_host(parts: &Parts) -> Result<&[u8], DialectError> {
    const HOST_FIELD: Field =
        Field { name: "Host", key: HeaderName::from_static("host"), mend: "pass the client's own Host on" };
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match authority {
        None => one(&parts.headers, &HOST_FIELD),
        Some(named) if !parts.headers.contains_key(header::HOST) => Ok(named),
        Some(named) => match one(&parts.headers, &HOST_FIELD)? {
            host if host.eq_ignore_ascii_case(named) => Ok(named),
            _ => Err(DialectError::Unparsable { name: "Host", mend: "it must be the same as :authority" }),
        },
    }
}
