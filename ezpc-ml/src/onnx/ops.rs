//! The operators: one small function each, from a node to nodes of the graph, or the reason why not.

mod arithmetic;
mod classic;
mod constants;
mod elementwise;
mod linear;
mod output;
mod pick;
mod pool;
mod resize;
mod shape;

use super::builder::{Builder, Value};
use super::call::Call;

/// Imports one node.
pub(super) type Handler = fn(&mut Builder<'_>, &Call<'_, '_>) -> Result<Vec<Value>, String>;

/// The operator of that name.
pub(super) fn find(domain: &str, op_type: &str) -> Option<Handler> {
    let operators = if domain == "ai.onnx.ml" { CLASSIC } else { OPERATORS };
    operators.iter().find(|(name, _)| *name == op_type).map(|(_, handler)| *handler)
}

/// Every supported operator.
pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("Abs", elementwise::abs),
    ("Add", elementwise::add),
    ("ArgMax", output::argmax),
    ("ArgMin", output::argmin),
    ("AveragePool", pool::average),
    ("BatchNormalization", linear::batch_norm),
    ("Cast", constants::cast),
    ("Clip", elementwise::clip),
    ("Concat", pick::concat),
    ("Constant", constants::constant),
    ("ConstantOfShape", constants::constant_of_shape),
    ("Conv", linear::conv),
    ("DepthToSpace", shape::depth_to_space),
    ("Div", elementwise::div),
    ("Dropout", constants::dropout),
    ("Expand", shape::expand),
    ("Flatten", shape::flatten),
    ("Gather", pick::gather),
    ("Gemm", linear::gemm),
    ("GlobalAveragePool", pool::global_average),
    ("GlobalMaxPool", pool::global_max),
    ("HardSigmoid", elementwise::hard_sigmoid),
    ("HardSwish", elementwise::hard_swish),
    ("Identity", constants::identity),
    ("LeakyRelu", elementwise::leaky_relu),
    ("LogSoftmax", output::softmax),
    ("MatMul", linear::matmul),
    ("Max", elementwise::max),
    ("MaxPool", pool::max),
    ("Mean", elementwise::mean),
    ("Min", elementwise::min),
    ("Mul", elementwise::mul),
    ("Neg", elementwise::neg),
    ("PRelu", elementwise::prelu),
    ("Pad", pick::pad),
    ("ReduceMax", pool::reduce_max),
    ("ReduceMean", pool::reduce_mean),
    ("ReduceMin", pool::reduce_min),
    ("ReduceSum", pool::reduce_sum),
    ("Relu", elementwise::relu),
    ("Reshape", shape::reshape),
    ("Resize", resize::resize),
    ("Shape", constants::shape),
    ("Sigmoid", output::sigmoid),
    ("Slice", pick::slice),
    ("Softmax", output::softmax),
    ("SpaceToDepth", shape::space_to_depth),
    ("Split", pick::split),
    ("Squeeze", shape::squeeze),
    ("Sub", elementwise::sub),
    ("Sum", elementwise::sum),
    ("Transpose", shape::transpose),
    ("Unsqueeze", shape::unsqueeze),
    ("Upsample", resize::upsample),
];

/// Every supported operator of `ai.onnx.ml`.
pub(super) const CLASSIC: &[(&str, Handler)] = &[
    ("ArrayFeatureExtractor", classic::array_feature_extractor),
    ("LinearClassifier", classic::linear_classifier),
    ("LinearRegressor", classic::linear_regressor),
    ("Normalizer", classic::normalizer),
    ("Scaler", classic::scaler),
    ("TreeEnsembleClassifier", classic::tree_classifier),
    ("TreeEnsembleRegressor", classic::tree_regressor),
    ("ZipMap", classic::zip_map),
];
