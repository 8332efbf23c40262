//! Compresses what was rewritten, piece by piece: the engine's own compression holds a page back until it is large.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, header::ACCEPT_ENCODING};

/// Light: it runs for every page that is rewritten.
const LEVEL: u32 = 3;

/// One compressed page.
pub(super) struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    pub(super) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::new(LEVEL)))
    }

    /// The next piece, flushed, so that a page that is slow to come is not slower here.
    pub(super) fn piece(&mut self, plain: &[u8], last: bool) -> Option<Bytes> {
        let Self(encoder) = self;
        // Writing to a vector does not fail.
        let _ = encoder.write_all(plain);
        if last {
            let _ = encoder.try_finish();
        } else if !plain.is_empty() {
            let _ = encoder.flush();
        }
        let packed = std::mem::take(encoder.get_mut());
        (!packed.is_empty()).then(|| packed.into())
    }
}

/// Whether the client reads gzip (RFC 9110 §12.5.3).
pub(in crate::doors::edge) fn accepted(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        coding.eq_ignore_ascii_case("gzip") && wanted
    })
}
