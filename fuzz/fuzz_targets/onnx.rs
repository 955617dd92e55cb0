//! Models, and what compiles of them.

#![no_main]

use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::passes;
use ezpc_ml::onnx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(import) = onnx::import(data) {
        let _ = compile(&passes::optimise(import.graph), &Options::default());
    }
});
