//! What a validation opens: one bit to both, or that bit and the count. Runs on a back end that has nothing but
//! the required methods, so it also checks the executor against the provided operations.

use ezpc_core::protocol::{Cleartext, Linear, Protocol, Reveal, ShareVec};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::{Party, Result};
use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes;
use ezpc_ml::infer::{guard_bits, infer};
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use ezpc_ml::validate::{Data, Metric, Opens, Request, encode_samples, validate};
use std::path::PathBuf;

/// Notes every opening: how many bits of it, and to whom.
#[derive(Default)]
struct Openings {
    inner: Cleartext,
    opened: Vec<(usize, Reveal)>,
    agreed: Vec<String>,
    /// Lengths of the inputs of the layers that were checked.
    checked: Vec<usize>,
    /// How many those were when the first input came.
    in_time: Option<usize>,
    /// Runs an executor alone, which leaves that to its caller.
    bare: bool,
}

#[rustfmt::skip]
impl Protocol for Openings {
    type Arith = RingVec;
    type Bool = BitPlanes;

    fn reveal(&mut self, x: &RingVec, to: Reveal) -> Result<Option<RingVec>> {
        self.opened.push((x.len() * x.width().bits() as usize, to));
        self.inner.reveal(x, to)
    }
    fn reveal_bool(&mut self, x: &BitPlanes, to: Reveal) -> Result<Option<BitPlanes>> {
        self.opened.push((x.len() * x.bits() as usize, to));
        self.inner.reveal_bool(x, to)
    }

    fn agree(&mut self, _: &str, public: &[u8]) -> Result<()> {
        self.agreed.push(String::from_utf8_lossy(public).into_owned());
        Ok(())
    }
    fn check(&mut self, layer: &Linear<RingVec>) -> Result<()> {
        self.checked.push(layer.spec.input_len());
        Ok(())
    }

    fn party(&self) -> Option<Party> { self.inner.party() }
    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<RingVec> {
        assert!(self.agreed.len() == 1 || self.bare, "an input before the parties agree");
        self.in_time.get_or_insert(self.checked.len());
        self.inner.input(from, width, len, values)
    }
    fn input_bool(&mut self, from: Party, width: Width, len: usize, values: Option<&BitPlanes>) -> Result<BitPlanes> {
        self.inner.input_bool(from, width, len, values)
    }
    fn public(&self, values: &RingVec) -> RingVec { self.inner.public(values) }
    fn public_bool(&self, values: &BitPlanes) -> BitPlanes { self.inner.public_bool(values) }
    fn add(&self, x: &RingVec, y: &RingVec) -> RingVec { Protocol::add(&self.inner, x, y) }
    fn sub(&self, x: &RingVec, y: &RingVec) -> RingVec { Protocol::sub(&self.inner, x, y) }
    fn scale(&self, x: &RingVec, by: &[u64]) -> RingVec { self.inner.scale(x, by) }
    fn reduce(&self, x: &RingVec, width: Width) -> RingVec { self.inner.reduce(x, width) }
    fn trunc_reduce(&self, x: &RingVec, shift: u32) -> RingVec { self.inner.trunc_reduce(x, shift) }
    fn xor(&self, x: &BitPlanes, y: &BitPlanes) -> BitPlanes { self.inner.xor(x, y) }
    fn and_public(&self, x: &BitPlanes, mask: &BitPlanes) -> BitPlanes { self.inner.and_public(x, mask) }
    fn planes(&self, x: &BitPlanes, planes: &[usize]) -> BitPlanes { self.inner.planes(x, planes) }
    fn join_planes(&self, planes: &[&BitPlanes]) -> BitPlanes { self.inner.join_planes(planes) }
    fn mul(&mut self, x: &RingVec, y: &RingVec) -> Result<RingVec> { Protocol::mul(&mut self.inner, x, y) }
    fn and(&mut self, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> { self.inner.and(x, y) }
    fn msb(&mut self, x: &RingVec) -> Result<BitPlanes> { self.inner.msb(x) }
    fn bit_to_arith(&mut self, x: &BitPlanes, width: Width) -> Result<RingVec> { self.inner.bit_to_arith(x, width) }
    fn a2b(&mut self, x: &RingVec) -> Result<BitPlanes> { self.inner.a2b(x) }
}

fn array(name: &str) -> Array {
    Array::load(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name))
        .expect("an array")
}

