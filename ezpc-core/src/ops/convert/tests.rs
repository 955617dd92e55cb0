use super::*;
use crate::ops::testing::{SIZES, WIDTHS, all_shares, edge_pairs, edges, run_pair, share, share_bits, sum};

#[test]
fn bits_become_ring_elements() {
    for (bits, size) in WIDTHS.into_iter().map(|w| (w, 100)).chain(SIZES.map(|s| (20, s))) {
        let width = Width::new(bits);
        let b = BitVec::from_fn(size, |i| i % 3 == 0);
        let shares = share_bits(1, &b);
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            bit_to_arith(cx, &shares[p], width).await
        };
        let result = run_pair(2, &bit_to_arith_cost(width, size), run).expect("runs");
        assert_eq!(sum(&result).lanes(), b.to_lanes(), "{size} bits in {width}");
    }
}

#[test]
fn words_become_ring_elements_and_back() {
    for bits in WIDTHS {
        let width = Width::new(bits);
        let values = edges(width);
        let shares = share(bits.into(), width, &values);
        let digits = async |cx: Ctx| {
            let p = cx.party.index();
            a2b(cx, &shares[p]).await
        };
        let [a, b] = run_pair(1, &a2b_cost(width, values.len()), digits).expect("runs");
        assert_eq!(a.zip(&b, BitVec::xor).to_lanes(), values, "digits of {width}");
        let planes = [a, b];
        let words = async |cx: Ctx| {
            let p = cx.party.index();
            b2a(cx, &planes[p]).await
        };
        let result = run_pair(2, &b2a_cost(width, values.len()), words).expect("runs");
        assert_eq!(sum(&result).lanes(), values, "words of {width}");
    }
}

#[test]
fn digits_and_words_are_right_for_all_shares_of_rings_up_to_ten_bits() {
    for shares in (1..=10).flat_map(|bits| all_shares(Width::new(bits))) {
        let width = shares[0].width();
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            a2b(cx, &shares[p]).await
        };
        let [a, b] = run_pair(1, &a2b_cost(width, shares[0].len()), run).expect("runs");
        assert_eq!(a.zip(&b, BitVec::xor).to_lanes(), sum(&shares).lanes());
        let planes = shares.each_ref().map(|share| BitPlanes::from_lanes(width.bits(), share.lanes()));
        let words = async |cx: Ctx| {
            let p = cx.party.index();
            b2a(cx, &planes[p]).await
        };
        let result = run_pair(2, &b2a_cost(width, shares[0].len()), words).expect("runs");
        let expected: Vec<u64> =
            shares[0].lanes().iter().zip(shares[1].lanes()).map(|(a, b)| a ^ b).collect();
        assert_eq!(sum(&result).lanes(), expected);
    }
}

#[test]
fn popcount_counts() {
    for (bits, into) in [(1, 1), (5, 3), (32, 6), (64, 7), (64, 64), (7, 2)] {
        let [values, other] = edge_pairs(Width::new(bits));
        let words: Vec<u64> = values.iter().zip(&other).map(|(a, b)| a ^ b).collect();
        let shares = [BitPlanes::from_lanes(bits, &values), BitPlanes::from_lanes(bits, &other)];
        let width = Width::new(into);
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            popcount(cx, &shares[p], width).await
        };
        let result = run_pair(1, &popcount_cost(bits, width, words.len()), run).expect("runs");
        let expected: Vec<u64> = words.iter().map(|w| width.wrap(w.count_ones().into())).collect();
        assert_eq!(sum(&result).lanes(), expected);
    }
}

/// Bits sent and COTs.
#[test]
fn costs_are_the_published_ones() {
    let bytes = |cost: Cost| cost.bytes(Party::Server) + cost.bytes(Party::Client);
    let n = 1 << 12;
    assert_eq!(bytes(b2a_cost(Width::W32, n)), 527 * n / 8);
    assert_eq!(bytes(b2a_cost(Width::W64, n)), 2079 * n / 8);
    assert_eq!(b2a_cost(Width::W32, n).ots().total(), 31 * n);
    assert_eq!(bytes(a2b_cost(Width::W32, n)), 1023 * n / 8);
    assert_eq!(bytes(bit_to_arith_cost(Width::W32, n)), 32 * n / 8);
}
