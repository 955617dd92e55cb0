//! Rates of the parts of the engines, printed. Not checked.

use super::ferret::{self, Kind};
use super::{PadDomain, Tiles, digit_ots, ideal, quads, softspoken};
use crate::arch::fixed_key::{FixedKey, Patch};
use crate::arch::transpose::transpose;
use crate::crypto::{Aes, Block, Mmo, Prg, SessionId};
use crate::party::Party;
use std::hint::black_box;
use std::time::Instant;

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn time<T>(what: &str, count: usize, mut f: impl FnMut() -> T) -> T {
    let mut best = f64::INFINITY;
    let mut output = None;
    for _ in 0..20 {
        let start = Instant::now();
        output = Some(black_box(f()));
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    println!("{what:40} {:8.2} ns each", best / count as f64);
    output.expect("it ran")
}

#[test]
#[ignore = "measures; run it in release with --nocapture"]
fn rates() {
    let session = SessionId::new([1; 32]);
    let mut rng = Prg::from_seed(Block::new(1));
    let delta = Block::random_delta(&mut rng);
    let mut pairs = vec![[Block::ZERO; 2]; 128];
    rng.fill_blocks(pairs.as_flattened_mut());
    let chosen: Vec<Block> =
        (0..128).map(|i| pairs[i][(softspoken::base_choices(delta).bits() >> i & 1) as usize]).collect();
    let (mut receiver, trees) = softspoken::Receiver::new(&session, Party::Server, &pairs);
    let mut sender = softspoken::Sender::new(&session, Party::Server, delta, &chosen, &trees);
    let mut blocks = vec![Block::ZERO; 4096];
    let aes = Aes::new(delta);
    time("aes", 4096, || aes.encrypt(&mut blocks));
    let mmo = Mmo::new(delta);
    time("mmo hash", 4096, || mmo.hash_blocks(&mut blocks));
    time("mmo hash, batches of 64", 4096, || blocks.chunks_mut(64).for_each(|b| mmo.hash_blocks(b)));
    time("mmo hash, batches of 8", 4096, || blocks.chunks_mut(8).for_each(|b| mmo.hash_blocks(b)));
    let fixed = FixedKey::new(3);
    let mut buffer = vec![5_u128; 2 * 192 * 4];
    let mut leaves = vec![5_u128; 2 * 192 * 4];
    let sets = 1000;
    time("expand 96 nodes, per parent", sets * 96 * 4, || {
        for _ in 0..sets {
            black_box(fixed.expand(black_box(&mut buffer), 96, black_box(&Patch::NONE)));
        }
    });
    time("expand 192 last, per parent", sets * 192 * 4, || {
        for _ in 0..sets {
            let parents = &buffer[..192 * 4];
            black_box(fixed.expand_last(black_box(parents), &mut leaves, black_box(&Patch::NONE)));
        }
    });
    time("expand 3 nodes, per call", sets, || {
        for _ in 0..sets {
            black_box(fixed.expand(black_box(&mut buffer), 3, black_box(&Patch::NONE)));
        }
    });
    time("patch, per node", sets * 256 * 4, || {
        for _ in 0..sets {
            fixed.patch(black_box(&mut leaves), black_box(&Patch::NONE));
        }
    });
    let mut square = [5_u128; 128];
    time("transpose, per column", 128 * sets, || {
        for _ in 0..sets {
            transpose(black_box(&mut square));
        }
    });
    let mut bytes = vec![0_u8; 1 << 16];
    time("prg, per 16 bytes", 1 << 12, || rng.fill_bytes(&mut bytes));
    let n = 1 << 17;
    let (_, corrections) = time("softspoken receiver", n, || receiver.extend(n));
    time("softspoken sender", n, || sender.extend(n, &corrections));

    let code = time("code, per row", ferret::LENGTH, || ferret::Code::new(&session));
    for kind in [Kind::Cots, Kind::Quads] {
        let (mut receiver, trees) = softspoken::Receiver::new(&session, Party::Server, &pairs);
        let mut sender = softspoken::Sender::new(&session, Party::Server, delta, &chosen, &trees);
        let (mut macs, corrections) = receiver.extend(2 * kind.base().next_multiple_of(128));
        let mut keys = sender.extend(macs.len(), &corrections);
        if kind == Kind::Quads {
            (macs, keys) = (quads::pair_up(&macs), quads::pair_up(&keys));
        }
        let mut sender = ferret::Sender::new(kind, &session, Party::Server, delta, &keys);
        let mut receiver = ferret::Receiver::new(kind, &session, Party::Server, &macs);
        let output = kind.output();
        let flips = time(&format!("{kind:?}: receiver asks"), output, || receiver.ask(&mut rng));
        let mut ots = vec![Block::ZERO; ferret::LENGTH];
        let answer =
            time(&format!("{kind:?}: sender answers"), output, || sender.answer(&flips, &code, &mut ots));
        time(&format!("{kind:?}: receiver finishes"), output, || receiver.finish(&answer, &code, &mut ots));

        // As in a session: both directions in turn, into memory that was used a round ago.
        let mut buffers: Vec<_> = (0..4).map(|_| vec![Block::ZERO; ferret::LENGTH]).collect();
        time(&format!("{kind:?}: both directions in turn"), 2 * output, || {
            buffers.rotate_left(2);
            sender.answer(&flips, &code, &mut buffers[0]);
            let _ = receiver.ask(&mut rng);
            receiver.finish(&answer, &code, &mut buffers[1]);
        });
    }

    for m in 1..=4 {
        let n = 1 << 12;
        let ots = digit_ots(Party::Server, m, n);
        let (mut senders, mut receivers): (Vec<_>, Vec<_>) =
            (0..20).map(|_| ideal::deal_ots(Party::Server, ots, &mut rng)).unzip();
        let (mut pads, mut digits, mut tiles) = (vec![0_u64; n << m], vec![0; n], Tiles::new());
        time(&format!("sender's pads of {m} bits"), n, || {
            let sender = senders.pop().expect("twenty");
            sender.digit_pads_into(m, PadDomain::Chain, &mut tiles, &mut pads);
        });
        time(&format!("receiver's pads of {m} bits"), n, || {
            let receiver = receivers.pop().expect("twenty");
            receiver.digit_pads_into(m, PadDomain::Chain, &mut tiles, &mut digits, &mut pads[..n]);
        });
    }
}
