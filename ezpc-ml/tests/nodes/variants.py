"""Cases beyond ONNX's node tests: old operator sets, symbolic batches, combinations of attributes."""

from itertools import product

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)


def values(*shape):
    return rng.uniform(-2, 2, shape).astype(np.float32)


class Case:
    """A model of one input; constants that its nodes name are initializers."""

    def __init__(self, name, opset, shape, batch="N", sample=None):
        self.name, self.opset, self.nodes, self.constants = f"variant_{name}", opset, [], []
        self.sample = values(*shape) if sample is None else sample
        # A symbolic batch in front, unless the whole tensor is meant.
        self.dims = [batch, *shape[1:]] if batch else list(shape)

    def constant(self, array):
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, *inputs, outputs=None, domain="", **attributes):
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        outputs = outputs or [f"v{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, names, outputs, domain=domain, **attributes))
        return outputs[0]

    def finish(self, result, kind=TensorProto.FLOAT, classic=False):
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, self.name, [info("x", TensorProto.FLOAT, self.dims)], [info(result, kind, None)], self.constants
        )
        opsets = [helper.make_opsetid("", self.opset)]
        if classic:
            opsets.append(helper.make_opsetid("ai.onnx.ml", 3))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        output = session.run([result], {"x": self.sample})[0]
        return self.name, model, [self.sample], [output]


def single(name, opset, shape, op, *inputs, batch="N", kind=TensorProto.FLOAT, classic=False, **attributes):
    case = Case(name, opset, shape, batch)
    domain = "ai.onnx.ml" if classic else ""
    return case.finish(case.node(op, "x", *inputs, domain=domain, **attributes), kind, classic)


def ints(*items):
    return np.array(items, dtype=np.int64)


