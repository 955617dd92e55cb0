//! Ideal correlated OTs from one place that sees everything. For tests; not a protocol.

use super::cots::View;
use super::domain::PadKeys;
use super::{ReceiverCots, SenderCots};
use crate::crypto::{Block, SessionId};
use crate::party::Party;
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
    let mut session = [0; 32];
    rng.fill_bytes(&mut session);
    let keys = Arc::new(PadKeys::new(&SessionId::new(session), sender));
    let delta = Block::random(rng).with_lsb();
    let macs: Vec<Block> = (0..count).map(|_| Block::random(rng)).collect();
    let blocks = macs.iter().map(|&t| t ^ (Block::mask(t.lsb()) & delta)).collect();
    (
        SenderCots::new(Arc::clone(&keys), 0, delta, View::of(blocks)),
        ReceiverCots::new(keys, 0, View::of(macs)),
    )
}
