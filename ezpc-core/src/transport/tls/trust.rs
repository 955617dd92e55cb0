//! Whose certificates are accepted.

use super::identity::{certificates, read};
use crate::error::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;

/// Whom a party talks to.
#[derive(Clone, Debug)]
pub struct Trust(Whom);

#[derive(Clone, Debug)]
enum Whom {
    Pinned(Vec<CertificateDer<'static>>),
    Certified { roots: Vec<CertificateDer<'static>>, name: ServerName<'static> },
}

impl Trust {
    /// The holder of the private key of one of these certificates (PEM), whatever they say about names and dates:
    /// whoever hands the certificate over vouches for it, and removing it from the file revokes it.
    ///
    /// # Errors
    /// When there is none.
    pub fn pinned(pem: &[u8]) -> Result<Self> {
        certificates(pem).map(Whom::Pinned).map(Self)
    }

    /// As [`Trust::pinned`], from a file.
    ///
    /// # Errors
    /// When it cannot be read or has no certificate.
    pub fn load_pinned(path: &Path) -> Result<Self> {
        Self::pinned(&read(path)?).map_err(|error| error.context(&path.display().to_string()))
    }

    /// Whoever shows a valid certificate for `name` that one of these authorities (PEM) has signed.
    ///
    /// # Errors
    /// When there is no authority, or `name` is neither a DNS name nor an address.
    pub fn certified(authorities: &[u8], name: &str) -> Result<Self> {
        let roots = certificates(authorities)?;
        let parsed = ServerName::try_from(name.to_owned());
        let name = parsed.map_err(|_| Error::usage(format!("`{name}` is no name of a peer")))?;
        Ok(Self(Whom::Certified { roots, name }))
    }

    /// As [`Trust::certified`], from a file.
    ///
    /// # Errors
    /// When it cannot be read or has no certificate, or `name` is neither a DNS name nor an address.
    pub fn load_certified(path: &Path, name: &str) -> Result<Self> {
        Self::certified(&read(path)?, name).map_err(|error| error.context(&path.display().to_string()))
    }

    /// The name to look for in the peer's certificate; not sent.
    pub(super) fn name(&self) -> ServerName<'static> {
        match &self.0 {
            Whom::Pinned(_) => ServerName::try_from("pinned.invalid").expect("a DNS name"),
            Whom::Certified { name, .. } => name.clone(),
        }
    }

    pub(super) fn into_verifier(self, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
        let algorithms = provider.signature_verification_algorithms;
        let check = match self.0 {
            Whom::Pinned(all) => Check::Pinned(all),
            Whom::Certified { roots, name } => {
                let unusable = |error: &dyn core::fmt::Display| {
                    Error::usage(format!("the authority's certificate cannot be used: {error}"))
                };
                let mut store = RootCertStore::empty();
                for root in roots {
                    store.add(root).map_err(|error| unusable(&error))?;
                }
                let store = Arc::new(store);
                let build =
                    WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), Arc::clone(provider));
                let listening = build.build().map_err(|error| unusable(&error))?;
                let build = WebPkiClientVerifier::builder_with_provider(store, Arc::clone(provider));
                let connecting = build.build().map_err(|error| unusable(&error))?;
                Check::Certified { listening, connecting, name }
            }
        };
        Ok(Verifier { check, algorithms })
    }
}

/// Looks at the peer's certificate, whichever end it is.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Check {
    Pinned(Vec<CertificateDer<'static>>),
    Certified {
        listening: Arc<WebPkiServerVerifier>,
        connecting: Arc<dyn ClientCertVerifier>,
        name: ServerName<'static>,
    },
}

/// Whether `certificate` is one of `pinned`. That the peer has its key is checked by the signature on the
/// handshake.
fn is_pinned(
    pinned: &[CertificateDer<'static>],
    certificate: &CertificateDer<'_>,
) -> Result<(), rustls::Error> {
    if pinned.iter().any(|one| one == certificate) {
        Ok(())
    } else {
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.check {
            Check::Pinned(all) => is_pinned(all, certificate).map(|()| ServerCertVerified::assertion()),
            Check::Certified { listening, .. } => {
                listening.verify_server_cert(certificate, chain, name, ocsp, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Strangers do not learn whom we expect.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match &self.check {
            Check::Pinned(all) => is_pinned(all, certificate).map(|()| ClientCertVerified::assertion()),
            Check::Certified { connecting, name, .. } => {
                let verified = connecting.verify_client_cert(certificate, chain, now)?;
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(verified)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
