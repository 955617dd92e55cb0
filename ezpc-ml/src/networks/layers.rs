//! Layers with random weights, written to a file and run on a few images at the same time.

#![allow(clippy::cast_possible_truncation, reason = "weights and images need no more than single precision")]

use super::file::{Attribute, File};
use super::random::Random;
use crate::graph::{Graph, Op, Window, float};
use ezpc_core::Result;

/// A network under construction.
pub(super) struct Layers {
    file: File,
    /// The layers so far, for their shapes.
    graph: Graph,
    random: Random,
    input: Option<Value>,
    result: Option<(String, Vec<usize>)>,
}

/// What a layer gives: its place, and its values on the images.
#[derive(Clone)]
pub(super) struct Value {
    node: usize,
    images: Vec<Vec<f32>>,
}

/// The geometry of a square convolution or pooling.
#[derive(Clone, Copy)]
pub(super) struct Square {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Square {
    /// A kernel at every place.
    pub(super) const fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, padding: 0 }
    }

    pub(super) const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(super) const fn padded(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    const fn window(self) -> Window {
        Window {
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding: [self.padding; 4],
            dilation: [1; 2],
        }
    }
}

impl Layers {
    pub(super) fn new(
        name: &str,
        random: Random,
        (shape, images): (Vec<usize>, Vec<Vec<f32>>),
    ) -> Result<Self> {
        let mut file = File::new(name);
        file.input("input", &shape);
        let graph = Graph::new(name, "input", shape)?;
        Ok(Self { file, graph, random, input: Some(Value { node: 0, images }), result: None })
    }

    /// The images; there is one input.
    pub(super) fn input(&mut self) -> Value {
        self.input.take().expect("a network takes its input once")
    }

    pub(super) fn channels(&self, x: &Value) -> usize {
        self.graph.nodes[x.node].shape[0]
    }

    /// A convolution with He's initialisation for a rectifier behind it.
    pub(super) fn conv(
        &mut self,
        x: &Value,
        outputs: usize,
        square: Square,
        groups: usize,
        bias: bool,
    ) -> Result<Value> {
        let inputs = self.channels(x) / groups;
        let fan_in = inputs * square.kernel * square.kernel;
        let weights = self.random.normal(outputs * fan_in, (2.0 / fan_in as f32).sqrt());
        let biases = if bias { self.random.normal(outputs, 0.1) } else { vec![0.0; outputs] };
        let name = self.name("conv");
        let (of_weights, of_biases) = (format!("{name}.weight"), format!("{name}.bias"));
        self.file.constant(&of_weights, &[outputs, inputs, square.kernel, square.kernel], &weights);
        let mut operands = vec![self.name_of(x), of_weights];
        if bias {
            self.file.constant(&of_biases, &[outputs], &biases);
            operands.push(of_biases);
        }
        let [kernel, strides, pads] = square_attributes(&square);
        let group = ("group", Attribute::Int(groups as i64));
        self.file.node(&name, "Conv", &operands, &[kernel, strides, pads, group]);
        let op = Op::Conv { window: square.window(), groups, weights: weights.into(), bias: biases };
        self.push(&name, op, &[x])
    }

    /// Batch normalisation with the statistics of the images, and a random scale and shift as training leaves them.
    pub(super) fn batch_norm(&mut self, x: &Value) -> Result<Value> {
        const EPSILON: f32 = 1e-5;
        let channels = self.channels(x);
        let (means, variances): (Vec<f32>, Vec<f32>) = (0..channels).map(|c| moments(x, channels, c)).unzip();
        let gamma: Vec<f32> = (0..channels).map(|_| self.random.between(0.5, 1.5)).collect();
        let beta = self.random.normal(channels, 0.2);
        let name = self.name("bn");
        let mut operands = vec![self.name_of(x)];
        for (what, values) in
            [("scale", &gamma), ("shift", &beta), ("mean", &means), ("variance", &variances)]
        {
            operands.push(format!("{name}.{what}"));
            self.file.constant(&format!("{name}.{what}"), &[channels], values);
        }
        self.file.node(&name, "BatchNormalization", &operands, &[("epsilon", Attribute::Float(EPSILON))]);
        let scale: Vec<f32> = gamma.iter().zip(&variances).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
        let shift = beta.iter().zip(&scale).zip(&means).map(|((b, s), m)| b - s * m).collect();
        self.push(&name, Op::Affine { axis: 0, scale, shift }, &[x])
    }

    pub(super) fn relu(&mut self, x: &Value) -> Result<Value> {
        self.simple("relu", "Relu", Op::Relu, &[x])
    }

    /// `min(max(x, 0), 6)`.
    pub(super) fn relu6(&mut self, x: &Value) -> Result<Value> {
        let name = self.name("clip");
        let inputs = [self.name_of(x), format!("{name}.min"), format!("{name}.max")];
        self.file.constant(&inputs[1], &[], &[0.0]);
        self.file.constant(&inputs[2], &[], &[6.0]);
        self.file.node(&name, "Clip", &inputs, &[]);
        let mut y = self.push(&name, Op::Relu, &[x])?;
        for v in y.images.iter_mut().flatten() {
            *v = v.min(6.0);
        }
        Ok(y)
    }

