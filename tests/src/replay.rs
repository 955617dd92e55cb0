//! Whole runs of small programs, recorded message by message, and peers that are recordings.

use ezpc_core::crypto::{Block, Prg};
use ezpc_core::protocol::{
    Config, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal, Signedness, Trunc,
    TwoParty,
};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::cost::Ots;
use ezpc_core::transport::{Halves, Transport, memory};
use ezpc_core::{Party, Result};
use ezpc_ml::card::{Card, Limits};
use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::passes;
use ezpc_ml::onnx;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What a run computes, as numbers.
pub type Outcome = Vec<u64>;

/// One program with what its recording needs.
#[derive(Debug)]
pub struct Program {
    /// Its name in the handshake.
    pub name: &'static str,
    /// One party of it.
    pub run: fn(&mut TwoParty) -> Result<Outcome>,
    /// Out of a hundred runs.
    pub share: u64,
}

/// One of each kind of traffic.
pub const PROGRAMS: [Program; 4] = [
    Program { name: "gadgets", run: gadgets, share: 55 },
    Program { name: "layer", run: layer, share: 20 },
    Program { name: "public data", run: public_data, share: 20 },
    Program { name: "many transfers", run: many_transfers, share: 5 },
];

fn inputs(p: &mut TwoParty, width: Width, len: usize) -> Result<[<TwoParty as Protocol>::Arith; 2]> {
    let values =
        RingVec::new(width, (0..len as u64).map(|i| i.wrapping_mul(0x9e37_79b9) & width.mask()).collect());
    let own = |p: &TwoParty, party| (p.party() == Some(party)).then_some(&values);
    Ok([
        p.input(Party::Server, width, len, own(p, Party::Server))?,
        p.input(Party::Client, width, len, own(p, Party::Client))?,
    ])
}

fn opened(p: &mut TwoParty, x: &<TwoParty as Protocol>::Arith) -> Result<Outcome> {
    Ok(p.reveal(x, Reveal::Both)?.expect("opened to both").into_lanes())
}

fn gadgets(p: &mut TwoParty) -> Result<Outcome> {
    let [x, y] = inputs(p, Width::new(20), 7)?;
    let product = p.mul(&x, &y)?;
    let less = p.less_than(&x, &y, Signedness::Signed)?;
    let equal = p.equal(&x, &y)?;
    let both = p.and(&less, &equal)?;
    let chosen = p.mux(&less, &product, &y)?;
    let small = p.trunc(&chosen, 5, Trunc::Floor)?;
    let relu = p.relu(&small, Width::new(40))?;
    let wide = p.bit_to_arith(&both, Width::new(40))?;
    let sum = p.add(&relu, &wide);
    opened(p, &sum)
}

fn layer(p: &mut TwoParty) -> Result<Outcome> {
    let [_, y] = inputs(p, Width::W32, 16)?;
    let kind = LinearKind::MatMul(MatMulSpec { rows: 8, inner: 16, cols: 1 });
    let spec = LinearSpec { kind, input: Width::W32, shift: 12, weight_bits: 8 };
    let own = p.party() == Some(Party::Server);
    let weights = own.then(|| (0..128).map(|i| i % 200 - 100).collect());
    let linear = Linear::new(spec, Operand::Private { owner: Party::Server, values: weights }, None)?;
    let z = p.linear(&linear, &y)?;
    let signs = p.msb(&z)?;
    Ok(p.reveal_bool(&signs, Reveal::Both)?.expect("opened to both").to_lanes())
}

/// The card of a small model, as the vendor sends it.
fn card() -> &'static str {
    static CARD: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CARD.get_or_init(|| {
        let path = crate::root().join("examples/data/digits_cnn.onnx");
        let graph = passes::optimise(onnx::load(&path).expect("the example model").graph);
        compile(&graph, &Options::default()).expect("compiles").card.to_text()
    })
}

fn public_data(p: &mut TwoParty) -> Result<Outcome> {
    let limits = Limits::default();
    let mine =
        if p.party() == Some(Party::Server) { card().as_bytes().to_vec() } else { b"samples=7".to_vec() };
    let theirs = p.exchange_public("the model card", mine, 1 << 16)?;
    let outputs = match p.party() {
        Some(Party::Client) => Card::from_text(&theirs, &limits)?.output_len(),
        _ => Card::from_text(card().as_bytes(), &limits)?.output_len(),
    };
    p.agree("the outputs", &outputs.to_le_bytes())?;
    let [x, _] = inputs(p, Width::new(7), 3)?;
    opened(p, &x)
}

fn many_transfers(p: &mut TwoParty) -> Result<Outcome> {
    p.discard_ots(Ots { cots: [200_000, 1000], quads: [1000, 100_000] })?;
    let [x, y] = inputs(p, Width::new(20), 7)?;
    let z = p.mul(&x, &y)?;
    opened(p, &z)
}

