//! Hours of work in minutes: two processes run session after session, over plain TCP and TLS, of programs and models, and
//! compare every result with the computation in the clear. Memory must not grow: in the middle of the last third of sessions it
//! is compared with that of the others. Single sessions leave more behind, which the system's allocator gives back later.
//!
//! ```sh
//! cargo run --release --example soak -- --minutes 20
//! ```
//!
//! A test tool: to check results, both processes know both parties' inputs, which follow from the number of the round.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "numbers of rounds become inputs"
)]

use clap::Parser;
use ezpc_core::protocol::{Cleartext, Config, Protocol, Reveal, Signedness, Trunc, TwoParty};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::tls::{Identity, Listener, Tls, Trust, connect};
use ezpc_core::transport::{Transport, tcp};
use ezpc_core::{Error, Party, Result, secure};
use ezpc_examples::{Common, Connection, Example, Report, Ui, rss_bytes};
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::unwatched;
use ezpc_ml::graph::passes;
use ezpc_ml::infer::infer;
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use ezpc_ml::validate::encode_samples;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

secure! {
    mod mixed;

    def void main() {
        input(SERVER, a, int32_al[20]);
        input(CLIENT, b, int32_al[20]);
        int32_al best = a[0] * b[0];
        int32_al sum = 0;
        for i = [0:20] {
            int32_al product = a[i] * b[i];
            best = (product > best) ?_bl product : best;
            sum = sum + ((a[i] == b[i]) ?_bl 1 : (product / 4));
        };
        output(ALL, best);
        output(ALL, sum);
    }
}

/// Runs sessions until the time is over.
#[derive(Parser)]
struct Soak {
    #[command(flatten)]
    common: Common,

    /// How long.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
}

/// Vectors before the first session.
const WARM_UP: u64 = 2;

/// What both processes know.
struct Known {
    model: Model,
    images: Array,
}

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn failed(round: u64, what: &str) -> Error {
    Error::peer(format!("round {round}: {what} is wrong"))
}

/// A number between -1000 and 1000 that follows from a round, a place and a party.
fn number(round: u64, place: u64, party: Party) -> i32 {
    let mixed = (round * 1009 + place * 31 + party.index() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) % 2001) as i32 - 1000
}

fn numbers(round: u64, len: u64, party: Party) -> Vec<i32> {
    (0..len).map(|place| number(round, place, party)).collect()
}

/// A program in the language.
fn language(p: &mut TwoParty, round: u64) -> Result<()> {
    let [a, b] = Party::BOTH.map(|party| numbers(round, 20, party));
    let own = |party, values: &Vec<i32>| (p.party() == Some(party)).then(|| values.clone());
    let inputs = mixed::Inputs { a: own(Party::Server, &a), b: own(Party::Client, &b) };
    let opened = mixed::main(p, &inputs)?;
    let right = mixed::main(&mut Cleartext::new(), &mixed::Inputs { a: Some(a), b: Some(b) })?;
    if (opened.best, opened.sum) == (right.best, right.sum) {
        Ok(())
    } else {
        Err(failed(round, "the program"))
    }
}

/// Vectors that are long enough for silent transfers.
fn vectors<P: Protocol>(p: &mut P, round: u64, len: usize) -> Result<RingVec> {
    let w = Width::new(20);
    let values = Party::BOTH.map(|party| {
        let values = numbers(round, len as u64, party);
        RingVec::new(w, values.into_iter().map(|v| w.wrap(v as u64)).collect())
    });
    let own = |p: &P, party: Party| p.party().is_none_or(|own| own == party);
    let [x, y] = [
        p.input(Party::Server, w, len, own(p, Party::Server).then_some(&values[0]))?,
        p.input(Party::Client, w, len, own(p, Party::Client).then_some(&values[1]))?,
    ];
    let product = p.mul(&x, &y)?;
    let small = p.trunc(&product, 3, Trunc::Floor)?;
    let less = p.less_than(&small, &y, Signedness::Signed)?;
    let chosen = p.mux(&less, &x, &small)?;
    let relu = p.relu(&chosen, Width::W32)?;
    Ok(p.reveal(&relu, Reveal::Both)?.expect("opened to both"))
}

/// A model on some images, at the client compared with the fixed-point program in the clear.
fn inference(p: &mut TwoParty, round: u64, known: &Known) -> Result<()> {
    let (card, all) = (&known.model.card, encode_samples(&known.model.card, &known.images)?);
    let (size, count) = (card.input_len(), 1 + round as usize % 12);
    let start = round as usize * 7 % (known.images.shape[0] - count);
    let input = &all[start * size..(start + count) * size];
    let [vendor, client] = Party::BOTH.map(|party| p.party() == Some(party));
    let weights = vendor.then_some(&known.model.weights);
    let ours = infer(p, card, weights, client.then_some(input), [count, 5], &mut unwatched)?;
    let Some(ours) = ours else { return Ok(()) };
    let mut clear = Cleartext::new();
    let right = infer(&mut clear, card, Some(&known.model.weights), Some(input), [count, 5], &mut unwatched)?;
    let right = right.expect("everything is known in the clear").to_f64();
    let worst = ours.to_f64().iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // A few units of the opened precision: roundings of three layers.
    if ours.len() == right.len() && worst < 0.05 { Ok(()) } else { Err(failed(round, "the inference")) }
}

