//! The party whose keys encrypt.

use super::Job;
use super::spread::spread_with;
use crate::crypto::Prg;
use crate::he::answer::Needed;
use crate::he::codec::write_residues;
use crate::he::encrypt::{Scratch, SecretKey};
use crate::he::tile::Tile;
use crate::secret::Wiped;
use core::ops::Range;

impl Job<'_> {
    /// The ciphertexts of a piece: of each group and channel block, all tiles.
    pub(super) fn upload(&self, piece: usize, key: &SecretKey, rng: &mut Prg) -> Vec<u8> {
        let plan = self.plan;
        let (geometry, set) = (plan.geometry(), plan.precision().set);
        let (tiles, offset) = plan.tiles(piece);
        let mut message = vec![0; plan.upload_len(piece)];
        let items = message
            .chunks_exact_mut(plan.ciphertext_len())
            .enumerate()
            .map(|(i, bytes)| (i, rng.fork("he encryption"), bytes))
            .collect();
        let start = || (Scratch::new(set), Encoder::new(self));
        spread_with(
            self.threads,
            items,
            start,
            |(scratch, encoder), (i, mut rng, bytes): (_, Prg, &mut [u8])| {
                let (block, tile) = (i / tiles.len(), &tiles[i % tiles.len()]);
                let [message, a] = encoder.encode(tile, block / geometry.ins(), block % geometry.ins());
                let index = self.first + (offset + i) as u64;
                self.keys.public_poly(self.keys.party(), set, index, a);
                key.encrypt(message, a, &mut rng, scratch);
                write_residues(message, bytes);
            },
        );
        message
    }

    /// Decrypts the answers of some chunks to a piece into shares of the outputs.
    pub(super) fn decrypt(
        &self,
        piece: usize,
        chunks: &[(usize, usize, Range<usize>)],
        key: &SecretKey,
        answers: &[u8],
        y: &mut [u64],
    ) {
        let plan = self.plan;
        let geometry = plan.geometry();
        let tiles = plan.tiles(piece).0;
        let mut rest = answers;
        let mut items = Vec::new();
        for &(group, _, ref rows) in chunks {
            for to in rows.clone() {
                for tile in tiles {
                    let (bytes, more) = rest.split_at(plan.answer_len(tile, to));
                    items.push((group, to, tile, bytes));
                    rest = more;
                }
            }
        }
        let precision = plan.precision();
        let start = || Scratch::new(precision.set);
        let shares =
            spread_with(self.threads, items, start, |scratch, (group, to, tile, bytes): (_, _, &Tile, _)| {
                let channels: Vec<_> = geometry.channels(group, to).map(|(first, _)| (first, 0)).collect();
                let needed = Needed { places: &tile.outputs, channels: &channels };
                let mut shares = Wiped::zeros(needed.len());
                precision.decrypt(key, bytes, needed, scratch, &mut shares);
                let width = plan.spec().output();
                shares.iter_mut().for_each(|v| *v = width.wrap(*v));
                (group, to, tile, shares)
            });
        for (group, to, tile, shares) in shares {
            geometry.place(tile, group, to, &shares, y);
        }
    }
}

/// What one thread encodes this party's shares of the input in, ciphertext after ciphertext.
pub(super) struct Encoder<'a> {
    job: &'a Job<'a>,
    words: Wiped<u64>,
    message: Wiped<u32>,
    /// A second polynomial, for the public half of a ciphertext.
    public: Wiped<u32>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(job: &'a Job<'a>) -> Self {
        let set = job.plan.precision().set;
        let poly = || Wiped::zeros(set.limbs() * set.degree());
        Self { job, words: Wiped::zeros(set.degree()), message: poly(), public: poly() }
    }

    /// This party's share of the input in a ciphertext, scaled to its ring, and another polynomial.
    pub(super) fn encode(&mut self, tile: &Tile, group: usize, index: usize) -> [&mut [u32]; 2] {
        let plan = self.job.plan;
        self.words.fill(0);
        for (at, from) in plan.geometry().inputs(tile, group, index) {
            self.words[at] = self.job.x[from];
        }
        plan.precision().set.ring().encode(&mut self.words, plan.spec().input.bits(), &mut self.message);
        [&mut self.message, &mut self.public]
    }
}
