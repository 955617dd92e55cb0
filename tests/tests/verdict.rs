//! The main job between two real parties: right image by image, and nothing but the verdict is opened.

use ezpc_core::protocol::{Cleartext, Protocol, Reveal, Tally, TwoParty};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::testing::{run_two, run_two_over};
use ezpc_core::transport::{Phase, memory, transcript};
use ezpc_core::{Party, Result};
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes;
use ezpc_ml::npy::Array;
use ezpc_ml::validate::{Data, Figures, Request, encode_samples, validate};
use ezpc_ml::{fixed, onnx};
use ezpc_tests::{root, sources};
use std::path::PathBuf;
use std::process::Command;

fn file(name: &str) -> PathBuf {
    root().join("examples/data").join(name)
}

fn array(name: &str) -> Array {
    Array::load(&file(name)).expect("an example array")
}

fn digits() -> Model {
    let import = onnx::load(&file("digits_cnn.onnx")).expect("the example model");
    let options = Options { input_range: [0.0, 1.0], ..Options::default() };
    compile(&passes::optimise(import.graph), &options).expect("compiles")
}

/// The logits of all images, opened to the client: they are rounded under the weights of the server.
fn logits<P: Protocol>(p: &mut P, model: &Model, samples: &Array) -> Result<Option<Vec<i64>>> {
    let [vendor, hospital] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
    let input = encode_samples(&model.card, samples)?;
    let count = samples.shape[0];
    let mut executor = Executor::new(p, &model.card, vendor.then_some(&model.weights))?;
    let y = executor.run(p, count, hospital.then_some(&input[..]), &mut unwatched, [0, count])?;
    Ok(p.reveal(y.data(), Reveal::To(Party::Client))?.map(|opened| opened.to_signed()))
}

/// Units in the last place between two parties and the oracle, end to end: three linear layers, each within two
/// units of its own, the first two amplified by the weights behind them.
const ULP: i64 = 48;

#[test]
fn two_parties_see_every_image_as_the_oracle_does() {
    let (model, samples) = (digits(), array("digits_images.npy"));
    let oracle = logits(&mut Cleartext::new(), &model, &samples).expect("runs").expect("plays the client");
    let [server, client] = run_two(|p| logits(p, &model, &samples)).expect("no error");
    assert_eq!(server, None);
    let client = client.expect("the client learns them");
    let worst = oracle.iter().zip(&client).map(|(a, b)| (a - b).abs()).max().expect("some image");
    assert!(worst <= ULP, "{worst} ulp");

    let classes = model.card.output_len();
    let labels = array("digits_onnxruntime_labels.npy").to_labels(classes).expect("labels");
    let best = |row: &[i64]| (0..classes).rev().max_by_key(|&c| row[c]).expect("a class") as u64;
    let equal = client.chunks(classes).zip(&labels).filter(|(row, label)| best(row) == **label).count();
    assert!(equal * 1000 >= labels.len() * 995, "{equal} of {}", labels.len());
    let theirs = array("digits_onnxruntime_logits.npy").to_f64();
    let ours = client.iter().map(|&v| fixed::decode(v, model.card.frac_bits));
    let error = ours.zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 0.03, "{error}");
}

/// What a program opened: bits a value, values, to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Opening {
    bits: u32,
    len: usize,
    to: Reveal,
}

/// The oracle with nothing but required operations, and a record of every opening.
#[derive(Default)]
struct Openings {
    inner: Cleartext,
    seen: Vec<Opening>,
}

#[rustfmt::skip]
impl Protocol for Openings {
    type Arith = RingVec;
    type Bool = BitPlanes;

