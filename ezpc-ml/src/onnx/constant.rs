//! Constants of a model: initializers and the results of operators on them.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::proto::Tensor;
use super::source::{Folder, Source};
use super::wire::{Field, Message};
use crate::graph::MAX_ELEMENTS;
use core::fmt;
use std::ops::Range;

/// What the elements of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Real numbers, of any precision.
    Real,
    /// Integers of so many bits; 1 for bool.
    Whole(u32),
}

impl Kind {
    /// The kind of ONNX's element type of that number.
    pub(super) const fn of(element_type: u64) -> Option<Self> {
        Some(match element_type {
            1 | 10 | 11 | 16 => Self::Real,
            2 | 3 => Self::Whole(8),
            4 | 5 => Self::Whole(16),
            6 | 12 => Self::Whole(32),
            7 | 13 => Self::Whole(64),
            9 => Self::Whole(1),
            _ => return None,
        })
    }
}

/// A constant tensor with its full shape.
#[derive(Clone)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

/// The shape alone: the data may be a vendor's weights.
impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constant{:?}", self.dims)
    }
}

#[derive(Clone)]
pub(super) enum Data {
    /// None of them is NaN.
    Floats(Vec<f32>),
    Ints(Vec<Int>),
}

/// An integer of a shape computation: a number, or the size of the batch, which no one knows yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    Known(i64),
    Batch,
}

impl Constant {
    /// Reads the values of an initializer or an attribute; those in other files lie in `folder`.
    pub(super) fn decode(t: &Tensor<'_>, folder: Option<&Folder>) -> Result<Self, String> {
        let dims = t
            .dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| format!("a dimension of {d}")))
            .collect::<Result<Vec<_>, _>>()?;
        let len = dims
            .iter()
            .try_fold(1_usize, |n, &d| n.checked_mul(d))
            .filter(|&n| n <= MAX_ELEMENTS && dims.len() <= 16)
            .ok_or_else(|| format!("a shape of {dims:?}"))?;
        let values = Values { t, folder, len };
        let data = match t.data_type {
            1 => Data::Floats(values.read(4, f32::from_le_bytes, |bits| f32::from_bits(bits as u32))?),
            11 => Data::Floats(values.read(
                10,
                |b| f64::from_le_bytes(b) as f32,
                |bits| f64::from_bits(bits) as f32,
            )?),
            10 => Data::Floats(values.read(5, |b| half(u16::from_le_bytes(b)), |bits| half(bits as u16))?),
            16 => {
                Data::Floats(values.read(5, |b| brain(u16::from_le_bytes(b)), |bits| brain(bits as u16))?)
            }
            2 | 9 => known(values.read(5, |b| i64::from(u8::from_le_bytes(b)), |bits| bits as i64)?),
            3 => known(values.read(5, |b| i64::from(i8::from_le_bytes(b)), |bits| bits as i64)?),
            4 => known(values.read(5, |b| i64::from(u16::from_le_bytes(b)), |bits| bits as i64)?),
            5 => known(values.read(5, |b| i64::from(i16::from_le_bytes(b)), |bits| bits as i64)?),
            6 => known(values.read(5, |b| i64::from(i32::from_le_bytes(b)), |bits| bits as i64)?),
            12 => known(values.read(11, |b| i64::from(u32::from_le_bytes(b)), |bits| bits as i64)?),
            7 => known(values.read(7, i64::from_le_bytes, |bits| bits as i64)?),
            // One beyond the signed range becomes a negative number, which no dimension and no sum here may be.
            13 => known(values.read(11, i64::from_le_bytes, |bits| bits as i64)?),
            kind => return Err(format!("element type {kind} is not one of numbers")),
        };
        if let Data::Floats(values) = &data
            && let Some(at) = values.iter().position(|v| v.is_nan())
        {
            return Err(format!("value {at} is not finite"));
        }
        if let (13, Data::Ints(values)) = (t.data_type, &data)
            && values.iter().any(|v| matches!(v, Int::Known(v) if *v < 0))
        {
            return Err("an integer beyond 2^63".into());
        }
        Ok(Self { dims, data })
    }

    pub(super) fn ints(values: impl IntoIterator<Item = i64>) -> Self {
        let data: Vec<Int> = values.into_iter().map(Int::Known).collect();
        Self { dims: vec![data.len()], data: Data::Ints(data) }
    }

    /// What was computed in single precision; `None` for integers that it does not hold exactly.
    pub(super) fn computed(kind: Kind, dims: Vec<usize>, values: Vec<f32>) -> Option<Self> {
        let data = match kind {
            Kind::Real => Data::Floats(values),
            Kind::Whole(_) if values.iter().any(|v| v.abs() >= 16_777_216.0) => return None,
            Kind::Whole(_) => Data::Ints(values.iter().map(|&v| Int::Known(v.round() as i64)).collect()),
        };
        Some(Self { dims, data })
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(v) => v.len(),
            Data::Ints(v) => v.len(),
        }
    }

    /// The values as floats, all of them finite.
    pub(super) fn to_floats(&self) -> Result<Vec<f32>, String> {
        let values = self.to_bounds()?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(format!("value {at} of a constant is not finite")),
            None => Ok(values),
        }
    }

    /// The values as floats, among which infinities may be.
    pub(super) fn to_bounds(&self) -> Result<Vec<f32>, String> {
        match &self.data {
            Data::Floats(v) => Ok(v.clone()),
            Data::Ints(_) => self
                .to_ints()?
                .into_iter()
                .map(|v| {
                    let float = v as f32;
                    // What single precision does not hold would be another number.
                    if float as i64 == v { Ok(float) } else { Err(format!("the integer {v} is too large")) }
                })
                .collect(),
        }
    }

    /// The integers, when none of them depends on the batch.
    pub(super) fn to_ints(&self) -> Result<Vec<i64>, String> {
        self.symbolic()?
            .iter()
            .map(|v| match v {
                Int::Known(v) => Ok(*v),
                Int::Batch => Err("a value that depends on the batch size".to_owned()),
            })
            .collect()
    }

    pub(super) fn symbolic(&self) -> Result<&[Int], String> {
        match &self.data {
            Data::Ints(v) => Ok(v),
            Data::Floats(_) => Err("floats where integers are expected".into()),
        }
    }

    /// The elements at `indices` as a constant of shape `dims`.
    pub(super) fn gather(&self, dims: Vec<usize>, indices: &[usize]) -> Self {
        let data = match &self.data {
            Data::Floats(v) => Data::Floats(indices.iter().map(|&i| v[i]).collect()),
            Data::Ints(v) => Data::Ints(indices.iter().map(|&i| v[i]).collect()),
        };
        Self { dims, data }
    }
}

