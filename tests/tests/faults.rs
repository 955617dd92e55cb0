//! The connection breaks, at every message of a small run: both parties say so, at once.

use ezpc_core::protocol::{Protocol, Reveal, Signedness, TwoParty};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::fault::{Fault, Faulty};
use ezpc_core::transport::{Transport, memory};
use ezpc_core::{ErrorKind, Party, Result};
use ezpc_tests::replay::{Program, party, record};
use std::thread;
use std::time::Duration;

/// Long enough that nothing here ends by it.
const TIMEOUT: Duration = Duration::from_secs(300);

fn program(p: &mut TwoParty) -> Result<Vec<u64>> {
    let w = Width::new(20);
    let values = RingVec::new(w, vec![3, 1, 4, 1, 5, 9, 2]);
    let own = |p: &TwoParty, party| (p.party() == Some(party)).then_some(&values);
    let x = p.input(Party::Server, w, 7, own(p, Party::Server))?;
    let y = p.input(Party::Client, w, 7, own(p, Party::Client))?;
    let product = p.mul(&x, &y)?;
    let less = p.less_than(&product, &y, Signedness::Signed)?;
    let chosen = p.mux(&less, &x, &product)?;
    Ok(p.reveal(&chosen, Reveal::Both)?.expect("opened to both").into_lanes())
}

const PROGRAM: Program = Program { name: "faults", run: program, share: 100 };

fn both([server, client]: [impl Transport + 'static; 2], timeout: Duration) -> [Result<Vec<u64>>; 2] {
    thread::scope(|scope| {
        let client = scope.spawn(move || party(&PROGRAM, client, Party::Client, timeout));
        [party(&PROGRAM, server, Party::Server, timeout), client.join().expect("no panic")]
    })
}

/// Where the messages of the server and of the client end in their streams.
fn message_ends() -> [Vec<u64>; 2] {
    record(&PROGRAM).sent.map(|messages| {
        let mut end = 0;
        let ends = messages.iter().map(|message| {
            end += message.len() as u64;
            end
        });
        ends.collect()
    })
}

#[test]
fn a_connection_that_breaks_at_any_message_is_an_error_on_both_sides() {
    for (sender, ends) in message_ends().into_iter().enumerate() {
        assert!(ends.len() >= 8, "{ends:?}");
        // Before a message, in the middle of it, and before its last byte; the last end is after everything.
        let before = [0].iter().chain(&ends[..ends.len() - 1]);
        let places = before.zip(&ends).flat_map(|(start, end)| [*start, start.midpoint(*end), end - 1]);
        for place in places {
            let (server, client) = memory::pair();
            let whole = u64::MAX;
            let limits = if sender == 0 { [place, whole] } else { [whole, place] };
            let pair = [
                Faulty::new(server, Fault::DropAfter(limits[0])),
                Faulty::new(client, Fault::DropAfter(limits[1])),
            ];
            for (outcome, party) in both(pair, TIMEOUT).into_iter().zip(Party::BOTH) {
                let error = outcome.expect_err("the connection broke");
                let what = format!("the {party}, byte {place} of party {sender}: {error}");
                assert_eq!(error.kind(), ErrorKind::Closed, "{what}");
                assert_eq!(error.to_string().lines().count(), 1, "{what}");
            }
        }
    }
}

#[test]
fn a_peer_that_falls_silent_at_any_message_is_an_error_on_both_sides() {
    for (sender, ends) in message_ends().into_iter().enumerate() {
        for place in [0].iter().chain(&ends[..ends.len() - 1]) {
            let (server, client) = memory::pair();
            let limits = if sender == 0 { [*place, u64::MAX] } else { [u64::MAX, *place] };
            let pair = limits
                .into_iter()
                .zip([server, client])
                .map(|(limit, end)| Faulty::new(end, Fault::Swallow(limit)));
            let pair: Vec<_> = pair.collect();
            let outcomes =
                both(pair.try_into().unwrap_or_else(|_| panic!("two")), Duration::from_millis(150));
            // Who loses only its last word has what it needs.
            let last = Some(place) == ends.iter().rev().nth(1);
            for (party, outcome) in outcomes.into_iter().enumerate() {
                if last && party == sender && outcome.is_ok() {
                    continue;
                }
                let error = outcome.expect_err("the peer fell silent");
                assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Closed), "{error}");
            }
        }
    }
}
