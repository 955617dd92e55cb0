//! Programs in the language over the real protocol, against the cleartext oracle; and their predicted cost.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use ezpc_core::program::{Array, Program};
use ezpc_core::protocol::{Cleartext, Protocol, Reveal, Tally};
use ezpc_core::testing::run_two;
use ezpc_core::transport::stats::Phase;
use ezpc_core::{Party, secure};

secure! {
    mod market;
    (* A second-price auction of two bidders each, and what is left of the budgets. *)
    def void main() {
        input(SERVER, bids, int32_al[3]);
        input(CLIENT, offers, uint32_bl[3]);
        input(CLIENT, secret, bool_bl);
        int32_al best = bids[0];
        int32_al second = bids[1];
        if (bids[1] > bids[0]) { best = bids[1]; second = bids[0]; }
        if (bids[2] > best) { second = best; best = bids[2]; }
        else if (bids[2] > second) { second = bids[2]; }
        output(ALL, best > second);
        output(SERVER, second);
        uint32_al left = 0;
        for i = [0:3] {
            left = left + offers[i] / 3 + (offers[i] >> 2) * (offers[i] % 7u);
            offers[i] = offers[i] ^ (secret ? 4294967295u : 0u);
        };
        output(CLIENT, left);
        output(CLIENT, offers);
        output(SERVER, int64(second) * 3L - int64(best));
        output(ALL, bids[0] == bids[1] && secret || bids[0] != -5);
    }
}

#[test]
fn two_parties_compute_what_the_oracle_does() {
    let bids = [vec![5, 9, 7], vec![-5, -5, i32::MIN], vec![i32::MAX, 3, i32::MAX]];
    for (i, bids) in bids.into_iter().enumerate() {
        let all = market::Inputs {
            bids: Some(bids),
            offers: Some(vec![100, u32::MAX, 6]),
            secret: Some(i % 2 == 0),
        };
        let expected = market::main(&mut Cleartext::new(), &all).expect("runs");
        let [server, client] = run_two(|p| {
            // Each party knows its own inputs only.
            let own = match p.party().expect("one party") {
                Party::Server => market::Inputs { bids: all.bids.clone(), ..Default::default() },
                Party::Client => market::Inputs { bids: None, ..all.clone() },
            };
            market::main(p, &own)
        })
        .expect("both run");
        let (server_only, client_only) = (
            market::Outputs { left: None, offers: None, ..expected.clone() },
            market::Outputs { second: None, output_2: None, ..expected },
        );
        assert_eq!(server, server_only);
        assert_eq!(client, client_only);
    }
}

secure! {
    def void compare(int32_pl n, int32_al[n] x, int32_al[n] y, bool_bl[n] z) {
        for i = [0:n] { z[i] = x[i] < y[i]; }
    }
}

/// As the real protocol would count them.
#[test]
fn comparisons_in_a_loop_take_the_half_rounds_of_one() {
    let half_rounds = |n: usize| {
        let mut tally = Tally::new(Cleartext::new());
        let program = Program::new(&mut tally);
        let zeros = vec![0; n];
        let array = |from| {
            let values = program.input_vec(from, n, Some(&zeros)).expect("inputs");
            Array::from_vec([n], values).expect("sizes")
        };
        let z = Array::filled([n], program.constant(true)).expect("sizes");
        compare(&program, n as i32, &array(Party::Server), &array(Party::Client), &z).expect("runs");
        let bits = program.reveal_vec(&z.to_vec(), Reveal::Both).expect("opens");
        assert_eq!(bits, Some(vec![false; n]));
        drop(program);
        tally.phase(Phase::Online).half_rounds
    };
    let one = half_rounds(1);
    assert!(one > 0);
    assert_eq!(half_rounds(500), one);
}

secure! {
    mod sized;
    def void main() {
        input(ALL, n, int32_pl);
        input(ALL, by, float_pl);
        input(SERVER, x, float_fl[n]);
        output(ALL, x + by);
    }
}

/// Sizes may depend on public inputs, so the parties compare them before anything else.
#[test]
fn other_public_inputs_are_noticed() {
    let run = |n: [i32; 2], by: [f64; 2]| {
        run_two(|p| {
            let at = p.party().expect("one party").index();
            let x = (at == 0).then(|| vec![1.5; usize::try_from(n[0]).expect("small")]);
            sized::main(p, &sized::Inputs { n: Some(n[at]), by: Some(by[at]), x })
        })
    };
    assert_eq!(run([3, 3], [2.0, 2.0]).expect("agree")[1].output, [3.5; 3]);
    for (n, by) in [([3, 4], [2.0, 2.0]), ([3, 3], [2.0, 2.5])] {
        let error = run(n, by).expect_err("they differ");
        assert!(error.to_string().contains("the public inputs"), "{error}");
    }
}

/// What fixed point cannot hold is refused where it comes in.
#[test]
fn fractions_out_of_range_are_refused() {
    let most = (1u64 << 47) as f64;
    let run = |value: f64| {
        let inputs = sized::Inputs { n: Some(1), by: Some(0.0), x: Some(vec![value]) };
        sized::main(&mut Cleartext::new(), &inputs)
    };
    for value in [most, -most * 2.0, f64::NAN, f64::INFINITY] {
        let error = run(value).expect_err("out of range");
        assert_eq!(error.to_string(), "input `x`: a value is no number below 2^47: 16 bits are its fraction");
    }
    for value in [-most, most - 1.0, 0.0, -1.5] {
        assert_eq!(run(value).expect("in range").output, [value]);
    }
}
