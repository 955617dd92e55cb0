use super::*;
use crate::ops::testing::{
    METHODS, SIZES, WIDTHS, all_pairs, all_shares, edge_pairs, edges, run_pair, run_pair_by, share, sum,
};

fn check(shares: &[RingVec; 2], width: Width) {
    let (from, n) = (shares[0].width(), shares[0].len());
    let values = sum(shares);
    for s in [Signedness::Unsigned, Signedness::Signed] {
        let run = async |cx: Ctx| {
            let p = cx.party.index();
            extend(cx, &shares[p], width, s).await
        };
        let near = async |cx: Ctx| {
            let p = cx.party.index();
            extend_near(cx, &shares[p], width, s).await
        };
        let method = METHODS[(from.bits() + width.bits()) as usize % 2];
        let cost = extend_cost(method, from, width, n);
        let result = sum(&run_pair_by(method, 1, &cost, run).expect("runs"));
        let cheap = (from.bits() > 1)
            .then(|| sum(&run_pair(1, &extend_near_cost(from, width, n), near).expect("runs")));
        for (i, &x) in values.lanes().iter().enumerate() {
            let (expected, promised) = match s {
                Signedness::Unsigned => (x, x < 1 << (from.bits() - 1)),
                Signedness::Signed => {
                    let quarter = 1 << from.bits().saturating_sub(2);
                    let value = from.signed(x);
                    (width.from_signed(value), (-quarter..quarter).contains(&value))
                }
            };
            assert_eq!(result.lanes()[i], expected, "{x:#x} of {from} in {width}, {s:?}");
            if let (Some(cheap), true) = (&cheap, promised) {
                assert_eq!(cheap.lanes()[i], expected, "{x:#x} of {from} in {width}, {s:?}, near");
            }
        }
    }
}

#[test]
fn extension_keeps_all_values_of_small_rings() {
    for bits in 1..=6 {
        let from = Width::new(bits);
        let shares = all_pairs(from).map(|v| RingVec::new(from, v));
        [bits, bits + 1, bits + 2, 33, 64].into_iter().for_each(|to| check(&shares, Width::new(to)));
    }
}

#[test]
fn extension_keeps_all_shares_of_rings_of_seven_to_ten_bits() {
    for bits in 7..=10 {
        all_shares(Width::new(bits)).for_each(|shares| check(&shares, Width::new(bits + 3)));
    }
}

#[test]
fn extension_keeps_edges_and_every_size() {
    for pair in WIDTHS.windows(2) {
        let from = Width::new(pair[0]);
        let shares = edge_pairs(from).map(|v| RingVec::new(from, v));
        [pair[1], 64].into_iter().for_each(|to| check(&shares, Width::new(to)));
    }
    let from = Width::new(16);
    for size in SIZES {
        let values: Vec<u64> = edges(from).into_iter().cycle().take(size).collect();
        check(&share(1, from, &values), Width::new(20));
    }
}

#[test]
fn a_narrower_ring_is_refused() {
    let x = RingVec::zeros(Width::W32, 3);
    let run = async |cx: Ctx| extend(cx, &x, Width::new(31), Signedness::Signed).await;
    let error = run_pair(1, &Cost::none(), run).expect_err("narrower");
    assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
}
