"""Makes every data file in this folder: models, held-out inputs, labels and reference predictions.

Needed only to regenerate the files; building and running ezpc needs no Python.
Takes under a minute on one core. Made with Python 3.11 and

    pip install numpy==1.26.4 scikit-learn==1.5.2 scipy==1.17.1 onnx==1.16.2 onnxruntime==1.19.2 protobuf==7.36.2

    OMP_NUM_THREADS=1 python make_models.py [FOLDER]

Everything is seeded and trained in float64, and each model is the one after the last epoch: the held-out
rows are looked at only to report the accuracy. A different BLAS or CPU can change the last bits of the
weights, and then the files.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

SEED = 20240
OPSET = 13
IR_VERSION = 7
BN_EPSILON = 1e-5
FRAC_BITS = 12


# Layers. Each keeps what its backward pass needs; `params` and `grads` are parallel lists.


class Conv:
    """3x3 convolution, stride 1, padding 1."""

    def __init__(self, rng, inputs, outputs, bias=True):
        self.inputs, self.outputs = inputs, outputs
        self.params = [rng.normal(0, np.sqrt(2 / (9 * inputs)), (outputs, inputs, 3, 3))]
        if bias:
            self.params.append(np.zeros(outputs))

    def forward(self, x, train):
        n, c, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)
        self.shape = x.shape
        y = self.columns @ self.params[0].reshape(self.outputs, -1).T
        if len(self.params) == 2:
            y = y + self.params[1]
        return y.reshape(n, h, w, self.outputs).transpose(0, 3, 1, 2)

    def backward(self, dy):
        n, c, h, w = self.shape
        flat = dy.transpose(0, 2, 3, 1).reshape(n * h * w, self.outputs)
        self.grads = [(flat.T @ self.columns).reshape(self.params[0].shape), flat.sum(0)][: len(self.params)]
        columns = (flat @ self.params[0].reshape(self.outputs, -1)).reshape(n, h, w, c, 3, 3)
        dx = np.zeros((n, c, h + 2, w + 2))
        for i in range(3):
            for j in range(3):
                dx[:, :, i : i + h, j : j + w] += columns[..., i, j].transpose(0, 3, 1, 2)
        return dx[:, :, 1:-1, 1:-1]


class BatchNorm:
    def __init__(self, channels):
        self.params = [np.ones(channels), np.zeros(channels)]
        self.mean, self.var = np.zeros(channels), np.ones(channels)

    def forward(self, x, train):
        if train:
            self.batch_mean, self.batch_var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean = 0.95 * self.mean + 0.05 * self.batch_mean
            self.var = 0.95 * self.var + 0.05 * self.batch_var
        mean, var = (self.batch_mean, self.batch_var) if train else (self.mean, self.var)
        self.inv_std = 1 / np.sqrt(var + BN_EPSILON)
        self.normal = (x - mean[:, None, None]) * self.inv_std[:, None, None]
        return self.normal * self.params[0][:, None, None] + self.params[1][:, None, None]

    def backward(self, dy):
        self.grads = [(dy * self.normal).sum((0, 2, 3)), dy.sum((0, 2, 3))]
        count = dy.size / dy.shape[1]
        centred = dy - (self.grads[1][:, None, None] + self.normal * self.grads[0][:, None, None]) / count
        return centred * (self.params[0] * self.inv_std)[:, None, None]


class Relu:
    params = grads = ()

    def forward(self, x, train):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class MaxPool:
    """2x2 windows, stride 2."""

    params = grads = ()

    def forward(self, x, train):
        n, c, h, w = x.shape
        cells = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.shape, self.best = x.shape, cells.argmax(-1)[..., None]
        return np.take_along_axis(cells, self.best, -1)[..., 0]

    def backward(self, dy):
        n, c, h, w = self.shape
        cells = np.zeros(dy.shape + (4,))
        np.put_along_axis(cells, self.best, dy[..., None], -1)
        return cells.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


class Flatten:
    params = grads = ()

    def forward(self, x, train):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Dense:
    """Weights are [inputs, outputs]."""

    def __init__(self, rng, inputs, outputs):
        self.params = [rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)), np.zeros(outputs)]

    def forward(self, x, train):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dy):
        self.grads = [self.x.T @ dy, dy.sum(0)]
        return dy @ self.params[0].T


def forward(layers, x, train=False):
    for layer in layers:
        x = layer.forward(x, train)
    return x


def train(layers, rng, x, labels, *, epochs, rate, decay, batch=50, smoothing):
    """AdamW with a cosine schedule on softmax cross-entropy; decay applies to weights, not to biases."""
    classes = labels.max() + 1
    targets = np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer.params] for layer in layers]
    steps, step = epochs * (len(x) // batch), 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            rows = order[start : start + batch]
            logits = forward(layers, x[rows], train=True)
            exp = np.exp(logits - logits.max(1, keepdims=True))
            grad = (exp / exp.sum(1, keepdims=True) - targets[rows]) / batch
            for layer in reversed(layers):
                grad = layer.backward(grad)
            step += 1
            now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            for layer, state in zip(layers, moments):
                for i, (p, g) in enumerate(zip(layer.params, layer.grads)):
                    m, v = state[i][0], state[i][1]
                    m += 0.1 * (g - m)
                    v += 0.001 * (g * g - v)
                    if p.ndim > 1:
                        p -= now * decay * p
                    p -= now * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)


# ONNX.


def raw_tensor(name, array):
    """Values in `raw_data`, as PyTorch's exporter writes them."""
    return numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), name)


