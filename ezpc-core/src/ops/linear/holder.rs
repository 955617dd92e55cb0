//! The party whose keys encrypt.

use super::Job;
use super::spread::spread;
use crate::crypto::Prg;
use crate::he::codec::write_residues;
use crate::he::encrypt::SecretKey;
use zeroize::Zeroizing;

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
        spread(self.threads, items, |(i, mut rng, bytes): (usize, Prg, &mut [u8])| {
            let (block, tile) = (i / tiles.len(), &tiles[i % tiles.len()]);
            let mut poly = self.encode(tile, block / geometry.ins(), block % geometry.ins());
            let mut a = Zeroizing::new(vec![0; set.limbs() * set.degree()]);
            let index = self.first + (offset + i) as u64;
            self.keys.public_poly(self.keys.party(), set, index, &mut a);
            key.encrypt(&mut poly, a, &mut rng);
            write_residues(&poly, bytes);
        });
        message
    }

    /// Decrypts the answers to a piece into shares of the outputs.
    pub(super) fn decrypt(&self, piece: usize, key: &SecretKey, answers: &[u8], y: &mut [u64]) {
        let plan = self.plan;
        let geometry = plan.geometry();
        let tiles = plan.tiles(piece).0;
        let mut rest = answers;
        let mut items = Vec::new();
        for group in 0..geometry.groups() {
            for to in 0..geometry.outs() {
                for tile in tiles {
                    let (bytes, more) = rest.split_at(plan.answer_len(tile, to));
                    items.push((group, to, tile, bytes));
                    rest = more;
                }
            }
        }
        let shares = spread(self.threads, items, |(group, to, tile, bytes)| {
            let mut shares = Zeroizing::new(Vec::with_capacity(geometry.outputs_len(tile, to)));
            let needed = geometry.outputs(tile, group, to).map(|(at, ..)| at);
            plan.precision().decrypt(key, bytes, needed, |v| shares.push(v));
            (group, to, tile, shares)
        });
        for (group, to, tile, shares) in shares {
            for ((_, index, _), &v) in geometry.outputs(tile, group, to).zip(shares.iter()) {
                y[index] = plan.spec().output().wrap(v);
            }
        }
    }

    /// This party's share of the input in a ciphertext, scaled to its ring.
    pub(super) fn encode(
        &self,
        tile: &crate::he::tile::Tile,
        group: usize,
        index: usize,
    ) -> Zeroizing<Vec<u32>> {
        let set = self.plan.precision().set;
        let (ring, n) = (set.ring(), set.degree());
        let bits = self.plan.spec().input.bits();
        let mut poly = Zeroizing::new(vec![0; set.limbs() * n]);
        for (at, from) in self.plan.geometry().inputs(tile, group, index) {
            ring.encode(self.x[from], bits, |limb, v| poly[limb * n + at] = v);
        }
        poly
    }
}
