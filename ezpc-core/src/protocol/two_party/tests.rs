use super::*;
use crate::protocol::{Cleartext, ConvSpec, LinearKind, LinearSpec, MatMulSpec, Operand, Tally};
use crate::testing::{conformance, conformance_at, exhaustive, run_two, run_two_with};
use core::time::Duration;

fn same_counts(server: &Stats, client: &Stats, tally: &Tally) {
    for phase in Phase::ALL {
        let (s, c, t) = (server.phase(phase), client.phase(phase), tally.phase(phase));
        assert_eq!([s.bytes_sent, c.bytes_sent], t.bytes, "{phase:?}: bytes sent by server and client");
        assert_eq!([c.bytes_received, s.bytes_received], t.bytes, "{phase:?}: bytes received");
        assert_eq!([s.half_rounds, c.half_rounds], [t.half_rounds; 2], "{phase:?}: half-rounds");
    }
}

#[test]
fn two_parties_conform_and_cost_what_the_tally_says() {
    let [server, client] = run_two(|p| {
        conformance(p)?;
        Ok(p.stats().clone())
    })
    .expect("no error");
    let mut tally = Tally::new(Cleartext::new());
    conformance(&mut tally).expect("no error");
    same_counts(&server, &client, &tally);
}

#[test]
fn two_parties_conform_on_small_rings() {
    run_two(|p| {
        for bits in 1..=5 {
            exhaustive(p, Width::new(bits))?;
        }
        Ok(())
    })
    .expect("no error");
}

/// A thin link, on which a tree has the fewest bits to send, and one of long delay, on which narrow chains wait least.
#[test]
fn all_ways_to_compare_conform_and_cost_what_the_tally_says() {
    fn program<P: Protocol>(p: &mut P) -> Result<()> {
        for (bits, size) in [(1, 8), (2, 9), (13, 1023), (32, 65), (64, 8)] {
            conformance_at(p, Width::new(bits), size)?;
        }
        Ok(())
    }
    for delay in [Duration::ZERO, Duration::from_secs(1)] {
        let link = Link::new(1_000_000, delay);
        let config = Config { link: Some(link), ..Config::default() };
        let run = run_two_with(&config, |p| {
            program(p)?;
            assert_eq!(p.link(), link);
            Ok(p.stats().clone())
        });
        let [server, client] = run.expect("no error");
        let mut tally = Tally::with_config(Cleartext::new(), &config);
        program(&mut tally).expect("no error");
        same_counts(&server, &client, &tally);
    }
}

#[test]
fn a_link_is_measured_and_both_parties_go_by_it() {
    let config = Config { link: None, ..Config::default() };
    let run = run_two_with(&config, |p| {
        let x = p.input(Party::Server, Width::W32, 3, Some(&RingVec::zeros(Width::W32, 3)))?;
        p.msb(&x)?;
        Ok((p.link(), p.stats().clone()))
    });
    let [(link, server), (other, client)] = run.expect("no error");
    assert_eq!(link, other);
    let mut tally = Tally::with_config(Cleartext::new(), &config).over(link);
    let x =
        tally.input(Party::Server, Width::W32, 3, Some(&RingVec::zeros(Width::W32, 3))).expect("no error");
    tally.msb(&x).expect("no error");
    same_counts(&server, &client, &tally);
}

/// With no room for transformed weights, room for one layer's, or for all, in advance or not: the same shares from the same
/// seeds, the same counts and the same chance of a failure.
#[test]
fn memory_for_weights_changes_nothing() {
    let convolution = |batch| {
        LinearKind::Conv(ConvSpec {
            batch,
            in_channels: 3,
            input: [20; 2],
            out_channels: 30,
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 4],
            dilation: [1; 2],
            groups: 1,
        })
    };
    let kinds =
        [LinearKind::MatMul(MatMulSpec { rows: 64, inner: 200, cols: 1 }), convolution(1), convolution(2)];
    let run = |weights_memory: usize, ahead: bool| {
        let config = Config { weights_memory, ..Config::default() };
        let run = run_two_with(&config, |p| {
            let mut shares = Vec::new();
            p.scope("layers");
            for kind in kinds {
                let spec = LinearSpec { kind, input: Width::new(37), shift: 12, weight_bits: 8 };
                let known = p.party() == Some(Party::Server);
                let values = known.then(|| (0..spec.weights_len() as i64).map(|i| i % 199 - 99).collect());
                let layer = Linear::new(spec, Operand::Private { owner: Party::Server, values }, None)?;
                p.check(&layer)?;
                if ahead {
                    p.prepare(&layer)?;
                }
                let x = p.public(&RingVec::zeros(spec.input, spec.input_len()));
                for _ in 0..3 {
                    shares.push(p.linear(&layer, &x)?.share().clone());
                }
                assert_eq!(layer::keeps(&layer), known && weights_memory > 0, "{kind:?}");
            }
            let stats = p.stats();
            let total = stats.total();
            let failure = stats.failure("layers").expect("layers under encryption");
            Ok((shares, [total.bytes_sent, total.bytes_received, total.half_rounds], failure))
        });
        run.expect("no error")
    };
    let none = run(0, false);
    // Enough for each layer, not for two: a layer gives its room back.
    for (bytes, ahead) in [(0, true), (10 << 20, false), (10 << 20, true), (usize::MAX, false)] {
        assert!(none == run(bytes, ahead), "{bytes} bytes, ahead {ahead}");
    }
    assert!(none[0].2 < none[1].2, "the owner of the weights knows a better bound than its peer");
}
