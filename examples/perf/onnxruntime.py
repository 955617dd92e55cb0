"""Prints the seconds that onnxruntime takes for one image on one thread: the best of five runs.

    python3 onnxruntime.py MODEL.onnx IMAGE.npy
"""

import sys
import time

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
image = {session.get_inputs()[0].name: numpy.load(sys.argv[2])}
session.run(None, image)
best = float("inf")
for _ in range(5):
    start = time.perf_counter()
    session.run(None, image)
    best = min(best, time.perf_counter() - start)
print(best)
