//! Bytes that nobody meant well: readers answer with an error, never with a panic, and what they accept can run.

use ezpc_ml::card::{Card, Limits};
use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::exec::batch_size;
use ezpc_ml::graph::passes;
use ezpc_ml::onnx;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::OnceLock;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name))
        .expect("a file")
}

fn models() -> &'static [Vec<u8>] {
    static MODELS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODELS.get_or_init(|| {
        vec![bytes("digits_cnn.onnx"), bytes("cancer_mlp.onnx"), bytes("bad/unsupported.onnx")]
    })
}

fn card() -> &'static str {
    static CARD: OnceLock<String> = OnceLock::new();
    CARD.get_or_init(|| {
        let graph = passes::optimise(onnx::import(&models()[0]).expect("a model").graph);
        compile(&graph, &Options::default()).expect("compiles").card.to_text()
    })
}

/// Imports and, when that works, compiles: neither may panic.
fn try_model(bytes: &[u8]) {
    if let Ok(import) = onnx::import(bytes) {
        let _ = compile(&passes::optimise(import.graph), &Options::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_no_model(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        try_model(&bytes);
    }

    #[test]
    fn broken_models(
        which in 0_usize..3,
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        structural in any::<bool>(),
    ) {
        let mut model = models()[which].clone();
        // Most of a model is weights; half of the cases aim at the structure around them.
        let reach = if structural { model.len().min(1200) } else { model.len() };
        for (at, value) in flips {
            model[at.index(reach)] = value;
        }
        try_model(&model);
        try_model(&model[..cut.index(model.len())]);
    }

    #[test]
    fn broken_cards(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(b"0123456789 =[]%,.-\nx".to_vec()),
    ) {
        let limits = Limits::default();
        let mut text = card().as_bytes().to_vec();
        prop_assert!(Card::from_text(&text[..cut.index(text.len())], &limits).is_err());
        let at = at.index(text.len());
        text[at] = with;
        if let Ok(card) = Card::from_text(&text, &limits) {
            prop_assert_eq!(card.to_text().into_bytes(), text);
            prop_assert!(batch_size(&card, 10, 1 << 20) >= 1);
        }
    }
}

#[test]
fn a_card_cannot_ask_for_absurd_sizes() {
    let limits = Limits::default();
    for (from, to) in [
        ("[1,8,8]", "[1,8388608,8388608]"),
        ("[1,8,8]", "[18446744073709551615,8,8]"),
        ("outputs=8", "outputs=0"),
        ("groups=1", "groups=0"),
        ("kernel=3,3", "kernel=0,3"),
        ("kernel=3,3", "kernel=18446744073709551615,3"),
        ("padding=1,1,1,1", "padding=99999999,1,1,1"),
        ("%1 bn1 conv(%0)", "%1 bn1 conv(%8)"),
        ("%1 bn1 conv(%0)", "%1 bn1 conv(%0,%0)"),
        ("shift=12", "shift=63"),
        ("width=23", "width=0"),
        ("output %8", "output %9"),
    ] {
        let text = card().replacen(from, to, 1);
        assert_ne!(text, card(), "{from}");
        assert!(Card::from_text(text.as_bytes(), &limits).is_err(), "{from} to {to}");
    }
}

/// A card of one pooling; cards may come from a peer, who decides on every number.
fn pooling(operation: &str, sides: [usize; 2], output: &str) -> ezpc_core::Result<Card> {
    let [h, w] = sides;
    let text = format!(
        "ezpc-card 1\nname pool\nfrac-bits 12\ninput-range 0 1\noutput %1 values\n%0 x input() [1,{h},{w}] width=30 bits=17 \
         proved\n%1 pool {operation} {output} proved\n"
    );
    Card::from_text(text.as_bytes(), &Limits::default())
}

#[test]
fn a_mean_drops_as_many_bits_as_its_windows_ask_for() {
    let mean = |kernel: &str, shift: u32| {
        let windows =
            format!("avgpool(%0) kernel={kernel} stride=1,1 padding=0,0,0,0 dilation=1,1 counted=0,0,0,0");
        let width = 30 - shift;
        pooling(&format!("{windows} ring=30 shift={shift}"), [3, 2], &format!("[1,1,1] width={width} bits=7"))
    };
    // Twelve bits of the factor and three of six values, whatever a card says.
    mean("3,2", 15).expect("a mean of six");
    for shift in [1, 14, 16] {
        let error = mean("3,2", shift).expect_err("refused").to_string();
        assert!(error.contains("drops other bits"), "{error}");
    }
}

/// A result of a ReLU is below zero by what it left out, which an extension for values above zero has to know.
#[test]
fn an_extension_leaves_out_what_its_relu_did() {
    let card = |relu: u32, extension: u32| {
        let text = format!(
            "ezpc-card 1\nname wide\nfrac-bits 12\ninput-range 0 1\noutput %2 values\n%0 x input() [4] width=20 bits=13 \
             proved\n%1 relu relu(%0) from=20 drop={relu} [4] width=20 bits=13 proved\n%2 wide extend(%1) positive=1 \
             drop={extension} [4] width=30 bits=13 proved\n"
        );
        Card::from_text(text.as_bytes(), &Limits::default())
    };
    card(0, 0).expect("an exact one");
    card(5, 5).expect("a coarse one");
    for (relu, extension) in [(5, 0), (0, 5), (5, 4)] {
        let error = card(relu, extension).expect_err("refused").to_string();
        assert!(error.contains("a ReLU that leaves out as many bits"), "{error}");
    }
}

#[test]
fn windows_are_counted_as_what_they_gather() {
    let pool = |operation: &str, rest: &str, side: usize, kernel: usize| {
        let out = side - kernel + 1;
        let windows = format!("kernel={kernel},{kernel} stride=1,1 padding=0,0,0,0 dilation=1,1");
        pooling(
            &format!("{operation}(%0) {windows} {rest}"),
            [side; 2],
            &format!("[1,{out},{out}] width=30 bits=17"),
        )
    };
    pool("maxpool", "drop=0", 64, 3).expect("an ordinary maximum");
    let error = pool("maxpool", "drop=0", 8000, 4000).expect_err("refused").to_string();
    assert!(error.contains("products a sample"), "{error}");
    let error = pool("maxpool", "drop=0", 4000, 32).expect_err("refused").to_string();
    assert!(error.contains("bytes a sample"), "{error}");
    let error =
        pool("avgpool", "counted=0,0,0,0 ring=30 shift=0", 8000, 4000).expect_err("refused").to_string();
    assert!(error.contains("products a sample"), "{error}");
}

#[test]
fn seeds_of_fuzzing_are_cards() {
    let seed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/card/digits_cnn");
    let text = std::fs::read(seed).expect("a seed");
    assert!(Card::from_text(&text, &Limits::default()).is_ok());
}
