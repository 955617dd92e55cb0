//! The first messages of a session, from a peer that sends the input: the hello, then a hash to agree on, then public data
//! of a length that the peer names.

#![no_main]

use ezpc_core::Party;
use ezpc_core::transport::Channel;
use ezpc_core::transport::handshake::{Parameters, agree, exchange_public, open};
use ezpc_tests::replay::{Piece, Replay, Then};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let replay = Replay::new(vec![Piece::Bytes(data.to_vec())], Then::HangUp);
    let mut channel = Channel::new(replay, Party::Server, Duration::from_secs(20)).expect("it always opens");
    let parameters = Parameters::new().with("program", "fuzz").with("cots", "ferret k=49152");
    if let Err(error) = open(&mut channel, &parameters, [7; 16]) {
        assert!(
            error.to_string().starts_with("handshake: ") && error.to_string().lines().count() == 1,
            "{error}"
        );
        return;
    }
    // Whether the hash agrees or not, we read on.
    let _ = agree(&mut channel, "the shape", b"of this run");
    if let Ok(public) = exchange_public(&mut channel, "the card", b"samples=7".to_vec(), 1 << 10) {
        assert!(public.len() <= 1 << 10 && public.len() <= data.len());
    }
});
