//! How results are rounded: SECURITY.md, F_LinTrunc.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Case, convs, keys, prg, square};
use crate::party::Party;
use crate::spec::LinearKind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Over random shapes the result is the ceiling with the chance of the fraction, and the floor else: in every range of
/// fractions, and the shares on their own are uniform.
#[test]
fn the_chance_of_the_ceiling_is_the_fraction() {
    let keys = keys();
    let mut runner = TestRunner::deterministic();
    // For each eighth of the fractions: results, sum of error minus fraction, sum of variances.
    let mut ranges = [[0.0_f64; 3]; 8];
    let mut halves = [[0_usize; 2]; 2];
    for i in 0..60 {
        let conv = convs().new_tree(&mut runner).expect("a shape").current();
        let owner = Party::BOTH[i % 2];
        let (input, shift) = [(37, 12), (32, 8), (64, 12)][i % 3];
        let case = Case::new(LinearKind::Conv(conv), input, shift, 10, 16, i as u128);
        let shares = case.run(&keys, owner, 1, 7000 + i as u128);
        let top = 1 << (case.plan.spec().output().bits() - 1);
        for (halves, share) in halves.iter_mut().zip(&shares) {
            share.iter().for_each(|v| halves[usize::from(v & top != 0)] += 1);
        }
        for (e, v) in case.distances(&shares, 0).into_iter().zip(case.expected()) {
            let fraction = (v & ((1 << shift) - 1)) as f64 / f64::from(1 << shift);
            let range = &mut ranges[(fraction * 8.0) as usize];
            range[0] += 1.0;
            range[1] += e as f64 - fraction;
            range[2] += fraction * (1.0 - fraction) + 2e-3;
        }
    }
    for [n, sum, variance] in ranges {
        assert!(n > 500.0 && sum.abs() < 5.0 * variance.sqrt(), "{ranges:?}");
    }
    for [low, high] in halves {
        assert!((low as f64 - high as f64).abs() < 5.0 * ((low + high) as f64).sqrt(), "{halves:?}");
    }
}

/// Unbiased: the mean error against the real quotient is zero, and -1 and 2 are rare.
#[test]
fn rounding_is_stochastic_and_unbiased() {
    let keys = keys();
    let case = Case::new(LinearKind::Conv(square([8, 16], 30, 3, 1)), 37, 12, 10, 16, 5);
    let mut counts = [0_usize; 4];
    let (mut sum, mut n) = (0.0, 0.0);
    for seed in 0..3 {
        let errors = case.distances(&case.run(&keys, Party::Server, 1, 100 * seed), 0);
        for (e, v) in errors.iter().zip(case.expected()) {
            counts[(e + 1) as usize] += 1;
            let fraction = (v & 0xFFF) as f64 / 4096.0;
            sum += *e as f64 - fraction;
            n += 1.0;
        }
    }
    assert!((sum / n).abs() < 4.0 * 0.41 / f64::sqrt(n), "bias {}", sum / n);
    assert!(counts[0] + counts[3] < n as usize / 500, "{counts:?}");
    assert!(counts[1] > n as usize / 3 && counts[2] > n as usize / 3, "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Exact layers compute in the whole ring: inputs are any elements of it, and sums wrap.
    #[test]
    fn exact_layers_use_every_bit_of_their_ring(conv in convs(), input in 26_u32..=44, seed: u64) {
        let mut case = Case::new(LinearKind::Conv(conv), input, 0, 8, 10, u128::from(seed));
        let width = case.plan.spec().input;
        let x = prg(u128::from(seed) + 5).lanes(width, case.x.len());
        case.x = x.iter().map(|&v| width.signed(v)).collect();
        let errors = case.errors(&case.run(&keys(), Party::Client, 1, u128::from(seed)));
        prop_assert!(errors.iter().all(|&e| e == 0), "{errors:?}");
    }
}
