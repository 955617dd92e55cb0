use super::*;
use crate::crypto::{Block, Prg};
use crate::ops::testing::{METHODS, WIDTHS, all_pairs, run_pair, run_pair_by, share, sum};

/// Values whose differences fit the ring, with many ties.
fn values(width: Width, n: usize, seed: u128) -> Vec<u64> {
    let half = Width::new((width.bits() - 1).max(1));
    let mut rng = Prg::from_seed(Block::new(seed));
    let range = if seed.is_multiple_of(2) { half } else { Width::new(half.bits().min(2)) };
    let lanes = rng.lanes(range, n);
    if width.bits() == 1 {
        return vec![0; n];
    }
    lanes.into_iter().map(|v| width.from_signed(range.signed(v))).collect()
}

fn check(width: Width, groups: usize, group: usize, index: Width, seed: u128) {
    let n = groups * group;
    let x = values(width, n, seed);
    let shares = share(seed + 7, width, &x);
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        max(cx, &shares[p], 0, group).await
    };
    let method = METHODS[seed as usize % 3];
    let best = sum(&run_pair_by(method, 1, &max_cost(method, width, 0, n, group), run).expect("runs"));
    let place = async |cx: Ctx| {
        let p = cx.party.index();
        argmax(cx, &shares[p], group, index).await
    };
    let cost = argmax_cost(method, width, index, n, group);
    let places = sum(&run_pair_by(method, 2, &cost, place).expect("runs"));
    for (g, members) in x.chunks(group).enumerate() {
        let signed: Vec<i64> = members.iter().map(|&v| width.signed(v)).collect();
        let top = *signed.iter().max().expect("not empty");
        let first = signed.iter().position(|v| *v == top).expect("it is there");
        assert_eq!(width.signed(best.lanes()[g]), top, "{groups} groups of {group} of {width}");
        assert_eq!(places.lanes()[g], first as u64, "{groups} groups of {group} of {width}");
    }
}

#[test]
fn the_maximum_and_the_first_place_of_it_are_found() {
    for bits in WIDTHS {
        for group in [1, 2, 3, 4, 5, 7, 9] {
            check(Width::new(bits), 9, group, Width::new(4), (bits as usize + group) as u128);
        }
    }
    for groups in [0, 1, 7, 8, 341, 1025] {
        check(Width::new(12), groups, 3, Width::W32, 5);
    }
    check(Width::W64, 2, 1000, Width::W64, 6);
}

/// Among two, whatever the shares: one of them, and the smaller one only if it is smaller by 2^{drop-1} at most.
#[test]
fn coarse_maxima_are_right_for_all_shares_of_small_rings() {
    for bits in 3..=7 {
        let width = Width::new(bits);
        let [a, b] = all_pairs(width);
        for drop in 1..=bits - 2 {
            for method in METHODS {
                // The right member is zero, shared as 0 + 0: its shares come in by the difference alone.
                let zipped = |own: &[u64]| own.iter().flat_map(|v| [*v, 0]).collect();
                let shares = [&a, &b].map(|own| RingVec::new(width, zipped(own)));
                let run = async |cx: Ctx| {
                    let p = cx.party.index();
                    max(cx, &shares[p], drop, 2).await
                };
                let cost = max_cost(method, width, drop, 2 * a.len(), 2);
                let best = sum(&run_pair_by(method, 1, &cost, run).expect("runs"));
                for ((a, b), best) in a.iter().zip(&b).zip(best.lanes()) {
                    let (x, best) = (width.signed(width.wrap(a.wrapping_add(*b))), width.signed(*best));
                    let (end, half) = (1 << (bits - 1), 1 << (drop - 1));
                    let promised = (half - end..end - half).contains(&x);
                    let right = best == x.max(0) || [0, x].contains(&best) && x.abs() <= half;
                    assert!(right || !promised, "{x} against 0, {bits} bits without {drop}: {best}");
                }
            }
        }
    }
}

#[test]
fn coarse_maxima_of_groups_are_members_near_the_maximum() {
    let width = Width::new(16);
    for group in [2, 3, 4, 5, 9] {
        let n = 64 * group;
        let x: Vec<u64> =
            values(width, n, 2).iter().map(|&v| width.from_signed(width.signed(v) >> 1)).collect();
        let shares = share(3, width, &x);
        for drop in [1, 5, 9] {
            let run = async |cx: Ctx| {
                let p = cx.party.index();
                max(cx, &shares[p], drop, group).await
            };
            let cost = max_cost(Method::Chain, width, drop, n, group);
            let best = sum(&run_pair(1, &cost, run).expect("runs"));
            let levels = i64::from(group.next_power_of_two().trailing_zeros());
            for (members, &best) in x.chunks(group).zip(best.lanes()) {
                let most = members.iter().map(|&v| width.signed(v)).max().expect("not empty");
                assert!(members.contains(&best), "groups of {group} without {drop}");
                assert!(
                    most - width.signed(best) <= levels * (1 << (drop - 1)),
                    "groups of {group} without {drop}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "no sign and another bit of 20 without 21")]
fn a_cost_is_of_a_decision() {
    let _ = max_cost(Method::Chain, Width::new(20), 21, 2, 2);
}

#[test]
fn groups_are_checked() {
    let x = RingVec::zeros(Width::W32, 6);
    for group in [0, 4] {
        let run = async |cx: Ctx| max(cx, &x, 0, group).await;
        let error = run_pair(1, &Cost::none(), run).expect_err("no such groups");
        assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
    }
    let run = async |cx: Ctx| argmax(cx, &x, 6, Width::new(2)).await;
    assert_eq!(run_pair(1, &Cost::none(), run).expect_err("5 > 3").kind(), crate::error::ErrorKind::Usage);
}
