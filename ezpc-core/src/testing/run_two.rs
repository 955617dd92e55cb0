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
    run_two_with(&Config::default(), program)
}

/// As [`run_two`], configured.
///
/// # Errors
/// The first error of either party.
///
/// # Panics
/// When `program` panics.
pub fn run_two_with<T: Send>(
    config: &Config,
    program: impl Fn(&mut TwoParty) -> Result<T> + Sync,
) -> Result<[T; 2]> {
    let (server, client) = memory::pair();
    run_both([server, client], config, program)
}

/// As [`run_two`], over the server's and the client's end of a transport.
///
/// # Errors
/// The first error of either party.
///
/// # Panics
/// When `program` panics.
pub fn run_two_over<T: Send>(
    ends: [impl Transport + 'static; 2],
    program: impl Fn(&mut TwoParty) -> Result<T> + Sync,
) -> Result<[T; 2]> {
    run_both(ends, &Config::default(), program)
}

fn run_both<T: Send>(
    [server, client]: [impl Transport + 'static; 2],
    config: &Config,
    program: impl Fn(&mut TwoParty) -> Result<T> + Sync,
) -> Result<[T; 2]> {
    let program = &program;
    std::thread::scope(|scope| {
        let parties = [(Party::Server, server), (Party::Client, client)];
        let threads = parties.map(|(party, transport)| {
            scope.spawn(move || -> Result<T> {
                let rng = Prg::from_seed(Block::new(1 + party.index() as u128));
                let mut protocol = TwoParty::connect_seeded(transport, party, config, rng)?;
                program(&mut protocol)
            })
        });
        let [server, client] =
            threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok([server?, client?])
    })
}
