use super::*;
use crate::ops::testing::{SIZES, WIDTHS, all_pairs, all_shares, edge_pairs, edges, run_pair, share};

fn check(shares: &[RingVec; 2], thresholds: &[u64]) {
    let (width, n) = (shares[0].width(), shares[0].len());
    let limits = RingVec::new(width, thresholds.to_vec());
    let values = shares[0].add(&shares[1]);
    for s in [Signedness::Unsigned, Signedness::Signed] {
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            below(cx, &shares[p], &limits, s).await
        };
        let [a, b] = run_pair(1, &below_cost(width, thresholds.len(), n), run).expect("runs");
        assert_eq!(a.len(), thresholds.len());
        for (t, (a, b)) in limits.lanes().iter().zip(a.iter().zip(&b)) {
            let bits = a.xor(b);
            for (i, x) in values.lanes().iter().enumerate() {
                let expected = match s {
                    Signedness::Unsigned => x < t,
                    Signedness::Signed => width.signed(*x) < width.signed(*t),
                };
                assert_eq!(bits.bit(i), expected, "{x:#x} < {t:#x} of {width}, {s:?}");
            }
        }
    }
}

#[test]
fn all_thresholds_are_right_for_all_shares_of_small_rings() {
    for bits in 1..=5 {
        let width = Width::new(bits);
        let all: Vec<u64> = (0..=width.mask()).collect();
        check(&all_pairs(width).map(|v| RingVec::new(width, v)), &all);
    }
}

#[test]
fn a_few_thresholds_are_right_for_all_shares_of_rings_of_six_to_ten_bits() {
    for bits in 6..=10 {
        let width = Width::new(bits);
        let few = [0, 1, 1 << (bits - 1), width.mask()];
        all_shares(width).for_each(|shares| check(&shares, &few));
    }
}

#[test]
fn thresholds_are_right_at_edges_and_for_every_size() {
    for bits in WIDTHS {
        let width = Width::new(bits);
        check(&edge_pairs(width).map(|v| RingVec::new(width, v)), &edges(width));
    }
    let width = Width::new(16);
    for size in SIZES {
        let values: Vec<u64> = edges(width).into_iter().cycle().take(size).collect();
        check(&share(1, width, &values), &[5, 40_000]);
        check(&share(1, width, &values), &[]);
    }
}

/// One set of OTs serves as many chains as its pads have room for.
#[test]
fn thresholds_share_their_ots() {
    let cots = |thresholds| below_cost(Width::new(16), thresholds, 64).ots().total();
    assert_eq!([1, 17, 18].map(cots), [16 * 64, 16 * 64, 32 * 64]);
}

#[test]
fn widths_must_agree() {
    let (x, t) = (RingVec::zeros(Width::W32, 3), RingVec::zeros(Width::new(31), 1));
    let run = async |cx: Ctx| below(cx, &x, &t, Signedness::Signed).await;
    let error = run_pair(1, &Cost::none(), run).expect_err("widths differ");
    assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
}
