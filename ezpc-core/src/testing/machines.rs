//! Two machines against each other in one thread, with their traffic counted.

use crate::error::Result;
use crate::transport::cost::Cost;
use crate::transport::machine::{Io, Machine, Step};
use core::cell::RefCell;
use core::future::Future;

/// Runs the server's and the client's protocol and returns their outputs and what they cost, COTs aside.
///
/// # Panics
/// When one fails, or they disagree about lengths or depth.
pub fn run_machines<A, B, FA, FB>(
    server: impl FnOnce(Io) -> FA,
    client: impl FnOnce(Io) -> FB,
) -> (A, B, Cost)
where
    FA: Future<Output = Result<A>>,
    FB: Future<Output = Result<B>>,
{
    let (a, b) = (RefCell::new(None), RefCell::new(None));
    let mut cost = Cost::none();
    {
        let (mut server, mut client) = (machine(server, &a), machine(client, &b));
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        loop {
            let (mut from_server, mut from_client) = (Vec::new(), Vec::new());
            let one = server.step(to_server, &mut from_server).expect("the server succeeds");
            let two = client.step(to_client, &mut from_client).expect("the client succeeds");
            match (one, two) {
                (Step::Done, Step::Done) => break,
                (Step::Need { bytes: a, level }, Step::Need { bytes: b, level: same }) => {
                    assert_eq!((a, b), (from_client.len(), from_server.len()), "lengths disagree");
                    assert_eq!(level, same, "levels disagree");
                    let sent = Cost::level(from_server.len(), from_client.len());
                    cost = if level { cost.then(sent) } else { cost.then_more(sent) };
                }
                _ => panic!("one party has finished, the other has not"),
            }
            (to_server, to_client) = (from_client, from_server);
        }
    }
    let done = "a finished machine has an output";
    (a.into_inner().expect(done), b.into_inner().expect(done), cost)
}

/// Runs one protocol against messages written down beforehand, one a level.
///
/// # Errors
/// The protocol's error.
///
/// # Panics
/// When the protocol wants another length or more levels.
pub fn run_against<T, F>(messages: Vec<Vec<u8>>, protocol: impl FnOnce(Io) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let output = RefCell::new(None);
    {
        let mut machine = machine(protocol, &output);
        let mut messages = messages.into_iter();
        let mut received = Vec::new();
        while let Step::Need { bytes, .. } = machine.step(received, &mut Vec::new())? {
            received = messages.next().expect("the protocol has more levels than messages");
            assert_eq!(bytes, received.len(), "the protocol wants another length");
        }
    }
    Ok(output.into_inner().expect("a finished machine has an output"))
}

fn machine<'a, T: 'a, F: Future<Output = Result<T>> + 'a>(
    protocol: impl FnOnce(Io) -> F,
    output: &'a RefCell<Option<T>>,
) -> Machine<'a> {
    Machine::new(|io| {
        let run = protocol(io);
        async move {
            *output.borrow_mut() = Some(run.await?);
            Ok(())
        }
    })
}
