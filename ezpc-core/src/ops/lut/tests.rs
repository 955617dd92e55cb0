#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
use super::*;
use crate::crypto::{Block, Prg};
use crate::ops::testing::{SIZES, all_pairs, run_pair, share, sum};

fn table(index: Width, width: Width) -> RingVec {
    Prg::from_seed(Block::new(u128::from(width.bits()))).ring_vec(width, 1 << index.bits())
}

fn check_all(index: Width, width: Width, shares: &[RingVec; 2]) {
    let (table, n) = (table(index, width), shares[0].len());
    let expected: Vec<u64> = sum(shares).lanes().iter().map(|&i| table.lanes()[i as usize]).collect();
    let public = async |cx: Ctx| {
        let p = cx.party.index();
        lookup(cx, &table, &shares[p]).await
    };
    let result = run_pair(1, &lookup_cost(index, width, n), public).expect("runs");
    assert_eq!(sum(&result).lanes(), expected, "{n} indices of {index} in a table of {width}");
    let arrays = share(2, width, table.lanes());
    let shared = async |cx: Ctx| {
        let p = cx.party.index();
        read(cx, &arrays[p], &shares[p]).await
    };
    let result = run_pair(3, &read_cost(index, width, n), shared).expect("runs");
    assert_eq!(sum(&result).lanes(), expected, "{n} indices of {index} in an array of {width}");
}

#[test]
fn tables_are_read_at_all_indices_for_all_shares() {
    for (bits, widths) in [(1, [1, 7, 64]), (2, [1, 33, 64]), (4, [8, 31, 63]), (6, [2, 20, 41])] {
        let index = Width::new(bits);
        let shares = all_pairs(index).map(|v| RingVec::new(index, v));
        widths.into_iter().for_each(|w| check_all(index, Width::new(w), &shares));
    }
}

#[test]
fn tables_of_eight_bits_are_read_for_every_size() {
    let index = Width::new(8);
    for size in SIZES.into_iter().chain([256]) {
        let values: Vec<u64> = (0..size as u64).map(|i| index.wrap(i * 7)).collect();
        check_all(index, Width::new(13), &share(1, index, &values));
    }
}

#[test]
fn large_tables_are_read() {
    for (bits, width) in [(10, 64), (12, 5)] {
        let index = Width::new(bits);
        let values: Vec<u64> = (0..70).map(|i| index.wrap(i * 61)).collect();
        check_all(index, Width::new(width), &share(1, index, &values));
    }
}

#[test]
fn short_tables_are_zero_beyond_their_end() {
    let (index, width) = (Width::new(3), Width::new(9));
    let table = table(index, width).slice(0..5);
    let shares = all_pairs(index).map(|v| RingVec::new(index, v));
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        lookup(cx, &table, &shares[p]).await
    };
    let result = run_pair(1, &lookup_cost(index, width, 64), run).expect("runs");
    for (i, got) in sum(&shares).lanes().iter().zip(sum(&result).lanes()) {
        assert_eq!(*got, table.lanes().get(*i as usize).copied().unwrap_or(0));
    }
}

#[test]
fn shapes_are_checked() {
    for (bits, len) in [(3, 0), (3, 9), (13, 512)] {
        let (table, index) = (RingVec::zeros(Width::W32, len), RingVec::zeros(Width::new(bits), 1));
        let public = run_pair(1, &Cost::none(), async |cx: Ctx| lookup(cx, &table, &index).await);
        assert_eq!(public.expect_err("no such table").kind(), crate::error::ErrorKind::Usage);
        let shared = run_pair(1, &Cost::none(), async |cx: Ctx| read(cx, &table, &index).await);
        assert_eq!(shared.expect_err("no such array").kind(), crate::error::ErrorKind::Usage);
    }
}
