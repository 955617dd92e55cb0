//! Constants of a model: initializers and the results of operators on them.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::proto::Tensor;

/// A constant tensor with its full shape.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
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
    /// The values of an initializer or an attribute.
    pub(super) fn decode(t: &Tensor<'_>) -> Result<Self, String> {
        if t.external {
            return Err("its data lies in another file".into());
        }
        let dims = t
            .dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| format!("a dimension of {d}")))
            .collect::<Result<Vec<_>, _>>()?;
        let len = dims
            .iter()
            .try_fold(1_usize, |n, &d| n.checked_mul(d))
            .ok_or_else(|| format!("a shape of {dims:?}"))?;
        let data = match t.data_type {
            1 => Data::Floats(numbers(t.raw, &t.floats, f32::from_le_bytes, len)?),
            11 => {
                let values = numbers(t.raw, &t.doubles, f64::from_le_bytes, len)?;
                Data::Floats(values.into_iter().map(|v| v as f32).collect())
            }
            10 => {
                let raw = numbers(t.raw, &[], u16::from_le_bytes, len)?;
                Data::Floats(raw.into_iter().map(half).collect())
            }
            6 => match t.raw {
                Some(_) => known(numbers(t.raw, &[], i32::from_le_bytes, len)?.into_iter().map(i64::from)),
                None => known(numbers::<i64, 8>(None, &t.int32s, i64::from_le_bytes, len)?.into_iter()),
            },
            7 => known(numbers(t.raw, &t.int64s, i64::from_le_bytes, len)?.into_iter()),
            9 => match t.raw {
                Some(_) => known(numbers(t.raw, &[], u8::from_le_bytes, len)?.into_iter().map(i64::from)),
                None => known(numbers::<i64, 8>(None, &t.int32s, i64::from_le_bytes, len)?.into_iter()),
            },
            kind => {
                return Err(format!(
                    "element type {kind} is none of float, double, float16, int32, int64, bool"
                ));
            }
        };
        if let Data::Floats(values) = &data
            && let Some(at) = values.iter().position(|v| !v.is_finite())
        {
            return Err(format!("value {at} is not finite"));
        }
        Ok(Self { dims, data })
    }

    pub(super) fn ints(values: impl IntoIterator<Item = i64>) -> Self {
        let data: Vec<Int> = values.into_iter().map(Int::Known).collect();
        Self { dims: vec![data.len()], data: Data::Ints(data) }
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(v) => v.len(),
            Data::Ints(v) => v.len(),
        }
    }

    pub(super) fn to_floats(&self) -> Result<Vec<f32>, String> {
        match &self.data {
            Data::Floats(v) => Ok(v.clone()),
            Data::Ints(_) => Ok(self.to_ints()?.into_iter().map(|v| v as f32).collect()),
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

fn known(values: impl Iterator<Item = i64>) -> Data {
    Data::Ints(values.map(Int::Known).collect())
}

fn numbers<T: Copy, const N: usize>(
    raw: Option<&[u8]>,
    typed: &[T],
    from: impl Fn([u8; N]) -> T,
    len: usize,
) -> Result<Vec<T>, String> {
    let values = match raw {
        Some(raw) if typed.is_empty() => {
            let (chunks, rest) = raw.as_chunks();
            if !rest.is_empty() {
                return Err(format!("{} bytes are no whole number of values", raw.len()));
            }
            chunks.iter().map(|&c| from(c)).collect()
        }
        Some(_) => return Err("raw and typed data at once".into()),
        None => typed.to_vec(),
    };
    if values.len() == len {
        Ok(values)
    } else {
        Err(format!("{} values for a shape of {len}", values.len()))
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_match_the_shape() {
        let t = Tensor { dims: vec![2, 3], data_type: 1, floats: vec![0.0; 5], ..Tensor::default() };
        assert!(Constant::decode(&t).is_err());
        let huge = Tensor { dims: vec![i64::MAX, 4], data_type: 1, ..Tensor::default() };
        assert!(Constant::decode(&huge).is_err());
        let negative = Tensor { dims: vec![-1], data_type: 1, ..Tensor::default() };
        assert!(Constant::decode(&negative).is_err());
        let nan = Tensor { dims: vec![1], data_type: 1, floats: vec![f32::NAN], ..Tensor::default() };
        assert!(Constant::decode(&nan).expect_err("not finite").contains("not finite"));
    }

    #[test]
    fn half_precision() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2_f32.powi(-24)), (0x7bff, 65504.0)] {
            assert_eq!(half(bits), value);
        }
    }
}