def attributes_of_old_opsets():
    yield single("clip_7", 7, (3, 4), "Clip", min=-0.5, max=1.0)
    yield single("clip_7_min", 7, (3, 4), "Clip", min=0.25)
    yield single("clip_11", 11, (3, 4), "Clip", np.float32(-0.5), np.float32(1))
    yield single("slice_9", 9, (2, 6, 5), "Slice", axes=[1, 2], starts=[1, -3], ends=[5, 100])
    yield single("slice_11", 11, (2, 6, 5), "Slice", ints(4, 0), ints(0, 9), ints(1, 2), ints(-2, 2))
    yield single("squeeze_11", 11, (2, 1, 3, 1), "Squeeze", axes=[1, -1])
    yield single("squeeze_13", 13, (2, 1, 3, 1), "Squeeze", ints(1, 3))
    yield single("unsqueeze_11", 11, (2, 3), "Unsqueeze", axes=[1, 3])
    for op in ("ReduceMean", "ReduceSum", "ReduceMax"):
        yield single(f"{op.lower()}_11", 11, (2, 3, 4), op, axes=[-1], keepdims=0)
    yield single("reducesum_13", 13, (2, 3, 4), "ReduceSum", ints(1), keepdims=1)
    yield single("reducemean_18", 18, (2, 3, 4), "ReduceMean", ints(1, 2), keepdims=0)
    for mode in ("constant", "reflect", "edge"):
        yield single(f"pad_10_{mode}", 10, (2, 3, 4), "Pad", mode=mode, pads=[0, 1, 2, 0, 0, 1], value=0.5)
    yield single("pad_11_value", 11, (2, 3, 4), "Pad", ints(0, 0, 1, 0, 2, 0), np.float32(-1.5))
    yield single("pad_18_axes", 18, (2, 3, 4), "Pad", ints(1, 2), np.float32(0), ints(-1))
    yield single("pad_19_wrap", 19, (2, 3, 4), "Pad", ints(0, 0, 1, 0, 0, 2), mode="wrap")
    yield single("pad_crops", 13, (2, 5, 4), "Pad", ints(0, -1, 1, 0, -2, 0))
    yield single("dropout_7", 7, (2, 3), "Dropout", ratio=0.3)
    yield single("dropout_10", 10, (2, 3), "Dropout", ratio=0.3)
    yield single("dropout_13", 13, (2, 3), "Dropout", np.float32(0.5))
    norm = [values(3), values(3), values(3), np.abs(values(3)) + np.float32(0.5)]
    for opset in (7, 9, 14, 15):
        yield single(f"batchnorm_{opset}", opset, (2, 3, 4), "BatchNormalization", *norm, epsilon=1e-3)
    yield single("batchnorm_vector", 15, (2, 3), "BatchNormalization", *norm)
    yield single("softmax_12_axis_1", 12, (2, 3, 4), "Softmax", axis=1)
    yield single("softmax_12_axis_2", 12, (2, 3, 4), "Softmax", axis=2)
    yield single("softmax_11_default", 11, (2, 5), "Softmax")
    yield single("logsoftmax_11_default", 11, (2, 3, 2), "LogSoftmax")
    yield single("softmax_13_axis_1", 13, (2, 3, 4), "Softmax", axis=1)
    yield single("resize_10", 10, (1, 2, 3, 4), "Resize", np.array([1, 1, 2, 3], dtype=np.float32))
    yield single("upsample_9", 9, (1, 2, 3, 4), "Upsample", np.array([1, 1, 2, 2], dtype=np.float32))
    yield single("upsample_7", 7, (1, 2, 3, 4), "Upsample", scales=[1.0, 1.0, 2.0, 3.0], mode="nearest")
    for opset, op in product((7, 12, 13), ("ArgMax", "ArgMin")):
        yield single(f"{op.lower()}_{opset}", opset, (5, 4), op, axis=1, keepdims=0, kind=TensorProto.INT64)
    yield single("argmax_map", 13, (2, 3, 4, 5), "ArgMax", axis=1, kind=TensorProto.INT64)
    yield single("argmax_map_flat", 13, (2, 3, 4, 5), "ArgMax", axis=1, keepdims=0, kind=TensorProto.INT64)
    for opset in (7, 9, 11, 13):
        yield single(f"gemm_{opset}", opset, (3, 4), "Gemm", values(5, 4), values(5), alpha=0.5, beta=2.0, transB=1)
    yield single("gemm_no_bias", 13, (3, 4), "Gemm", values(4, 5))
    for opset in (8, 13):
        yield single(f"expand_{opset}", opset, (2, 1, 4), "Expand", ints(1, 3, 1))
    yield single("leakyrelu_7", 7, (3, 4), "LeakyRelu", alpha=0.2)
    yield single("prelu_channels", 9, (2, 3, 4), "PRelu", values(3, 1))
    yield single("hardsigmoid", 7, (3, 4), "HardSigmoid", alpha=0.3, beta=0.4)
    yield single("hardswish", 14, (3, 4), "HardSwish")
    yield single("depthtospace_11_crd", 11, (1, 8, 2, 3), "DepthToSpace", blocksize=2, mode="CRD")
    yield single("spacetodepth_7", 7, (1, 2, 4, 6), "SpaceToDepth", blocksize=2)
    yield single("globalmaxpool_1d", 7, (2, 3, 5), "GlobalMaxPool")
    yield single("globalaveragepool_3d", 7, (2, 3, 2, 2, 3), "GlobalAveragePool")
    yield single("whole_relu_vector", 13, (5,), "Relu", batch=None)
    yield single("whole_gather_axis_0", 13, (4, 3), "Gather", ints(2, 0), batch=None)
    for name, attributes in {"2": {"split": [2, 3]}, "11": {"split": [1, 4]}}.items():
        for part in (0, 1):
            case = Case(f"split_{name}_{part}", 7 if name == "2" else 11, (2, 5))
            case.node("Split", "x", outputs=["a", "b"], axis=1, **attributes)
            yield case.finish("ab"[part])


