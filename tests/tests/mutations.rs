//! Whole runs against a peer whose recorded messages were changed: flipped bits, cut, swapped, repeated, delayed and
//! invented ones. Every run ends in the right result or in a named error: no panic, no hang, no result that is wrong,
//! and no more memory than an honest run.
//!
//! One party is alive, with the seeds of the recording; the other one is the changed recording. `EZPC_RUNS` and
//! `EZPC_FIRST` say how many runs and where to start, to look at one again.

#![allow(clippy::print_stdout, reason = "the result is a table")]

use ezpc_core::crypto::{Block, Prg};
use ezpc_core::{Error, ErrorKind, Party, Result};
use ezpc_tests::arch::memory::Watched;
use ezpc_tests::replay::{Outcome, PROGRAMS, Piece, Program, Recording, Replay, Then, party, record};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The bytes in use, and their peak.
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn taken(bytes: usize) {
    let used = USED.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(used, Ordering::Relaxed);
}

fn freed(block: &[u8]) {
    USED.fetch_sub(block.len(), Ordering::Relaxed);
}

#[global_allocator]
static ALLOCATOR: Watched = Watched { taken, freed };

/// The live party; recordings do not wait.
fn alone(program: &Program, replay: Replay, live: Party) -> Result<Outcome> {
    party(program, replay, live, Duration::from_secs(20))
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
            let replay = Replay::new(messages, Then::HangUp);
            let before = USED.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let outcome = alone(program, replay, live).expect("an honest recording");
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
        let replay = Replay::new(pieces, then);
        let before = USED.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let result = catch_unwind(AssertUnwindSafe(|| alone(&PROGRAMS[which], replay, live)));
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
