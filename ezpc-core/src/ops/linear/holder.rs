//! The party whose keys encrypt.

use super::Job;
use super::plan::Chunk;
use super::spread::spread_with;
use crate::crypto::{Block, Prg};
use crate::he::answer::Needed;
use crate::he::codec::write_residues;
use crate::he::encrypt::{Scratch, SecretKey};
use crate::he::tile::Tile;
use crate::secret::Wiped;
use crate::transport::machine::Io;

impl Job<'_> {
    /// The holder's side of a layer: puts this party's shares of the outputs into `y`.
    pub(super) async fn hold(&self, io: &Io, rng: &mut Prg, y: &mut [u64]) {
        let (plan, set) = (self.plan, self.plan.precision().set);
        // A key of this run's own ends with it.
        let own = plan
            .one_time_key()
            .then(|| self.keys.one_time(set, self.first, &mut rng.fork("he one-time key")));
        let (own, mut message) = own.map_or((None, Vec::new()), |(secret, public)| (Some(secret), public));
        let key = own.as_ref().unwrap_or(self.keys.secret(set));
        let chunks = plan.chunks();
        message.extend(self.upload(0, key, rng));
        io.send(&core::mem::take(&mut message)).await;
        for piece in 0..plan.pieces() {
            let len = |chunks: &[Chunk]| chunks.iter().map(|c| plan.rows_len(piece, c.rows.clone())).sum();
            // The next piece is encrypted while the owner answers this one.
            let mut next = self.upload(piece + 1, key, rng);
            for (i, chunks) in chunks.chunks(plan.part(piece)).enumerate() {
                let answers = match i {
                    0 => io.exchange(&core::mem::take(&mut next), len(chunks)).await,
                    _ => io.more(&[], len(chunks)).await,
                };
                self.decrypt(piece, chunks, key, &answers, y);
            }
        }
    }

    /// The ciphertexts of a piece: of each group and channel block, all tiles. None past the last piece.
    pub(super) fn upload(&self, piece: usize, key: &SecretKey, rng: &mut Prg) -> Vec<u8> {
        let plan = self.plan;
        let (geometry, set) = (plan.geometry(), plan.precision().set);
        let (tiles, offset) = plan.tiles(piece);
        if tiles.is_empty() {
            return Vec::new();
        }
        let mut message = vec![0; plan.upload_len(piece)];
        let items: Vec<_> = message.chunks_exact_mut(plan.ciphertext_len()).enumerate().collect();
        let seeds: Wiped<Block> = items.iter().map(|_| rng.fork_seed("he encryption")).collect();
        let start = || (Scratch::new(set), Encoder::new(self));
        spread_with(self.threads, items, start, |(scratch, encoder), (i, bytes)| {
            let (block, tile) = (i / tiles.len(), &tiles[i % tiles.len()]);
            let [message, a] = encoder.encode(tile, block / geometry.ins(), block % geometry.ins());
            let index = self.first + (offset + i) as u64;
            self.keys.public_poly(self.keys.party(), set, index, a);
            key.encrypt(message, a, &mut Prg::from_seed(seeds[i]), scratch);
            write_residues(message, bytes);
        });
        message
    }

    /// Decrypts the answers of some chunks to a piece into shares of the outputs.
    pub(super) fn decrypt(
        &self,
        piece: usize,
        chunks: &[Chunk],
        key: &SecretKey,
        answers: &[u8],
        y: &mut [u64],
    ) {
        let plan = self.plan;
        let geometry = plan.geometry();
        let tiles = plan.tiles(piece).0;
        let mut rest = answers;
        let mut items = Vec::new();
        for &Chunk { group, ref rows, .. } in chunks {
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