/// The values of a tensor where they lie.
struct Values<'t, 's> {
    t: &'t Tensor<'s>,
    folder: Option<&'t Folder>,
    len: usize,
}

impl Values<'_, '_> {
    /// All values: raw ones of `N` bytes each, or those of the field `number`, whose bits `typed` understands.
    fn read<T, const N: usize>(
        &self,
        number: u64,
        raw: impl Fn([u8; N]) -> T,
        typed: impl Fn(u64) -> T,
    ) -> Result<Vec<T>, String> {
        if let Some(entries) = &self.t.external {
            let folder =
                self.folder.ok_or("its data lies in another file: load the model from its folder")?;
            let (source, range) = external(entries, folder, self.len as u64 * N as u64)?;
            return self.raw(&source, range, raw);
        }
        let message = |e: ezpc_core::Error| e.to_string();
        let mut found = None;
        let mut values = Vec::new();
        let mut m = self.t.body;
        while let Some((field, value)) = m.next_field().map_err(message)? {
            match value {
                Field::Bytes(b) if field == 9 => found = Some(b),
                value if field == number => self.typed(&mut values, number, value, &typed)?,
                _ if matches!(field, 4 | 5 | 6 | 7 | 10 | 11) => {
                    return Err("values of another type than its own".into());
                }
                _ => {}
            }
        }
        match found {
            Some(_) if !values.is_empty() => Err("raw and typed data at once".into()),
            Some(b) => self.raw(b.source(), b.range(), raw),
            None if values.len() == self.len => Ok(values),
            None => Err(format!("{} values for a shape of {}", values.len(), self.len)),
        }
    }

    fn raw<T, const N: usize>(
        &self,
        source: &Source<'_>,
        range: Range<u64>,
        from: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, String> {
        let have = range.end.saturating_sub(range.start);
        if have != self.len as u64 * N as u64 {
            return Err(format!("{have} bytes of values for a shape of {}", self.len));
        }
        let mut values = Vec::with_capacity(self.len);
        let mut buffer = vec![0; N * self.len.min(1 << 16)];
        let mut at = range.start;
        while values.len() < self.len {
            let now = (self.len - values.len()).min(1 << 16) * N;
            source.fill(at, &mut buffer[..now]).map_err(|e| e.to_string())?;
            values.extend(buffer[..now].as_chunks().0.iter().map(|&c| from(c)));
            at += now as u64;
        }
        Ok(values)
    }

    /// Repeated numbers, packed or one a field.
    fn typed<T>(
        &self,
        values: &mut Vec<T>,
        number: u64,
        field: Field<'_>,
        from: &impl Fn(u64) -> T,
    ) -> Result<(), String> {
        let mut add = |bits: u64| {
            if values.len() == self.len {
                return Err(format!("more values than the {} of its shape", self.len));
            }
            values.push(from(bits));
            Ok(())
        };
        let bits = |m: &mut Message<'_>| -> ezpc_core::Result<u64> {
            match number {
                4 => m.array().map(|b| u64::from(u32::from_le_bytes(b))),
                10 => m.array().map(u64::from_le_bytes),
                _ => m.varint(),
            }
        };
        match (number, field) {
            (_, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    add(bits(&mut packed).map_err(|e| e.to_string())?)?;
                }
                Ok(())
            }
            (4, Field::Fixed32(bits)) => add(u64::from(bits)),
            (10, Field::Fixed64(bits)) | (5 | 7 | 11, Field::Varint(bits)) => add(bits),
            _ => Err("values of another type than its own".into()),
        }
    }
}

