//! The examples with a model: two processes over TCP against the cleartext oracle, and what happens when files are bad.

#[path = "common/example.rs"]
mod example;

use example::example;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name).display().to_string()
}

fn run(name: &str, args: &[&str]) -> Output {
    example(name).args(args).output().expect("it starts")
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("one JSON object")
}

/// Standardised features are not between 0 and 1.
const CANCER_RANGE: &str = "--input-range=-16,16";

fn cancer() -> [String; 3] {
    [data("cancer_mlp.onnx"), data("cancer_features.npy"), data("cancer_labels.npy")]
}

#[test]
fn a_model_is_validated_between_two_processes() {
    let [model, images, labels] = cancer();
    // 166 of 169 are right.
    for (threshold, reveal, verdict, correct) in
        [("0.98", "verdict", true, Value::Null), ("0.99", "accuracy", false, Value::from(166))]
    {
        let args = ["--json", "--model", &model, CANCER_RANGE, "--images", &images, "--labels", &labels];
        let output = run("validate", &[&args[..], &["--threshold", threshold, "--reveal", reveal]].concat());
        let json = json(&output);
        assert_eq!((&json["verdict"], &json["correct"]), (&Value::from(verdict), &correct));
        assert_eq!(json["samples"], 169);
        assert_eq!(json["server"]["bytes_sent"], json["client"]["bytes_received"]);
        assert!(json["client"]["half_rounds"].as_u64() > Some(0));
    }
}

