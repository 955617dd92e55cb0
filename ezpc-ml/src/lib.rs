//! Neural networks over any [`ezpc_core`] protocol: kernels, graphs, ONNX models, secure validation.