    fn party(&self) -> Option<Party> { None }
    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<RingVec> {
        self.inner.input(from, width, len, values)
    }
    fn input_bool(&mut self, from: Party, width: Width, len: usize, values: Option<&BitPlanes>) -> Result<BitPlanes> {
        self.inner.input_bool(from, width, len, values)
    }
    fn reveal(&mut self, x: &RingVec, to: Reveal) -> Result<Option<RingVec>> {
        self.seen.push(Opening { bits: x.width().bits(), len: x.len(), to });
        self.inner.reveal(x, to)
    }
    fn reveal_bool(&mut self, x: &BitPlanes, to: Reveal) -> Result<Option<BitPlanes>> {
        self.seen.push(Opening { bits: x.bits(), len: x.len(), to });
        self.inner.reveal_bool(x, to)
    }
    fn public(&self, values: &RingVec) -> RingVec { self.inner.public(values) }
    fn public_bool(&self, values: &BitPlanes) -> BitPlanes { self.inner.public_bool(values) }
    fn add(&self, x: &RingVec, y: &RingVec) -> RingVec { self.inner.add(x, y) }
    fn sub(&self, x: &RingVec, y: &RingVec) -> RingVec { self.inner.sub(x, y) }
    fn scale(&self, x: &RingVec, by: &[u64]) -> RingVec { self.inner.scale(x, by) }
    fn reduce(&self, x: &RingVec, width: Width) -> RingVec { self.inner.reduce(x, width) }
    fn trunc_reduce(&self, x: &RingVec, shift: u32) -> RingVec { self.inner.trunc_reduce(x, shift) }
    fn xor(&self, x: &BitPlanes, y: &BitPlanes) -> BitPlanes { self.inner.xor(x, y) }
    fn and_public(&self, x: &BitPlanes, mask: &BitPlanes) -> BitPlanes { self.inner.and_public(x, mask) }
    fn planes(&self, x: &BitPlanes, planes: &[usize]) -> BitPlanes { self.inner.planes(x, planes) }
    fn join_planes(&self, planes: &[&BitPlanes]) -> BitPlanes { self.inner.join_planes(planes) }
    fn mul(&mut self, x: &RingVec, y: &RingVec) -> Result<RingVec> { self.inner.mul(x, y) }
    fn and(&mut self, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> { self.inner.and(x, y) }
    fn msb(&mut self, x: &RingVec) -> Result<BitPlanes> { self.inner.msb(x) }
    fn bit_to_arith(&mut self, x: &BitPlanes, width: Width) -> Result<RingVec> { self.inner.bit_to_arith(x, width) }
    fn a2b(&mut self, x: &RingVec) -> Result<BitPlanes> { self.inner.a2b(x) }
}

fn verdict<P: Protocol>(p: &mut P, model: &Model, data: &Data) -> Result<bool> {
    let [vendor, hospital] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
    let threshold = "0.9".parse().expect("a threshold");
    let request = Request::new(&model.card, data.len(), threshold, 1 << 28);
    let weights = vendor.then_some(&model.weights);
    let outcome = validate(p, &model.card, weights, hospital.then_some(data), &request, &mut unwatched)?;
    assert_eq!(outcome.figures, Figures::default(), "the count stays shared");
    Ok(outcome.verdict)
}

/// The program opens one bit, and the transcript of the real parties has room for nothing else: it is as long,
/// to the byte, as the gadgets' messages and that one opening.
#[test]
fn only_the_verdict_is_opened() {
    let model = digits();
    let (samples, labels) = (array("digits_images.npy"), array("digits_labels.npy"));
    let data = Data::new(&model.card, &samples, &labels).expect("fits");

    let mut program = Openings::default();
    assert!(verdict(&mut program, &model, &data).expect("runs"));
    assert_eq!(program.seen, [Opening { bits: 1, len: 1, to: Reveal::Both }]);

    let mut tally = Tally::new(Cleartext::new());
    assert!(verdict(&mut tally, &model, &data).expect("runs"));
    let (server, client) = memory::pair();
    let ((server, by_server), (client, by_client)) = (transcript::record(server), transcript::record(client));
    let parties = run_two_over([server, client], |p: &mut TwoParty| {
        Ok((verdict(p, &model, &data)?, p.stats().clone()))
    });
    let [(pass, server), (same, client)] = parties.expect("no error");
    assert!(pass && same);
    let mut bytes = [0; 2];
    for phase in Phase::ALL {
        let (s, c, t) = (server.phase(phase), client.phase(phase), tally.phase(phase));
        assert_eq!([s.bytes_sent, c.bytes_sent], t.bytes, "{phase:?}");
        assert_eq!([s.half_rounds, c.half_rounds], [t.half_rounds; 2], "{phase:?}");
        bytes = [bytes[0] + t.bytes[0], bytes[1] + t.bytes[1]];
    }
    let [by_server, by_client] = [by_server.sent(), by_client.sent()];
    assert_eq!([by_server.len() as u64, by_client.len() as u64], bytes, "the transcript has no other byte");
    // The last message of each is its share of the one opened bit.
    let last = [by_server.last(), by_client.last()].map(|byte| *byte.expect("something was sent"));
    assert!(last.iter().all(|byte| *byte <= 1) && last[0] ^ last[1] == 1);
}

#[test]
fn no_double_stands_on_the_path_of_validate() {
    let doubles = [
        "Cleartext",
        "oracle::",
        "cookbook::",
        "ideal::",
        "Ideal",
        "Insecure",
        "dealer",
        "testing::",
        "connect_seeded",
    ];
    let path = ["examples/src", "ezpc-ml/src", "ezpc-core/src"]
        .into_iter()
        .flat_map(sources)
        .chain(sources("examples").into_iter().filter(|s| s.path.ends_with("validate.rs")));
    let inside_doubles =
        ["ezpc-core/src/testing", "ezpc-core/src/protocol/cleartext", "ezpc-core/src/ot/ideal"];
    let oracle_of = [
        "ezpc-ml/src/graph/oracle.rs",
        "examples/src/cookbook.rs",
        "ezpc-core/src/protocol.rs",
        "ezpc-core/src/protocol/tally.rs",
        "ezpc-core/src/lib.rs",
    ];
    let mut seen_validate = false;
    for source in path {
        let name = source.path.display().to_string();
        seen_validate |= name == "examples/validate.rs";
        if inside_doubles.iter().any(|folder| name.starts_with(folder)) || oracle_of.contains(&&*name) {
            continue;
        }
        let allowed = if name == "ezpc-core/src/protocol/session.rs" { &["connect_seeded"][..] } else { &[] };
        for double in doubles.iter().filter(|d| !allowed.contains(d)) {
            assert!(!source.code.contains(double), "{name} names {double}");
        }
    }
    assert!(seen_validate);
}

/// The features that cargo gives `ezpc-core` when it builds the examples of the packages that `args` select.
fn features_of_core(args: &[&str]) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p}|{f}", "--edges", "normal,build,dev"])
        .args(args)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let core = text.lines().find(|line| line.starts_with("ezpc-core ")).expect("it is a dependency");
    let features = core.trim_end_matches(" (*)").rsplit('|').next().expect("a list");
    features.split(',').map(str::to_owned).collect()
}

/// Neither by the examples' package alone nor by the README's commands, which name none.
#[test]
fn the_examples_are_built_without_test_doubles() {
    for args in [&["--package", "ezpc-examples"][..], &[]] {
        let features = features_of_core(args);
        assert!(features.contains(&"tls".to_owned()), "{args:?}: {features:?}");
        assert!(!features.contains(&"testing".to_owned()), "{args:?}: {features:?}");
    }
    // The tests of all members want them: the same look finds them there.
    assert!(features_of_core(&["--workspace"]).contains(&"testing".to_owned()));
}