fn model(name: &str, input_range: [f64; 2]) -> ezpc_ml::graph::compile::Model {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name);
    let graph = passes::optimise(onnx::load(&path).expect("a model").graph);
    compile(&graph, &Options { input_range, ..Options::default() }).expect("compiles")
}

#[test]
fn a_validation_opens_one_bit() {
    let model = model("cancer_mlp.onnx", [-16.0, 16.0]);
    let data =
        Data::new(&model.card, &array("cancer_features.npy"), &array("cancer_labels.npy")).expect("fits");
    // 166 of 169 are right, which is 0.98224…
    for (threshold, opens, verdict) in [
        ("0.9822", Opens::VERDICT, true),
        ("0.9823", Opens::VERDICT, false),
        ("0.9822", Opens::VERDICT.with(Metric::Accuracy), true),
    ] {
        let mut request = Request::new(&model.card, data.len(), threshold.parse().expect("a share"), 1 << 20);
        request.opens = opens;
        let mut p = Openings::default();
        let weights = Some(&model.weights);
        let outcome =
            validate(&mut p, &model.card, weights, Some(&data), &request, &mut unwatched).expect("runs");
        assert_eq!(p.agreed, [request.shape(&model.card)]);
        assert_eq!(p.in_time, Some(3), "one a layer");
        assert_eq!(outcome.verdict, verdict);
        if opens == Opens::VERDICT {
            assert_eq!(outcome.figures.correct, None);
            assert_eq!(p.opened, [(1, Reveal::Both)]);
        } else {
            assert_eq!(outcome.figures.correct, Some(166));
            // The count of 169 samples lives in 9 bits.
            assert_eq!(p.opened, [(1, Reveal::Both), (9, Reveal::Both)]);
        }
    }
}

#[test]
fn an_inference_drops_half_of_the_fraction_before_it_opens() {
    let model = model("digits_cnn.onnx", [0.0, 1.0]);
    let (card, images) = (&model.card, array("digits_images.npy"));
    let count = 3;
    let input = &encode_samples(card, &images).expect("in range")[..count * card.input_len()];
    // Half of 12 fractional bits.
    assert_eq!(guard_bits(card), 6);
    let mut executor = Executor::new(&Cleartext::new(), card, Some(&model.weights)).expect("an executor");
    let y =
        executor.run(&mut Cleartext::new(), count, Some(input), &mut unwatched, [0, count]).expect("runs");
    let exact = y.data().to_signed();
    let mut p = Openings::default();
    let opened = infer(&mut p, card, Some(&model.weights), Some(input), [count, 2], &mut unwatched)
        .expect("runs")
        .expect("opened here");
    assert_eq!(opened.shape, [count, 10]);
    for (value, exact) in opened.to_f64().into_iter().zip(exact) {
        assert_eq!(value, ((exact >> 6) as f64 + 0.5) / 64.0);
    }
    assert!(p.opened.iter().all(|(_, to)| *to == Reveal::To(Party::Client)), "{:?}", p.opened);
    // A refusal of weights comes before the first input, for the last and smaller batch, too.
    let (whole, rest) = p.checked.split_at(3);
    assert!(whole.iter().zip(rest).all(|(two, one)| *two == 2 * one), "{:?}", p.checked);
    assert_eq!(p.in_time, Some(6));
}

#[test]
fn the_provided_operations_compute_the_same_network() {
    let model = model("digits_cnn.onnx", [0.0, 1.0]);
    let images = array("digits_images.npy");
    let count = 3;
    let input = &encode_samples(&model.card, &images).expect("in range")[..count * model.card.input_len()];
    fn run<P: Protocol>(
        mut p: P,
        model: &ezpc_ml::graph::compile::Model,
        input: &[i64],
        count: usize,
    ) -> Vec<u64> {
        let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
        let y = executor.run(&mut p, count, Some(input), &mut unwatched, [0, count]).expect("runs");
        assert_eq!(y.data().len(), count * model.card.output_len());
        let opened = p.reveal(y.data(), Reveal::Both).expect("opens").expect("to both");
        opened.into_lanes()
    }
    assert_eq!(
        run(Openings { bare: true, ..Openings::default() }, &model, input, count),
        run(Cleartext::new(), &model, input, count)
    );
}