def float_tensor(name, array):
    """Values in `float_data`, the other form that ONNX allows."""
    array = np.asarray(array, dtype=np.float32)
    return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.ravel().tolist())


def make_model(name, nodes, inputs, outputs, initializers):
    values = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in v] for v in (inputs, outputs)]
    graph = helper.make_graph(nodes, name, *values, initializers)
    model = helper.make_model(
        graph,
        producer_name="ezpc-examples",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def conv_node(source, target, *names):
    return helper.make_node(
        "Conv", [source, *names], [target], name=target,
        kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1], group=1,
    )  # fmt: skip


def pool_node(source, target):
    return helper.make_node(
        "MaxPool", [source], [target], name=target, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]
    )


def digits_layers(rng):
    return [
        Conv(rng, 1, 8, bias=False), BatchNorm(8), Relu(), MaxPool(),
        Conv(rng, 8, 32), Relu(), MaxPool(),
        Flatten(), Dense(rng, 128, 10),
    ]  # fmt: skip


def digits_model(layers):
    conv1, bn1, _, _, conv2, _, _, _, fc = layers
    nodes = [
        conv_node("images", "conv1", "conv1.weight"),
        helper.make_node(
            "BatchNormalization", ["conv1", "bn1.scale", "bn1.bias", "bn1.mean", "bn1.var"], ["bn1"], name="bn1",
            epsilon=BN_EPSILON, momentum=0.95,
        ),
        helper.make_node("Relu", ["bn1"], ["relu1"], name="relu1"),
        pool_node("relu1", "pool1"),
        conv_node("pool1", "conv2", "conv2.weight", "conv2.bias"),
        helper.make_node("Relu", ["conv2"], ["relu2"], name="relu2"),
        pool_node("relu2", "pool2"),
        helper.make_node("Flatten", ["pool2"], ["flatten"], name="flatten", axis=1),
        helper.make_node(
            "Gemm", ["flatten", "fc.weight", "fc.bias"], ["logits"], name="fc", alpha=1.0, beta=1.0, transB=1
        ),
    ]  # fmt: skip
    initializers = [
        raw_tensor("conv1.weight", conv1.params[0]),
        raw_tensor("bn1.scale", bn1.params[0]),
        raw_tensor("bn1.bias", bn1.params[1]),
        raw_tensor("bn1.mean", bn1.mean),
        raw_tensor("bn1.var", bn1.var),
        raw_tensor("conv2.weight", conv2.params[0]),
        raw_tensor("conv2.bias", conv2.params[1]),
        raw_tensor("fc.weight", fc.params[0].T),
        raw_tensor("fc.bias", fc.params[1]),
    ]
    return make_model("digits_cnn", nodes, [("images", ["N", 1, 8, 8])], [("logits", ["N", 10])], initializers)


