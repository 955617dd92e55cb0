//! The protocols that decode what the peer sends, one machine a run: base OTs, the setup of OTs, keys of the encryption,
//! and both ends of a layer under it. The input is the peer's messages, behind a byte that chooses.

#![no_main]

use ezpc_core::crypto::{Block, Prg, SessionId};
use ezpc_core::he::{HeKeys, he_setup};
use ezpc_core::ops::linear::{CheckedWeights, LinearPlan, OwnWeights, PreparedWeights, linear_private};
use ezpc_core::ot::{CotEngine, CotPool};
use ezpc_core::protocol::{LinearKind, LinearSpec, MatMulSpec};
use ezpc_core::ring::{BitVec, Width};
use ezpc_core::testing::run_machines;
use ezpc_core::transport::Link;
use ezpc_core::transport::machine::{Machine, Step};
use ezpc_core::{ErrorKind, Party, base_ot};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

const SESSION: SessionId = SessionId::new([9; 32]);

fn seeded(party: Party) -> Prg {
    Prg::from_seed(Block::new(3 + party.index() as u128))
}

/// Steps to the end, whatever comes; missing bytes are zero.
fn run(mut machine: Machine<'_>, mut bytes: &[u8]) {
    let mut received = Vec::new();
    loop {
        match machine.step(received, &mut Vec::new()) {
            Ok(Step::Need { bytes: need, .. }) => {
                let (now, later) = bytes.split_at(need.min(bytes.len()));
                bytes = later;
                received = now.to_vec();
                received.resize(need, 0);
            }
            Ok(Step::Done) => return,
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Peer, "{error}"),
        }
    }
}

/// A layer and its weights.
struct Layer {
    plan: LinearPlan,
    weights: PreparedWeights,
}

fn layer(shift: u32) -> Layer {
    let kind = LinearKind::MatMul(MatMulSpec { rows: 2, inner: 16, cols: 1 });
    let spec = LinearSpec { kind, input: Width::W32, shift, weight_bits: 8 };
    let plan = LinearPlan::new(&spec, Link::default()).expect("a plan");
    let values = (0..32).map(|i| i - 15).collect();
    let checked = CheckedWeights::new(&plan, &values, None, 1).expect("small weights");
    let weights = PreparedWeights::new(&plan, &checked, 1);
    Layer { plan, weights }
}

fuzz_target!(|data: &[u8]| {
    static KEYS: OnceLock<[HeKeys; 2]> = OnceLock::new();
    static LAYERS: OnceLock<[Layer; 2]> = OnceLock::new();
    let [which, rest @ ..] = data else { return };
    let party = Party::BOTH[usize::from(which & 1)];
    let machine = match which >> 1 & 3 {
        0 if party == Party::Server => {
            Machine::new(
                |io| async move { base_ot::send(&io, 3, &mut seeded(party), &SESSION).await.map(drop) },
            )
        }
        0 => Machine::new(|io| async move {
            let choices = BitVec::from_fn(3, |i| i == 1);
            base_ot::receive(&io, &choices, &mut seeded(party), &SESSION).await.map(drop)
        }),
        1 => Machine::new(|io| async move {
            let engine = CotEngine::SoftSpoken;
            CotPool::setup(&io, party, &mut seeded(party), &SESSION, engine).await.map(drop)
        }),
        2 => {
            Machine::new(|io| async move { he_setup(io, party, SESSION, &mut seeded(party)).await.map(drop) })
        }
        _ => {
            let keys = &KEYS.get_or_init(|| {
                let setup = |io, party| async move { he_setup(io, party, SESSION, &mut seeded(party)).await };
                let (server, client, _) =
                    run_machines(|io| setup(io, Party::Server), |io| setup(io, Party::Client));
                [server, client]
            })[party.index()];
            let layers = LAYERS.get_or_init(|| [12, 0].map(layer));
            let Layer { plan, weights } = &layers[usize::from(which >> 3 & 1)];
            let owner = if which & 16 == 0 { party } else { party.peer() };
            let own = (owner == party).then_some(OwnWeights::Prepared(weights));
            Machine::new(move |io| async move {
                linear_private(io, keys, plan, owner, own, &[5; 16], seeded(party), 1).await.map(drop)
            })
        }
    };
    run(machine, rest);
});
