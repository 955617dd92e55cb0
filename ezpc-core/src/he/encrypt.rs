//! Keys and ciphertexts.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::codec;
use super::ring::{Ring, RingSet};
use super::sample::{self, Noise};
use crate::arch::residues::{add_product, add_small, mul_assign, subtract, subtract_from};
use crate::crypto::{Block, Kdf, Prg, SessionId};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::secret::{Secret, Wiped};
use crate::transport::cost::Cost;
use crate::transport::machine::Io;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// This party's secret keys and the peer's public ones, for one session, and the numbers of what they encrypt.
///
/// Layers with results of more than 29 bits that round have a key for each run instead: nothing that is opened of such a
/// result tells of another ciphertext. SECURITY.md, Opening rule.
///
/// Public polynomials come from the session's name and a counter that both parties advance alike: a layer
/// reserves as many as it needs, and none is used twice.
pub struct HeKeys {
    session: SessionId,
    party: Party,
    secret: [SecretKey; 2],
    peer: [PublicKey; 2],
    /// Ciphertexts used so far, by the party that encrypts them.
    used: [AtomicU64; 2],
}

/// Makes a key pair for each parameter set and exchanges the public keys.
///
/// `session` must be fresh. One half-round in both directions.
pub async fn he_setup(io: Io, party: Party, session: SessionId, rng: &mut Prg) -> Result<HeKeys> {
    let mut message = Vec::new();
    let secret = RingSet::ALL.map(|set| {
        let (secret, public) = SecretKey::generate(&KeyName { session, holder: party, set, run: None }, rng);
        let start = message.len();
        message.resize(start + public_len(set), 0);
        codec::write_residues(&public, &mut message[start..]);
        secret
    });
    let received = io.exchange(&message, message.len()).await;
    let mut rest = received.as_slice();
    let mut peer = Vec::new();
    for set in RingSet::ALL {
        let (bytes, more) = rest.split_at(public_len(set));
        peer.push(PublicKey::read(&KeyName { session, holder: party.peer(), set, run: None }, bytes)?);
        rest = more;
    }
    let peer = peer.try_into().ok().expect("one key a set");
    Ok(HeKeys { session, party, secret, peer, used: [const { AtomicU64::new(0) }; 2] })
}

/// What [`he_setup`] costs.
#[must_use]
pub fn he_setup_cost() -> Cost {
    let bytes = RingSet::ALL.iter().map(|&set| public_len(set)).sum();
    Cost::level(bytes, bytes)
}

/// The bytes of a public key.
pub(crate) const fn public_len(set: RingSet) -> usize {
    codec::residues_len(set.limbs() * set.degree())
}

impl HeKeys {
    /// Takes the next `count` public polynomials of ciphertexts that `holder` encrypts; returns the first's number.
    ///
    /// Both parties must reserve in the same order.
    pub(crate) fn reserve(&self, holder: Party, count: usize) -> u64 {
        self.used[holder.index()].fetch_add(count as u64, Ordering::Relaxed)
    }

    /// This party.
    pub(crate) const fn party(&self) -> Party {
        self.party
    }

    /// This party's secret key.
    pub(crate) const fn secret(&self, set: RingSet) -> &SecretKey {
        &self.secret[set as usize]
    }

    /// The secret keys as they lie in memory, for a test that looks for them where memory was freed.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn secret_words(&self) -> [&[u32]; 2] {
        self.secret.each_ref().map(|key| &**key.s.expose())
    }

    /// The peer's public key.
    pub(crate) const fn peer(&self, set: RingSet) -> &PublicKey {
        &self.peer[set as usize]
    }

    /// A key pair of this party for one run of one layer, named by the `index` of its first ciphertext, and what the
    /// peer needs of it.
    pub(crate) fn one_time(&self, set: RingSet, index: u64, rng: &mut Prg) -> (SecretKey, Vec<u8>) {
        let key = KeyName { session: self.session, holder: self.party, set, run: Some(index) };
        let (secret, public) = SecretKey::generate(&key, rng);
        let mut bytes = vec![0; public_len(set)];
        codec::write_residues(&public, &mut bytes);
        (secret, bytes)
    }

    /// The public part of the peer's key for one run of one layer, as [`HeKeys::one_time`] made it.
    pub(crate) fn peers_one_time(&self, set: RingSet, index: u64, bytes: &[u8]) -> Result<PublicKey> {
        PublicKey::read(
            &KeyName { session: self.session, holder: self.party.peer(), set, run: Some(index) },
            bytes,
        )
    }

    /// The transform of the public polynomial `index` of ciphertexts that `holder` encrypts.
    pub(crate) fn public_poly(&self, holder: Party, set: RingSet, index: u64, poly: &mut [u32]) {
        let mut stream = Prg::from_seed(
            Kdf::new("he ciphertext")
                .part(self.session.as_bytes())
                .part(&[holder.index() as u8, set as u8])
                .part(&index.to_le_bytes())
                .block(),
        );
        sample::uniform(set.ring(), &mut stream, poly);
    }
}

impl fmt::Debug for HeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeKeys(of the {})", self.party)
    }
}

/// What tells a key from all others.
struct KeyName {
    session: SessionId,
    holder: Party,
    set: RingSet,
    /// The first ciphertext of the only run that the key serves, if it does not serve the session.
    run: Option<u64>,
}

