//! A certificate with its private key.

use crate::error::{Error, Result};
use core::fmt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// The SHA-256 of a certificate: what two people compare over the telephone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// This party's certificate, with those that lead to its authority, and its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    /// PKCS #8 and the like, as the file has it.
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificate and the key in these PEM files.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, and when others than its owner may read the key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self> {
        check_private(key)?;
        let pem = Zeroizing::new(read(key)?);
        Self::from_pem(&read(certificate)?, &pem)
            .map_err(|error| error.context(&format!("{}, {}", certificate.display(), key.display())))
    }

    /// The certificate and the key in these PEM texts.
    ///
    /// # Errors
    /// When they hold something else.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let chain = certificates(certificate)?;
        // The error of the parser may quote the file.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::usage("no private key in PEM"))?;
        Ok(Self { chain, key })
    }

    /// The fingerprint of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.chain[0])
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

/// The largest file of certificates or keys that is read.
const MOST: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let len = fs::metadata(path).map_err(|error| Error::io(what(), error))?.len();
    if len > MOST {
        return Err(Error::usage(format!("{} is too long for a certificate", path.display())));
    }
    fs::read(path).map_err(|error| Error::io(what(), error))
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(Error::usage("no certificate in PEM")),
    }
}

#[cfg(unix)]
fn check_private(key: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let what = || format!("cannot read {}", key.display());
    let mode = fs::metadata(key).map_err(|error| Error::io(what(), error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let place = key.display();
    Err(Error::usage(format!("{place} is a private key that others can read: chmod 600 {place}")))
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<()> {
    Ok(())
}
