use super::*;
use crate::ops::testing::{SIZES, WIDTHS, edge_pairs, edges, run_pair, share, share_bits, sum};

fn check(width: Width, t: &[u64], f: &[u64]) {
    let n = t.len();
    let c = BitVec::from_fn(n, |i| i % 3 == 1);
    let (cs, ts, fs) = (share_bits(1, &c), share(2, width, t), share(3, width, f));
    let run = async |cx: Ctx| {
        let p = cx.party.index();
        mux(cx, &cs[p], &ts[p], &fs[p]).await
    };
    let chosen = sum(&run_pair(4, &mux_cost(width, n), run).expect("runs"));
    let expected: Vec<u64> = (0..n).map(|i| if c.bit(i) { t[i] } else { f[i] }).collect();
    assert_eq!(chosen.lanes(), expected, "{n} elements of {width}");
}

#[test]
fn mux_chooses() {
    for bits in WIDTHS {
        let width = Width::new(bits);
        let [t, f] = edge_pairs(width);
        check(width, &t, &f);
    }
    let width = Width::new(12);
    for size in SIZES {
        let values: Vec<u64> = edges(width).into_iter().cycle().take(size).collect();
        check(width, &values, &vec![5; size]);
    }
}
