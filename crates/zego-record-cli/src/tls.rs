//! TLS for requests to `https` receivers: rustls, with the roots that this system trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use http::uri::{Scheme, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::Error;
use crate::io::{Io, Tone, paint};

/// The options for `https`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TlsArgs {
    /// Don't check the receiver's certificate: for a self-signed one on your own machine
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Trust the certificates in FILE, PEM, instead of those that this system trusts
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,
}

impl TlsArgs {
    /// Warns of what is dangerous, and of what does nothing for this URL.
    pub(crate) fn warn(&self, url: Option<&str>, io: &mut Io<'_>) -> Result<(), Error> {
        let is_https = url.is_some_and(|url| url.to_ascii_lowercase().starts_with("https:"));
        let text = match (self.insecure, &self.ca) {
            (true, _) if !is_https => "--insecure does nothing without an https URL",
            (true, _) => {
                "--insecure: the certificate is not checked, anyone on the way can read and change what is sent"
            }
            (false, Some(_)) if !is_https => "--ca does nothing without an https URL",
            (false, _) => return Ok(()),
        };
        let warning = paint(io.err_color, Tone::Warning, "warning:");
        writeln!(io.err, "{warning} {text}")?;
        Ok(())
    }
}

/// Connects to `url` and to whatever else has its scheme.
pub(crate) fn connector(url: &Uri, args: &TlsArgs) -> Result<HttpsConnector<HttpConnector>, Error> {
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(client_config(url, args)?)
        .https_or_http()
        .enable_http1()
        .build())
}

/// Whom to trust when connecting to `url`.
pub(crate) fn client_config(url: &Uri, args: &TlsArgs) -> Result<ClientConfig, Error> {
    let unusable = |error| Error::with_source("cannot set up TLS", error);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    Ok(if args.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
            .with_no_client_auth()
    } else if let Some(path) = &args.ca {
        builder
            .with_root_certificates(read_roots(path)?)
            .with_no_client_auth()
    } else if url.scheme() == Some(&Scheme::HTTPS) {
        let roots = builder.with_native_roots().map_err(|error| {
            Error::with_source(
                "cannot read the certificates that this system trusts: name a file of them, see --help",
                error,
            )
        })?;
        roots.with_no_client_auth()
    } else {
        // Reading the system's roots takes time, and plain http needs none.
        builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    })
}

fn read_roots(path: &Path) -> Result<RootCertStore, Error> {
    let what = || format!("cannot read the certificates in {}", path.display());
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| Error::with_source(what(), error))?;
    if certificates.is_empty() {
        return Err(Error::new(format!(
            "{}: there is none, a certificate begins with -----BEGIN CERTIFICATE-----",
            what()
        )));
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| Error::with_source(what(), error))?;
    }
    Ok(roots)
}

/// Takes any certificate, but still insists that the peer has its key.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
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
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
