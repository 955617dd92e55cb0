//! NumPy's array files: float32, float64 and int64 in C order, versions 1 to 3.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod whole;

use crate::onnx::read_bounded;
use ezpc_core::{Error, Result};
use std::path::Path;
pub use whole::write_whole;
pub(crate) use whole::{remove_parts, write_private};

/// The largest array file that is read.
pub const MAX_FILE_BYTES: u64 = 4 << 30;
const MAGIC: &[u8] = b"\x93NUMPY";
const MAX_HEADER: usize = 1 << 16;

/// An array.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "an array is its shape and its elements")]
pub struct Array {
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements, in C order.
    pub data: Elements,
}

/// The elements of an [`Array`]. Prints their number: they may be somebody's data.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Elements {
    /// `<f4`.
    Float32(Vec<f32>),
    /// `<f8`.
    Float64(Vec<f64>),
    /// `<i8`.
    Int64(Vec<i64>),
}

impl core::fmt::Debug for Elements {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (kind, len) = match self {
            Self::Float32(all) => ("Float32", all.len()),
            Self::Float64(all) => ("Float64", all.len()),
            Self::Int64(all) => ("Int64", all.len()),
        };
        write!(f, "{kind}({len} elements)")
    }
}

impl Array {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_bounded(path, MAX_FILE_BYTES)?;
        Self::decode(&bytes).map_err(|e| e.context(&path.display().to_string()))
    }

    /// Writes the file at `path`: all of it, or none.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.encode())
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.data {
            Elements::Float32(v) => v.len(),
            Elements::Float64(v) => v.len(),
            Elements::Int64(v) => v.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as 64-bit floats.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Elements::Float32(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Elements::Float64(v) => v.clone(),
            Elements::Int64(v) => v.iter().map(|&v| v as f64).collect(),
        }
    }

    /// The elements as class labels below `classes`.
    pub fn to_labels(&self, classes: usize) -> Result<Vec<u64>> {
        let as_ints: Vec<i64> = match &self.data {
            Elements::Int64(v) => v.clone(),
            Elements::Float32(_) | Elements::Float64(_) => {
                let whole = |v: &f64| v.fract() == 0.0 && v.abs() < 1e15;
                let values = self.to_f64();
                match values.iter().position(|v| !whole(v)) {
                    Some(i) => return Err(Error::usage(format!("label {i} is not a whole number"))),
                    None => values.into_iter().map(|v| v as i64).collect(),
                }
            }
        };
        let fits = |v: i64| u64::try_from(v).ok().filter(|&v| v < classes as u64);
        as_ints
            .iter()
            .enumerate()
            .map(|(i, &v)| {
                fits(v).ok_or_else(|| {
                    Error::usage(format!("label {i} is not one of the model's {classes} classes"))
                })
            })
            .collect()
    }

    /// Reads an array from the bytes of its file.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| malformed("not a .npy file"))?;
        let (version, rest) = rest.split_at_checked(2).ok_or_else(ends)?;
        let (len, rest) = match version[0] {
            1 => {
                let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(ends)?;
                (usize::from(u16::from_le_bytes(*len)), rest)
            }
            2 | 3 => {
                let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(ends)?;
                (u32::from_le_bytes(*len) as usize, rest)
            }
            v => return Err(malformed(&format!("version {v} is not supported"))),
        };
        if len > MAX_HEADER {
            return Err(malformed("a header of more than 64 KiB"));
        }
        let (header, body) = rest.split_at_checked(len).ok_or_else(ends)?;
        let header = core::str::from_utf8(header).map_err(|_| malformed("a header that is not text"))?;
        let header = Header::parse(header)?;
        if header.fortran {
            return Err(malformed("Fortran order is not supported, save a C-ordered copy"));
        }
        let len = header.shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        let data = match header.descr.as_str() {
            "<f4" => Elements::Float32(numbers(body, len, f32::from_le_bytes)?),
            "<f8" => Elements::Float64(numbers(body, len, f64::from_le_bytes)?),
            "<i8" => Elements::Int64(numbers(body, len, i64::from_le_bytes)?),
            other => {
                let name: String = other.chars().take(16).filter(|c| !c.is_control()).collect();
                return Err(malformed(&format!(
                    "element type {name} is not supported, only float32, float64, int64"
                )));
            }
        };
        Ok(Self { shape: header.shape, data })
    }

    /// The bytes of its file, version 1.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let descr = match &self.data {
            Elements::Float32(_) => "<f4",
            Elements::Float64(_) => "<f8",
            Elements::Int64(_) => "<i8",
        };
        let dims: String = self.shape.iter().map(|d| format!("{d}, ")).collect();
        let dims = if self.shape.len() > 1 { dims.trim_end_matches(", ") } else { dims.trim_end() };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
        // The data start at a multiple of 64 bytes.
        let unpadded = MAGIC.len() + 4 + header.len() + 1;
        header.extend(core::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
        header.push('\n');
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(u16::try_from(header.len()).expect("a shape has few dimensions").to_le_bytes());
        bytes.extend(header.as_bytes());
        match &self.data {
            Elements::Float32(v) => v.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Elements::Float64(v) => v.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Elements::Int64(v) => v.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
        }
        bytes
    }
}

