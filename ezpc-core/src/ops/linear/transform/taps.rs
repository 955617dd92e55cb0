//! Transforms of the taps of a kernel.

use super::super::plan::LinearPlan;
use crate::arch::mac::{LANES, Target, Weights, multiply};
use crate::he::ring::Ring;
use crate::he::tile::Transforms;

/// The transforms of `X^-tap` for all taps of a layer whose weights have [short](Transforms::Short) transforms; nothing where
/// there is but one, which is 0.
pub(in super::super) struct Taps {
    ring: &'static Ring,
    /// For each prime and each pair of vectors of a transform, the two vectors of each tap, times 2^64.
    columns: Vec<[u32; LANES]>,
    count: usize,
}

impl Taps {
    pub(in super::super) fn new(plan: &LinearPlan) -> Self {
        let ring = plan.precision().set.ring();
        let taps = match plan.geometry().transforms() {
            Transforms::Short { taps, .. } if taps > 1 => plan.geometry().taps(),
            _ => Vec::new(),
        };
        let (n, count) = (ring.degree(), taps.len());
        let mut columns = vec![[0; LANES]; ring.ntts().len() * (n / LANES) * count];
        let mut values = vec![0; n];
        for (limb, ntt) in ring.ntts().iter().enumerate() {
            let m = ntt.modulus().prime();
            for (i, &tap) in taps.iter().enumerate() {
                values.fill(0);
                match tap as usize {
                    0 => values[0] = m.r2,
                    // X^-1 = -X^(N-1).
                    tap => values[n - tap] = m.p - m.r2,
                }
                ntt.forward(&mut values);
                let pairs = columns[limb * (n / LANES) * count..].chunks_exact_mut(2 * count);
                for (pair, values) in pairs.zip(values.as_chunks().0.chunks_exact(2)) {
                    pair[2 * i..2 * i + 2].copy_from_slice(values);
                }
            }
        }
        Self { ring, columns, count }
    }

    /// The transforms of weights at a pair of vectors of positions, counted through all primes, from the values there of the
    /// short transforms of each tap: first all at one vector, then all at the other.
    pub(super) fn combine(&self, pair: usize, words: &[u32], out: &mut [[u32; LANES]]) {
        let per_prime = self.ring.degree() / (2 * LANES);
        let m = self.ring.ntts()[pair / per_prime].modulus().prime();
        let columns = &self.columns[2 * self.count * pair..][..2 * self.count];
        let rows = words.len() / self.count;
        let target = Target { out: out.as_flattened_mut(), rows, row: LANES, column: rows * LANES, at: 0 };
        multiply(m, columns, 2, Weights::Scalars(words), target);
    }
}