def windows():
    """Every padding and ceiling mode of the poolings and convolutions, in one and two dimensions."""
    shapes = {1: (2, 4, 9), 2: (2, 4, 9, 7)}
    for rank, shape in shapes.items():
        pads = {1: ([0, 0], [1, 2]), 2: ([0, 0, 0, 0], [1, 0, 2, 1])}[rank]
        kernel = [3, 2][:rank]
        for stride, pad, ceil in product((1, 2, 3), pads, (0, 1)):
            place = {"kernel_shape": kernel, "strides": [stride] * rank, "pads": pad, "ceil_mode": ceil}
            name = f"{rank}d_{stride}_{'padded' if any(pad) else 'plain'}_{'ceil' if ceil else 'floor'}"
            yield single(f"maxpool_{name}", 12, shape, "MaxPool", **place)
            for count in (0, 1):
                yield single(f"averagepool_{name}_{count}", 11, shape, "AveragePool", count_include_pad=count, **place)
        for mode in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            place = {"kernel_shape": kernel, "strides": [2] * rank, "auto_pad": mode}
            yield single(f"maxpool_{rank}d_{mode.lower()}", 10, shape, "MaxPool", **place)
            yield single(f"averagepool_{rank}d_{mode.lower()}", 7, shape, "AveragePool", **place)
            weights = values(6, 4, *kernel)
            yield single(f"conv_{rank}d_{mode.lower()}", 11, shape, "Conv", weights, values(6), **place)
        yield single(
            f"maxpool_{rank}d_dilated", 10, shape, "MaxPool", kernel_shape=kernel, dilations=[2] * rank
        )
        yield single(
            f"averagepool_{rank}d_dilated", 19, shape, "AveragePool", kernel_shape=kernel, dilations=[2] * rank,
            pads=[1] * (2 * rank), count_include_pad=1,
        )
        for group, dilation, stride in product((1, 2, 4), (1, 2), (1, 2)):
            weights = values(8, 4 // group, *kernel)
            place = {"group": group, "dilations": [dilation] * rank, "strides": [stride] * rank, "pads": pads[1]}
            name = f"conv_{rank}d_group_{group}_dilation_{dilation}_stride_{stride}"
            yield single(name, 11, shape, "Conv", weights, values(8), **place)
        yield single(f"conv_{rank}d_no_bias", 7, shape, "Conv", values(2, 4, *kernel))


def products():
    yield single("matmul_vector", 13, (2, 3, 4), "MatMul", values(4))
    yield single("matmul_rank_3", 9, (2, 3, 4), "MatMul", values(4, 5))
    yield single("matmul_stack", 13, (2, 3, 5, 4), "MatMul", values(3, 4, 6))
    yield single("matmul_stack_spread", 13, (2, 1, 5, 4), "MatMul", values(1, 3, 4, 2))
    yield single("matmul_raised", 13, (2, 3), "MatMul", values(1, 3, 4))
    for name, left in {"": values(6, 3), "_vector": values(3), "_stack": values(2, 6, 3)}.items():
        case = Case(f"matmul_left{name}", 13, (4, 2, 3, 5))
        yield case.finish(case.node("MatMul", left, "x"))


def shapes():
    """What exporters write: shapes computed from the batch, transposes that move it, constants that are folded."""
    for opset in (8, 11, 13):
        case = Case(f"reshape_by_shape_{opset}", opset, (3, 2, 4))
        shape = case.node("Shape", "x")
        batch = case.node("Gather", shape, np.int64(0), axis=0)
        one = case.node("Unsqueeze", batch, axes=[0]) if opset < 13 else case.node("Unsqueeze", batch, ints(0))
        yield case.finish(case.node("Reshape", "x", case.node("Concat", one, ints(-1), axis=0)))
    yield single("reshape_zero", 13, (3, 2, 4), "Reshape", ints(0, 4, 2))
    case = Case("shape_from_one", 15, (3, 2, 4))
    turned = case.node("Gather", case.node("Shape", "x", start=1), ints(1, 0), axis=0)
    yield case.finish(case.node("Reshape", "x", case.node("Concat", ints(-1), turned, axis=0)))
    case = Case("expand_by_constantofshape", 13, (3, 1, 4))
    ones = case.node("ConstantOfShape", ints(3), value=helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    yield case.finish(case.node("Expand", "x", case.node("Mul", ones, ints(1, 5, 1))))
    case = Case("transpose_moves_the_batch", 13, (3, 2, 4))
    moved = case.node("Relu", case.node("Transpose", "x", perm=[1, 0, 2]))
    added = case.node("Add", moved, values(2, 1, 4))
    picked = case.node("Gather", added, ints(1, 0), axis=0)
    yield case.finish(case.node("Transpose", picked, perm=[1, 0, 2]))
    case = Case("unsqueeze_before_the_batch", 13, (3, 4))
    raised = case.node("Unsqueeze", "x", ints(0))
    more = case.node("Add", raised, values(2, 1, 4))
    yield case.finish(case.node("Transpose", more, perm=[1, 0, 2]))
    case = Case("gather_behind", 13, (3, 4, 5))
    yield case.finish(case.node("Gather", "x", np.array([[0, 2], [4, 1]], dtype=np.int64), axis=2))
    case = Case("folded_weights", 13, (3, 4))
    scaled = case.node("Mul", values(4, 5), values(1, 5))
    turned = case.node("Transpose", case.node("Relu", scaled), perm=[1, 0])
    flipped = case.node("Transpose", case.node("Clip", turned, np.float32(0.1), np.float32(1.5)), perm=[1, 0])
    yield case.finish(case.node("MatMul", "x", flipped))
    case = Case("folded_integers", 13, (3, 6))
    half = case.node("Div", case.node("Gather", case.node("Shape", "x"), ints(1), axis=0), ints(4))
    yield case.finish(case.node("Reshape", "x", case.node("Concat", ints(0), ints(-1), case.node("Add", half, ints(2)), axis=0)))
    case = Case("concat_with_constant", 13, (1, 2, 4), batch=1)
    yield case.finish(case.node("Concat", "x", values(1, 3, 4), axis=1))
    case = Case("broadcast_both_ways", 13, (3, 2, 1))
    yield case.finish(case.node("Mul", case.node("Relu", "x"), case.node("Transpose", "x", perm=[0, 2, 1])))
    case = Case("squeeze_and_excite", 13, (2, 3, 4, 4))
    pooled = case.node("GlobalAveragePool", "x")
    gate = case.node("HardSigmoid", case.node("Conv", pooled, values(3, 3, 1, 1)))
    yield case.finish(case.node("Mul", "x", gate))
    case = Case("softmax_then_argmax", 13, (4, 5))
    label = case.node("ArgMax", case.node("Softmax", "x"), axis=-1, keepdims=0)
    yield case.finish(label, TensorProto.INT64)
    case = Case("min_max_sum_mean", 13, (3, 4))
    low = case.node("Min", "x", values(4), np.float32([0.5]))
    high = case.node("Max", "x", low, values(1, 4))
    yield case.finish(case.node("Mean", case.node("Sum", low, high, values(4)), high))


def classic():
    """Operators of ai.onnx.ml; scikit-learn's whole models are in ../sklearn."""
    yield single("scaler", 13, (3, 4), "Scaler", classic=True, offset=[0.5, -1.0, 0.0, 2.0], scale=[2.0, 1.0, 0.5, 3.0])
    yield single("scaler_one", 13, (3, 4), "Scaler", classic=True, offset=[0.5], scale=[2.0])
    yield single(
        "linear_regressor", 13, (3, 4), "LinearRegressor", classic=True, coefficients=list(map(float, values(8))),
        intercepts=[0.5, -0.25], targets=2,
    )
    leaves = {
        "nodes_treeids": [0] * 5 + [1] * 3, "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
        "nodes_featureids": [0, 2, 0, 0, 0, 1, 0, 0], "nodes_values": [0.25, -0.5, 0, 0, 0, 0.125, 0, 0],
        "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0], "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
    }
    for mode in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"):
        for how in ("SUM", "AVERAGE"):
            yield single(
                f"tree_regressor_{mode.lower()}_{how.lower()}", 13, (9, 4), "TreeEnsembleRegressor", classic=True, **leaves,
                nodes_modes=[mode, mode, "LEAF", "LEAF", "LEAF", mode, "LEAF", "LEAF"], n_targets=1,
                target_treeids=[0, 0, 0, 1, 1], target_nodeids=[2, 3, 4, 1, 2], target_ids=[0] * 5,
                target_weights=[1.0, -2.0, 0.5, 0.25, 4.0], aggregate_function=how, base_values=[0.75],
            )


def variants():
    for group in (attributes_of_old_opsets, windows, products, shapes, classic):
        yield from group()
