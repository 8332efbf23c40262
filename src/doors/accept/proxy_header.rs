//! Reads the PROXY protocol header that a listed peer begins with, and not a byte more.

use std::{io, net::IpAddr};

use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::rules::address::proxy_protocol::{self, MAX_HEADER, Parsed};

/// The longest text header, line end included.
const MAX_TEXT: usize = 107;
/// Signature, version, family and length of a binary header.
const BINARY_FIXED: usize = 16;

/// The client that the header announces; `None` if it says that the connection is the peer's own.
pub(super) async fn read(socket: &mut TcpStream) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; 1];
    socket.read_exact(&mut header).await?;
    match header.first() {
        Some(b'P') => read_text(socket, &mut header).await?,
        Some(b'\r') => read_binary(socket, &mut header).await?,
        _ => return Err(invalid("a peer that is to begin with a PROXY protocol header did not")),
    }
    match proxy_protocol::parse(&header) {
        Parsed::Header { source, .. } => Ok(source.map(|source| source.ip().to_canonical())),
        Parsed::Bad(what) => Err(invalid(what)),
        Parsed::Incomplete => Err(invalid("the PROXY protocol header is cut short")),
    }
}

async fn read_text(socket: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    while header.last() != Some(&b'\n') {
        if header.len() >= MAX_TEXT {
            return Err(invalid("the PROXY protocol header is too long"));
        }
        header.push(socket.read_u8().await?);
    }
    Ok(())
}

async fn read_binary(socket: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    read_more(socket, header, BINARY_FIXED - header.len()).await?;
    let rest = match header.get(BINARY_FIXED - 2..) {
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
        _ => return Err(invalid("the PROXY protocol header is cut short")),
    };
    if rest > MAX_HEADER - BINARY_FIXED {
        return Err(invalid("the PROXY protocol header is too long"));
    }
    read_more(socket, header, rest).await
}

async fn read_more(socket: &mut TcpStream, header: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let mut more = vec![0; count];
    socket.read_exact(&mut more).await?;
    header.append(&mut more);
    Ok(())
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
