//! `Normalizer` divides by a secret: it is dropped at the output, where it keeps the order, and refused before a layer.

use ezpc_ml::onnx;

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("short");
    let high = if len < 128 { vec![len] } else { vec![len | 128, 1] };
    [&[number << 3 | 2][..], &high, bytes].concat()
}

/// `x` normalised to `n`, and a ReLU of it when `layer`.
fn model(layer: bool) -> Vec<u8> {
    let norm = [&field(1, b"norm")[..], &field(4, b"L2"), &[0xa0, 1, 3]].concat();
    let parts = [field(1, b"x"), field(2, b"n"), field(3, b"unit"), field(4, b"Normalizer"), field(5, &norm)];
    let node = [&parts.concat()[..], &field(7, b"ai.onnx.ml")].concat();
    let relu = [field(1, b"n"), field(2, b"y"), field(3, b"relu"), field(4, b"Relu")].concat();
    let dims = [field(1, &[]), field(1, &[1 << 3, 3])].concat();
    let kind = field(1, &[&[1 << 3, 1][..], &field(2, &dims)].concat());
    let mut graph = field(1, &node);
    if layer {
        graph.extend(field(1, &relu));
    }
    graph.extend(field(11, &[field(1, b"x"), field(2, &kind)].concat()));
    graph.extend(field(12, &field(1, if layer { b"y" } else { b"n" })));
    let ml = [&field(1, b"ai.onnx.ml")[..], &[2 << 3, 1]].concat();
    [&[1 << 3, 8][..], &field(7, &graph), &field(8, &[2 << 3, 13]), &field(8, &ml)].concat()
}

#[test]
fn at_the_output_it_is_dropped_with_a_notice() {
    let import = onnx::import(&model(false)).expect("imports");
    assert!(import.notices.iter().any(|n| n.contains("L2 norm")));
}

#[test]
fn before_a_layer_it_is_refused() {
    let text = onnx::import(&model(true)).map(|_| ()).expect_err("refused").to_string();
    assert!(
        text.contains("relu") && text.contains("L2 norm in front of it is only supported at the output"),
        "{text}"
    );
}
