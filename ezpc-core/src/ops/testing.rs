//! Runs both parties of an operation in one thread, over ideal OTs, and compares what it took with its cost.

use crate::crypto::{Block, Prg};
use crate::error::Result;
use crate::ops::Ctx;
use crate::ops::compare::Method;
use crate::ot::ideal;
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::transport::cost::Cost;
use crate::transport::machine::{Machine, Step};
use core::cell::RefCell;

/// All ways to compare.
pub(crate) const METHODS: [Method; 3] = [Method::Chain, Method::NarrowChain, Method::Tree];

/// Both parties' results of `protocol`, which must use exactly what `cost` says.
pub(crate) fn run_pair<R>(
    seed: u128,
    cost: &Cost,
    protocol: impl AsyncFn(Ctx) -> Result<R>,
) -> Result<[R; 2]> {
    run_pair_by(Method::Chain, seed, cost, protocol)
}

/// As [`run_pair`], comparing by `method`.
pub(crate) fn run_pair_by<R>(
    method: Method,
    seed: u128,
    cost: &Cost,
    protocol: impl AsyncFn(Ctx) -> Result<R>,
) -> Result<[R; 2]> {
    let mut rng = Prg::from_seed(Block::new(seed));
    let (server_sends, client_receives) = ideal::deal_ots(Party::Server, cost.ots(), &mut rng);
    let (client_sends, server_receives) = ideal::deal_ots(Party::Client, cost.ots(), &mut rng);
    let ots = [(server_sends, server_receives), (client_sends, client_receives)];
    let seeds = [rng.fork("server"), rng.fork("client")];
    let results: [RefCell<Option<R>>; 2] = [RefCell::new(None), RefCell::new(None)];
    let mut counted = Cost::of_ots(cost.ots());
    let mut machines = Vec::new();
    for ((party, (send, recv)), rng) in Party::BOTH.into_iter().zip(ots).zip(seeds) {
        let (slot, protocol) = (&results[party.index()], &protocol);
        machines.push(Machine::new(move |io| async move {
            let result = protocol(Ctx { io, party, send, recv, rng, method }).await?;
            *slot.borrow_mut() = Some(result);
            Ok(())
        }));
    }
    let mut inboxes = [Vec::new(), Vec::new()];
    loop {
        let mut outboxes = [Vec::new(), Vec::new()];
        let mut needs = [None, None];
        for p in 0..2 {
            let received = core::mem::take(&mut inboxes[p]);
            match machines[p].step(received, &mut outboxes[p])? {
                Step::Need { bytes, level } => {
                    assert!(level, "only layers send in parts");
                    needs[p] = Some(bytes);
                }
                Step::Done => assert!(outboxes[p].is_empty(), "nothing to send at the end"),
            }
        }
        let [Some(server), Some(client)] = needs else {
            assert!(needs == [None, None], "both parties finish at one level");
            break;
        };
        assert_eq!([client, server], [outboxes[0].len(), outboxes[1].len()], "lengths agree");
        counted = counted.then(Cost::level(outboxes[0].len(), outboxes[1].len()));
        let [to_client, to_server] = outboxes;
        inboxes = [to_server, to_client];
    }
    drop(machines);
    assert_eq!(&counted, cost, "the run took what was predicted");
    Ok(results.map(|r| r.into_inner().expect("finished")))
}

/// Shares of `values` with a pseudorandom server's share.
pub(crate) fn share(seed: u128, width: Width, values: &[u64]) -> [RingVec; 2] {
    let mask = Prg::from_seed(Block::new(seed)).ring_vec(width, values.len());
    let other = RingVec::new(width, values.to_vec()).sub(&mask);
    [mask, other]
}

/// XOR shares of `bits`.
pub(crate) fn share_bits(seed: u128, bits: &BitVec) -> [BitVec; 2] {
    let mask = Prg::from_seed(Block::new(seed)).bits(bits.len());
    let other = bits.xor(&mask);
    [mask, other]
}

/// Edge values of a ring, and a few pseudorandom ones.
pub(crate) fn edges(width: Width) -> Vec<u64> {
    let (k, mask) = (width.bits(), width.mask());
    let mut values = vec![0, 1, 2, 3, mask, mask - 1, mask / 2, mask / 2 + 1, mask / 4, mask / 4 + 1];
    values.extend([1_u64 << (k / 2), (1 << (k / 2)) - 1, mask - (1 << (k / 2)), mask - mask / 4]);
    values.extend(Prg::from_seed(Block::new(u128::from(k))).lanes(width, 6));
    values.iter_mut().for_each(|v| *v = width.wrap(*v));
    values
}

/// All pairs of edge values.
pub(crate) fn edge_pairs(width: Width) -> [Vec<u64>; 2] {
    let values = edges(width);
    let pair = |i: usize| (values[i / values.len()], values[i % values.len()]);
    let (x, y) = (0..values.len() * values.len()).map(pair).unzip();
    [x, y]
}

/// All pairs of elements of a small ring.
pub(crate) fn all_pairs(width: Width) -> [Vec<u64>; 2] {
    let n = width.mask() + 1;
    let (x, y) = (0..n * n).map(|i| (i / n, i % n)).unzip();
    [x, y]
}

/// All shares of all elements of a ring, in blocks.
pub(crate) fn all_shares(width: Width) -> impl Iterator<Item = [RingVec; 2]> {
    let all: Vec<u64> = (0..=width.mask()).collect();
    let blocks: Vec<Vec<u64>> = all.chunks(64).map(<[u64]>::to_vec).collect();
    blocks.into_iter().map(move |block| {
        let (x, y) = block.iter().flat_map(|&x| all.iter().map(move |&y| (x, y))).unzip();
        [x, y].map(|v| RingVec::new(width, v))
    })
}

/// The widths at which edge values are tested.
pub(crate) const WIDTHS: [u32; 14] = [1, 2, 7, 8, 13, 16, 20, 31, 32, 33, 37, 41, 63, 64];

/// The batch sizes at which shapes are tested.
pub(crate) const SIZES: [usize; 8] = [0, 1, 7, 8, 9, 1023, 1024, 1025];

/// The sum of two shares.
pub(crate) fn sum(shares: &[RingVec; 2]) -> RingVec {
    shares[0].add(&shares[1])
}
