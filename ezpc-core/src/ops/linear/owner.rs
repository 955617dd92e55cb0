//! The party that knows the weights.

use super::spread::spread;
use super::{Job, PreparedWeights};
use crate::arch::mac::{LANES, ROWS, Target, multiply};
use crate::arch::residues::add_assign;
use crate::crypto::Prg;
use crate::error::{Error, Result};
use crate::he::codec::read_residues;
use core::ops::Range;
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
            // Rows of answers whose polynomials stay in a cache; whole blocks of them.
            let poly = 2 * plan.precision().set.limbs() * plan.precision().set.degree();
            let chunk = (CACHE_BYTES / (size_of::<u32>() * poly * tiles.len() * ROWS)).max(1) * ROWS;
            let mut items = Vec::new();
            for first in (0..geometry.outs()).step_by(chunk) {
                let rows = first..(first + chunk).min(geometry.outs());
                let len =
                    rows.clone().flat_map(|to| tiles.iter().map(move |tile| plan.answer_len(tile, to))).sum();
                let (bytes, more) = rest.split_at_mut(len);
                let rngs: Vec<Prg> = (0..rows.len() * tiles.len()).map(|_| rng.fork("he answer")).collect();
                items.push((rows, bytes, rngs));
                rest = more;
            }
            let key = self.keys.peer(plan.precision().set);
            let shares = spread(self.threads, items, |(rows, mut bytes, rngs)| {
                let mut products = self.multiply(group, weights, &columns, 2 * tiles.len(), &rows);
                let places = rows.flat_map(|to| tiles.iter().map(move |tile| (to, tile)));
                let answers = products.chunks_exact_mut(poly).zip(places).zip(rngs);
                let done = answers.map(|((halves, (to, tile)), mut rng)| {
                    let (c0, c1) = halves.split_at_mut(poly / 2);
                    let (out, more) = core::mem::take(&mut bytes).split_at_mut(plan.answer_len(tile, to));
                    bytes = more;
                    let needed =
                        geometry.outputs(tile, group, to).map(|(at, _, channel)| (at, weights.bias(channel)));
                    let mut shares = Zeroizing::new(Vec::with_capacity(geometry.outputs_len(tile, to)));
                    let precision = plan.precision();
                    precision.answer(key, self.privacy, [c0, c1], needed, &mut rng, out, |v| shares.push(v));
                    (to, tile, shares)
                });
                done.collect::<Vec<_>>()
            });
            for (to, tile, shares) in shares.into_iter().flatten() {
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
            ring.combine(&mut b, &share, add_assign);
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

    /// Some rows of the products of a group: for each answer and tile, both halves as transforms.
    fn multiply(
        &self,
        group: usize,
        weights: &PreparedWeights,
        columns: &[[u32; LANES]],
        width: usize,
        rows: &Range<usize>,
    ) -> Zeroizing<Vec<u32>> {
        let geometry = self.plan.geometry();
        let set = self.plan.precision().set;
        let (n, limbs) = (set.degree(), set.limbs());
        let column = limbs * n;
        let row = width * column;
        let mut products = Zeroizing::new(vec![0; rows.len() * row]);
        let blocks = rows.start / ROWS..rows.end.div_ceil(ROWS);
        for (j, x) in columns.chunks_exact(geometry.ins() * width).enumerate() {
            let (limb, at) = (j / (n / LANES), j % (n / LANES));
            let m = set.ring().ntts()[limb].modulus().prime();
            let w = weights.at(n, group, limb, at, &blocks);
            let out = &mut *products;
            let target = Target { out, rows: rows.len(), row, column, at: limb * n + at * LANES };
            multiply(m, x, width, w, target);
        }
        products
    }
}

/// Polynomials of answers that are computed together.
const CACHE_BYTES: usize = 1 << 20;
