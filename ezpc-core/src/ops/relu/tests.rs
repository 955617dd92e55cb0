use super::*;
use crate::crypto::{Block, Prg};
use crate::ops::testing::{
    METHODS, SIZES, WIDTHS, all_pairs, all_shares, edge_pairs, edges, run_pair, run_pair_by, share, sum,
};

fn run_relu_trunc(method: Method, shares: &[RingVec; 2], shift: u32, bits: u32, width: Width) -> RingVec {
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        relu_trunc(cx, &shares[p], shift, bits, width).await
    };
    let cost = relu_trunc_cost(method, bits, width, shares[0].len());
    sum(&run_pair_by(method, 1, &cost, run).expect("runs"))
}

/// Errors of -1 or 0 for every promised input; returns how many inputs were promised.
fn check_trunc(method: Method, shares: &[RingVec; 2], shift: u32, bits: u32, width: Width) -> usize {
    let from = shares[0].width();
    let result = run_relu_trunc(method, shares, shift, bits, width);
    let limit = 1_i128 << (bits - 1 + shift);
    let mut promised = 0;
    for (&x, &y) in sum(shares).lanes().iter().zip(result.lanes()) {
        let value = i128::from(from.signed(x));
        let low = if shift == 0 { -limit } else { -limit + (1 << shift) };
        if (low..limit).contains(&value) {
            promised += 1;
            #[allow(clippy::cast_possible_truncation, reason = "a quotient fits")]
            let expected = (value.max(0) >> shift) as i64;
            let error = width.signed(y.wrapping_sub(width.from_signed(expected)));
            let allowed = error == 0 || (error == -1 && shift > 0);
            // In a ring of one bit -1 and 1 are the same.
            assert!(
                allowed || width.bits() == 1,
                "{value} / 2^{shift}, {bits} bits, {from} to {width}: {error}"
            );
        }
    }
    promised
}

fn check_relu(shares: &[RingVec; 2], width: Width) {
    METHODS.into_iter().for_each(|method| check_relu_by(method, shares, width));
}

fn check_relu_by(method: Method, shares: &[RingVec; 2], width: Width) {
    let from = shares[0].width();
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        relu(cx, &shares[p], width).await
    };
    let cost = relu_cost(method, from, width, shares[0].len());
    let result = sum(&run_pair_by(method, 2, &cost, run).expect("runs"));
    for (&x, &y) in sum(shares).lanes().iter().zip(result.lanes()) {
        assert_eq!(y, width.from_signed(from.signed(x).max(0)), "relu of {x:#x} of {from} in {width}");
    }
}

#[test]
fn relu_is_exact_for_all_shares_of_small_rings() {
    for bits in 1..=7 {
        let from = Width::new(bits);
        let shares = all_pairs(from).map(|v| RingVec::new(from, v));
        [bits, bits + 1, bits + 3, 64].into_iter().for_each(|to| check_relu(&shares, Width::new(to)));
    }
}

#[test]
fn relu_is_exact_at_edges_and_for_every_size() {
    for bits in WIDTHS {
        let from = Width::new(bits);
        let shares = edge_pairs(from).map(|v| RingVec::new(from, v));
        check_relu(&shares, from);
        check_relu(&shares, Width::new(64.min(bits + 5)));
    }
    let width = Width::new(20);
    for size in SIZES {
        let values: Vec<u64> = edges(width).into_iter().cycle().take(size).collect();
        check_relu(&share(1, width, &values), Width::W32);
    }
}

