use super::*;
use crate::crypto::{Block, Prg};
use crate::ops::testing::{SIZES, WIDTHS, all_pairs, edge_pairs, edges, run_pair, share, sum};

fn run_relu_trunc(shares: &[RingVec; 2], shift: u32, bits: u32, width: Width) -> RingVec {
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        relu_trunc(cx, &shares[p], shift, bits, width).await
    };
    sum(&run_pair(1, &relu_trunc_cost(bits, width, shares[0].len()), run).expect("runs"))
}

/// Errors of -1 or 0 for every promised input; returns how many inputs were promised.
fn check_trunc(shares: &[RingVec; 2], shift: u32, bits: u32, width: Width) -> usize {
    let from = shares[0].width();
    let result = run_relu_trunc(shares, shift, bits, width);
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
    let from = shares[0].width();
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        relu(cx, &shares[p], width).await
    };
    let result = sum(&run_pair(2, &relu_cost(from, width, shares[0].len()), run).expect("runs"));
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

#[test]
fn fused_errors_are_minus_one_or_zero_for_all_shares_of_small_rings() {
    for ring in 3..=8 {
        let from = Width::new(ring);
        let shares = all_pairs(from).map(|v| RingVec::new(from, v));
        for shift in 0..4 {
            for bits in 1..=ring.saturating_sub(shift) {
                for to in [bits.max(2) - 1, bits, bits + 2] {
                    check_trunc(&shares, shift, bits, Width::new(to));
                }
            }
        }
    }
}

#[test]
fn all_shares_of_a_ring_of_ten_bits_are_right() {
    let from = Width::new(10);
    let all: Vec<u64> = (0..=from.mask()).collect();
    for block in all.chunks(64) {
        let pairs = block.iter().flat_map(|&x| all.iter().map(move |&y| (x, y)));
        let (x, y): (Vec<u64>, Vec<u64>) = pairs.unzip();
        let shares = [x, y].map(|v| RingVec::new(from, v));
        check_relu(&shares, Width::new(12));
        check_trunc(&shares, 3, 6, Width::new(9));
    }
}

/// A million promised inputs a setting, among them the ends of the promise.
#[test]
fn fused_errors_are_minus_one_or_zero_for_a_million_inputs() {
    for (ring, shift, bits, to) in [(32, 12, 20, 32), (37, 12, 21, 37), (64, 12, 21, 64), (41, 8, 13, 20)] {
        let (from, to) = (Width::new(ring), Width::new(to));
        let mut rng = Prg::from_seed(Block::new(ring.into()));
        let limit = 1_i64 << (bits - 1 + shift);
        let ends =
            [-limit + (1 << shift), limit - 1, 0, -1, 1, (1 << shift) - 1, 1 << shift, limit - (1 << shift)];
        let mut promised = 0;
        for chunk in 0..32_u64 {
            let values: Vec<u64> = rng
                .lanes(Width::new(bits + shift), 1 << 15)
                .into_iter()
                .enumerate()
                .map(|(i, v)| {
                    let random = Width::new(bits + shift).signed(v).max(ends[0]);
                    from.from_signed(if i < 64 { ends[i % 8] } else { random })
                })
                .collect();
            promised += check_trunc(&share(chunk.into(), from, &values), shift, bits, to);
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
    let narrow = run_pair(1, &Cost::none(), async |cx: Ctx| relu(cx, &x, Width::new(31)).await);
    assert_eq!(narrow.expect_err("narrower").kind(), crate::error::ErrorKind::Usage);
}

/// nonlinear.md section 0.1.
#[test]
fn costs_are_the_published_ones() {
    for (n, to, bits, cots) in [(20, 32, 429, 23), (36, 37, 1101, 38)] {
        let cost = relu_trunc_cost(n + 1, Width::new(to), 1024);
        assert_eq!(cost.bytes(Party::Server) + cost.bytes(Party::Client), bits * 1024 / 8, "{n}");
        assert_eq!((cost.half_rounds(), cost.cots().iter().sum::<usize>()), (4, cots * 1024));
    }
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
                run_pair(1, &relu_trunc_cost(bits.min(20), Width::W32, n), run).expect("runs");
                let start = start.into_inner().expect("one thread").expect("ran");
                start.elapsed().as_secs_f64()
            })
            .fold(f64::MAX, f64::min);
        println!("relu_trunc of {bits} bits: {:.0} ns per element and party", best * 1e9 / n as f64 / 2.0);
    }
}
