//! The PROXY protocol, versions 1 and 2, as HAProxy's specification of 2020 has it. Only for listed peers, never guessed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V1_START: &[u8] = b"PROXY ";
const V1_MAX: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
const V2_MAX: usize = 536;
const TLV_CRC32C: u8 = 0x03;

/// The longest header that can be accepted, in bytes: how much to read before giving up.
pub const MAX_HEADER: usize = V2_MAX;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The start of a header; read more.
    Incomplete,
    /// A whole header.
    Header {
        /// The client's address; `None` (LOCAL, UNKNOWN) means that of the socket.
        source: Option<SocketAddr>,
        /// How many bytes belong to the header. The next byte is the client's first.
        consumed: usize,
    },
    /// Not a header, with what is wrong: close the connection.
    Bad(&'static str),
}

/// Reads a header from the start of `bytes`. Looks at nothing behind the end that the header itself declares.
pub fn parse(bytes: &[u8]) -> Parsed {
    if V1_START.starts_with(bytes) || V2_START.starts_with(bytes) {
        return Parsed::Incomplete;
    }
    let parsed = if bytes.starts_with(V1_START) {
        version_1(bytes)
    } else if bytes.starts_with(V2_START) {
        version_2(bytes)
    } else {
        Err("the connection does not start with a PROXY protocol header")
    };
    match parsed {
        Ok(None) => Parsed::Incomplete,
        Ok(Some((source, consumed))) => Parsed::Header { source, consumed },
        Err(what) => Parsed::Bad(what),
    }
}

type Outcome = Result<Option<(Option<SocketAddr>, usize)>, &'static str>;

fn version_1(bytes: &[u8]) -> Outcome {
    let window = bytes.get(..V1_MAX).unwrap_or(bytes);
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() == V1_MAX {
            Err("the version 1 header is longer than 107 bytes")
        } else {
            Ok(None)
        };
    };
    let line = window.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    let line = line.filter(|line| line.is_ascii()).ok_or("the version 1 header is not ASCII")?;
    let mut words = line.split(' ').skip(1);
    let source = match words.next() {
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(addresses_1::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(addresses_1::<Ipv6Addr>(words)?),
        _ => return Err("the version 1 header names another family than TCP4, TCP6 and UNKNOWN"),
    };
    Ok(Some((source, end + 2)))
}

/// Source address, destination address, source port, destination port: all four must be good.
fn addresses_1<'a, A>(mut words: impl Iterator<Item = &'a str>) -> Result<SocketAddr, &'static str>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let port = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse::<u16>().ok().filter(|_| plain)
    };
    let mut take = || -> Option<SocketAddr> {
        let source = words.next()?.parse::<A>().ok()?;
        words.next()?.parse::<A>().ok()?;
        let source_port = port(words.next()?)?;
        port(words.next()?)?;
        words.next().is_none().then_some(SocketAddr::new(source.into(), source_port))
    };
    take().ok_or("the addresses of the version 1 header are malformed")
}

fn version_2(bytes: &[u8]) -> Outcome {
    let Some((fixed, _)) = bytes.split_first_chunk::<V2_FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let total = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if total > V2_MAX {
        return Err("the version 2 header is longer than 536 bytes");
    }
    if !matches!(command, 0x20 | 0x21) {
        return Err("the version 2 header has another version or command than LOCAL and PROXY");
    }
    let Some(header) = bytes.get(..total) else { return Ok(None) };
    if command == 0x20 {
        return Ok(Some((None, total)));
    }
    let (source, used) = match family {
        0x00 => return Ok(Some((None, total))),
        0x11 => addresses_2::<4>(header).map(|(ip, port)| (Some(SocketAddr::new(ip.into(), port)), 12)),
        0x21 => addresses_2::<16>(header).map(|(ip, port)| (Some(SocketAddr::new(ip.into(), port)), 36)),
        0x31 => Some((None, 216)),
        _ => return Err("the version 2 header names a family that is not a stream"),
    }
    .ok_or("the version 2 header is too short for its addresses")?;
    check_tlvs(header, V2_FIXED + used)?;
    Ok(Some((source, total)))
}

/// Source address, destination address, source port, destination port, in network order.
fn addresses_2<const N: usize>(header: &[u8]) -> Option<([u8; N], u16)> {
    let (_, block) = header.split_at_checked(V2_FIXED)?;
    let (source, rest) = block.split_first_chunk::<N>()?;
    let (_, rest) = rest.split_first_chunk::<N>()?;
    let ([high, low, _, _], _) = rest.split_first_chunk::<4>()?;
    Some((*source, u16::from_be_bytes([*high, *low])))
}

/// The type-length-value fields must fill the rest of the header exactly; a checksum among them must be right.
fn check_tlvs(header: &[u8], from: usize) -> Result<(), &'static str> {
    let mut rest = header.get(from..).ok_or("the version 2 header is too short for its addresses")?;
    let mut checksum = None;
    while let Some((kind, after)) = rest.split_first() {
        let cut = "a field of the version 2 header is cut off";
        let ([high, low], value) = after.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, behind) = value.split_at_checked(length).ok_or(cut)?;
        if *kind == TLV_CRC32C {
            let value: [u8; 4] = value.try_into().map_err(|_| "the checksum does not have 4 bytes")?;
            let at = header.len() - behind.len() - 4;
            if checksum.replace((u32::from_be_bytes(value), at)).is_some() {
                return Err("the version 2 header has two checksums");
            }
        }
        rest = behind;
    }
    match checksum {
        Some((sent, at)) if sent != crc32c_without(header, at) => {
            Err("the checksum of the version 2 header is wrong")
        }
        _ => Ok(()),
    }
}

/// CRC-32C (RFC 9260 appendix A) of the header, with the four bytes at `blank` counted as zero.
fn crc32c_without(header: &[u8], blank: usize) -> u32 {
    let mut crc = u32::MAX;
    for (index, byte) in header.iter().enumerate() {
        let byte = if (blank..blank + 4).contains(&index) { 0 } else { *byte };
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}
