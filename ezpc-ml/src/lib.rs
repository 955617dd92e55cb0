//! Neural networks over any [`ezpc_core`] protocol: kernels, graphs, ONNX models, secure validation.
//!
//! | Module | What it is |
//! |---|---|
//! | [`onnx`] | reads a model and builds its graph, or lists everything that it cannot |
//! | [`graph`] | the network in floating point; passes; compilation to fixed point; the executor |
//! | [`card`] | the public description from which the data owner's side runs |
//! | [`externs`] | the kernels, for programs in the language of `secure!` |
//! | [`kernels`], [`tensor`], [`fixed`] | layers on tensors of shares |
//! | [`validate`] | is the model good enough? the count of correct answers stays shared |
//! | [`infer`] | the client learns the outputs, without the bits that depend on rounding |
//! | [`networks`] | networks of the literature with random weights, to test and measure with |
//! | [`npy`], [`csv`] | arrays and tables in and out |

pub mod card;
pub mod csv;
pub mod externs;
pub mod fixed;
pub mod graph;
pub mod infer;
pub mod kernels;
pub mod networks;
pub mod npy;
pub mod onnx;
pub mod tensor;
pub mod validate;