    /// The largest value of each window; `ceil` keeps windows that reach beyond the end.
    pub(super) fn max_pool(&mut self, x: &Value, square: Square, ceil: bool) -> Result<Value> {
        let name = self.name("maxpool");
        let mut window = square.window();
        if ceil {
            // What the last window lacks is padding.
            let [_, height, width] = self.graph.nodes[x.node].shape[..] else {
                unreachable!("maps have three axes")
            };
            for (d, size) in [(2, height), (3, width)] {
                let rest = (size + 2 * square.padding - square.kernel) % square.stride;
                window.padding[d] += if rest > 0 { square.stride - rest } else { 0 };
            }
        }
        let [kernel, strides, pads] = square_attributes(&square);
        let ceil = ("ceil_mode", Attribute::Int(ceil.into()));
        self.file.node(&name, "MaxPool", &[self.name_of(x)], &[kernel, strides, pads, ceil]);
        self.push(&name, Op::MaxPool(window), &[x])
    }

    pub(super) fn mean_pool(&mut self, x: &Value, square: Square) -> Result<Value> {
        let name = self.name("avgpool");
        self.file.node(&name, "AveragePool", &[self.name_of(x)], &square_attributes(&square));
        self.push(&name, Op::AvgPool { window: square.window(), counted: [0; 4] }, &[x])
    }

    /// The mean of each channel.
    pub(super) fn global_mean(&mut self, x: &Value) -> Result<Value> {
        let shape = &self.graph.nodes[x.node].shape;
        let window = Window::whole([shape[1], shape[2]]);
        self.simple("mean", "GlobalAveragePool", Op::AvgPool { window, counted: [0; 4] }, &[x])
    }

    pub(super) fn add(&mut self, x: &Value, y: &Value) -> Result<Value> {
        self.simple("add", "Add", Op::Add, &[x, y])
    }

    pub(super) fn concat(&mut self, parts: &[&Value]) -> Result<Value> {
        let name = self.name("concat");
        let inputs: Vec<String> = parts.iter().map(|x| self.name_of(x)).collect();
        self.file.node(&name, "Concat", &inputs, &[("axis", Attribute::Int(1))]);
        self.push(&name, Op::Concat { axis: 0 }, parts)
    }

    pub(super) fn flatten(&mut self, x: &Value) -> Result<Value> {
        let len = self.graph.nodes[x.node].shape.iter().product();
        self.simple("flatten", "Flatten", Op::Reshape(vec![len]), &[x])
    }

    /// A product with a matrix and a bias; `gain` is the size of the outputs relative to the inputs.
    pub(super) fn dense(&mut self, x: &Value, outputs: usize, gain: f32) -> Result<Value> {
        let inputs = self.channels(x);
        let weights = self.random.normal(outputs * inputs, gain / (inputs as f32).sqrt());
        let biases = self.random.normal(outputs, 0.1);
        let name = self.name("fc");
        let operands = [self.name_of(x), format!("{name}.weight"), format!("{name}.bias")];
        self.file.constant(&operands[1], &[outputs, inputs], &weights);
        self.file.constant(&operands[2], &[outputs], &biases);
        self.file.node(&name, "Gemm", &operands, &[("transB", Attribute::Int(1))]);
        self.push(&name, Op::Dense { weights: weights.into(), bias: biases }, &[x])
    }

    /// Makes `x` the result of the network.
    pub(super) fn output(&mut self, x: &Value) {
        let node = &self.graph.nodes[x.node];
        self.result = Some((node.name.clone(), node.shape.clone()));
    }

    pub(super) fn into_onnx(self) -> Vec<u8> {
        let (name, shape) = self.result.expect("an architecture ends with its output");
        self.file.finish(&name, &shape)
    }

    fn simple(&mut self, kind: &str, op_type: &str, op: Op, inputs: &[&Value]) -> Result<Value> {
        let name = self.name(kind);
        let names: Vec<String> = inputs.iter().map(|x| self.name_of(x)).collect();
        self.file.node(&name, op_type, &names, &[]);
        self.push(&name, op, inputs)
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[&Value]) -> Result<Value> {
        let places: Vec<usize> = inputs.iter().map(|x| x.node).collect();
        let node = self.graph.push(name, op, &places)?;
        let shapes: Vec<&[usize]> = places.iter().map(|&i| self.graph.nodes[i].shape.as_slice()).collect();
        let images = (0..inputs[0].images.len())
            .map(|k| {
                let operands: Vec<&[f32]> = inputs.iter().map(|x| x.images[k].as_slice()).collect();
                float::eval(&self.graph.nodes[node], &operands, &shapes)
            })
            .collect();
        Ok(Value { node, images })
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.graph.nodes.len())
    }

    fn name_of(&self, x: &Value) -> String {
        self.graph.nodes[x.node].name.clone()
    }
}

const fn square_attributes(square: &Square) -> [(&'static str, Attribute); 3] {
    [
        ("kernel_shape", Attribute::Ints(square.kernel, 2)),
        ("strides", Attribute::Ints(square.stride, 2)),
        ("pads", Attribute::Ints(square.padding, 4)),
    ]
}

/// Mean and variance of one channel over all images.
fn moments(x: &Value, channels: usize, c: usize) -> (f32, f32) {
    let values = || {
        x.images.iter().flat_map(move |image| {
            let area = image.len() / channels;
            image[c * area..(c + 1) * area].iter().map(|&v| f64::from(v))
        })
    };
    let n = values().count() as f64;
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    (mean as f32, variance as f32)
}
