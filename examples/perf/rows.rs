//! The rows: what each prepares, and what of it is timed.

use crate::networks::Job;
use crate::programs;
use ezpc_core::protocol::{
    ConvSpec, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Signedness, TwoParty,
};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::transport::cost::Ots;
use ezpc_core::{Error, Party, Result};
use ezpc_ml::graph::compile::Options;
use ezpc_ml::networks::Network;
use std::time::Instant;

type Arith = <TwoParty as Protocol>::Arith;

/// What a row works on.
pub(crate) struct Input {
    x: Vec<Arith>,
    layer: Option<Linear<Arith>>,
    /// Seconds of a first run that also prepares what later ones reuse.
    pub(crate) cold: Option<f64>,
    /// For rows of networks.
    pub(crate) job: Option<Job>,
}

impl Input {
    fn of(x: Vec<Arith>) -> Self {
        Self { x, layer: None, cold: None, job: None }
    }
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// How many elements, or 1 for a layer.
    pub(crate) size: usize,
    pub(crate) input: fn(&mut TwoParty, usize) -> Result<Input>,
    pub(crate) run: fn(&mut TwoParty, &mut Input) -> Result<()>,
}

/// All rows, cheap ones first.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "setup", size: 1, input: nothing, run: |_, _| Ok(()) },
    Row { name: "cot", size: 1 << 24, input: count, run: cots },
    Row { name: "quad", size: 1 << 23, input: count, run: quads },
    Row { name: "less_than_20", size: 1 << 20, input: |p, n| pair(p, 21, n), run: less_than_near },
    Row { name: "less_than_32", size: 1 << 20, input: |p, n| pair(p, 32, n), run: less_than },
    Row { name: "relu_20", size: 1 << 20, input: |p, n| small(p, 37, 32, n), run: relu_trunc::<21> },
    Row { name: "relu_31", size: 1 << 20, input: |p, n| small(p, 44, 43, n), run: relu_trunc::<32> },
    Row { name: "relu_extend_20", size: 1 << 20, input: |p, n| pair(p, 20, n), run: relu_extend },
    Row { name: "mul_32", size: 1 << 20, input: |p, n| pair(p, 32, n), run: mul },
    Row { name: "mul_64", size: 1 << 20, input: |p, n| pair(p, 64, n), run: mul },
    Row { name: "record", size: 1_000_000, input: count, run: record },
    Row { name: "random_forest", size: 1, input: nothing, run: |p, _| programs::random_forest(p) },
    Row {
        name: "maxpool_2x2",
        size: 64 * 56 * 56,
        input: |p, n| small(p, 20, 18, n),
        run: |p, i| max(p, i, 4),
    },
    Row { name: "argmax_1000", size: 1000, input: |p, n| small(p, 20, 18, n), run: argmax },
    Row { name: "ntt_2048", size: 1 << 14, input: count, run: transforms },
    Row { name: "conv_56_64_64_3", size: 1, input: |p, n| conv(p, n, [56, 64, 64, 3], 1), run: linear },
    Row { name: "conv_56_64_256_1", size: 1, input: |p, n| conv(p, n, [56, 64, 256, 1], 1), run: linear },
    Row { name: "conv_28_128_512_1", size: 1, input: |p, n| conv(p, n, [28, 128, 512, 1], 1), run: linear },
    Row { name: "conv_14_256_256_3", size: 1, input: |p, n| conv(p, n, [14, 256, 256, 3], 1), run: linear },
    Row { name: "conv_7_512_512_3", size: 1, input: |p, n| conv(p, n, [7, 512, 512, 3], 1), run: linear },
    Row { name: "conv_224_3_64_7s2", size: 1, input: |p, n| conv(p, n, [224, 3, 64, 7], 2), run: linear },
    Row { name: "conv_7_512_512_3_x8", size: 8, input: |p, n| conv(p, n, [7, 512, 512, 3], 1), run: linear },
    Row { name: "dense_2048_1001", size: 1, input: |p, _| dense(p, 1001, 2048, 1), run: linear },
    Row { name: "matmul_128_768_768", size: 1, input: |p, _| dense(p, 768, 768, 128), run: linear },
];

/// Rows of networks: whole inferences, of one image or of a batch.
pub(crate) const NETWORKS: &[Row] = &[
    network("minionn_cifar", |p, n| job(p, Network::MiniOnnCifar, n, &Options::default())),
    network("squeezenet", |p, n| job(p, Network::SqueezeNet, n, &Options::default())),
    network("squeezenet_exact", |p, n| job(p, Network::SqueezeNet, n, &exact())),
    network("mobilenetv2", |p, n| job(p, Network::MobileNetV2, n, &Options::default())),
    network("resnet50", |p, n| job(p, Network::ResNet50, n, &Options::default())),
    network("resnet50_exact", |p, n| job(p, Network::ResNet50, n, &exact())),
    network("densenet121", |p, n| job(p, Network::DenseNet121, n, &Options::default())),
    network("densenet121_exact", |p, n| job(p, Network::DenseNet121, n, &exact())),
];

/// Comparisons of all bits: `--slack 0` of `infer`.
fn exact() -> Options {
    Options { slack: 0.0, ..Options::default() }
}

const fn network(name: &'static str, input: fn(&mut TwoParty, usize) -> Result<Input>) -> Row {
    Row { name, size: 1, input, run: whole }
}

fn job(p: &mut TwoParty, network: Network, count: usize, options: &Options) -> Result<Input> {
    Ok(Input { job: Some(Job::new(p, network, count, options)?), ..Input::of(Vec::new()) })
}

