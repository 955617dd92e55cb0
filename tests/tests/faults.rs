//! The connection breaks, at every message of a small run: both parties say so, at once.

use ezpc_core::crypto::{Block, Prg};
use ezpc_core::protocol::{Config, Protocol, Reveal, Signedness, TwoParty};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::fault::{Fault, Faulty};
use ezpc_core::transport::{Halves, Transport, memory};
use ezpc_core::{ErrorKind, Party, Result};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
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

fn party(transport: impl Transport + 'static, party: Party, timeout: Duration) -> Result<Vec<u64>> {
    let mut config = Config::program("faults");
    config.timeout = timeout;
    let rng = Prg::from_seed(Block::new(1 + party.index() as u128));
    let mut p = TwoParty::connect_seeded(transport, party, &config, rng)?;
    let outcome = program(&mut p)?;
    p.close()?;
    Ok(outcome)
}

/// The positions in the stream at which the messages of a party end.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<u64>>>);

struct Watched<T>(T, Ends);

impl<T: Transport> Transport for Watched<T> {
    fn peer(&self) -> String {
        self.0.peer()
    }
    fn split(&self) -> Result<Halves> {
        let (read, write) = self.0.split()?;
        Ok((read, Box::new(WatchedWriter(write, self.1.clone()))))
    }
    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.0.set_timeout(timeout)
    }
    fn shutdown(&self) {
        self.0.shutdown();
    }
}

struct WatchedWriter(Box<dyn Write + Send>, Ends);

impl Write for WatchedWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.0.write(buffer)?;
        let mut ends = self.1.0.lock().expect("no panic");
        let last = ends.last().copied().unwrap_or(0);
        ends.push(last + count as u64);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn both([server, client]: [impl Transport + 'static; 2], timeout: Duration) -> [Result<Vec<u64>>; 2] {
    thread::scope(|scope| {
        let client = scope.spawn(move || party(client, Party::Client, timeout));
        [party(server, Party::Server, timeout), client.join().expect("no panic")]
    })
}

/// Where the messages of the server and of the client end.
fn message_ends() -> [Vec<u64>; 2] {
    let (server, client) = memory::pair();
    let ends = [Ends::default(), Ends::default()];
    let pair = [Watched(server, ends[0].clone()), Watched(client, ends[1].clone())];
    for outcome in both(pair, TIMEOUT) {
        outcome.expect("an honest run");
    }
    ends.map(|ends| ends.0.lock().expect("no panic").clone())
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
