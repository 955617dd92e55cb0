"""Compares our networks in fixed point with onnxruntime.

    cargo build --release -p ezpc-examples --example network --example infer
    venv/bin/python ezpc-ml/tests/zoo/networks.py FOLDER [--images 20] [--two-party 2] [--precision 9] [--slack 0.015625] [NAME…]

Weights and images are drawn from seeds; bounds come from four other images. Every image runs under the cleartext oracle, and
as many as asked for between two parties. The venv is that of `prepare.py`.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime

EXAMPLES = Path(__file__).parents[3] / "target/release/examples"
CALIBRATION, IMAGES = 6, 5


def run(name, *args):
    subprocess.run([EXAMPLES / name, *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def compare(what, ours, theirs):
    # Numbers are opened with half of their fraction, so the largest two may be the same.
    best = ours[range(len(ours)), theirs.argmax(1)] == ours.max(1)
    ties = ((ours == ours.max(1, keepdims=True)).sum(1) > 1).sum()
    error = abs(ours - theirs).max() / (theirs.max() - theirs.min())
    print(
        f"{what}: top-1 equal {best.sum()}/{len(ours)}, of them ties with another {ties}, "
        f"largest error {error:.3%} of the range",
        flush=True,
    )
    return best.all() and error < 0.02


def check(folder, name, count, secure, options):
    place = lambda what: folder / f"{name}.{what}"
    model, images, some = place("onnx"), place("npy"), place("some.npy")
    run("network", name, "--output", model, "--samples", images, "--count", count, "--image-seed", IMAGES)
    run("network", name, "--samples", place("calibration.npy"), "--count", 4, "--image-seed", CALIBRATION)
    inputs = np.load(images)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    theirs = np.concatenate([session.run(None, {feed: x[None]})[0] for x in inputs]).reshape(count, -1)
    flags = ["--quiet", "--model", model, "--input-range=-2,2", "--calibrate", place("calibration.npy"), *options]
    run("infer", *flags, "--backend", "cleartext", "--input", images, "--output", place("ours.npy"))
    good = compare(f"{name}, oracle", np.load(place("ours.npy")).reshape(count, -1), theirs)
    if secure:
        np.save(some, inputs[:secure])
        run("infer", *flags, "--input", some, "--output", place("secure.npy"), "--batch", 1)
        good &= compare(f"{name}, two parties", np.load(place("secure.npy")).reshape(secure, -1), theirs[:secure])
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--two-party", type=int, default=0)
    parser.add_argument("--precision", type=int, default=9)
    parser.add_argument("--slack", type=float, default=0.015625, help="the oracle decides exactly: only two parties show it")
    parser.add_argument("names", nargs="*", default=["squeezenet", "resnet50", "densenet121"])
    args = parser.parse_intermixed_args()
    options = ["--precision", args.precision, "--slack", args.slack]
    good = [check(args.folder, name, args.images, args.two_party, options) for name in args.names]
    raise SystemExit(not all(good))