def cancer_layers(rng):
    return [Dense(rng, 30, 16), Relu(), Dense(rng, 16, 8), Relu(), Dense(rng, 8, 2)]


def cancer_model(layers):
    """Gemm without transB, and weights in `float_data`: the forms that the digits model does not use."""
    nodes, initializers, source = [], [], "features"
    for i, dense in enumerate(layers[::2], 1):
        target = f"fc{i}" if i < 3 else "logits"
        nodes.append(
            helper.make_node("Gemm", [source, f"fc{i}.weight", f"fc{i}.bias"], [target], name=f"fc{i}", transB=0)
        )
        initializers += [float_tensor(f"fc{i}.weight", dense.params[0]), float_tensor(f"fc{i}.bias", dense.params[1])]
        source = f"relu{i}"
        if i < 3:
            nodes.append(helper.make_node("Relu", [target], [source], name=source))
    return make_model("cancer_mlp", nodes, [("features", ["N", 30])], [("logits", ["N", 2])], initializers)


def unsupported_model(rng):
    """A valid model over digit images: Conv and Relu are ordinary, Einsum and LSTM are not offered by ezpc."""
    nodes = [
        conv_node("images", "conv1", "conv1.weight"),
        helper.make_node("Relu", ["conv1"], ["relu1"], name="relu1"),
        helper.make_node("Einsum", ["relu1"], ["sequence"], name="rearrange", equation="nchw->nhw"),
        helper.make_node(
            "LSTM", ["sequence", "lstm.w", "lstm.r"], ["logits"], name="recurrent", hidden_size=10
        ),
    ]  # fmt: skip
    initializers = [
        raw_tensor("conv1.weight", rng.normal(0, 0.3, (2, 1, 3, 3))),
        raw_tensor("lstm.w", rng.normal(0, 0.3, (1, 40, 8))),
        raw_tensor("lstm.r", rng.normal(0, 0.3, (1, 40, 10))),
    ]
    return make_model("unsupported", nodes, [("images", ["N", 1, 8, 8])], [("logits", ["N", 1, 8, 10])], initializers)


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def infer(model, x):
    return session(model).run(None, {model.graph.input[0].name: x})[0]


def layer_bounds(model, x):
    """The largest absolute value of each node's output over `x`."""
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    del everything.graph.output[:]
    names = [node.output[0] for node in model.graph.node]
    everything.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    outputs = session(everything).run(names, {model.graph.input[0].name: x})
    return [(node.op_type, node.name, float(np.abs(y).max())) for node, y in zip(model.graph.node, outputs)]


def fixed_point_logits(layers, x):
    """The same network with inputs, folded weights and every linear layer's output floored to FRAC_BITS."""
    scale = 2.0**FRAC_BITS
    x = np.round(np.float64(x) * scale)
    for i, layer in enumerate(layers):
        if isinstance(layer, BatchNorm):
            continue
        if not layer.params:
            x = layer.forward(x, False)
            continue
        weight, bias = layer.params[0], layer.params[1] if len(layer.params) == 2 else 0.0
        folded = layer.__class__.__new__(layer.__class__)
        folded.__dict__.update(layer.__dict__)
        if i + 1 < len(layers) and isinstance(layers[i + 1], BatchNorm):
            bn = layers[i + 1]
            gain = bn.params[0] / np.sqrt(bn.var + BN_EPSILON)
            weight, bias = weight * gain[:, None, None, None], (bias - bn.mean) * gain + bn.params[1]
        folded.params = [np.round(weight * scale), np.round(bias * scale * scale)]
        x = np.floor(folded.forward(x, False) / scale)
    return x / scale


