//! Weights in other files: read from the model's folder and nowhere else, and no more of them than a layer needs.

#![allow(clippy::cast_possible_truncation, reason = "seven bits at a time")]

use ezpc_ml::graph::float;
use ezpc_ml::onnx;
use std::path::{Path, PathBuf};

/// A field of the wire format that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len >= 128 {
        all.push((len % 128) as u8 | 128);
        len /= 128;
    }
    all.push(len as u8);
    all.extend_from_slice(bytes);
    all
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn all(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

/// An initializer of 3 x 2 floats whose values lie where `entries` say.
fn tensor(name: &str, entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(k, v): &(&str, &str)| field(13, &all(&[field(1, k.as_bytes()), field(2, v.as_bytes())]));
    let places: Vec<u8> = entries.iter().flat_map(entry).collect();
    all(&[number(1, 3), number(1, 2), number(2, 1), field(8, name.as_bytes()), places, number(14, 1)])
}

/// `y = x · w`, and another initializer that no node takes.
fn model(entries: &[(&str, &str)]) -> Vec<u8> {
    let node =
        all(&[field(1, b"x"), field(1, b"w"), field(2, b"y"), field(3, b"product"), field(4, b"MatMul")]);
    let dims = all(&[field(1, &[]), field(1, &number(1, 3))]);
    let kind = field(1, &all(&[number(1, 1), field(2, &dims)]));
    let graph = all(&[
        field(1, &node),
        field(5, &tensor("w", entries)),
        field(5, &tensor("unused", &[("location", "missing.bin")])),
        field(11, &all(&[field(1, b"x"), field(2, &kind)])),
        field(12, &field(1, b"y")),
    ]);
    all(&[number(1, 8), field(7, &graph), field(8, &number(2, 13))])
}

/// A folder with a model and weights, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("ezpc-external-{name}-{}", std::process::id()));
        std::fs::create_dir_all(root.join("model/sub")).expect("a folder");
        Self(root)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).expect("a file");
    }

    fn load(&self, entries: &[(&str, &str)]) -> Result<Vec<f32>, String> {
        self.write("model/model.onnx", &model(entries));
        let import = onnx::load(&self.0.join("model/model.onnx")).map_err(|e| e.to_string())?;
        Ok(float::run(&import.graph, &[1.0, 10.0, 100.0]).expect("runs"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// 1, 2, …, 6; the product with 1, 10, 100 is 531 and 642.
fn weights() -> Vec<u8> {
    (1_u8..=6).flat_map(|v| f32::from(v).to_le_bytes()).collect()
}

#[test]
fn weights_lie_in_other_files_of_the_folder() {
    let place = Place::new("lie");
    place.write("model/w.bin", &weights());
    place.write("model/sub/more.bin", &[&[9; 64][..], &weights(), &[9; 8]].concat());
    let product = Ok(vec![531.0, 642.0]);
    assert_eq!(place.load(&[("location", "w.bin")]), product);
    assert_eq!(place.load(&[("location", "./w.bin"), ("offset", "0"), ("length", "24")]), product);
    let more = [("location", "sub/more.bin"), ("offset", "64"), ("length", "24"), ("checksum", "00")];
    assert_eq!(place.load(&more), product);
    assert_eq!(place.load(&more[..2]), product, "as many bytes as the shape needs");
    let error = onnx::import(&model(&more)).expect_err("no folder").to_string();
    assert!(error.contains("`product`") && error.contains("another file"), "{error}");
}

#[test]
fn nothing_outside_of_the_folder_is_read() {
    let place = Place::new("outside");
    place.write("model/w.bin", &weights());
    place.write("w.bin", &weights());
    let absolute = place.0.join("model/w.bin").display().to_string();
    for location in ["../w.bin", "sub/../../w.bin", "sub/../w.bin", &absolute, "", "/", "."] {
        let error = place.load(&[("location", location)]).expect_err(location);
        assert!(error.contains("MatMul `product`") && error.contains("`w`"), "{error}");
    }
    #[cfg(unix)]
    {
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, place.0.join("model").join(name)).expect("a link");
        };
        link(&place.0.join("w.bin"), "out.bin");
        link(&place.0, "up");
        link(Path::new("w.bin"), "in.bin");
        for location in ["out.bin", "up/w.bin"] {
            let error = place.load(&[("location", location)]).expect_err(location);
            assert!(error.contains("outside of the model's folder"), "{error}");
        }
        assert!(place.load(&[("location", "in.bin")]).is_ok(), "a link within the folder");
    }
}

#[test]
fn places_that_are_not_there_are_refused() {
    let place = Place::new("places");
    place.write("model/w.bin", &weights());
    for entries in [
        &[("location", "none.bin")][..],
        &[("location", "sub")],
        &[("location", "w.bin"), ("offset", "1")],
        &[("location", "w.bin"), ("length", "20")],
        &[("location", "w.bin"), ("offset", "18446744073709551615")],
        &[("location", "w.bin"), ("offset", "-1")],
        &[("location", "w.bin"), ("compression", "zip")],
        &[("offset", "0")],
    ] {
        let error = place.load(entries).expect_err("no such place");
        assert!(error.contains("MatMul `product`: initializer `w`: "), "{error}");
    }
}

/// A file of 8 GiB, almost all of it a hole: more than a reader of everything would bear.
#[cfg(unix)]
#[test]
fn no_more_is_read_than_a_layer_needs() {
    use std::io::{Seek, SeekFrom, Write};
    let place = Place::new("sparse");
    let mut file = std::fs::File::create(place.0.join("model/w.bin")).expect("a file");
    file.seek(SeekFrom::Start(8 << 30)).expect("seeks");
    file.write_all(&weights()).expect("writes");
    let entries = [("location", "w.bin"), ("offset", "8589934592"), ("length", "24")];
    assert_eq!(place.load(&entries), Ok(vec![531.0, 642.0]));
}