/// Right for every promised input: exact, or the other one of 0 and x, for what is below 2^{drop-1} on either side.
fn check_coarse(method: Method, shares: &[RingVec; 2], drop: u32, width: Width) -> [usize; 4] {
    let from = shares[0].width();
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        relu_coarse(cx, &shares[p], drop, width).await
    };
    let cost = relu_coarse_cost(method, from, drop, width, shares[0].len());
    let result = sum(&run_pair_by(method, 3, &cost, run).expect("runs"));
    let half = i128::from(rounding(drop));
    let bound = 1_i128 << (from.bits() - 1);
    let mut kinds = [0; 4];
    for (&x, &y) in sum(shares).lanes().iter().zip(result.lanes()) {
        let x = i128::from(from.signed(x));
        if !(half - bound..bound - half).contains(&x) {
            kinds[0] += 1;
            continue;
        }
        #[allow(clippy::cast_possible_truncation, reason = "a value fits")]
        let [exact, other] = [x.max(0), x.min(0)].map(|v| width.from_signed(v as i64));
        let close = (-half..half).contains(&x);
        assert!(y == exact || close && y == other, "{x} of {from} without {drop} bits in {width}: {y:#x}");
        kinds[if y == exact { 1 } else { 2 + usize::from(x < 0) }] += 1;
    }
    assert!(kinds[1] > 0);
    kinds
}

#[test]
fn coarse_relus_miss_small_values_at_most_for_all_shares_of_small_rings() {
    for bits in 3..=7 {
        let from = Width::new(bits);
        let shares = all_pairs(from).map(|v| RingVec::new(from, v));
        for drop in 0..=bits - 2 {
            // Of the 2^k shares of x, -h <= x < h, as many as x + h + 1 in 2^t pass.
            let (half, unit) = (1_usize << drop >> 1, 1_usize << (bits - drop));
            let lost = |x: usize| (half - 1 - x) * unit;
            let expected = [(1..half).map(lost).sum(), (1..=half).sum::<usize>() * unit];
            for (to, method) in [bits, bits + 3].into_iter().flat_map(|to| METHODS.map(|m| (to, m))) {
                let [.., lost, kept] = check_coarse(method, &shares, drop, Width::new(to));
                assert_eq!([lost, kept], expected, "{bits} bits without {drop}");
            }
        }
    }
}

#[test]
fn coarse_relus_miss_small_values_at_most_at_edges() {
    for bits in WIDTHS.into_iter().filter(|&bits| bits > 2) {
        let from = Width::new(bits);
        let shares = edge_pairs(from).map(|v| RingVec::new(from, v));
        for drop in [1, bits / 2, bits - 2] {
            check_coarse(Method::Chain, &shares, drop, Width::new(64.min(bits + 5)));
        }
    }
}

#[test]
fn fused_errors_are_minus_one_or_zero_for_all_shares_of_small_rings() {
    for ring in 3..=8 {
        let from = Width::new(ring);
        let shares = all_pairs(from).map(|v| RingVec::new(from, v));
        for shift in 0..4 {
            for bits in 1..=ring.saturating_sub(shift) {
                for to in [bits.max(2) - 1, bits, bits + 2] {
                    for method in METHODS {
                        check_trunc(method, &shares, shift, bits, Width::new(to));
                    }
                }
            }
        }
    }
}

#[test]
fn all_shares_of_rings_of_nine_and_ten_bits_are_right() {
    for (method, ring) in [(Method::Chain, 10), (Method::Tree, 9), (Method::NarrowChain, 10)] {
        for shares in all_shares(Width::new(ring)) {
            check_relu_by(method, &shares, Width::new(12));
            check_trunc(method, &shares, 3, 6, Width::new(9));
        }
    }
}

/// A million promised inputs a setting, compared in all ways, among them the ends of the promise.
#[test]
fn fused_errors_are_minus_one_or_zero_for_a_million_inputs() {
    for (ring, shift, bits, to) in [(32, 12, 20, 32), (37, 12, 21, 37), (64, 12, 21, 64), (41, 8, 13, 20)] {
        let (from, to) = (Width::new(ring), Width::new(to));
        let mut rng = Prg::from_seed(Block::new(ring.into()));
        let limit = 1_i64 << (bits - 1 + shift);
        let ends =
            [-limit + (1 << shift), limit - 1, 0, -1, 1, (1 << shift) - 1, 1 << shift, limit - (1 << shift)];
        let mut promised = 0;
        for (chunk, method) in (0..32_u64).zip(METHODS.into_iter().cycle()) {
            let values: Vec<u64> = rng
                .lanes(Width::new(bits + shift), 1 << 15)
                .into_iter()
                .enumerate()
                .map(|(i, v)| {
                    let random = Width::new(bits + shift).signed(v).max(ends[0]);
                    from.from_signed(if i < 64 { ends[i % 8] } else { random })
                })
                .collect();
            promised += check_trunc(method, &share(chunk.into(), from, &values), shift, bits, to);
        }
        assert_eq!(promised, 1 << 20);
    }
}

