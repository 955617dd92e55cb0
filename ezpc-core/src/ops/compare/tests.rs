use super::*;
use crate::ops::equal::{equal, equal_cost};
use crate::ops::testing::{
    METHODS, SIZES, WIDTHS, all_pairs, all_shares, edge_pairs, edges, run_pair, run_pair_by, share,
};

fn check_msb(width: Width, shares: &[RingVec; 2]) {
    METHODS.into_iter().for_each(|m| check_msb_by(m, width, shares));
}

fn check_msb_by(method: Method, width: Width, shares: &[RingVec; 2]) {
    let cost = msb_cost(method, width, shares[0].len());
    let run = async |cx: Ctx| {
        let x = &shares[cx.party.index()];
        msb(cx, x).await
    };
    let [a, b] = run_pair_by(method, 1, &cost, run).expect("runs");
    let (bits, sum) = (a.xor(&b), shares[0].add(&shares[1]));
    for (i, &x) in sum.lanes().iter().enumerate() {
        assert_eq!(bits.bit(i), x >> (width.bits() - 1) == 1, "msb of {x:#x} of {width}, {method:?}");
    }
}

/// Bits sent, COTs and half-rounds of a comparison tree.
#[test]
fn trees_have_the_published_costs() {
    for (width, bits, cots, half_rounds) in [(20, 118, 37, 6), (32, 202, 61, 6), (64, 424, 125, 7)] {
        let cost = msb_cost(Method::Tree, Width::new(width), 1024);
        let sent = cost.bytes(Party::Server) + cost.bytes(Party::Client);
        assert_eq!((cost.ots().total(), cost.half_rounds()), (cots * 1024, half_rounds));
        assert!(sent <= bits * 1024 / 8, "{width}: {} bits", sent * 8 / 1024);
    }
}

#[test]
fn msb_is_right_for_all_shares_of_rings_of_eight_to_ten_bits() {
    for width in [8, 9, 10].map(Width::new) {
        all_shares(width).for_each(|shares| check_msb(width, &shares));
    }
}

#[test]
fn msb_is_right_for_all_shares_of_small_rings() {
    for bits in 1..=7 {
        let width = Width::new(bits);
        check_msb(width, &all_pairs(width).map(|v| RingVec::new(width, v)));
    }
}

#[test]
fn msb_is_right_at_edges_and_for_every_size() {
    for bits in WIDTHS {
        let width = Width::new(bits);
        check_msb(width, &edge_pairs(width).map(|v| RingVec::new(width, v)));
    }
    let width = Width::new(20);
    for size in SIZES {
        let values: Vec<u64> = edges(width).into_iter().cycle().take(size).collect();
        check_msb(width, &share(3, width, &values));
    }
}

fn check_pairs(width: Width, seed: u128, x: &[u64], y: &[u64]) {
    METHODS.into_iter().for_each(|method| check_pairs_by(method, width, seed, x, y));
}

fn check_pairs_by(method: Method, width: Width, seed: u128, x: &[u64], y: &[u64]) {
    let n = x.len();
    let (xs, ys) = (share(seed, width, x), share(seed + 1, width, y));
    for signedness in [Signedness::Unsigned, Signedness::Signed] {
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            less_than(cx, &xs[p], &ys[p], signedness).await
        };
        let [a, b] = run_pair_by(method, 2, &less_than_cost(method, width, n), run).expect("runs");
        let bits = a.xor(&b);
        for i in 0..n {
            let expected = match signedness {
                Signedness::Unsigned => x[i] < y[i],
                Signedness::Signed => width.signed(x[i]) < width.signed(y[i]),
            };
            assert_eq!(bits.bit(i), expected, "{:#x} < {:#x} of {width}, {signedness:?}", x[i], y[i]);
        }
    }
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        equal(cx, &xs[p], &ys[p]).await
    };
    let [a, b] = run_pair_by(method, 3, &equal_cost(method, width, n), run).expect("runs");
    let bits = a.xor(&b);
    (0..n).for_each(|i| assert_eq!(bits.bit(i), x[i] == y[i], "{:#x} == {:#x} of {width}", x[i], y[i]));
}

#[test]
fn pairs_compare_for_all_values_and_many_shares_of_small_rings() {
    for bits in 1..=5 {
        let width = Width::new(bits);
        let [x, y] = all_pairs(width);
        (0..40).for_each(|seed| check_pairs(width, 10 * seed, &x, &y));
    }
}

#[test]
fn pairs_compare_for_all_values_of_rings_of_six_to_ten_bits() {
    for (method, bits) in METHODS.into_iter().cycle().zip(6..=10) {
        let width = Width::new(bits);
        let [x, y] = all_pairs(width);
        for (block, (x, y)) in x.chunks(1 << 16).zip(y.chunks(1 << 16)).enumerate() {
            check_pairs_by(method, width, block as u128, x, y);
        }
    }
}

#[test]
fn pairs_compare_at_edges_and_for_every_size() {
    for bits in WIDTHS {
        let width = Width::new(bits);
        let [x, y] = edge_pairs(width);
        check_pairs(width, 7, &x, &y);
    }
    let width = Width::new(9);
    for size in SIZES {
        let [x, y] = edge_pairs(width).map(|v| v.into_iter().cycle().take(size).collect::<Vec<_>>());
        check_pairs(width, 8, &x, &y);
    }
}

#[test]
fn operands_of_different_shape_are_refused() {
    let (x, y) = (RingVec::zeros(Width::W32, 3), RingVec::zeros(Width::W32, 4));
    let cost = Cost::none();
    let less = run_pair(1, &cost, async |cx: Ctx| less_than(cx, &x, &y, Signedness::Signed).await);
    assert_eq!(less.expect_err("shapes differ").kind(), crate::error::ErrorKind::Usage);
    let same = run_pair(1, &cost, async |cx: Ctx| equal(cx, &x, &y).await);
    assert_eq!(same.expect_err("shapes differ").kind(), crate::error::ErrorKind::Usage);
}