/// The place of `need` bytes of external data.
fn external(
    entries: &[(String, String)],
    folder: &Folder,
    need: u64,
) -> Result<(Source<'static>, Range<u64>), String> {
    let (mut location, mut offset, mut length) = (None, 0, None);
    let number = |v: &str| v.parse::<u64>().map_err(|_| "external data at an unreadable place".to_owned());
    for (key, value) in entries {
        match key.as_str() {
            "location" => location = Some(value),
            "offset" => offset = number(value)?,
            "length" => length = Some(number(value)?),
            // A digest of the whole file that no reader checks; the card's hash pins what was read.
            "checksum" => {}
            other => return Err(format!("external data with `{}`", super::builder::printable(other))),
        }
    }
    let source = folder.open(location.ok_or("external data without a location")?)?;
    let end = offset.checked_add(length.unwrap_or(need)).filter(|&end| end <= source.len());
    match end {
        Some(end) => Ok((source, offset..end)),
        None => Err(format!("its data file ends before byte {offset} + {}", length.unwrap_or(need))),
    }
}

fn known(values: Vec<i64>) -> Data {
    Data::Ints(values.into_iter().map(Int::Known).collect())
}

/// bfloat16: the upper half of a float.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 if bits & 1023 != 0 => f32::NAN,
        31 => sign * f32::INFINITY,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor of `dims` and `data_type` whose field `number` holds `payload`.
    fn decode(dims: &[i64], data_type: u64, number: u64, payload: &[u8]) -> Result<Constant, String> {
        let mut bytes = vec![(number << 3 | 2) as u8, payload.len() as u8];
        bytes.extend_from_slice(payload);
        let source = Source::memory(&bytes);
        let body = Message::new(&source);
        let t = Tensor { name: String::new(), dims: dims.to_vec(), data_type, body, external: None };
        Constant::decode(&t, None)
    }

    #[test]
    fn lengths_must_match_the_shape() {
        for number in [4, 9] {
            assert!(decode(&[2, 3], 1, number, &[0; 24]).is_ok());
            for len in [0, 20, 23, 28] {
                assert!(decode(&[2, 3], 1, number, &vec![0; len]).is_err());
            }
        }
        assert!(decode(&[i64::MAX, 4], 1, 9, &[]).is_err());
        assert!(decode(&[-1], 1, 9, &[]).is_err());
        assert!(decode(&[1], 1, 4, &f32::NAN.to_le_bytes()).expect_err("NaN").contains("not finite"));
        // Values of another type than the tensor's.
        assert!(decode(&[1], 1, 7, &[1]).is_err());
    }

    #[test]
    fn every_type_of_number() {
        let ints = |k: Constant| k.to_ints().expect("integers");
        for (kind, raw, value) in [
            (2, vec![200], 200),
            (3, vec![200], -56),
            (4, vec![0, 200], 51_200),
            (5, vec![0, 200], -14_336),
            (6, vec![255; 4], -1),
            (12, vec![255; 4], 4_294_967_295),
            (7, vec![255; 8], -1),
            (9, vec![1], 1),
        ] {
            assert_eq!(ints(decode(&[1], kind, 9, &raw).expect("raw")), [value]);
        }
        assert_eq!(ints(decode(&[2], 3, 5, &[1, 2]).expect("typed")), [1, 2]);
        assert_eq!(ints(decode(&[1], 13, 11, &[150, 1]).expect("typed")), [150]);
        assert!(decode(&[1], 13, 9, &[255; 8]).is_err());
        assert!(decode(&[1], 8, 9, &[0]).is_err());
        let floats = |k: Constant| k.to_floats().expect("floats");
        assert_eq!(floats(decode(&[1], 11, 10, &1.5_f64.to_le_bytes()).expect("double")), [1.5]);
        assert_eq!(floats(decode(&[1], 16, 9, &[0xc0, 0x3f]).expect("bfloat16")), [1.5]);
    }

    #[test]
    fn half_precision() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2_f32.powi(-24)), (0x7bff, 65504.0)] {
            assert_eq!(half(bits), value);
        }
        assert_eq!(half(0xfc00), f32::NEG_INFINITY);
        assert!(half(0x7c01).is_nan());
    }
}
