use super::*;
use crate::crypto::Kdf;
use crate::testing::run_machines;

fn session() -> SessionId {
    SessionId::new([3; 32])
}

/// Runs `refills` and checks correlation, independence of directions, costs and determinism.
/// Returns a digest of all macs.
fn check(engine: CotEngine, refills: &[Ots]) -> String {
    let one = |party: Party| {
        move |io: Io| async move {
            let mut rng = Prg::from_seed(Block::new(11 + party.index() as u128));
            let mut pool = CotPool::setup(&io, party, &mut rng, &session(), engine).await?;
            let mut taken = Vec::new();
            for &want in refills {
                pool.refill(&io, want).await?;
                assert!(pool.available().cover(want));
                taken.push(pool.take(want));
            }
            Ok((taken, pool.state().clone()))
        }
    };
    let ((server, state), (client, _), counted) = run_machines(one(Party::Server), one(Party::Client));
    let mut predicted = PoolState::new(engine);
    let mut cost = CotPool::setup_cost();
    for &want in refills {
        cost = cost.then(predicted.refill_cost(want));
        predicted.refill(want);
        predicted.take(want);
    }
    assert_eq!((counted, state), (cost, predicted));

    let mut trace = Kdf::new("trace");
    let mut deltas = [Block::ZERO; 2];
    for ((server_send, server_receive), (client_send, client_receive)) in server.into_iter().zip(client) {
        for (direction, (sender, receiver)) in
            [(server_send, client_receive), (client_send, server_receive)].into_iter().enumerate()
        {
            let delta = sender.cots.delta;
            assert_eq!((delta, delta.choice()), (sender.quads.delta, 1));
            deltas[direction] = delta;
            let cots = (sender.cots.batch.blocks(), receiver.cots.batch.blocks());
            let quads = (sender.quads.batch.blocks(), receiver.quads.batch.blocks());
            for ((keys, macs), mask) in [(cots, 1), (quads, 3)] {
                assert_eq!(keys.len(), macs.len());
                let mut ones = [0_usize; 2];
                for (&q, &t) in keys.iter().zip(macs) {
                    let choice = t.choice() & mask;
                    assert_eq!((q ^ delta.times(choice), q.choice() & mask), (t, 0));
                    ones = [ones[0] + usize::from(choice & 1), ones[1] + usize::from(choice >> 1)];
                }
                if keys.len() > 1000 {
                    for ones in &ones[..mask.count_ones() as usize] {
                        let deviation =
                            (2.0 * *ones as f64 - keys.len() as f64).abs() / (keys.len() as f64).sqrt();
                        assert!(deviation < 5.0, "{ones} ones of {}", keys.len());
                    }
                    let mut distinct: Vec<u128> = keys.iter().map(|q| q.bits()).collect();
                    distinct.sort_unstable();
                    distinct.dedup();
                    assert_eq!(distinct.len(), keys.len(), "keys repeat");
                }
                trace = trace.part(Block::slice_bytes(macs));
            }
        }
    }
    assert_ne!(deltas[0], deltas[1]);
    format!("{:032x}", trace.block().bits())
}

/// Refills of COTs, of quads, and of both.
fn refills<const N: usize>(counts: [[usize; 2]; N]) -> Vec<Ots> {
    let none = [0; 2];
    let cots = counts.map(|cots| Ots { cots, quads: none });
    let quads = counts.map(|quads| Ots { cots: none, quads });
    let mixed = counts.map(|cots| Ots { cots, quads: [cots[1], cots[0] / 2] });
    [cots, quads, mixed].concat()
}

#[test]
fn softspoken_makes_both_kinds_in_both_directions() {
    let refills = refills([[0, 0], [1, 0], [0, 300], [9000, 20_000], [128, 128], [5, 5000]]);
    // A seed determines everything, on every machine; a change here changes the wire.
    assert_eq!(check(CotEngine::SoftSpoken, &refills), "9db98910677b0a609e0f71901868c9fa");
}

#[test]
fn ferret_makes_both_kinds_in_both_directions() {
    let refills = refills([[300, 0], [50_000, 20_000], [400_000, 30_000], [900_000, 0], [10, 100_000]]);
    // A seed determines everything, on every machine; a change here changes the wire.
    assert_eq!(check(CotEngine::Ferret, &refills), "2173b2a32a52a5663b524eb97a91c335");
}

#[test]
#[should_panic(expected = "on hand")]
fn taking_too_many_panics() {
    PoolState::new(CotEngine::SoftSpoken).take(Ots::of_quads(Party::Server, 1));
}
