"""Writes ONNX's own backend node tests into a folder, for the ignored test `node_tests` of this crate.

    python -m venv venv && venv/bin/pip install onnx==1.16.2 numpy==1.26.4
    venv/bin/python ezpc-ml/tests/nodes/prepare.py FOLDER
    EZPC_NODE_TESTS=FOLDER cargo test -p ezpc-ml --test node_tests -- --ignored

Each case becomes NAME.onnx, NAME.in.npy and NAME.out.npy. A network has one input, the sample; the other inputs of a
case become initializers, as a vendor's weights are. A case of several outputs becomes one case for each.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

OPERATORS = (
    "Abs Add ArgMax ArgMin AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv DepthToSpace "
    "Div Dropout Expand Flatten Gather Gemm GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Identity LeakyRelu "
    "LogSoftmax MatMul Max MaxPool Mean Min Mul Neg PRelu Pad ReduceMax ReduceMean ReduceSum Relu Reshape Resize Shape "
    "Sigmoid Slice Softmax SpaceToDepth Split Squeeze Sub Sum Transpose Unsqueeze"
).split()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        graph = case.model.graph
        if not {n.op_type for n in graph.node} <= set(OPERATORS) or "_expanded" in case.name:
            continue
        inputs, outputs = case.data_sets[0]
        arrays = inputs + outputs
        if not all(isinstance(a, np.ndarray) for a in arrays) or not inputs:
            continue
        for i, (info, output) in enumerate(zip(graph.output, outputs)):
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            kept = model.graph.input[0]
            initializers = [numpy_helper.from_array(a, v.name) for a, v in zip(inputs[1:], graph.input[1:])]
            del model.graph.input[:], model.graph.output[:]
            model.graph.input.append(kept)
            model.graph.output.append(info)
            model.graph.initializer.extend(initializers)
            name = case.name if len(outputs) == 1 else f"{case.name}.{i}"
            (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
            for kind, array in (("in", inputs[0]), ("out", output)):
                array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
                np.save(folder / f"{name}.{kind}.npy", np.ascontiguousarray(array))


main(Path(sys.argv[1]))