def report(name, model, layers, inputs, labels, logits):
    predicted, fixed = logits.argmax(1), fixed_point_logits(layers, inputs)
    top = np.sort(logits, 1)
    correct = int((predicted == labels).sum())
    print(
        f"{name}: onnxruntime {ort.__version__}: {correct} of {len(labels)} held-out rows = {correct / len(labels):.4f}"
    )
    print(f"  margin between the two best logits: smallest {(top[:, -1] - top[:, -2]).min():.4f}")
    print(
        f"  {FRAC_BITS}-bit fixed point: largest logit error {np.abs(fixed - logits).max():.5f}, "
        f"{int((fixed.argmax(1) == predicted).sum())} of {len(labels)} labels as onnxruntime's"
    )
    print(f"  max |input| {np.abs(inputs).max():.3f}")
    for op, node, bound in layer_bounds(model, inputs):
        print(f"  {op:<18} {node:<8} max |output| {bound:.3f}")
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        print(f"  {tensor.name:<12} {list(array.shape)!s:<14} max |value| {np.abs(array).max():.3f}")


def split(x, labels, held_out):
    return train_test_split(x, labels, test_size=held_out, random_state=SEED, stratify=labels)


def digits_data():
    data = load_digits()
    return split((data.images / 16)[:, None], data.target.astype(np.int64), 297)


def cancer_data():
    data = load_breast_cancer()
    x, held_x, y, held_y = split(data.data, data.target.astype(np.int64), 169)
    mean, std = x.mean(0), x.std(0)
    return (x - mean) / std, (held_x - mean) / std, y, held_y


# Chosen by cross-validation within the training rows.
DIGITS_TRAINING = dict(epochs=40, rate=4e-3, decay=0.5, smoothing=0.05)
CANCER_TRAINING = dict(epochs=40, rate=3e-3, decay=3.0, batch=25, smoothing=0.0)


def main(folder):
    bad = folder / "bad"
    bad.mkdir(parents=True, exist_ok=True)

    def save(name, array, dtype):
        np.save(folder / name, np.ascontiguousarray(array, dtype=dtype))

    def make(task, model_name, inputs_name, data, make_layers, make_onnx, training):
        x, held_x, y, held_y = data
        rng = np.random.default_rng(SEED)
        layers = make_layers(rng)
        train(layers, rng, x, y, **training)
        model = make_onnx(layers)
        held_x = held_x.astype(np.float32)
        logits = infer(model, held_x)
        expected = forward(layers, held_x.astype(np.float64))
        assert np.abs(logits - expected).max() < 1e-4, "the ONNX file is not the network that was trained"
        (folder / f"{model_name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        save(f"{task}_{inputs_name}.npy", held_x, np.float32)
        save(f"{task}_labels.npy", held_y, np.int64)
        save(f"{task}_onnxruntime_labels.npy", logits.argmax(1), np.int64)
        save(f"{task}_onnxruntime_logits.npy", logits, np.float32)
        report(task, model, layers, held_x, held_y, logits)
        return held_x

    images = make("digits", "digits_cnn", "images", digits_data(), digits_layers, digits_model, DIGITS_TRAINING)
    make("cancer", "cancer_mlp", "features", cancer_data(), cancer_layers, cancer_model, CANCER_TRAINING)

    save("bad/digits_wrong_shape.npy", np.pad(images[:5], ((0, 0), (0, 0), (0, 1), (0, 1))), np.float32)
    with_nan = images[:2].copy()
    with_nan[1, 0, 3, 4] = np.nan
    save("bad/digits_nan.npy", with_nan, np.float32)
    unsupported = unsupported_model(np.random.default_rng(SEED))
    assert infer(unsupported, images[:3]).shape == (3, 1, 8, 10)
    (bad / "unsupported.onnx").write_bytes(unsupported.SerializeToString(deterministic=True))
    whole = (folder / "digits_cnn.onnx").read_bytes()
    (bad / "truncated.onnx").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
