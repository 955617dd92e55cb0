//! Both parties in one process, each on its own thread, over memory.

use crate::crypto::{Block, Prg};
use crate::error::Result;
use crate::party::Party;
use crate::protocol::{Config, TwoParty};
use crate::transport::{Transport, memory};

/// Runs `program` at both parties of the real two-party protocol and returns what each computed, the server's
/// result first. Seeds are fixed, so that two runs send identical bytes.
///
/// # Errors
/// The first error of either party.
///
/// # Panics
/// When `program` panics.
pub fn run_two<T: Send>(program: impl Fn(&mut TwoParty) -> Result<T> + Sync) -> Result<[T; 2]> {
    let (server, client) = memory::pair();
    run_two_over([server, client], program)
}

/// As [`run_two`], over the server's and the client's end of a transport.
///
/// # Errors
/// The first error of either party.
///
/// # Panics
/// When `program` panics.
pub fn run_two_over<T: Send>(
    [server, client]: [impl Transport + 'static; 2],
    program: impl Fn(&mut TwoParty) -> Result<T> + Sync,
) -> Result<[T; 2]> {
    let program = &program;
    std::thread::scope(|scope| {
        let parties = [(Party::Server, server), (Party::Client, client)];
        let threads = parties.map(|(party, transport)| {
            scope.spawn(move || -> Result<T> {
                let rng = Prg::from_seed(Block::new(1 + party.index() as u128));
                let mut protocol = TwoParty::connect_seeded(transport, party, &Config::default(), rng)?;
                program(&mut protocol)
            })
        });
        let [server, client] =
            threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok([server?, client?])
    })
}
