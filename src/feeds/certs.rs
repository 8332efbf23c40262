//! The certificates of the edge: a folder of `NAME.crt` (the chain, its own certificate first) and `NAME.key`, both PEM.
//!
//! Which certificate is shown is decided by the names in the certificates, never by the names of the files.

#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files;
use crate::{
    clock::{Clock, Wall},
    live::{Live, ReloadProblem},
};

/// What is stale where the folder cannot be used.
const WHAT: &str = "certificates";

/// One thing that is wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The system says no.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is nothing to show.
    #[error("{path} holds no certificate: put NAME.crt (the chain) and NAME.key there, both PEM", path = path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A certificate without its key.
    #[error("{path} has no key beside it: put its private key at {key}", path = path.display(), key = key.display())]
    NoKey {
        /// The certificate.
        path: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// Not what it should hold.
    #[error("{path} {why}", path = path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and the mend.
        why: String,
    },
}

/// Everything that is wrong with the folder.
#[derive(Debug)]
pub struct CertErrors(pub Vec<CertError>);

impl fmt::Display for CertErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CertErrors {}

/// The certificates, replaced as a whole when the folder changes.
pub struct Certificates {
    current: ArcSwap<Set>,
}

/// The certificates of a folder.
pub struct Set {
    folder: PathBuf,
    digest: Vec<u8>,
    pairs: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the folder.
    ///
    /// # Errors
    /// With every problem there is.
    pub fn load(folder: &Path) -> Result<Self, CertErrors> {
        Ok(Self { current: ArcSwap::from_pointee(Set::read(folder)?) })
    }

    /// Shows those of another folder from now on, and follows that one.
    pub fn take(&self, set: Set) {
        self.current.store(Arc::new(set));
    }

    /// The certificate that is good for a name, or, for a client that names none, for the address it connected to.
    /// There is no default for anything else (R30).
    pub fn find(&self, name: Option<&str>, local: IpAddr) -> Option<Arc<CertifiedKey>> {
        let wanted = match name {
            Some(name) => ServerName::try_from(name.to_owned()).ok()?,
            None => ServerName::IpAddress(local.into()),
        };
        let set = self.current.load();
        set.pairs.iter().find(|pair| is_good_for(pair, &wanted)).cloned()
    }

    /// When the first of them ends (RFC 5280 §4.1.2.5).
    pub fn first_end(&self) -> Option<Wall> {
        let set = self.current.load();
        let ends = set.pairs.iter().filter_map(|pair| {
            let own = pair.end_entity_cert().ok()?;
            let (_, own) = X509Certificate::from_der(own).ok()?;
            // What ended before 1970 has ended.
            Some(Wall::from_secs(u64::try_from(own.validity().not_after.timestamp()).unwrap_or(0)))
        });
        ends.min()
    }

    /// Reads the folder again; whether anything has changed. New handshakes get the new certificates at once.
    ///
    /// # Errors
    /// With every problem there is; the old certificates stay, all of them.
    pub fn reload(&self) -> Result<bool, CertErrors> {
        let current = self.current.load_full();
        let set = Set::read(&current.folder)?;
        if set.digest == current.digest {
            return Ok(false);
        }
        // Unless those of another folder have come meanwhile.
        let before = self.current.compare_and_swap(&current, Arc::new(set));
        Ok(Arc::ptr_eq(&before, &current))
    }

    /// Looks at the folder again and again until `stop` is cancelled.
    pub async fn follow(
        self: Arc<Self>,
        every: Duration,
        live: Arc<Live>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let this = Arc::clone(&self);
            let Ok(reloaded) = tokio::task::spawn_blocking(move || this.reload()).await else { continue };
            match reloaded {
                Ok(changed) => {
                    let mended = live.note_stale(WHAT, None);
                    if changed || mended {
                        let folder = &self.current.load().folder;
                        tracing::info!(folder = %folder.display(), changed, "certificates read again");
                    }
                }
                Err(errors) => {
                    let problem = ReloadProblem { at: clock.moment().wall, what: errors.to_string() };
                    // The same problem is said once, not at every look.
                    if live.note_stale(WHAT, Some(problem)) {
                        tracing::error!(problems = %errors, "certificates not reloaded, the old ones stay");
                    }
                }
            }
        }
    }
}

impl Set {
    /// Reads a folder.
    ///
    /// # Errors
    /// With every problem there is.
    pub fn read(folder: &Path) -> Result<Self, CertErrors> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut files = certificate_files(folder).map_err(|error| CertErrors(vec![error]))?;
        files.sort();
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let (mut pairs, mut errors) = (Vec::new(), Vec::new());
        for file in files {
            match read_pair(&file, &provider, &mut digest) {
                Ok(pair) => pairs.push(Arc::new(pair)),
                Err(error) => errors.push(error),
            }
        }
        if pairs.is_empty() && errors.is_empty() {
            errors.push(CertError::Empty { path: folder.to_owned() });
        }
        let digest = digest.finish().as_ref().to_vec();
        if errors.is_empty() {
            Ok(Self { folder: folder.to_owned(), digest, pairs })
        } else {
            Err(CertErrors(errors))
        }
    }
}

fn certificate_files(folder: &Path) -> Result<Vec<PathBuf>, CertError> {
    let failed = |source| CertError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read_pair(
    file: &Path,
    provider: &CryptoProvider,
    digest: &mut aws_lc_rs::digest::Context,
) -> Result<CertifiedKey, CertError> {
    let key_file = file.with_extension("key");
    if !key_file.exists() {
        return Err(CertError::NoKey { path: file.to_owned(), key: key_file });
    }
    let (chain, key) = (read(file)?, read(&key_file)?);
    for part in [file.as_os_str().as_encoded_bytes(), &chain, &key] {
        // With their lengths, so that no two folders look alike.
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let content = |path: &Path, why: String| CertError::Content { path: path.to_owned(), why };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|error| content(file, format!("is not PEM: {error}")))?;
    let Some(own) = chain.first() else {
        return Err(content(
            file,
            "holds no certificate: it should begin with `-----BEGIN CERTIFICATE-----`".into(),
        ));
    };
    ParsedCertificate::try_from(own)
        .map_err(|error| content(file, format!("begins with a certificate that cannot be used: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
        content(&key_file, format!("holds no private key (an encrypted one cannot be used): {error}"))
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let why = if matches!(error, rustls::Error::InconsistentKeys(_)) {
            format!(
                "does not belong to {}: its chain must begin with the certificate of this key",
                file.display()
            )
        } else {
            format!("cannot be used: {error}")
        };
        content(&key_file, why)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CertError> {
    files::read(path).map_err(|source| CertError::Io { path: path.to_owned(), source })
}

fn is_good_for(pair: &CertifiedKey, wanted: &ServerName<'_>) -> bool {
    let own = pair.end_entity_cert().ok().and_then(|own| ParsedCertificate::try_from(own).ok());
    own.is_some_and(|own| verify_server_name(&own, wanted).is_ok())
}
