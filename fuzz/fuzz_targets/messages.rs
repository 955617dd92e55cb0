//! Every decoder of a message: a whole run in which the input replaces the peer's messages from some place on, hello,
//! points, trees, corrections, ciphertexts, openings, cards. It ends in a result or in an error.

#![no_main]

use ezpc_core::Party;
use ezpc_tests::replay::{PROGRAMS, Piece, Recording, Replay, Then, party, record};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    static RECORDINGS: OnceLock<Vec<Recording>> = OnceLock::new();
    let recordings = RECORDINGS.get_or_init(|| PROGRAMS.iter().map(record).collect());
    let [which, live, message, place, rest @ ..] = data else { return };
    // The heavy program last, and seldom.
    let which = usize::from(*which) % (PROGRAMS.len() - usize::from(*place != 0));
    let live = Party::BOTH[usize::from(*live) % 2];
    let mut messages = recordings[which].sent[live.peer().index()].clone();
    // The messages from here on, byte for byte as far as the input goes.
    let mut rest = rest.iter();
    let first = usize::from(*message) % messages.len();
    let start = usize::from(*place) * messages[first].len() / 256;
    for byte in messages[first][start..].iter_mut() {
        *byte = rest.next().copied().unwrap_or(*byte);
    }
    for byte in messages[first + 1..].iter_mut().flatten() {
        *byte = rest.next().copied().unwrap_or(*byte);
    }
    let pieces = messages.into_iter().map(Piece::Bytes).collect();
    let replay = Replay::new(pieces, Then::HangUp);
    if let Ok(outcome) = party(&PROGRAMS[which], replay, live, Duration::from_secs(20)) {
        assert_eq!(outcome, recordings[which].outcome, "a wrong result");
    }
});