#[test]
fn arguments_are_checked() {
    let x = RingVec::zeros(Width::W32, 3);
    for (shift, bits) in [(12, 21), (0, 33), (3, 0)] {
        let run = async |cx: Ctx| relu_trunc(cx, &x, shift, bits, Width::W32).await;
        let error = run_pair(1, &Cost::none(), run).expect_err("no such bits");
        assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
    }
    for (drop, width) in [(31, Width::W32), (u32::MAX, Width::W32), (3, Width::new(31))] {
        let error = run_pair(1, &Cost::none(), async |cx: Ctx| relu_coarse(cx, &x, drop, width).await);
        assert_eq!(error.expect_err("no such bits").kind(), crate::error::ErrorKind::Usage);
    }
    let narrow = run_pair(1, &Cost::none(), async |cx: Ctx| relu(cx, &x, Width::new(31)).await);
    assert_eq!(narrow.expect_err("narrower").kind(), crate::error::ErrorKind::Usage);
}

/// A cost is asked for without operands that could be checked: a decision by nothing has none.
#[test]
#[should_panic(expected = "no sign and another bit of 20 without 21")]
fn a_cost_is_of_a_decision() {
    let _ = relu_coarse_cost(Method::Chain, Width::new(20), 21, Width::W32, 1);
}

/// Bits sent and OTs of a fused ReLU, for b - 1 bits compared.
#[test]
fn costs_are_the_published_ones() {
    for (n, to, bits, ots) in [(20, 32, 429, [3, 10]), (36, 37, 967, [2, 18])] {
        let cost = relu_trunc_cost(Method::Chain, n + 1, Width::new(to), 1024);
        assert_eq!(cost.bytes(Party::Server) + cost.bytes(Party::Client), bits * 1024 / 8, "{n}");
        let sums = [cost.ots().cots, cost.ots().quads].map(|of| of[0] + of[1]);
        assert_eq!((cost.half_rounds(), sums), (4, ots.map(|count| count * 1024)));
    }
    let bits = |method| {
        let cost = relu_trunc_cost(method, 21, Width::W32, 1024);
        (8 * (cost.bytes(Party::Server) + cost.bytes(Party::Client)) / 1024, cost.half_rounds())
    };
    assert_eq!(METHODS.map(bits), [(429, 4), (373, 4), (223, 8)]);
}

/// Nanoseconds per element for both parties together, with the OTs' hashing, without making the OTs.
#[test]
#[ignore = "a measurement, for release builds with --nocapture"]
#[allow(clippy::print_stdout, reason = "a measurement prints")]
fn measure_fused_relu() {
    let (n, from) = (4096, Width::W32);
    for bits in [13, 21, 32 - 12] {
        let shares = share(1, from, &edges(from).into_iter().cycle().take(n).collect::<Vec<_>>());
        let best = (0..30)
            .map(|_| {
                let start = std::sync::Mutex::new(None);
                let run = async |cx: Ctx| {
                    start.lock().expect("one thread").get_or_insert_with(std::time::Instant::now);
                    let p = cx.party.index();
                    relu_trunc(cx, &shares[p], 32 - bits.max(20), bits.min(20), Width::W32).await
                };
                run_pair(1, &relu_trunc_cost(Method::Chain, bits.min(20), Width::W32, n), run).expect("runs");
                let start = start.into_inner().expect("one thread").expect("ran");
                start.elapsed().as_secs_f64()
            })
            .fold(f64::MAX, f64::min);
        println!("relu_trunc of {bits} bits: {:.0} ns per element and party", best * 1e9 / n as f64 / 2.0);
    }
}