fn numbers<T, const N: usize>(
    body: &[u8],
    len: Option<usize>,
    from: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    let want = len.and_then(|n| n.checked_mul(N));
    if want != Some(body.len()) {
        return Err(malformed(&format!(
            "{} bytes of data do not fit its shape (truncated file?)",
            body.len()
        )));
    }
    Ok(body.as_chunks().0.iter().map(|&c| from(c)).collect())
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Python's literal of a dictionary with three entries.
    fn parse(text: &str) -> Result<Self> {
        let mut rest = Cursor(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.accept("}") {
            let key = rest.quoted()?;
            rest.expect(":")?;
            match key {
                "descr" => descr = Some(rest.quoted()?.to_owned()),
                "fortran_order" if rest.accept("True") => fortran = Some(true),
                "fortran_order" => {
                    rest.expect("False")?;
                    fortran = Some(false);
                }
                "shape" => shape = Some(rest.tuple()?),
                _ => return Err(malformed("an unknown entry in its header")),
            }
            if !rest.accept(",") {
                rest.expect("}")?;
                break;
            }
        }
        if !rest.0.trim().is_empty() {
            return Err(malformed("text behind its header"));
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr, fortran, shape }),
            _ => Err(malformed("an entry of its header is missing")),
        }
    }
}

struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn accept(&mut self, token: &str) -> bool {
        self.0 = self.0.trim_start();
        match self.0.strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.accept(token) {
            Ok(())
        } else {
            Err(malformed(&format!("no `{token}` in its header where one belongs")))
        }
    }

    fn quoted(&mut self) -> Result<&'a str> {
        let quote = if self.accept("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (text, rest) = self.0.split_once(quote).ok_or_else(ends)?;
        self.0 = rest;
        Ok(text)
    }

    fn tuple(&mut self) -> Result<Vec<usize>> {
        let mut dims = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            self.0 = self.0.trim_start();
            let digits = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (number, rest) = self.0.split_at(digits);
            self.0 = rest;
            dims.push(number.parse().map_err(|_| malformed("a dimension that is no number"))?);
            if dims.len() > 32 {
                return Err(malformed("more than 32 dimensions"));
            }
            if !self.accept(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(dims)
    }
}

fn ends() -> Error {
    malformed("the file ends inside its header")
}

fn malformed(what: &str) -> Error {
    Error::usage(format!("malformed .npy: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trip() {
        for array in [
            Array { shape: vec![2, 3], data: Elements::Float32(vec![1.0, -2.5, 0.0, 1e9, -0.0, 3.0]) },
            Array { shape: vec![1], data: Elements::Float64(vec![core::f64::consts::PI]) },
            Array { shape: vec![], data: Elements::Int64(vec![i64::MIN]) },
            Array { shape: vec![0, 4], data: Elements::Int64(vec![]) },
        ] {
            let bytes = array.encode();
            assert_eq!(Array::decode(&bytes).expect("own file"), array);
            assert_eq!(
                (bytes.len() - array.len() * if matches!(array.data, Elements::Float32(_)) { 4 } else { 8 })
                    % 64,
                0
            );
        }
    }

    #[test]
    fn refuses_what_it_does_not_offer() {
        let file = |header: &str, body: usize| {
            let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
            bytes.extend((header.len() as u32).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(vec![0; body]);
            Array::decode(&bytes)
        };
        assert!(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8).is_ok());
        for (header, body, what) in [
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, "Fortran"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", 4, "<f2"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, "truncated"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8, "number"),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4)}",
                8,
                "truncated",
            ),
            ("{'descr': '<f4', 'shape': (2,), }", 8, "missing"),
        ] {
            let error = file(header, body).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn labels_are_checked() {
        let labels = |v: Vec<i64>| Array { shape: vec![v.len()], data: Elements::Int64(v) }.to_labels(3);
        assert_eq!(labels(vec![0, 2, 1]).expect("labels"), [0, 2, 1]);
        assert!(labels(vec![0, 3]).expect_err("too large").to_string().contains("label 1"));
        assert!(labels(vec![-1]).expect_err("negative").to_string().contains("label 0"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..200, flip in 0_usize..1600) {
            let _ = Array::decode(&bytes);
            let _ = Array::decode(&[MAGIC, &[1, 0], &bytes].concat());
            let good = Array { shape: vec![3, 2], data: Elements::Int64(vec![7; 6]) }.encode();
            let _ = Array::decode(&good[..cut.min(good.len())]);
            let mut bad = good;
            let at = flip % (bad.len() * 8);
            bad[at / 8] ^= 1 << (at % 8);
            let _ = Array::decode(&bad);
        }
    }
}
