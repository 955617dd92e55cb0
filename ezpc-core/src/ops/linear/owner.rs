//! The party that knows the weights.

use super::spread::spread;
use super::{Job, PreparedWeights};
use crate::arch::mac::{LANES, ROWS, Reduction, Target, multiply};
use crate::crypto::Prg;
use crate::error::{Error, Result};
use crate::he::codec::read_residues;
use crate::he::encrypt::combine;
use zeroize::Zeroizing;

impl Job<'_> {
    /// Answers the ciphertexts of a piece, and puts this party's shares of its outputs into `y`.
    pub(super) fn answer(
        &self,
        piece: usize,
        weights: &PreparedWeights,
        ciphertexts: &[u8],
        rng: &mut Prg,
        y: &mut [u64],
    ) -> Result<Vec<u8>> {
        let plan = self.plan;
        let geometry = plan.geometry();
        let tiles = plan.tiles(piece).0;
        let mut message = vec![0; plan.answers_len(piece)];
        let mut rest = message.as_mut_slice();
        let group_len = ciphertexts.len() / geometry.groups();
        for (group, ciphertexts) in ciphertexts.chunks_exact(group_len).enumerate() {
            let columns = self.columns(piece, group, ciphertexts)?;
            let mut products = self.multiply(group, weights, &columns, 2 * tiles.len());
            drop(columns);
            let poly = products.len() / (geometry.outs() * tiles.len());
            let mut items = Vec::new();
            for (i, halves) in products.chunks_exact_mut(poly).enumerate() {
                let (to, tile) = (i / tiles.len(), &tiles[i % tiles.len()]);
                let (bytes, more) = rest.split_at_mut(plan.answer_len(tile, to));
                items.push((to, tile, halves, bytes, rng.fork("he answer")));
                rest = more;
            }
            let key = self.keys.peer(plan.precision().set);
            let shares = spread(self.threads, items, |(to, tile, halves, bytes, mut rng)| {
                let (c0, c1) = halves.split_at_mut(poly / 2);
                let needed =
                    geometry.outputs(tile, group, to).map(|(at, _, channel)| (at, weights.bias(channel)));
                let mut shares = Zeroizing::new(Vec::with_capacity(geometry.outputs_len(tile, to)));
                let precision = plan.precision();
                precision.answer(key, self.privacy, [c0, c1], needed, &mut rng, bytes, |v| shares.push(v));
                (to, tile, shares)
            });
            for (to, tile, shares) in shares {
                for ((_, index, _), &v) in geometry.outputs(tile, group, to).zip(shares.iter()) {
                    y[index] = v;
                }
            }
        }
        Ok(message)
    }

    /// The transforms of a group's ciphertexts with this party's share added: for each prime, each vector of
    /// positions and each channel block, both halves of all tiles.
    fn columns(&self, piece: usize, group: usize, bytes: &[u8]) -> Result<Zeroizing<Vec<[u32; LANES]>>> {
        let plan = self.plan;
        let (geometry, set) = (plan.geometry(), plan.precision().set);
        let (ring, n, limbs) = (set.ring(), set.degree(), set.limbs());
        let (tiles, offset) = plan.tiles(piece);
        let first = self.first + (offset + group * geometry.ins() * tiles.len()) as u64;
        let items = bytes.chunks_exact(plan.ciphertext_len()).enumerate().collect();
        let polys = spread(self.threads, items, |(i, bytes): (usize, &[u8])| {
            let mut b = vec![0; limbs * n];
            let reduced = read_residues(bytes, set.primes(), n, &mut b);
            let mut b = Zeroizing::new(b);
            let share = self.encode(&tiles[i % tiles.len()], group, i / tiles.len());
            combine(ring, &mut b, &share, |m, b, x| m.add(b, x));
            ring.forward(&mut b);
            let mut a = vec![0; limbs * n];
            self.keys.public_poly(self.keys.party().peer(), set, first + i as u64, &mut a);
            reduced.then_some((b, a))
        });
        let (inputs, width) = (geometry.ins(), 2 * tiles.len());
        let mut columns = Zeroizing::new(vec![[0; LANES]; limbs * (n / LANES) * inputs * width]);
        for (i, halves) in polys.into_iter().enumerate() {
            let Some((b, a)) = halves else {
                return Err(Error::peer("a ciphertext whose residues are not reduced"));
            };
            let (k, tile) = (i / tiles.len(), i % tiles.len());
            for (j, (b, a)) in b.as_chunks::<LANES>().0.iter().zip(a.as_chunks::<LANES>().0).enumerate() {
                let at = (j * inputs + k) * width + 2 * tile;
                columns[at] = *b;
                columns[at + 1] = *a;
            }
        }
        Ok(columns)
    }

    /// The products of a group: for each answer and tile, both halves as transforms.
    fn multiply(
        &self,
        group: usize,
        weights: &PreparedWeights,
        columns: &[[u32; LANES]],
        width: usize,
    ) -> Zeroizing<Vec<u32>> {
        let geometry = self.plan.geometry();
        let set = self.plan.precision().set;
        let (n, limbs) = (set.degree(), set.limbs());
        let column = limbs * n;
        let row = width * column;
        let outs = geometry.outs();
        let mut products = Zeroizing::new(vec![0; outs * row]);
        // Threads share rows out in whole blocks.
        let blocks = outs.div_ceil(ROWS);
        let each = blocks.div_ceil(self.threads);
        let items = products.chunks_mut(each * ROWS * row).enumerate().collect();
        spread(self.threads, items, |(i, out): (usize, &mut [u32])| {
            let range = i * each..((i + 1) * each).min(blocks);
            let rows = out.len() / row;
            let vectors = columns.chunks_exact(geometry.ins() * width);
            for (j, x) in vectors.enumerate() {
                let (limb, at) = (j / (n / LANES), j % (n / LANES));
                let m = set.ring().ntts()[limb].modulus();
                let reduction = Reduction { p: m.p(), inverse: m.inverse(), r: m.r() };
                let w = weights.at(n, group, limb, at, &range);
                let target = Target { out, rows, row, column, at: limb * n + at * LANES };
                multiply(reduction, x, width, w, target);
            }
        });
        products
    }
}