fn whole(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    input.job.as_mut().ok_or_else(|| Error::usage("rows of networks have one"))?.run(p)
}

fn nothing(_: &mut TwoParty, _: usize) -> Result<Input> {
    Ok(Input::of(Vec::new()))
}

/// A sharing of `n` signed values of `bits` bits in the ring of `width` bits.
fn random(p: &mut TwoParty, width: u32, bits: u32, n: usize, seed: u64) -> Result<Arith> {
    let (width, small) = (Width::new(width), Width::new(bits));
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        small.signed(small.wrap(state >> 20))
    };
    let values = (p.party() == Some(Party::Client))
        .then(|| RingVec::from_signed(width, &(0..n).map(|_| next()).collect::<Vec<_>>()));
    p.input(Party::Client, width, n, values.as_ref())
}

fn pair(p: &mut TwoParty, width: u32, n: usize) -> Result<Input> {
    Ok(Input::of(vec![random(p, width, width - 1, n, 1)?, random(p, width, width - 1, n, 2)?]))
}

fn small(p: &mut TwoParty, width: u32, bits: u32, n: usize) -> Result<Input> {
    Ok(Input::of(vec![random(p, width, bits, n, 3)?]))
}

/// One bit an element, so that the number of elements is known to `cots` and `quads`.
fn count(p: &mut TwoParty, n: usize) -> Result<Input> {
    Ok(Input::of(vec![random(p, 1, 1, n, 1)?]))
}

/// Half of them in each direction, as all operations take them.
fn cots(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    use ezpc_core::protocol::ShareVec;
    let n = input.x[0].len();
    p.discard_ots(Ots { cots: [n / 2, n - n / 2], ..Ots::default() })
}

/// The same over F_4: what a comparison takes for every two bits.
fn quads(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    use ezpc_core::protocol::ShareVec;
    let n = input.x[0].len();
    p.discard_ots(Ots { quads: [n / 2, n - n / 2], ..Ots::default() })
}

/// A program's loop without a protocol.
fn record(_: &mut TwoParty, input: &mut Input) -> Result<()> {
    use ezpc_core::protocol::ShareVec;
    programs::record(input.x[0].len())
}

fn less_than_near(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.less_than_near(&input.x[0], &input.x[1]).map(drop)
}

fn less_than(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.less_than(&input.x[0], &input.x[1], Signedness::Signed).map(drop)
}

fn relu_trunc<const BITS: u32>(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.relu_trunc(&input.x[0], 12, BITS, Width::W32).map(drop)
}

fn relu_extend(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.relu(&input.x[0], Width::W32).map(drop)
}

fn mul(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.mul(&input.x[0], &input.x[1]).map(drop)
}

fn max(p: &mut TwoParty, input: &mut Input, group: usize) -> Result<()> {
    p.max(&input.x[0], group).map(drop)
}

fn argmax(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    p.argmax(&input.x[0], 1000, Width::new(10)).map(drop)
}

/// Local: as many transforms of 2048 values modulo one prime.
fn transforms(_: &mut TwoParty, input: &mut Input) -> Result<()> {
    use ezpc_core::protocol::ShareVec;
    ezpc_core::he::transform_repeatedly(input.x[0].len());
    Ok(())
}

/// A square convolution of so many images with "same" padding: side, input channels, output channels, kernel.
fn conv(p: &mut TwoParty, batch: usize, [side, from, to, k]: [usize; 4], stride: usize) -> Result<Input> {
    layer(
        p,
        LinearKind::Conv(ConvSpec {
            batch,
            in_channels: from,
            input: [side; 2],
            out_channels: to,
            kernel: [k; 2],
            stride: [stride; 2],
            padding: [k / 2; 4],
            dilation: [1; 2],
            groups: 1,
        }),
    )
}

fn dense(p: &mut TwoParty, rows: usize, inner: usize, cols: usize) -> Result<Input> {
    layer(p, LinearKind::MatMul(MatMulSpec { rows, inner, cols }))
}

/// A layer whose weights the server knows and has transformed. A first run, which transforms them on its way, is timed apart.
fn layer(p: &mut TwoParty, kind: LinearKind) -> Result<Input> {
    // The keys of the session are made with the first layer that needs them.
    let (keys, x) = private(p, LinearKind::MatMul(MatMulSpec { rows: 64, inner: 64, cols: 64 }))?;
    p.linear(&keys, &x)?;
    let (layer, x) = private(p, kind)?;
    p.agree("the layer", b"prepared")?;
    let start = Instant::now();
    p.linear(&layer, &x)?;
    let cold = Some(start.elapsed().as_secs_f64());
    p.prepare(&layer)?;
    Ok(Input { x: vec![x], layer: Some(layer), cold, job: None })
}

/// A layer with weights of the server, and an input.
fn private(p: &mut TwoParty, kind: LinearKind) -> Result<(Linear<Arith>, Arith)> {
    let spec = LinearSpec { kind, input: Width::new(37), shift: 12, weight_bits: 10 };
    let weights = (0..spec.weights_len()).map(|i| (i as i64 * 7919) % 601 - 300).collect();
    let values = (p.party() == Some(Party::Server)).then_some(weights);
    let layer = Linear::new(spec, Operand::Private { owner: Party::Server, values }, None)?;
    let x = random(p, 37, 14, spec.input_len(), 5)?;
    Ok((layer, x))
}

fn linear(p: &mut TwoParty, input: &mut Input) -> Result<()> {
    let layer = input.layer.as_ref().expect("rows of layers have one");
    p.linear(layer, &input.x[0]).map(drop)
}