impl KeyName {
    /// The public polynomial of the key, derived by both parties: one of the peer's choice could be zero.
    fn public_poly(&self) -> Vec<u32> {
        let holder = [self.holder.index() as u8, self.set as u8];
        let of = |label| Kdf::new(label).part(self.session.as_bytes()).part(&holder);
        let seed = match self.run {
            None => of("he public key"),
            Some(first) => of("he one-time key").part(&first.to_le_bytes()),
        };
        let mut a = vec![0; self.set.limbs() * self.set.degree()];
        sample::uniform(self.set.ring(), &mut Prg::from_seed(seed.block()), &mut a);
        a
    }
}

/// A ternary secret key.
pub(crate) struct SecretKey {
    set: RingSet,
    /// Its transform in Montgomery form.
    s: Secret<Vec<u32>>,
}

impl SecretKey {
    /// A fresh key and the transform of its public key's second half.
    fn generate(name: &KeyName, rng: &mut Prg) -> (Self, Vec<u32>) {
        let ring = name.set.ring();
        let mut s = Noise::Ternary.poly(ring, rng);
        ring.forward(&mut s);
        to_mont(ring, &mut s);
        let key = Self { set: name.set, s: Secret::new(s.into_vec()) };
        let mut b = name.public_poly();
        key.multiply(&mut b);
        let mut error = Noise::Error.poly(ring, rng);
        ring.forward(&mut error);
        ring.combine(&mut b, &error, subtract_from);
        (key, b)
    }

    /// Multiplies a transform with that of the key.
    pub(crate) fn multiply(&self, poly: &mut [u32]) {
        self.set.ring().combine(poly, self.s.expose(), mul_assign);
    }

    /// Turns an encoded message into the first half `m + e - a s` of its ciphertext, given the transform of the
    /// public second half, which is used up.
    pub(crate) fn encrypt(&self, message: &mut [u32], a: &mut [u32], rng: &mut Prg, scratch: &mut Scratch) {
        let ring = self.set.ring();
        self.multiply(a);
        ring.inverse(a);
        let error = &mut scratch.samples[..ring.degree()];
        Noise::Error.fill(rng, error);
        ring.combine(message, a, subtract);
        for (limb, ntt) in message.chunks_exact_mut(ring.degree()).zip(ring.ntts()) {
            add_small(ntt.modulus().prime(), limb, error);
        }
    }
}

/// A public key `(b, a)` with `b = e - a s`: encryptions of zero for whoever holds it.
pub(crate) struct PublicKey {
    set: RingSet,
    /// Transforms in Montgomery form.
    b: Vec<u32>,
    a: Vec<u32>,
}

impl PublicKey {
    fn read(name: &KeyName, bytes: &[u8]) -> Result<Self> {
        let set = name.set;
        let ring = set.ring();
        let mut b = vec![0; set.limbs() * set.degree()];
        if !codec::read_residues(bytes, set.primes(), set.degree(), &mut b) {
            return Err(Error::peer("a public key whose residues are not reduced"));
        }
        to_mont(ring, &mut b);
        let mut a = name.public_poly();
        to_mont(ring, &mut a);
        Ok(Self { set, b, a })
    }

    /// Adds `u` times the key to the transforms `(c0, c1)`, with a fresh u.
    pub(crate) fn rerandomise(&self, [c0, c1]: [&mut [u32]; 2], rng: &mut Prg, scratch: &mut Scratch) {
        let ring = self.set.ring();
        let (n, len) = (ring.degree(), c0.len());
        let u = &mut scratch.poly[..len];
        Noise::Rerandomiser.fill_poly(ring, rng, &mut scratch.samples[..n], u);
        ring.forward(u);
        for (i, ntt) in ring.ntts().iter().enumerate() {
            let m = ntt.modulus().prime();
            let limb = i * n..(i + 1) * n;
            add_product(m, &mut c0[limb.clone()], &u[limb.clone()], &self.b[limb.clone()]);
            add_product(m, &mut c1[limb.clone()], &u[limb.clone()], &self.a[limb]);
        }
    }
}

/// What one thread computes ciphertexts and answers in, ciphertext after ciphertext; wiped when dropped.
pub(crate) struct Scratch {
    /// N samples of a noise.
    pub(super) samples: Wiped<i32>,
    /// A polynomial.
    pub(super) poly: Wiped<u32>,
    /// Residues of coefficients for two primes, one after the other.
    pub(super) pairs: Wiped<u32>,
    /// Fractions of N coefficients.
    pub(super) fractions: Wiped<f64>,
    /// N words.
    pub(super) words: Wiped<u64>,
    /// N masks.
    pub(super) masks: Wiped<Block>,
}

impl Scratch {
    /// Memory for one set.
    pub(crate) fn new(set: RingSet) -> Self {
        let n = set.degree();
        Self {
            samples: Wiped::zeros(n),
            poly: Wiped::zeros(n * set.limbs()),
            pairs: Wiped::zeros(2 * n),
            fractions: Wiped::zeros(n),
            words: Wiped::zeros(n),
            masks: Wiped::zeros(n),
        }
    }
}

fn to_mont(ring: &Ring, poly: &mut [u32]) {
    for (limb, ntt) in poly.chunks_exact_mut(ring.degree()).zip(ring.ntts()) {
        let m = ntt.modulus();
        for v in limb {
            *v = m.to_mont(*v);
        }
    }
}