#[test]
fn inference_agrees_with_the_oracle() {
    let [model, input, _] = cancer();
    let folder = std::env::temp_dir().join(format!("ezpc-infer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let outputs = ["two-party", "cleartext"].map(|backend| {
        let path = folder.join(format!("{backend}.npy"));
        let output = path.display().to_string();
        let args = [
            "--json",
            "--model",
            &model,
            CANCER_RANGE,
            "--input",
            &input,
            "--backend",
            backend,
            "--output",
            &output,
            "--batch",
            "100",
        ];
        json(&run("infer", &args));
        ezpc_ml::npy::Array::load(&path).expect("the outputs").to_f64()
    });
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let largest = outputs[0].iter().zip(&outputs[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert_eq!(outputs[0].len(), 2 * 169);
    // Opened in units of 2^-6: a difference in rounding shows as one unit, rarely.
    assert!(largest <= 1.0 / 64.0, "{largest}");
    assert!(
        outputs.iter().flatten().all(|v| (v * 64.0 - 0.5).fract() == 0.0),
        "no finer than what is opened"
    );
}

#[test]
fn a_convolutional_network_agrees_with_the_oracle_image_by_image() {
    let folder = std::env::temp_dir().join(format!("ezpc-digits-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let path = |name: &str| folder.join(name).display().to_string();
    let load = |name: &str| ezpc_ml::npy::Array::load(Path::new(name)).expect("an array").to_f64();
    let count = 16;
    let mut images = load(&data("digits_images.npy"));
    images.truncate(count * 64);
    let images =
        ezpc_ml::npy::Array { shape: vec![count, 1, 8, 8], data: ezpc_ml::npy::Elements::Float64(images) };
    images.save(&folder.join("images.npy")).expect("a file");
    let [secure, oracle] = ["two-party", "cleartext"].map(|backend| {
        let output = path(&format!("{backend}.npy"));
        let args = ["--json", "--input", &path("images.npy"), "--backend", backend, "--output", &output];
        json(&run("infer", &args));
        load(&output)
    });
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let labels = load(&data("digits_onnxruntime_labels.npy"));
    for (i, (a, b)) in secure.chunks(10).zip(oracle.chunks(10)).enumerate() {
        // Opened in units of 2^-6: a difference in rounding shows as one unit, rarely.
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1.0 / 64.0), "image {i}");
        let best = (0..10).rev().max_by(|&x, &y| a[x].total_cmp(&a[y])).expect("a class");
        assert_eq!(best as f64, labels[i], "image {i}");
    }
    assert_eq!(secure.len(), 10 * count);
}

#[test]
fn tables_are_normalised_on_the_way_in() {
    let folder = std::env::temp_dir().join(format!("ezpc-csv-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let path = |name: &str| folder.join(name).display().to_string();
    let [model, features, labels] = cancer().map(PathBuf::from);
    let load = |path: &Path| ezpc_ml::npy::Array::load(path).expect("an example array").to_f64();
    // The standardised features once more as raw ones: x · 3 + 5.
    let columns: Vec<String> = (0..30).map(|i| format!("f{i}")).collect();
    let raw: Vec<f64> = load(&features).iter().map(|v| v * 3.0 + 5.0).collect();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("a file");
    write("x.csv", ezpc_ml::csv::write(&columns, &raw));
    write("y.csv", ezpc_ml::csv::write(&["label".to_owned()], &load(&labels)));
    write("rules.csv", columns.iter().map(|c| format!("{c},5,3\n")).collect());
    let output = run(
        "validate",
        &[
            "--json",
            "--model",
            &model.display().to_string(),
            CANCER_RANGE,
            "--images",
            &path("x.csv"),
            "--labels",
            &path("y.csv"),
            "--normalise",
            &path("rules.csv"),
            "--reveal",
            "accuracy",
        ],
    );
    std::fs::remove_dir_all(&folder).expect("it is ours");
    assert_eq!(json(&output)["correct"], 166);
}

#[test]
fn bad_files_are_one_line_and_leave_nothing_behind() {
    let output = std::env::temp_dir().join(format!("ezpc-bad-{}.npy", std::process::id()));
    let path = output.display().to_string();
    let [cancer_model, ..] = cancer();
    for (args, code, parts) in [
        (vec!["--model", &data("bad/unsupported.onnx")], 2, vec!["Einsum `rearrange`", "LSTM `recurrent`"]),
        (vec!["--model", &data("bad/truncated.onnx")], 2, vec!["truncated"]),
        (vec!["--model", &data("digits_images.npy")], 2, vec!["malformed ONNX"]),
        (vec!["--input", &data("bad/digits_nan.npy")], 2, vec!["[1, 0, 3, 4]", "NaN"]),
        (vec!["--input", "missing.npy"], 2, vec!["missing.npy"]),
        (vec!["--input", &data("bad/digits_wrong_shape.npy")], 1, vec!["[5, 1, 9, 9]", "[N, 1, 8, 8]"]),
        (vec!["--model", &cancer_model], 1, vec!["[297, 1, 8, 8]", "[N, 30]"]),
        (vec!["--input-range", "0,0.5"], 1, vec!["outside the model's declared input range"]),
        (vec!["--card-sha256", "00"], 1, vec!["SHA-256"]),
        (vec!["--frac-bits", "40"], 2, vec!["40 fractional bits"]),
    ] {
        let run = run("infer", &[&args[..], &["--output", &path, "--timeout", "20"]].concat());
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
        assert!(parts.iter().all(|p| text.contains(p)), "{text}");
        assert!(!output.exists());
    }
}

/// A folder for one test, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ezpc-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn figures_are_opened_when_both_ask_and_stand_in_the_report() {
    let folder = Folder::new("report");
    let [model, images, labels] = cancer();
    let page = folder.path("report.html");
    let args = ["--json", "--model", &model, CANCER_RANGE, "--images", &images, "--labels", &labels];
    let more = ["--reveal", "confusion,accuracy,auc", "--report", &page];
    let json = json(&run("validate", &[&args[..], &more].concat()));
    let confusion: Vec<Vec<u64>> = serde_json::from_value(json["confusion"].clone()).expect("counts");
    assert_eq!(json["correct"], 166);
    assert_eq!(confusion[0][0] + confusion[1][1], 166);
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 169);
    let positives = confusion[1].iter().sum::<u64>();
    assert_eq!(json["positives"], positives);
    let pairs = 2 * positives * (169 - positives);
    let auc = json["auc_twice_concordant"].as_u64().expect("a count") as f64 / pairs as f64;
    assert!((json["auc"].as_f64().expect("a number") - auc).abs() < 1e-12 && auc > 0.98);
    let html = std::fs::read_to_string(&page).expect("the report");
    for part in
        ["good enough", "98.22 %", "Confusion matrix", "area under the ROC curve", "<svg", "half-rounds"]
    {
        assert!(html.contains(part), "{part}");
    }
    assert!(
        html.trim_end().ends_with("</html>") && !html.contains("http"),
        "one page that needs nothing else"
    );
    assert_eq!(std::fs::read_dir(&folder.0).expect("a folder").count(), 1, "no partial file");
}

#[test]
fn parties_that_ask_for_different_figures_open_nothing() {
    let folder = Folder::new("asks");
    let (address, page) = ("127.0.0.1:0", folder.path("report.html"));
    let mut server = example("validate")
        .args(["--role", "server", "--listen", address, "--timeout", "30", "--reveal", "verdict"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let stderr = server.stderr.take().expect("it is piped");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    let line = lines.next().expect("a line").expect("text");
    let address = line.rsplit(' ').next().expect("an address");
    let client = example("validate")
        .args(["--role", "client", "--connect", address, "--reveal", "accuracy", "--report", &page])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&client.stderr);
    assert_eq!(client.status.code(), Some(1), "{text}");
    assert!(text.contains("accuracy") && text.trim_end().lines().count() == 1, "{text}");
    assert_eq!(server.wait().expect("it ends").code(), Some(1));
    assert!(!Path::new(&page).exists());
}

#[test]
fn figures_that_mean_nothing_and_bad_places_are_one_line() {
    for (args, code, part) in [
        (vec!["--reveal", "auc"], 1, "two classes"),
        (vec!["--reveal", "mae"], 1, "tolerance"),
        (vec!["--reveal", "everything"], 2, "none of verdict, accuracy"),
        (vec!["--tolerance", "0.5"], 1, "models of one number"),
        (vec!["--report", "/no/such/folder/report.html"], 2, "folder that exists"),
    ] {
        let run = run("validate", &[&args[..], &["--timeout", "20"]].concat());
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
        assert!(text.contains(part), "{text}");
    }
}

/// Samples far beyond those of the calibration: the oracle and the check name the layer, the clip goes on.
#[test]
#[allow(clippy::cast_possible_truncation, reason = "features are in single precision")]
fn values_beyond_calibrated_bounds_are_caught() {
    let [model, input, _] = cancer();
    let mut seen = ezpc_ml::npy::Array::load(Path::new(&input)).expect("features");
    let values = seen.to_f64().iter().map(|v| (v / 1000.0) as f32).collect();
    seen.data = ezpc_ml::npy::Elements::Float32(values);
    let folder = Folder::new("ranges");
    let calibration = folder.path("seen.npy");
    seen.save(Path::new(&calibration)).expect("writes");
    let run = |flags: &[&str]| {
        let wide = "--input-range=-16384,16384";
        let args = ["--json", "--model", &model, wide, "--input", &input, "--headroom", "1"];
        run("infer", &[&args[..], &["--calibrate", &calibration], flags].concat())
    };
    let (oracle, check) = (run(&["--backend", "cleartext"]), run(&["--check-ranges"]));
    let clip = run(&["--clip"]);
    for (output, code) in [(oracle, 2), (check, 1)] {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains("layer `") && text.contains("exceeds the bound of"), "{text}");
    }
    assert_eq!(json(&clip)["samples"], 169);
}