/// One session over a connection of its own.
fn session(transport: impl Transport + 'static, party: Party, round: u64, known: &Known) -> Result<()> {
    let mut config = Config::program(&format!("soak round {round}"));
    config.timeout = Duration::from_secs(120);
    let mut p = TwoParty::connect(transport, party, &config)?;
    for part in 0..1 + round % 3 {
        let round = round * 3 + part;
        match round % 4 {
            0 | 2 => language(&mut p, round)?,
            1 => inference(&mut p, round, known)?,
            _ => {
                let len = [7, 1000, 30_000][round as usize % 3];
                if vectors(&mut p, round, len)? != vectors(&mut Cleartext::new(), round, len)? {
                    return Err(failed(round, "a vector"));
                }
            }
        }
    }
    p.close()
}

/// Keys of this run.
fn tls(control: &mut TwoParty) -> Result<Tls> {
    let bad = |error: rcgen::Error| Error::usage(format!("cannot make a certificate: {error}"));
    let made = rcgen::generate_simple_self_signed(vec!["soak".to_owned()]).map_err(bad)?;
    let own = made.cert.pem();
    let identity = Identity::from_pem(own.as_bytes(), made.signing_key.serialize_pem().as_bytes())?;
    let theirs = control.exchange_public("the certificate", own.into_bytes(), 4096)?;
    Tls::new(&identity, Trust::pinned(&theirs)?)
}

/// A fresh connection; the server says over the control session where it listens.
fn reconnect(control: &mut TwoParty, party: Party, round: u64, tls: &Tls, known: &Known) -> Result<()> {
    const WAIT: Duration = Duration::from_secs(60);
    let secure = round % 2 == 1;
    let address = |control: &mut TwoParty, own: String| -> Result<String> {
        let text = control.exchange_public("the address", own.into_bytes(), 100)?;
        String::from_utf8(text).map_err(|_| Error::peer("the address is no text"))
    };
    match (party, secure) {
        (Party::Server, false) => {
            let listener = tcp::Listener::bind("127.0.0.1:0")?;
            address(control, listener.local_address().to_string())?;
            session(listener.accept(WAIT)?, party, round, known)
        }
        (Party::Server, true) => {
            let listener = Listener::bind("127.0.0.1:0", tls)?;
            address(control, listener.local_address().to_string())?;
            session(listener.accept(WAIT, |_| ())?, party, round, known)
        }
        (Party::Client, false) => {
            let address = address(control, String::new())?;
            session(tcp::connect(&address, WAIT)?, party, round, known)
        }
        (Party::Client, true) => {
            let address = address(control, String::new())?;
            session(connect(&address, tls, WAIT)?, party, round, known)
        }
    }
}

impl Example for Soak {
    type Input = Known;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, _: Party) -> Result<Known> {
        let options = Options { input_range: [0.0, 1.0], ..Options::default() };
        let model = compile(&passes::optimise(onnx::load(&data("digits_cnn.onnx"))?.graph), &options)?;
        Ok(Known { model, images: Array::load(&data("digits_images.npy"))? })
    }

    fn run(&self, known: Known, connection: Connection, ui: &Ui) -> Result<Report> {
        let party = connection.party();
        let mut control = connection.session("soak")?;
        let tls = tls(&mut control)?;
        // The control session has the memory of silent transfers of both kinds and directions from the beginning.
        for round in 0..WARM_UP {
            vectors(&mut control, round, 30_000)?;
        }
        let progress = ui.progress(self.minutes * 60);
        let start = Instant::now();
        let mut memory = Vec::new();
        let mut round = 0;
        loop {
            // The server decides when it is over.
            let over = party == Party::Server && start.elapsed() > Duration::from_secs(self.minutes * 60);
            let theirs = control.exchange_public("the end", vec![u8::from(over)], 1)?;
            if over || theirs == [1] {
                break;
            }
            reconnect(&mut control, party, round, &tls, &known)?;
            // The control session stays open all the time and works too.
            language(&mut control, round)?;
            memory.push(rss_bytes());
            round += 1;
            progress.set_position(start.elapsed().as_secs());
        }
        let most = memory.iter().copied().max().unwrap_or(0);
        let third = memory.len() / 3;
        let (first, last) = memory.split_at_mut(2 * third);
        let [first, last] = [first, last].map(|part| {
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or(0)
        });
        if last > first + first / 10 + (4 << 20) {
            let message = format!("memory grew from {first} to {last} bytes at the {party}");
            return Err(Error::new(ezpc_core::ErrorKind::Io, message));
        }
        let report = Report::new(control.stats())
            .line(format!(
                "{round} sessions, every result right; median memory {} MiB in the first two thirds, {} MiB in the last; most {} MiB",
                first >> 20,
                last >> 20,
                most >> 20
            ))
            .field("rounds", round)
            .field("first_rss_bytes", first)
            .field("last_rss_bytes", last)
            .field("most_rss_bytes", most);
        control.close()?;
        Ok(report)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Soak>()
}