/// One party of `program` from the handshake to the end, with fixed seeds.
///
/// # Errors
/// Whatever goes wrong.
pub fn party(
    program: &Program,
    transport: impl Transport + 'static,
    party: Party,
    timeout: Duration,
) -> Result<Outcome> {
    let rng = Prg::from_seed(Block::new(1 + party.index() as u128));
    let mut config = Config::program(program.name);
    config.timeout = timeout;
    let mut p = TwoParty::connect_seeded(transport, party, &config, rng)?;
    let outcome = (program.run)(&mut p)?;
    p.close()?;
    Ok(outcome)
}

/// Remembers the writes of a party, one message each.
#[derive(Debug)]
pub struct Tap<T> {
    inner: T,
    messages: Messages,
}

/// What a party sent so far, one vector a message.
pub type Messages = Arc<Mutex<Vec<Vec<u8>>>>;

impl<T> Tap<T> {
    /// `inner`, and where its messages are remembered.
    pub fn new(inner: T) -> (Self, Messages) {
        let messages = Messages::default();
        (Self { inner, messages: Arc::clone(&messages) }, messages)
    }
}

impl<T: Transport> Transport for Tap<T> {
    fn peer(&self) -> String {
        self.inner.peer()
    }
    fn split(&self) -> Result<Halves> {
        let (read, write) = self.inner.split()?;
        Ok((read, Box::new(TapWriter { stream: write, messages: Arc::clone(&self.messages) })))
    }
    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.inner.set_timeout(timeout)
    }
    fn shutdown(&self) {
        self.inner.shutdown();
    }
}

struct TapWriter {
    stream: Box<dyn Write + Send>,
    messages: Messages,
}

impl Write for TapWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(buffer[..count].to_vec());
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What was remembered.
#[must_use]
pub fn taken(messages: &Messages) -> Vec<Vec<u8>> {
    std::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An honest run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What both computed.
    pub outcome: Outcome,
    /// The messages of the server and of the client.
    pub sent: [Vec<Vec<u8>>; 2],
}

/// Runs both parties and remembers what they send.
///
/// # Panics
/// When the run fails.
#[must_use]
pub fn record(program: &Program) -> Recording {
    let (a, b) = memory::pair();
    let ((server, from_server), (client, from_client)) = (Tap::new(a), Tap::new(b));
    let timeout = Duration::from_secs(60);
    let outcomes = thread::scope(|scope| {
        let client = scope.spawn(move || party(program, client, Party::Client, timeout));
        [party(program, server, Party::Server, timeout), client.join().expect("no panic")]
    });
    let [server, client] = outcomes.map(|outcome| outcome.expect("an honest run"));
    assert_eq!(server, client, "{}", program.name);
    Recording { outcome: server, sent: [from_server, from_client].map(|messages| taken(&messages)) }
}

/// What the changed recording does after its last byte, or at a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// It ends the connection.
    HangUp,
    /// It says nothing until the time-out.
    Silence,
}

/// A piece of the changed stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Piece {
    /// These come at once.
    Bytes(Vec<u8>),
    /// Nothing comes for this long.
    Pause(Duration),
}

/// The peer: a changed recording, to which nobody listens.
#[derive(Debug)]
pub struct Replay {
    pieces: Mutex<Option<(Vec<Piece>, Then)>>,
}

impl Replay {
    /// A peer that sends `pieces`.
    #[must_use]
    pub const fn new(pieces: Vec<Piece>, then: Then) -> Self {
        Self { pieces: Mutex::new(Some((pieces, then))) }
    }
}

impl Transport for Replay {
    fn peer(&self) -> String {
        "a recording".into()
    }
    fn split(&self) -> Result<Halves> {
        let (pieces, then) = self.pieces.lock().expect("no panic").take().expect("split once");
        let read = ReplayReader { pieces: pieces.into_iter().collect(), at: 0, then };
        Ok((Box::new(read), Box::new(io::sink())))
    }
    fn set_timeout(&self, _: Duration) -> Result<()> {
        Ok(())
    }
    fn shutdown(&self) {}
}

struct ReplayReader {
    pieces: VecDeque<Piece>,
    at: usize,
    then: Then,
}

impl Read for ReplayReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.pieces.front() {
                Some(Piece::Bytes(bytes)) if self.at < bytes.len() => {
                    let count = (bytes.len() - self.at).min(buffer.len());
                    buffer[..count].copy_from_slice(&bytes[self.at..self.at + count]);
                    self.at += count;
                    return Ok(count);
                }
                Some(Piece::Bytes(_)) => {
                    self.pieces.pop_front();
                    self.at = 0;
                }
                Some(Piece::Pause(time)) => {
                    thread::sleep(*time);
                    self.pieces.pop_front();
                }
                None if self.then == Then::HangUp => return Ok(0),
                // A peer that says nothing until the time-out; waiting for it here would only take time.
                None => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}
