//! Makes the key of one party: a certificate to hand to the other, and a private key to keep.
//!
//! ```sh
//! cargo run --release --example keygen -- --name hospital     # hospital.cert.pem and hospital.key.pem
//! cargo run --release --example keygen -- --name vendor
//! ```
//!
//! Each party runs it at home and sends its certificate to the other, who compares the fingerprint over the telephone:
//!
//! ```sh
//! validate --role server --listen 0.0.0.0:7000 --cert vendor.cert.pem --key vendor.key.pem --peer-cert hospital.cert.pem
//! validate --role client --connect vendor.example:7000 --cert hospital.cert.pem --key hospital.key.pem \
//!     --peer-cert vendor.cert.pem
//! ```
//!
//! With a private authority: `--make-authority` makes one, `--authority NAME` lets it sign, and parties then say
//! `--authority authority.cert.pem --peer-name hospital`.

#![allow(clippy::print_stdout, reason = "what a program prints is its result")]

use clap::Parser;
use ezpc_core::transport::tls::Identity;
use ezpc_core::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Makes a certificate and its private key.
#[derive(Parser)]
struct Keygen {
    /// Who it is for: a DNS name, or a word; names the files too.
    #[arg(long)]
    name: String,

    /// The folder of the files.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,

    /// For how many days the certificate is valid.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=400_000))]
    days: u32,

    /// Makes the certificate of an authority, to sign others with.
    #[arg(long, conflicts_with = "authority")]
    make_authority: bool,

    /// Lets this authority of the same folder sign the certificate, which signs itself otherwise.
    #[arg(long, value_name = "NAME")]
    authority: Option<String>,
}

impl Keygen {
    fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}.pem"))
    }

    fn run(&self) -> Result<()> {
        if self.name.contains(['/', '\\']) {
            return Err(Error::usage(format!("`{}` cannot name a file", self.name)));
        }
        let failed = |error: rcgen::Error| Error::usage(format!("cannot make the certificate: {error}"));
        // An authority has a name for people only.
        let names = if self.make_authority { vec![] } else { vec![self.name.clone()] };
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = common_name(&self.name);
        let now = SystemTime::now();
        params.not_before = (now - Duration::from_secs(86_400)).into();
        params.not_after = (now + Duration::from_secs(86_400 * u64::from(self.days))).into();
        if self.make_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        } else {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = match &self.authority {
            None => params.self_signed(&key),
            Some(name) => {
                let signer = KeyPair::from_pem(&read(&self.path(name, "key"))?).map_err(failed)?;
                // As the authority's own certificate names it.
                let mut authority = CertificateParams::default();
                authority.distinguished_name = common_name(name);
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, &Issuer::new(authority, signer))
            }
        };
        let pem = certificate.map_err(failed)?.pem();

        let (cert_path, key_path) = (self.path(&self.name, "cert"), self.path(&self.name, "key"));
        let secret = key.serialize_pem();
        write_new(&key_path, secret.as_bytes(), true)?;
        if let Err(error) = write_new(&cert_path, pem.as_bytes(), false) {
            // A key without its certificate is of no use; this one was made a moment ago.
            let _ = fs::remove_file(&key_path);
            return Err(error);
        }
        let fingerprint = Identity::from_pem(pem.as_bytes(), secret.as_bytes())?.fingerprint();
        println!("{}: the private key, to keep", key_path.display());
        println!("{}: the certificate, to hand over", cert_path.display());
        println!("SHA-256 {fingerprint}");
        Ok(())
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::io(format!("cannot read {}", path.display()), error))
}

/// A file that did not exist; a private one is readable by its owner only from the start.
fn write_new(path: &Path, text: &[u8], private: bool) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o644 });
    let failed = |error: std::io::Error| match error.kind() {
        // Keys are not overwritten: a certificate pinned by a peer may belong to them.
        ErrorKind::AlreadyExists => {
            Error::io(format!("cannot write {}: remove it or choose another folder", path.display()), error)
        }
        _ => Error::io(format!("cannot write {}", path.display()), error),
    };
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a file is none.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn main() -> ExitCode {
    match Keygen::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
