//! Whole runs against a peer whose recorded messages were changed: flipped bits, cut, swapped, repeated, delayed and
//! invented ones. Every run ends in the right result or in a named error: no panic, no hang, no result that is wrong,
//! and no more memory than an honest run.
//!
//! One party is alive, with the seeds of the recording; the other one is the changed recording. `EZPC_RUNS` and
//! `EZPC_FIRST` say how many runs and where to start, to look at one again.

#![allow(unsafe_code, reason = "an allocator that counts")]

use ezpc_core::crypto::{Block, Prg};
use ezpc_core::protocol::{
    Config, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal, Signedness, Trunc,
    TwoParty,
};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::{Halves, Transport, memory};
use ezpc_core::{Error, ErrorKind, Party, Result};
use ezpc_ml::card::{Card, Limits};
use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::passes;
use ezpc_ml::onnx;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Counts the bytes in use and their peak.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(used, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a run computes, as numbers.
type Outcome = Vec<u64>;

/// One program with what its recording needs.
struct Program {
    name: &'static str,
    run: fn(&mut TwoParty) -> Result<Outcome>,
    /// Out of a hundred runs.
    share: u64,
}

const PROGRAMS: [Program; 4] = [
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
        let path = ezpc_tests::root().join("examples/data/digits_cnn.onnx");
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
    p.discard_cots([200_000, 1000])?;
    let [x, y] = inputs(p, Width::new(20), 7)?;
    let z = p.mul(&x, &y)?;
    opened(p, &z)
}

/// One party of `program` from the handshake to the end.
fn party(program: &Program, transport: impl Transport + 'static, party: Party) -> Result<Outcome> {
    let rng = Prg::from_seed(Block::new(1 + party.index() as u128));
    let mut config = Config::program(program.name);
    config.timeout = Duration::from_secs(20);
    let mut p = TwoParty::connect_seeded(transport, party, &config, rng)?;
    let outcome = (program.run)(&mut p)?;
    p.close()?;
    Ok(outcome)
}

/// Remembers the writes of a party, one message each.
struct Tap<T> {
    inner: T,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
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
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Write for TapWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.messages.lock().expect("no panic").push(buffer[..count].to_vec());
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// An honest run: what both computed, what each sent, and the memory it took.
struct Recording {
    outcome: Outcome,
    sent: [Vec<Vec<u8>>; 2],
}

fn record(program: &Program) -> Recording {
    let (a, b) = memory::pair();
    let sent = [Arc::default(), Arc::default()];
    let taps =
        [Tap { inner: a, messages: Arc::clone(&sent[0]) }, Tap { inner: b, messages: Arc::clone(&sent[1]) }];
    let outcomes = thread::scope(|scope| {
        let [server, client] = taps;
        let client = scope.spawn(move || party(program, client, Party::Client));
        [party(program, server, Party::Server), client.join().expect("no panic")]
    });
    let [server, client] = outcomes.map(|outcome| outcome.expect("an honest run"));
    assert_eq!(server, client, "{}", program.name);
    Recording { outcome: server, sent: sent.map(|m| std::mem::take(&mut *m.lock().expect("no panic"))) }
}

/// What the changed recording does after its last byte, or at a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    HangUp,
    Silence,
}

/// A piece of the changed stream.
enum Piece {
    Bytes(Vec<u8>),
    /// Nothing comes for this long.
    Pause(Duration),
}

/// The peer: a changed recording, to which nobody listens.
struct Replay {
    pieces: Mutex<Option<(Vec<Piece>, Then)>>,
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
    pieces: std::collections::VecDeque<Piece>,
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

/// Numbers for one mutated run.
struct Dice(Prg);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        let bits = self.0.block().to_bytes();
        let number = u64::from_le_bytes(bits[..8].try_into().expect("eight bytes"));
        usize::try_from(number % bound.max(1) as u64).expect("below a usize")
    }
}

/// Changes the messages of a peer; says how.
fn mutate(messages: &[Vec<u8>], dice: &mut Dice) -> (&'static str, Vec<Piece>, Then) {
    let mut messages = messages.to_vec();
    let count = messages.len();
    let at = dice.below(count);
    let place = dice.below(messages[at].len());
    let then = if dice.below(8) == 0 { Then::Silence } else { Then::HangUp };
    let mut pause = None;
    let kind = match dice.below(11) {
        0 | 1 => {
            messages[at][place] ^= 1 << dice.below(8);
            "flipped bit"
        }
        2 => {
            for _ in 0..=dice.below(16) {
                let at = dice.below(count);
                let place = dice.below(messages[at].len());
                messages[at][place] ^= 1 << dice.below(8);
            }
            "flipped bits"
        }
        3 => {
            messages[at].truncate(place);
            "cut message"
        }
        4 => {
            messages[at].truncate(place);
            messages.truncate(at + 1);
            "cut connection"
        }
        5 => {
            messages.swap(at, dice.below(count));
            "swapped messages"
        }
        6 => {
            let again = messages[at].clone();
            messages.insert(at, again);
            "repeated message"
        }
        7 => {
            messages.remove(at);
            "lost message"
        }
        8 => {
            // Once in a while a real pause; a longer one than the time-out otherwise.
            pause = Some((at, dice.below(16) == 0));
            "delayed message"
        }
        9 => {
            let fill = [0, 0xff, 0x80, 1][dice.below(4)];
            messages[at].fill(fill);
            "constant message"
        }
        _ => {
            let len = messages[at].len();
            messages[at] = (0..len).map(|_| u8::try_from(dice.below(256)).expect("below 256")).collect();
            "invented message"
        }
    };
    let mut pieces = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        match pause {
            Some((at, false)) if at == index => return (kind, pieces, Then::Silence),
            Some((at, true)) if at == index => pieces.push(Piece::Pause(Duration::from_millis(2))),
            _ => {}
        }
        pieces.push(Piece::Bytes(message));
    }
    (kind, pieces, then)
}

