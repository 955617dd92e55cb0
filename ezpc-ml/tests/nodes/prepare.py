"""Writes ONNX's own backend node tests, and variants of them, into a folder for the ignored tests of `node_tests`.

    python -m venv venv && venv/bin/pip install onnx==1.16.2 onnxruntime==1.32.0 numpy==1.26.4
    venv/bin/python ezpc-ml/tests/nodes/prepare.py FOLDER
    EZPC_NODE_TESTS=FOLDER cargo test -p ezpc-ml --test node_tests -- --ignored

Each case becomes NAME.onnx, NAME.in.npy and NAME.out.npy. A network has one input, the sample; the other inputs of a
case become initializers, as a vendor's weights are. Where no input is one of numbers to compute with, all of them
become initializers, and the sample is one number that nothing looks at. A case of several outputs becomes one case
for each. The variants cover attributes, operator sets and combinations that the node tests leave out; onnxruntime
says what they compute.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parent))
from variants import variants  # noqa: E402

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

OPERATORS = (
    "Abs Add ArgMax ArgMin AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv DepthToSpace "
    "Div Dropout Expand Flatten Gather Gemm GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Identity LeakyRelu "
    "LogSoftmax MatMul Max MaxPool Mean Min Mul Neg PRelu Pad ReduceMax ReduceMean ReduceSum Relu Reshape Resize Shape "
    "Sigmoid Slice Softmax SpaceToDepth Split Squeeze Sub Sum Transpose Unsqueeze "
    "LinearClassifier LinearRegressor Normalizer Scaler TreeEnsembleClassifier TreeEnsembleRegressor"
).split()

# The outputs that this version of ONNX gives for it are not those of the operator: padding that ceil_mode adds would
# count. Its later versions agree with onnxruntime.
MENDED = {"test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True"}

# Operators whose only input is a shape.
SHAPES = {"ConstantOfShape"}


def raised(model):
    """Operators without a newer version are the same in opset 7."""
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version < 7:
            for node in model.graph.node:
                old = onnx.defs.get_schema(node.op_type, opset.version)
                new = onnx.defs.get_schema(node.op_type, 7)
                if old.since_version != new.since_version:
                    return
            opset.version = 7


def save(path, array, info):
    array = np.asarray(array)
    if info.type.tensor_type.elem_type == TensorProto.BFLOAT16:
        # The upper half of a float.
        array = (array.astype(np.uint32) << 16).view(np.float32)
    array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
    np.save(path, np.ascontiguousarray(array).reshape(array.shape))


def numbers(values):
    return all(isinstance(v, (np.ndarray, np.generic)) and v.dtype.kind in "fiub" for v in values)


def write(folder, name, model, inputs, outputs):
    raised(model)
    alone = not inputs or model.graph.node[0].op_type in SHAPES
    for i, (info, output) in enumerate(zip(list(model.graph.output), outputs)):
        case = onnx.ModelProto()
        case.CopyFrom(model)
        taken = list(case.graph.input)
        sample = helper.make_tensor_value_info("unused", TensorProto.FLOAT, [1]) if alone else taken[0]
        weights = zip(inputs if alone else inputs[1:], taken if alone else taken[1:])
        initializers = [numpy_helper.from_array(np.asarray(a), v.name) for a, v in weights]
        kept = onnx.ValueInfoProto()
        kept.CopyFrom(sample)
        del case.graph.input[:], case.graph.output[:]
        case.graph.input.append(kept)
        case.graph.output.append(info)
        case.graph.initializer.extend(initializers)
        part = name if len(outputs) == 1 else f"{name}.{i}"
        (folder / f"{part}.onnx").write_bytes(case.SerializeToString())
        save(folder / f"{part}.in.npy", np.zeros(1) if alone else inputs[0], sample)
        save(folder / f"{part}.out.npy", output, info)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        graph = case.model.graph
        if not graph.node or not {n.op_type for n in graph.node} <= set(OPERATORS):
            continue
        inputs, outputs = case.data_sets[0]
        if case.name in MENDED:
            case.model.ir_version = 9
            session = onnxruntime.InferenceSession(case.model.SerializeToString())
            outputs = session.run(None, {v.name: a for v, a in zip(graph.input, inputs)})
        if numbers(inputs + outputs):
            write(folder, case.name, case.model, inputs, outputs)
        elif "_expanded" not in case.name:
            # Texts and floats of 8 bits are no tensors of numbers; the importer says so.
            (folder / f"{case.name}.onnx").write_bytes(case.model.SerializeToString())
    for name, model, inputs, outputs in variants():
        write(folder, name, model, inputs, outputs)


main(Path(sys.argv[1]))
