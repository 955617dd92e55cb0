//! The party that knows the weights.

use super::Job;
use super::holder::Encoder;
use super::prepare::Source;
use super::spread::{spread, spread_with};
use super::transform::{Matrices, Positions};
use crate::arch::mac::{LANES, Target, multiply};
use crate::arch::residues::add_assign;
use crate::crypto::Prg;
use crate::error::{Error, Result};
use crate::he::answer::Needed;
use crate::he::codec::read_residues;
use crate::he::encrypt::{PublicKey, Scratch};
use crate::secret::Wiped;

impl Job<'_> {
    /// Answers the ciphertexts of a piece, and puts this party's shares of its outputs into `y`.
    pub(super) fn answer(
        &self,
        piece: usize,
        key: &PublicKey,
        weights: &Source<'_>,
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
            let poly = 2 * plan.precision().set.limbs() * plan.precision().set.degree();
            let mut items = Vec::new();
            for (chunk, rows) in plan.chunks().enumerate() {
                let len =
                    rows.clone().flat_map(|to| tiles.iter().map(move |tile| plan.answer_len(tile, to))).sum();
                let (bytes, more) = rest.split_at_mut(len);
                let rngs: Vec<Prg> = (0..rows.len() * tiles.len()).map(|_| rng.fork("he answer")).collect();
                items.push((chunk, rows, bytes, rngs));
                rest = more;
            }
            let start = || (Scratch::new(plan.precision().set), Matrices::default(), Wiped::default());
            let shares = spread_with(
                self.threads,
                items,
                start,
                |(scratch, buffer, pair), (chunk, rows, mut bytes, rngs)| {
                    let matrices = weights.matrices(plan, group, chunk, rows.clone(), buffer);
                    let matrices = Positions::new(plan, weights.taps(), matrices, pair);
                    let mut products = self.multiply(matrices, &columns, 2 * tiles.len(), rows.len());
                    let places = rows.flat_map(|to| tiles.iter().map(move |tile| (to, tile)));
                    let answers = products.chunks_exact_mut(poly).zip(places).zip(rngs);
                    let done = answers.map(|((halves, (to, tile)), mut rng)| {
                        let (c0, c1) = halves.split_at_mut(poly / 2);
                        let (out, more) = core::mem::take(&mut bytes).split_at_mut(plan.answer_len(tile, to));
                        bytes = more;
                        let channels = geometry.channels(group, to);
                        let channels: Vec<_> =
                            channels.map(|(first, c)| (first, weights.bias().of(c))).collect();
                        let needed = Needed { places: &tile.outputs, channels: &channels };
                        let mut shares = Wiped::zeros(needed.len());
                        let (privacy, halves) = (self.privacy, [c0, c1]);
                        plan.precision().answer(
                            key,
                            privacy,
                            halves,
                            needed,
                            &mut rng,
                            scratch,
                            out,
                            &mut shares,
                        );
                        (to, tile, shares)
                    });
                    done.collect::<Vec<_>>()
                },
            );
            for (to, tile, shares) in shares.into_iter().flatten() {
                geometry.place(tile, group, to, &shares, y);
            }
        }
        Ok(message)
    }

    /// The transforms of a group's ciphertexts with this party's share added: for each prime, each vector of
    /// positions and each channel block, both halves of all tiles.
    pub(super) fn columns(&self, piece: usize, group: usize, bytes: &[u8]) -> Result<Wiped<[u32; LANES]>> {
        let plan = self.plan;
        let (geometry, set) = (plan.geometry(), plan.precision().set);
        let (ring, n, limbs) = (set.ring(), set.degree(), set.limbs());
        let (tiles, offset) = plan.tiles(piece);
        let first = self.first + (offset + group * geometry.ins() * tiles.len()) as u64;
        let items = bytes.chunks_exact(plan.ciphertext_len()).enumerate().collect();
        let polys = spread_with(
            self.threads,
            items,
            || Encoder::new(self),
            |encoder, (i, bytes): (usize, &[u8])| {
                let mut b = vec![0; limbs * n];
                let reduced = read_residues(bytes, set.primes(), n, &mut b);
                let mut b = Wiped::new(b);
                let [share, _] = encoder.encode(&tiles[i % tiles.len()], group, i / tiles.len());
                ring.combine(&mut b, share, add_assign);
                ring.forward(&mut b);
                let mut a = vec![0; limbs * n];
                self.keys.public_poly(self.keys.party().peer(), set, first + i as u64, &mut a);
                reduced.then_some((b, a))
            },
        );
        if polys.iter().any(Option::is_none) {
            return Err(Error::peer("a ciphertext whose residues are not reduced"));
        }
        let row = geometry.ins() * 2 * tiles.len();
        let mut columns = Wiped::zeros(limbs * (n / LANES) * row);
        // Many positions in a row for each polynomial that is read.
        let items = columns.chunks_mut(STRIP * row).enumerate().collect();
        spread(self.threads, items, |(strip, columns): (usize, &mut [[u32; LANES]])| {
            for (i, halves) in polys.iter().flatten().enumerate() {
                let (k, tile) = (i / tiles.len(), i % tiles.len());
                let [b, a] =
                    [&halves.0[..], &halves.1[..]].map(|half| &half.as_chunks::<LANES>().0[strip * STRIP..]);
                for ((row, b), a) in columns.chunks_exact_mut(row).zip(b).zip(a) {
                    let at = (k * tiles.len() + tile) * 2;
                    row[at] = *b;
                    row[at + 1] = *a;
                }
            }
        });
        Ok(columns)
    }

    /// The products of a group with some rows of matrices: for each answer and tile, both halves as transforms.
    pub(super) fn multiply(
        &self,
        mut matrices: Positions<'_>,
        columns: &[[u32; LANES]],
        width: usize,
        rows: usize,
    ) -> Wiped<u32> {
        let set = self.plan.precision().set;
        let n = set.degree();
        let column = set.limbs() * n;
        let row = width * column;
        let mut products = Wiped::zeros(rows * row);
        for (j, x) in columns.chunks_exact(self.plan.geometry().ins() * width).enumerate() {
            let m = set.ring().ntts()[j / (n / LANES)].modulus().prime();
            let target = Target { out: &mut products, rows, row, column, at: j * LANES };
            multiply(m, x, width, matrices.at(j), target);
        }
        products
    }
}

/// Positions that are put in order at a time.
const STRIP: usize = 16;
