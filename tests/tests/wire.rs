//! The bytes on the wire are pinned: with fixed seeds two runs send identical bytes, and a change of them is a line
//! under "Wire" in CHANGELOG.md and a new line here.

use ezpc_core::protocol::{
    Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal, Signedness, Trunc, TwoParty,
};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::testing::run_two_over;
use ezpc_core::transport::{memory, transcript};
use ezpc_core::{Party, Result};
use sha2::{Digest, Sha256};

/// One operation of each kind of traffic.
fn program(p: &mut TwoParty) -> Result<()> {
    let own = |p: &TwoParty, party| p.party() == Some(party);
    let values = RingVec::new(Width::W32, (0..100).map(|i| i * 0x9e37_79b9).collect());
    let x = p.input(Party::Server, Width::W32, 100, own(p, Party::Server).then_some(&values))?;
    let y = p.input(Party::Client, Width::W32, 100, own(p, Party::Client).then_some(&values))?;
    let product = p.mul(&x, &y)?;
    let less = p.less_than(&x, &y, Signedness::Signed)?;
    let chosen = p.mux(&less, &product, &y)?;
    let small = p.trunc(&chosen, 5, Trunc::Floor)?;
    let relu = p.relu(&small, Width::new(40))?;
    p.reveal(&relu, Reveal::Both)?;
    let kind = LinearKind::MatMul(MatMulSpec { rows: 64, inner: 50, cols: 2 });
    let spec = LinearSpec { kind, input: Width::W32, shift: 12, weight_bits: 8 };
    let weights = own(p, Party::Server).then(|| (0..3200).map(|i| i % 200 - 100).collect());
    let layer = Linear::new(spec, Operand::Private { owner: Party::Server, values: weights }, None)?;
    let image = p.scale(&x, &[0]);
    p.linear(&layer, &image)?;
    Ok(())
}

fn digests() -> [String; 2] {
    let (server, client) = memory::pair();
    let ((server, from_server), (client, from_client)) =
        (transcript::record(server), transcript::record(client));
    run_two_over([server, client], program).expect("no error");
    [from_server.sent(), from_client.sent()]
        .map(|bytes| Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[test]
fn the_bytes_on_the_wire_are_those_of_the_baseline() {
    let digests = digests();
    let baseline = include_str!("wire.baseline");
    let lines: Vec<&str> = baseline.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, [format!("server {}", digests[0]), format!("client {}", digests[1])]);
}

#[test]
fn two_runs_with_the_same_seeds_send_the_same_bytes() {
    assert_eq!(digests(), digests());
}