/// Ends the whole process when one run hangs: a hang is a failure, and nothing else can end it.
fn watch(current: &'static AtomicU64) {
    thread::spawn(move || {
        let mut last = (u64::MAX, Instant::now());
        loop {
            thread::sleep(Duration::from_secs(1));
            let now = current.load(Ordering::Relaxed);
            if now == u64::MAX {
                return;
            }
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > Duration::from_secs(60) {
                eprintln!("run {now} hangs");
                std::process::abort();
            }
        }
    });
}

fn mutated_runs(first: u64, count: u64) {
    static CURRENT: AtomicU64 = AtomicU64::new(0);
    // Recordings of their own threads are recorded before memory is measured.
    let recordings: Vec<Recording> = PROGRAMS.iter().map(record).collect();
    let mut honest = Vec::new();
    for (program, recording) in PROGRAMS.iter().zip(&recordings) {
        for live in Party::BOTH {
            let messages = recording.sent[live.peer().index()].iter().cloned().map(Piece::Bytes).collect();
            let replay = Replay { pieces: Mutex::new(Some((messages, Then::HangUp))) };
            let before = USED.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let outcome = party(program, replay, live).expect("an honest recording");
            assert_eq!(outcome, recording.outcome, "{} as the {live}", program.name);
            honest.push(PEAK.load(Ordering::Relaxed).saturating_sub(before));
        }
    }
    watch(&CURRENT);
    let mut table: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut worst = 0.0_f64;
    for run in first..first + count {
        CURRENT.store(run, Ordering::Relaxed);
        let mut dice = Dice(Prg::from_seed(Block::new(u128::from(run) << 64 | 0x6d75_7461)));
        let mut left = u64::try_from(dice.below(100)).expect("below a hundred");
        let which = PROGRAMS.iter().position(|p| left.checked_sub(p.share).map(|l| left = l).is_none());
        let which = which.expect("the shares add up to a hundred");
        let live = Party::BOTH[dice.below(2)];
        let (kind, pieces, then) = mutate(&recordings[which].sent[live.peer().index()], &mut dice);
        let replay = Replay { pieces: Mutex::new(Some((pieces, then))) };
        let before = USED.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let result = catch_unwind(AssertUnwindSafe(|| party(&PROGRAMS[which], replay, live)));
        let what = format!("run {run}: {kind} in {}, the {live} alive", PROGRAMS[which].name);
        let took = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        let allowed = honest[2 * which + live.index()];
        worst = worst.max(took as f64 / allowed as f64);
        assert!(took <= 2 * allowed + (1 << 20), "{what}: {took} bytes, an honest run takes {allowed}");
        let ending = match result {
            Err(_) => panic!("{what}: panics"),
            Ok(Ok(outcome)) => {
                assert_eq!(outcome, recordings[which].outcome, "{what}: a wrong result");
                "right result"
            }
            Ok(Err(error)) => name(&error, &what),
        };
        *table.entry((kind, ending)).or_default() += 1;
    }
    CURRENT.store(u64::MAX, Ordering::Relaxed);
    println!("{count} mutated runs; most memory {worst:.2} times an honest run's");
    for ((kind, ending), count) in table {
        println!("{kind:<18} {ending:<14} {count:>8}");
    }
}

/// A named error has a kind that a peer can cause, and one line.
fn name(error: &Error, what: &str) -> &'static str {
    let message = error.to_string();
    assert!(!message.is_empty() && message.lines().count() == 1, "{what}: {message:?}");
    match error.kind() {
        ErrorKind::Closed => "closed",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Handshake => "handshake",
        ErrorKind::Peer => "peer",
        // What a data owner says about a card that it does not accept.
        ErrorKind::Usage => "refused",
        kind => panic!("{what}: {kind:?} {message}"),
    }
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn some_mutated_runs_end_right_or_in_a_named_error() {
    mutated_runs(variable("EZPC_FIRST", 0), variable("EZPC_RUNS", 400));
}
