//! Ideal correlated OTs from one place that sees everything. For tests; not a protocol.

use super::cots::View;
use super::domain::PadKeys;
use super::quads::{ReceiverQuads, SenderQuads};
use super::{ReceiverCots, ReceiverOts, SenderCots, SenderOts};
use crate::crypto::{Block, SessionId};
use crate::party::Party;
use crate::transport::cost::Ots;
use rand_core::CryptoRng;
use std::sync::Arc;

/// `count` fresh COTs with the server as their sender, both ends of them.
pub fn deal(count: usize, rng: &mut (impl CryptoRng + ?Sized)) -> (SenderCots, ReceiverCots) {
    deal_from(Party::Server, count, rng)
}

/// `count` fresh COTs with `sender` as their sender, both ends of them. Every call is a session of its own.
pub fn deal_from(
    sender: Party,
    count: usize,
    rng: &mut (impl CryptoRng + ?Sized),
) -> (SenderCots, ReceiverCots) {
    let (send, receive) = deal_ots(sender, Ots::of_cots(sender, count), rng);
    (send.cots, receive.cots)
}

/// As many fresh OTs as `ots` has of `sender`, both ends of them. Every call is a session of its own.
pub fn deal_ots(sender: Party, ots: Ots, rng: &mut (impl CryptoRng + ?Sized)) -> (SenderOts, ReceiverOts) {
    let mut session = [0; 32];
    rng.fill_bytes(&mut session);
    let session = SessionId::new(session);
    let delta = Block::random_delta(rng);
    let [cots, quads] = ots.of(sender);
    let mut deal = |count, choice_of: fn(Block) -> u8| {
        let macs: Vec<Block> = (0..count).map(|_| Block::random(rng)).collect();
        let keys = macs.iter().map(|&mac| mac ^ delta.times(choice_of(mac))).collect();
        (View::of(keys), View::of(macs))
    };
    let (cot_keys, cot_macs) = deal(cots, Block::lsb);
    let (quad_keys, quad_macs) = deal(quads, Block::choice);
    let of_cots = Arc::new(PadKeys::new(&session, sender));
    let of_quads = Arc::new(PadKeys::of_quads(&session, sender));
    let send = SenderOts {
        cots: SenderCots::new(Arc::clone(&of_cots), 0, delta, cot_keys),
        quads: SenderQuads::new(Arc::clone(&of_quads), 0, delta, quad_keys),
    };
    let receive = ReceiverOts {
        cots: ReceiverCots::new(of_cots, 0, cot_macs),
        quads: ReceiverQuads::new(of_quads, 0, quad_macs),
    };
    (send, receive)
}
