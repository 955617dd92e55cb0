//! Products of a matrix of weights with columns of residues, one for every position of a transform.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of code for an instruction set, behind a run-time check of the CPU")
)]

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::residues::{Prime, widest};

/// Positions that are treated together.
pub(crate) const LANES: usize = 16;
/// Rows of weights that are stored together.
pub(crate) const ROWS: usize = 4;

/// Weights in Montgomery form, [`ROWS`] rows for each input, blocks of rows one after the other.
#[derive(Clone, Copy)]
pub(crate) enum Weights<'a> {
    /// One weight a position.
    Vectors(&'a [[u32; LANES]]),
    /// One weight for all positions.
    Scalars(&'a [u32]),
}

/// Where products go: row `r` and column `c` to `out[r · row + c · column + at..][..LANES]`.
pub(crate) struct Target<'a> {
    pub(crate) out: &'a mut [u32],
    /// The number of rows; the rest of the last block is not stored.
    pub(crate) rows: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) at: usize,
}

impl Target<'_> {
    #[inline(always)]
    fn slot(&mut self, row: usize, column: usize) -> &mut [u32; LANES] {
        let start = row * self.row + column * self.column + self.at;
        self.out[start..].first_chunk_mut().expect("the target holds every row and column")
    }
}

/// Multiplies the weights with `x`, the inputs' columns (an even number, at most 2^12 inputs) of reduced residues.
pub(crate) fn multiply(m: Prime, x: &[[u32; LANES]], columns: usize, w: Weights<'_>, mut target: Target<'_>) {
    #[cfg(target_arch = "x86_64")]
    if avx512::multiply(m, x, columns, w, &mut target) {
        return;
    }
    multiply_portable(m, x, columns, w, &mut target);
}

/// The plain loops: the oracle of the other kernels.
pub(crate) fn multiply_portable(
    m: Prime,
    x: &[[u32; LANES]],
    columns: usize,
    w: Weights<'_>,
    target: &mut Target<'_>,
) {
    match w {
        Weights::Vectors(w) => by_vectors(m, x, columns, w, target),
        Weights::Scalars(w) => by_scalars(m, x, columns, w, target),
    }
}

widest! {
    /// One weight a position.
    fn by_vectors(m: Prime, x: &[[u32; LANES]], columns: usize, w: &[[u32; LANES]], target: &mut Target<'_>) {
        run(m, x, columns, target, w, |weight, lane| weight[lane]);
    }
}

widest! {
    /// One weight for all positions.
    fn by_scalars(m: Prime, x: &[[u32; LANES]], columns: usize, w: &[u32], target: &mut Target<'_>) {
        run(m, x, columns, target, w, |weight, _| *weight);
    }
}

/// Row by row and column by column, with the sums of one vector in registers.
#[inline(always)]
fn run<W>(
    m: Prime,
    x: &[[u32; LANES]],
    columns: usize,
    target: &mut Target<'_>,
    w: &[W],
    lane_of: impl Fn(&W, usize) -> u32,
) {
    let inputs = x.len() / columns;
    for row in 0..target.rows {
        let weights = &w[row / ROWS * inputs * ROWS..][..inputs * ROWS];
        for column in 0..columns {
            let mut sums = [0_u64; LANES];
            for (values, weights) in x.chunks_exact(columns).zip(weights.chunks_exact(ROWS)) {
                let (values, weight) = (&values[column], &weights[row % ROWS]);
                for lane in 0..LANES {
                    sums[lane] += u64::from(values[lane]) * u64::from(lane_of(weight, lane));
                }
            }
            let slot = target.slot(row, column);
            for (slot, sum) in slot.iter_mut().zip(sums) {
                *slot = reduce(m, sum);
            }
        }
    }
}

/// `sum / 2^32` mod p.
#[inline(always)]
fn reduce(m: Prime, sum: u64) -> u32 {
    let folded = (sum >> 32) * u64::from(m.r) + (sum & 0xFFFF_FFFF);
    let q = (folded as u32).wrapping_mul(m.inverse);
    let correction = ((u64::from(q) * u64::from(m.p)) >> 32) as u32;
    // At most 2^26 + p, which may exceed 2p by a little.
    let value = ((folded >> 32) as u32).wrapping_sub(correction).wrapping_add(m.p);
    let once = value.min(value.wrapping_sub(m.p));
    once.min(once.wrapping_sub(m.p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_agree_on_the_largest_values() {
        let p = 67_104_769_u32;
        let inverse = (0..5).fold(1_u32, |i, _| i.wrapping_mul(2_u32.wrapping_sub(p.wrapping_mul(i))));
        let m = Prime { p, inverse, r: ((1_u64 << 32) % u64::from(p)) as u32, r2: 0 };
        for (inputs, columns, rows) in [(1, 2, 1), (3, 4, 5), (4096, 2, 4), (7, 6, 11)] {
            let blocks = usize::div_ceil(rows, ROWS);
            let hash = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 6;
            let value = |i: usize| if inputs == 4096 { p - 1 } else { hash(i) % p };
            let x: Vec<[u32; LANES]> =
                (0..inputs * columns).map(|i| core::array::from_fn(|l| value(i * 16 + l))).collect();
            let vectors: Vec<[u32; LANES]> =
                (0..blocks * inputs * ROWS).map(|i| core::array::from_fn(|l| value(i * 31 + l))).collect();
            let scalars: Vec<u32> = vectors.iter().map(|v| v[0]).collect();
            for w in [Weights::Vectors(&vectors), Weights::Scalars(&scalars)] {
                let len = rows * columns * LANES;
                let (mut fast, mut slow) = (vec![0; len], vec![0; len]);
                let target = |out| Target { out, rows, row: columns * LANES, column: LANES, at: 0 };
                multiply(m, &x, columns, w, target(&mut fast));
                multiply_portable(m, &x, columns, w, &mut target(&mut slow));
                assert_eq!(fast, slow);
                // One entry by definition.
                let weight = |k: usize| match w {
                    Weights::Vectors(w) => w[k * ROWS][3],
                    Weights::Scalars(w) => w[k * ROWS],
                };
                let sum: u128 =
                    (0..inputs).map(|k| u128::from(x[k * columns][3]) * u128::from(weight(k))).sum();
                assert_eq!((u128::from(slow[3]) << 32) % u128::from(p), sum % u128::from(p));
            }
        }
    }
}
