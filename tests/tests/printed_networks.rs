//! Networks that print themselves as programs: compiled through the macro, a program gives the executor's values.

use ezpc_core::protocol::{Cleartext, TwoParty};
use ezpc_core::testing::run_two;
use ezpc_core::{Error, Party, Protocol, Result};
use ezpc_ml::graph::compile::{Model, Options, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes;
use ezpc_ml::infer::guard_bits;
use ezpc_ml::networks::Network;
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use ezpc_ml::validate::encode_samples;
use ezpc_tests::root;

mod digits {
    use ezpc_ml::externs::*;
    ezpc_core::secure_file! { "tests/programs/digits_cnn.ezpc" }
}

mod squeezenet {
    use ezpc_ml::externs::*;
    ezpc_core::secure_file! { "tests/programs/squeezenet.ezpc" }
}

/// SqueezeNet 1.0 with random weights, its bounds calibrated on one image; and another image.
fn squeezenet_model() -> (Model, Vec<i64>) {
    let bytes = Network::SqueezeNet.onnx(1).expect("builds");
    let graph = passes::optimise(onnx::import(&bytes).expect("imports").graph);
    let seen = Network::SqueezeNet.samples(1, 1).to_f64();
    let calibration = Some(calibrate(&graph, &seen).expect("a whole image"));
    let options = Options { input_range: Network::INPUT_RANGE, calibration, ..Options::default() };
    let model = compile(&graph, &options).expect("compiles");
    let input = encode_samples(&model.card, &Network::SqueezeNet.samples(2, 1)).expect("in range");
    (model, input)
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
    write("digits_cnn.ezpc", &digits_model())?;
    write("squeezenet.ezpc", &squeezenet_model().0)
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
    let x = &input[..model.card.input_len()];
    let program = |p: &mut TwoParty| {
        let inputs = match Protocol::party(p) {
            Some(Party::Server) => digits::Inputs { x: None, weights: Some(model.weights.flat()) },
            _ => digits::Inputs { x: Some(x.to_vec()), weights: None },
        };
        digits::main(p, &inputs).map(|o| o.result)
    };
    nearly(run_two(program), &want[0]);
}

/// The client has the numbers: half of the fraction is gone, and with it all but the carries of how layers rounded. The
/// server has nothing.
#[track_caller]
fn nearly(results: Result<[Option<Vec<i64>>; 2]>, want: &[i64]) {
    let [server, client] = results.expect("no error");
    assert_eq!(server, None);
    let worst = client.expect("opened").iter().zip(want).map(|(a, b)| (a - b).abs()).max();
    assert!(worst.is_some_and(|w| w <= 1), "{worst:?}");
}

#[test]
#[ignore = "two parties in one process take many seconds and some gigabytes"]
fn the_printed_squeezenet_runs_between_two_parties() {
    let (model, input) = squeezenet_model();
    let program = |p: &mut TwoParty| {
        let inputs = match Protocol::party(p) {
            Some(Party::Server) => squeezenet::Inputs { x: None, weights: Some(model.weights.flat()) },
            _ => squeezenet::Inputs { x: Some(input.clone()), weights: None },
        };
        squeezenet::main(p, &inputs).map(|o| o.result)
    };
    nearly(run_two(program), &executed(&model, &input)[0]);
}

#[test]
fn squeezenet_prints_itself_and_its_program_gives_the_executors_values() {
    let (model, input) = squeezenet_model();
    is_printed(&model, "squeezenet.ezpc");
    let inputs = squeezenet::Inputs { x: Some(input.clone()), weights: Some(model.weights.flat()) };
    let got = squeezenet::main(&mut Cleartext::new(), &inputs).expect("runs");
    assert_eq!(got.result.as_ref(), executed(&model, &input).first());
}
