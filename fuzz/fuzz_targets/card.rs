//! Model cards come from the peer.

#![no_main]

use ezpc_ml::card::{Card, Limits};
use ezpc_ml::graph::exec::batch_size;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(card) = Card::from_text(data, &Limits::default()) {
        assert_eq!(card.to_text().as_bytes(), data, "a card has one text");
        assert!(batch_size(&card, 10, 1 << 20) >= 1);
    }
});
