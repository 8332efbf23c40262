//! What is trusted, and whether versions of TLS are spoken that nobody should speak any more.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::wire::Wire;

/// Which certificates are accepted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// What the system trusts.
    System,
    /// The authorities in a PEM file, and no other.
    File(PathBuf),
    /// Every certificate.
    Anything,
}

impl Trust {
    /// A client's configuration.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let config = match self {
            Self::System => {
                builder.with_native_roots().map_err(|error| format!("the system's certificates: {error}"))?
            }
            Self::File(path) => {
                let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                    let certificate = certificate.map_err(|error| unreadable(&error))?;
                    roots.add(certificate).map_err(|error| unreadable(&error))?;
                }
                builder.with_root_certificates(roots)
            }
            Self::Anything => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            }
        };
        Ok(Arc::new(config.with_no_client_auth()))
    }
}

/// For `--insecure`: the operator has said that he knows whom he speaks to.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Cipher suites of TLS 1.0 and 1.1.
const OLD_SUITES: [u16; 6] = [0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035];
/// Record types.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const SERVER_HELLO: u8 = 2;

/// Whether the server goes on when it is offered TLS 1.1 at most.
pub(super) async fn speaks_old_versions(wire: &Wire) -> Result<bool, String> {
    let ask = async {
        let mut stream = wire.connect(wire.address).await?;
        stream.write_all(&client_hello(&wire.host)).await.map_err(|error| error.to_string())?;
        let mut record = [0; 6];
        match stream.read_exact(&mut record).await {
            // A closed connection is a refusal.
            Err(_) => Ok(false),
            Ok(_) => match record {
                [HANDSHAKE, .., SERVER_HELLO] => Ok(true),
                [ALERT, ..] => Ok(false),
                [kind, ..] => Err(format!("{} answered with record type {kind}", wire.address)),
            },
        }
    };
    timeout(Duration::from_secs(5), ask).await.unwrap_or_else(|_| Err("no answer within 5 s".to_owned()))
}

/// A `ClientHello` of TLS 1.1 with SNI, the usual curves and uncompressed points.
fn client_hello(host: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&length(bytes), bytes].concat();
    let extension = |kind: u8, body: &[u8]| [&[0, kind], &*sized(body)].concat();
    let name = [&[0_u8][..], &*sized(host.as_bytes())].concat();
    let extensions =
        [extension(0, &sized(&name)), extension(10, &sized(&[0, 23, 0, 24, 0, 29])), extension(11, &[1, 0])]
            .concat();
    let suites: Vec<u8> = OLD_SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    // Nothing is ever encrypted under this random.
    let body = [&[3, 2][..], &[0x5a; 32], &[0], &*sized(&suites), &[1, 0], &*sized(&extensions)].concat();
    let hello = [&[1, 0][..], &*sized(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &*sized(&hello)].concat()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}
