//! TLS for requests to `https` receivers: rustls, with the roots that this system trusts.

use std::sync::Arc;

use clap::Args;
use http::uri::{Scheme, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::Error;
use crate::io::{Io, Tone, paint};

/// The options for `https`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct TlsArgs {
    /// Don't check the receiver's certificate: for a self-signed one on your own machine
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl TlsArgs {
    pub(crate) fn warn(self, io: &mut Io<'_>) -> Result<(), Error> {
        if self.insecure {
            let warning = paint(io.err_color, Tone::Warning, "warning:");
            writeln!(
                io.err,
                "{warning} --insecure: the certificate is not checked, anyone on the way can read and change what is sent"
            )?;
        }
        Ok(())
    }
}

/// Connects to `url` and to whatever else has its scheme.
pub(crate) fn connector(url: &Uri, args: TlsArgs) -> Result<HttpsConnector<HttpConnector>, Error> {
    let unusable = |error| Error::with_source("cannot set up TLS", error);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = if args.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
            .with_no_client_auth()
    } else if url.scheme() == Some(&Scheme::HTTPS) {
        let roots = builder.with_native_roots().map_err(|error| {
            Error::with_source(
                "cannot read the certificates that this system trusts",
                error,
            )
        })?;
        roots.with_no_client_auth()
    } else {
        // Reading the system's roots takes time, and plain http needs none.
        builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .build())
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
