"""Writes the graphs of ONNX's model zoo that its wheel carries, with random weights, and what onnxruntime says of them.

    python -m venv venv && venv/bin/pip install onnx==1.16.2 onnxruntime 'numpy<2'
    venv/bin/python ezpc-ml/tests/zoo/prepare.py FOLDER [NAME…]
    cargo run --release --example infer -- --backend cleartext --model FOLDER/NAME.onnx --input FOLDER/NAME.in.npy \
        --input-range=-8,8 --calibrate FOLDER/NAME.in.npy --output FOLDER/NAME.ours.npy
    venv/bin/python ezpc-ml/tests/zoo/prepare.py --compare FOLDER

The wheel's weights are constants; here they are drawn as He et al. do, and batch norms hold the statistics
of the first image. A softmax at the end is left out of what is compared, as the importer leaves it out.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
IMAGES = 4
onnxruntime.set_default_logger_severity(3)


def weight(rng, shape, users):
    """A value for a constant, by what reads it: (operator, place of the operand)."""
    kinds = set(users)
    if ("BatchNormalization", 1) in kinds or ("BatchNormalization", 4) in kinds:
        return rng.uniform(0.8, 1.2, shape)
    if len(shape) > 1 and kinds & {("Conv", 1), ("Gemm", 1), ("MatMul", 1)}:
        fan_in = int(np.prod(shape[1:]))
        return rng.normal(0, np.sqrt(2 / fan_in), shape)
    if ("Mul", 1) in kinds or ("Mul", 0) in kinds:
        return rng.uniform(0.8, 1.2, shape)
    return rng.normal(0, 0.05, shape)


def randomised(model, seed):
    """The graph, its constant weights replaced by random ones."""
    rng = np.random.default_rng(seed)
    graph = model.graph
    known = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    users = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            users.setdefault(name, []).append((node.op_type, place))
    kept = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            value = weight(rng, tuple(known[node.input[0]]), users.get(node.output[0], []))
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def measured(model, image):
    """Gives every batch norm the statistics of an image there: a pass for each, as each changes the later ones."""
    norms = [n for n in model.graph.node if n.op_type == "BatchNormalization"]
    if not norms:
        return
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    given = {i.name for i in probe.graph.input}
    weights = {i.name: i for i in model.graph.initializer}
    feeds = {}
    for norm in norms:
        probe.graph.output.append(helper.make_empty_tensor_value_info(norm.input[0]))
        for name in norm.input[3:5]:
            feeds[name] = numpy_helper.to_array(weights[name])
            if name not in given:
                shape = feeds[name].shape
                probe.graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    # The statistics come with each pass.
    for place in reversed(range(len(probe.graph.initializer))):
        if probe.graph.initializer[place].name in feeds:
            del probe.graph.initializer[place]
    run = session(probe)
    for norm in norms:
        [seen] = run.run([norm.input[0]], {**feeds, sample(model): image[None]})
        axes = (0, *range(2, seen.ndim))
        feeds[norm.input[3]], feeds[norm.input[4]] = seen.mean(axes), seen.var(axes) + 1e-3
    for name, value in feeds.items():
        weights[name].CopyFrom(numpy_helper.from_array(value.astype(np.float32), name))


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def sample(model):
    """The name of the input that is not a weight."""
    weights = {i.name for i in model.graph.initializer}
    [name] = [i.name for i in model.graph.input if i.name not in weights]
    return name


def prepare(folder, path):
    model = onnx.load(path)
    randomised(model, 1)
    name = path.stem.removeprefix("light_")
    [info] = [i for i in model.graph.input if i.name == sample(model)]
    shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
    images = np.random.default_rng(2).normal(0, 1, [IMAGES, *shape[1:]]).clip(-4, 4).astype(np.float32)
    measured(model, images[0])
    onnx.save(model, folder / f"{name}.onnx")
    last = model.graph.node[-1]
    if last.op_type == "Softmax":
        model.graph.output.append(helper.make_empty_tensor_value_info(last.input[0]))
    run = session(model)
    np.save(folder / f"{name}.in.npy", images)
    np.save(folder / f"{name}.out.npy", np.concatenate([run.run(None, {info.name: x[None]})[-1] for x in images]))


def compare(folder):
    for path in sorted(folder.glob("*.ours.npy")):
        ours = np.load(path)
        theirs = np.load(str(path).replace(".ours", ".out")).reshape(ours.shape)
        ours, theirs = (a.reshape(len(a), -1) for a in (ours, theirs))
        equal = (ours.argmax(1) == theirs.argmax(1)).sum()
        error = abs(ours - theirs).max() / (theirs.max() - theirs.min())
        print(f"{path.name.split('.')[0]}: top-1 equal {equal}/{len(ours)}, largest error {error:.3%} of the range")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(Path(sys.argv[2]))
    else:
        for light in sorted(LIGHT.glob("*.onnx")):
            if not sys.argv[2:] or light.stem.removeprefix("light_") in sys.argv[2:]:
                prepare(Path(sys.argv[1]), light)
