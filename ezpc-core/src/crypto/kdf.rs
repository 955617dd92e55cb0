//! Key derivation: SHA-256 over length-prefixed parts under a label.

use super::Block;
use core::fmt;
use sha2::{Digest, Sha256};

/// Hashes labelled, length-prefixed parts to keys. Different sequences of parts never collide by concatenation.
#[derive(Clone)]
pub struct Kdf(Sha256);

impl Kdf {
    /// Under a label that names the purpose.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self(Sha256::new()).part(b"ezpc v1").part(label.as_bytes())
    }

    /// With a further part.
    #[must_use]
    pub fn part(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// 32 bytes.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The first 16 of the 32 bytes.
    #[must_use]
    pub fn block(self) -> Block {
        let [block, _] = bytemuck::must_cast::<[u8; 32], [[u8; 16]; 2]>(self.finish());
        Block::from_bytes(block)
    }
}

/// The public name of one session, from which every public key of the session is derived.
///
/// It must be fresh: both parties contribute a nonce to it during the handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// From bytes that both parties agreed on.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From the nonces of the server and the client, and the agreed parameters.
    #[must_use]
    pub fn derive(server_nonce: &[u8; 32], client_nonce: &[u8; 32], parameters: &[u8]) -> Self {
        Self(Kdf::new("session").part(server_nonce).part(client_nonce).part(parameters).finish())
    }

    /// A public key for one purpose.
    #[must_use]
    pub fn key(&self, purpose: &str) -> Block {
        Kdf::new(purpose).part(&self.0).block()
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let one = Kdf::new("a").part(b"bc").part(b"d").finish();
        assert_ne!(one, Kdf::new("a").part(b"b").part(b"cd").finish());
        assert_ne!(one, Kdf::new("ab").part(b"c").part(b"d").finish());
        assert_ne!(one, Kdf::new("a").part(b"bcd").finish());
        assert_eq!(one, Kdf::new("a").part(b"bc").part(b"d").finish());
    }

    #[test]
    fn nonces_matter_in_order() {
        let (a, b) = ([1; 32], [2; 32]);
        assert_ne!(SessionId::derive(&a, &b, b""), SessionId::derive(&b, &a, b""));
        assert_ne!(SessionId::derive(&a, &b, b""), SessionId::derive(&a, &b, b"x"));
    }
}
