//! Networks that print themselves as programs: compiled through the macro, a program gives the executor's values.

use ezpc_core::protocol::Cleartext;
use ezpc_core::testing::run_two;
use ezpc_core::{Error, Result};
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes;
use ezpc_ml::infer::guard_bits;
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use ezpc_ml::validate::encode_samples;
use ezpc_tests::root;

mod digits {
    use ezpc_ml::externs::*;
    ezpc_core::secure_file! { "tests/programs/digits_cnn.ezpc" }
}

fn digits_model() -> Model {
    let import = onnx::load(&root().join("examples/data/digits_cnn.onnx")).expect("the example model");
    let options = Options { input_range: [0.0, 1.0], ..Options::default() };
    compile(&passes::optimise(import.graph), &options).expect("compiles")
}

/// The executor's result for each of the samples, without its guard bits.
fn executed(model: &Model, input: &[i64]) -> Vec<Vec<i64>> {
    let mut p = Cleartext::new();
    let count = input.len() / model.card.input_len();
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let y = executor.run(&mut p, count, Some(input), &mut unwatched, [0, count]).expect("keeps its promises");
    let guard = guard_bits(&model.card);
    let values: Vec<i64> = y.data().to_signed().into_iter().map(|v| v >> guard).collect();
    values.chunks(model.card.output_len()).map(<[i64]>::to_vec).collect()
}

/// The program in the repository is what the network prints.
#[track_caller]
fn is_printed(model: &Model, name: &str) {
    let path = root().join("tests/tests/programs").join(name);
    let kept = std::fs::read_to_string(&path).expect("the program in the repository");
    assert!(
        model.card.to_secure().expect("prints") == kept,
        "{name} is not what the network prints any more"
    );
}

#[test]
#[ignore = "writes the programs, after a change of the printer"]
fn write_the_programs() -> Result<()> {
    let folder = root().join("tests/tests/programs");
    let write = |name: &str, model: &Model| {
        std::fs::write(folder.join(name), model.card.to_secure()?).map_err(|e| Error::io("the program", e))
    };
    write("digits_cnn.ezpc", &digits_model())
}

#[test]
fn the_digits_network_prints_itself() {
    is_printed(&digits_model(), "digits_cnn.ezpc");
}

#[test]
fn the_printed_digits_network_gives_the_executors_values() {
    let model = digits_model();
    let images = Array::load(&root().join("examples/data/digits_images.npy")).expect("images");
    let count = 5;
    let input = &encode_samples(&model.card, &images).expect("in range")[..count * model.card.input_len()];
    let want = executed(&model, input);
    for (x, want) in input.chunks(model.card.input_len()).zip(&want) {
        let inputs = digits::Inputs { x: Some(x.to_vec()), weights: Some(model.weights.flat()) };
        let got = digits::main(&mut Cleartext::new(), &inputs).expect("runs");
        assert_eq!(got.result.as_ref(), Some(want));
    }
    // Between two parties, each with its own input.
    let inputs = |party| match party {
        ezpc_core::Party::Server => digits::Inputs { x: None, weights: Some(model.weights.flat()) },
        ezpc_core::Party::Client => {
            digits::Inputs { x: Some(input[..model.card.input_len()].to_vec()), weights: None }
        }
    };
    let [server, client] = run_two(|p| {
        let party = ezpc_core::Protocol::party(p).expect("a party");
        digits::main(p, &inputs(party)).map(|o| o.result)
    })
    .expect("no error");
    assert_eq!(server, None);
    // Half of the fraction is gone, and with it all but the carries of how layers rounded.
    let worst = client.expect("opened").iter().zip(&want[0]).map(|(a, b)| (a - b).abs()).max();
    assert!(worst.is_some_and(|w| w <= 1), "{worst:?}");
}
