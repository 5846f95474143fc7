//! TLS for the public port, with certificates that are read again when their files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{error, info};

use super::reload::{self, Again, Watch};
use crate::error::{Error, chain};

/// Accepts TLS connections. Clones share the certificate.
#[derive(Clone)]
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    acceptor: Arc<RwLock<TlsAcceptor>>,
    /// From before they are read for the first time, so that no change is missed.
    watch: Watch,
}

impl Tls {
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        Ok(Self {
            watch: Watch::new([certificate.to_owned(), key.to_owned()]),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            acceptor: Arc::new(RwLock::new(acceptor(certificate, key)?)),
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = {
            let current = self.acceptor.read().unwrap_or_else(PoisonError::into_inner);
            current.clone()
        };
        acceptor.accept(stream).await
    }

    /// Reads the files again when one of them has changed, or somebody asks for it. Never ends.
    pub(super) async fn follow(&self, again: Again) {
        reload::follow(self.watch.clone(), again, || {
            match acceptor(&self.certificate, &self.key) {
                Ok(new) => {
                    let current = self.acceptor.write();
                    *current.unwrap_or_else(PoisonError::into_inner) = new;
                    info!("the certificate was read again");
                }
                Err(error) => error!("the old certificate stays in use: {}", chain(&error)),
            }
        })
        .await;
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
            let file = certificate.display();
            Error::with_source(format!("cannot read --tls-cert {file}"), error)
        })?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        Error::with_source(format!("cannot read --tls-key {}", key.display()), error)
    })?;
    let unusable = |error| Error::with_source("cannot use --tls-cert and --tls-key", error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
