use super::*;
use crate::crypto::Kdf;
use crate::testing::run_machines;

pub(super) fn session() -> SessionId {
    SessionId::new([3; 32])
}

/// Runs `refills` of COTs and checks correlation, independence of directions, costs and determinism.
/// Returns a digest of all macs.
fn check(engine: CotEngine, refills: &[[usize; 2]]) -> String {
    let one = |party: Party| {
        move |io: Io| async move {
            let mut rng = Prg::from_seed(Block::new(11 + party.index() as u128));
            let mut pool = CotPool::setup(&io, party, &mut rng, &session(), engine).await?;
            let mut taken = Vec::new();
            for &want in refills {
                pool.refill(&io, want).await?;
                assert!(pool.available()[0] >= want[0] && pool.available()[1] >= want[1]);
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
        for (direction, (mut sender, mut receiver)) in
            [(server_send, client_receive), (client_send, server_receive)].into_iter().enumerate()
        {
            let delta = sender.delta;
            let (keys, macs) = (sender.batch.blocks(), receiver.batch.blocks());
            assert_eq!(keys.len(), macs.len());
            assert_eq!(delta.lsb(), 1);
            for (&q, &t) in keys.iter().zip(macs) {
                assert_eq!(q ^ (Block::mask(t.lsb()) & delta), t);
                assert_eq!(q.lsb(), 0);
            }
            if keys.len() > 1000 {
                let ones: usize = macs.iter().map(|t| usize::from(t.lsb())).sum();
                let deviation = (2.0 * ones as f64 - keys.len() as f64).abs() / (keys.len() as f64).sqrt();
                assert!(deviation < 5.0, "{ones} ones of {}", keys.len());
                let mut distinct: Vec<u128> = keys.iter().map(|q| q.bits()).collect();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), keys.len(), "keys repeat");
            }
            deltas[direction] = delta;
            trace = trace.part(Block::slice_bytes(macs));
        }
    }
    assert_ne!(deltas[0], deltas[1]);
    format!("{:032x}", trace.block().bits())
}

#[test]
fn softspoken_makes_cots_in_both_directions() {
    let refills = [[0, 0], [1, 0], [0, 300], [9000, 20_000], [128, 128], [5, 5000]];
    // A seed determines everything, on every machine; a change here changes the wire.
    assert_eq!(check(CotEngine::SoftSpoken, &refills), "552ee7bf2c659811a3f8472da8329a95");
}

#[test]
fn ferret_makes_cots_in_both_directions() {
    let refills = [[300, 0], [50_000, 20_000], [400_000, 30_000], [900_000, 0], [10, 100_000]];
    // A seed determines everything, on every machine; a change here changes the wire.
    assert_eq!(check(CotEngine::Ferret, &refills), "6c7732a05887a2b0a59d601feb85214d");
}

#[test]
#[should_panic(expected = "on hand")]
fn taking_too_many_panics() {
    PoolState::new(CotEngine::SoftSpoken).take([1, 0]);
}
