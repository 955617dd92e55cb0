//! The files of TLS: the input is a certificate, a private key and authorities, between bytes of zero.

#![no_main]

use ezpc_core::transport::tls::{Identity, Tls, Trust};
use libfuzzer_sys::fuzz_target;

const CERTIFICATE: &[u8] = include_bytes!("../../ezpc-core/src/transport/tls/tests/client.cert.pem");
const KEY: &[u8] = include_bytes!("../../ezpc-core/src/transport/tls/tests/client.key.pem");

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    // An empty part is one that fits, so that the others are looked at.
    let mut part = |default| match parts.next() {
        Some(part) if !part.is_empty() => part,
        _ => default,
    };
    let (certificate, key, authorities) = (part(CERTIFICATE), part(KEY), part(CERTIFICATE));
    let trusts = [Trust::pinned(authorities), Trust::certified(authorities, "clinic.example")];
    match Identity::from_pem(certificate, key) {
        Ok(identity) => {
            assert!(!format!("{identity:?}").contains("PRIVATE"));
            for trust in trusts.into_iter().flatten() {
                if let Ok(tls) = Tls::new(&identity, trust) {
                    assert_eq!(tls.fingerprint(), identity.fingerprint());
                }
            }
        }
        // An error does not quote the key.
        Err(error) => assert!(error.to_string().len() < 200, "{error}"),
    }
});
