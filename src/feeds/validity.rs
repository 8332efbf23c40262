//! From when until when a certificate is good.

use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files;

/// When a certificate is good, in Unix seconds (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    pub from: i64,
    /// Until then, included.
    pub until: i64,
}

/// Of the first certificate of a PEM file, which is the one that is shown; `None` if there is none that can be read.
pub fn of(path: &Path) -> Option<Validity> {
    let text = files::read(path).ok()?;
    let first = CertificateDer::pem_slice_iter(&text).next()?.ok()?;
    let (_, certificate) = X509Certificate::from_der(&first).ok()?;
    let validity = certificate.validity();
    Some(Validity { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
}
