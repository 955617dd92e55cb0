use super::*;
use crate::ops::testing::{
    METHODS, SIZES, WIDTHS, all_pairs, all_shares, edge_pairs, edges, run_pair, run_pair_by, share, sum,
};
use crate::transport::cost::Ots;

const KINDS: [Trunc; 5] = [Trunc::Floor, Trunc::Logical, Trunc::Near, Trunc::NearPositive, Trunc::NearWide];

fn check(shares: &[RingVec; 2], shift: u32, kind: Trunc) {
    let width = shares[0].width();
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        trunc(cx, &shares[p], shift, kind).await
    };
    let method = METHODS[(width.bits() + shift) as usize % 2];
    let cost = trunc_cost(method, width, shift, kind, shares[0].len());
    let result = sum(&run_pair_by(method, 1, &cost, run).expect("runs"));
    for (&x, &y) in sum(shares).lanes().iter().zip(result.lanes()) {
        let (value, floor) = (width.signed(x), width.signed(x) >> shift);
        match kind {
            Trunc::Floor => assert_eq!(y, width.from_signed(floor), "{x:#x} >> {shift} of {width}"),
            Trunc::Logical => assert_eq!(y, x >> shift, "{x:#x} >>> {shift} of {width}"),
            _ => {
                let half = 1_i128 << (width.bits() - 1);
                let range = match kind {
                    Trunc::Near => -half / 2..half / 2,
                    Trunc::NearPositive => 0..half,
                    _ => (1 << shift) - 1 - half..half,
                };
                let promised = range.contains(&i128::from(value));
                let error = width.signed(y.wrapping_sub(width.from_signed(floor)));
                assert!(!promised || error == 0 || error == -1, "{x:#x} / 2^{shift} of {width}: {error}");
            }
        }
    }
}

#[test]
fn all_kinds_are_right_for_all_shares_of_small_rings() {
    for bits in 2..=7 {
        let width = Width::new(bits);
        let shares = all_pairs(width).map(|v| RingVec::new(width, v));
        for shift in 1..bits {
            KINDS.into_iter().for_each(|kind| check(&shares, shift, kind));
        }
    }
}

/// Without messages: for a value z after the offset, exactly the shares z0 <= z are wrong, z + 1 out of 2^k.
#[test]
fn local_truncation_fails_as_often_as_stated() {
    let width = Width::new(8);
    let shares = all_pairs(width).map(|v| RingVec::new(width, v));
    let values = sum(&shares).to_signed();
    for (shift, bits) in [(1, 3), (2, 3), (3, 3), (2, 5), (4, 2)] {
        let kind = Trunc::Local { bits };
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            trunc(cx, &shares[p], shift, kind).await
        };
        let cost = trunc_cost(Method::Chain, width, shift, kind, values.len());
        let result = sum(&run_pair(1, &cost, run).expect("runs")).to_signed();
        let (half, offset) = (1_i64 << (bits - 1), 1_i64 << shift.max(bits - 1));
        for x in -half..half {
            let of_x = values.iter().zip(&result).filter(|(v, _)| **v == x);
            let wrong = of_x.filter(|(_, r)| !(-1..=0).contains(&(*r - (x >> shift)))).count();
            assert_eq!(wrong as i64, x + offset + 1, "{x} of {bits} bits >> {shift}");
        }
    }
}

#[test]
fn all_kinds_are_right_at_edges_and_for_every_size() {
    for bits in WIDTHS.into_iter().filter(|b| *b > 1) {
        let width = Width::new(bits);
        let shares = edge_pairs(width).map(|v| RingVec::new(width, v));
        for shift in [1, 2, bits / 2, bits - 2, bits - 1] {
            if (1..bits).contains(&shift) {
                KINDS.into_iter().for_each(|kind| check(&shares, shift, kind));
            }
        }
    }
    let width = Width::new(16);
    for size in SIZES {
        let values: Vec<u64> = edges(width).into_iter().cycle().take(size).collect();
        KINDS.into_iter().for_each(|kind| check(&share(1, width, &values), 5, kind));
    }
}

#[test]
fn all_shares_of_rings_of_eight_to_ten_bits_are_right() {
    for (bits, shift) in [(8, 2), (9, 7), (10, 3)] {
        for shares in all_shares(Width::new(bits)) {
            KINDS.into_iter().for_each(|kind| check(&shares, shift, kind));
        }
    }
}

#[test]
fn shifts_are_checked() {
    let x = RingVec::zeros(Width::new(8), 3);
    let run = run_pair(1, &Cost::none(), async |cx: Ctx| trunc(cx, &x, 8, Trunc::Floor).await);
    assert_eq!(run.expect_err("nothing would be left").kind(), crate::error::ErrorKind::Usage);
    let same = run_pair(1, &Cost::none(), async |cx: Ctx| trunc(cx, &x, 0, Trunc::Floor).await);
    assert_eq!(same.expect("nothing to do")[0], x);
}

#[test]
fn costs_are_the_published_ones() {
    let cost = trunc_cost(Method::Chain, Width::W32, 12, Trunc::Near, 1024);
    assert_eq!(cost.bytes(Party::Server) + cost.bytes(Party::Client), 13 * 1024 / 8);
    assert_eq!((cost.half_rounds(), cost.ots()), (2, Ots { cots: [512; 2], quads: [0; 2] }));
    assert_eq!(trunc_cost(Method::Chain, Width::W32, 12, Trunc::NearPositive, 1024), cost);
    assert_eq!(trunc_cost(Method::Chain, Width::W32, 12, Trunc::Floor, 1024).half_rounds(), 3);
    let wide = trunc_cost(Method::Chain, Width::W32, 12, Trunc::NearWide, 1024);
    assert_eq!((wide.half_rounds(), wide.ots()), (3, Ots { cots: [512; 2], quads: [10 * 512; 2] }));
}
