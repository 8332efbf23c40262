//! How two processes of this program talk over a stream: a length in four bytes, big-endian, then postcard.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// The longest message in bytes; a whole store may be told at once.
const LONGEST: u32 = 1 << 30;

/// A message as bytes, its length in front.
///
/// # Errors
/// When it is too long, or has no form in postcard.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST).ok_or_else(too_long)?;
    Ok([&length.to_be_bytes()[..], &body].concat())
}

/// How many bytes follow these four.
///
/// # Errors
/// When they are too many.
pub fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head);
    usize::try_from(length).ok().filter(|_| length <= LONGEST).ok_or_else(too_long)
}

/// The message that these bytes are.
///
/// # Errors
/// When they are none of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| io::Error::other(format!("a message cannot be read: {error}")))
}

/// Sends a message. Blocks.
///
/// # Errors
/// Those of [`encode`], and when the stream does not take it.
pub fn write<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?)
}

/// Receives a message. Blocks.
///
/// # Errors
/// When the stream ends or is no message of this type.
pub fn read<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut bytes = vec![0; length(head)?];
    from.read_exact(&mut bytes)?;
    decode(&bytes)
}

fn too_long() -> io::Error {
    io::Error::other("a message is too long")
}
