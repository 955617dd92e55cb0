//! Fixed point: real numbers as integers in units of 2^-f, and the checks at the door.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use ezpc_core::{Error, Result};

/// The most fractional bits: keeps sums of products within 64 bits.
pub const MAX_FRAC_BITS: u32 = 24;

/// The integer nearest to `value · 2^frac_bits`, halves away from zero.
#[must_use]
pub fn encode(value: f64, frac_bits: u32) -> i64 {
    (value * f64::from(frac_bits).exp2()).round() as i64
}

/// The largest integer that is not above `value · 2^frac_bits`.
#[must_use]
pub fn floor(value: f64, frac_bits: u32) -> i64 {
    (value * f64::from(frac_bits).exp2()).floor() as i64
}

/// The real number that `value` stands for.
#[must_use]
pub fn decode(value: i64, frac_bits: u32) -> f64 {
    value as f64 * (-f64::from(frac_bits)).exp2()
}

/// The data owner's values as integers; a value that is not finite or leaves the declared range is an error that
/// names its place in a tensor of `shape`.
pub fn encode_checked(values: &[f64], shape: &[usize], range: [i64; 2], frac_bits: u32) -> Result<Vec<i64>> {
    values
        .iter()
        .enumerate()
        .map(|(i, &v)| {
            let what = if v.is_nan() {
                "is NaN".to_owned()
            } else if v.is_infinite() {
                "is infinite".to_owned()
            } else {
                let q = encode(v, frac_bits);
                if (range[0]..=range[1]).contains(&q) {
                    return Ok(q);
                }
                let [low, high] = range.map(|r| decode(r, frac_bits));
                format!("is outside the model's declared input range [{low}, {high}]")
            };
            // The place is not secret to the one who reads this: it is its own data.
            Err(Error::usage(format!("the value at index {:?} {what}", unravel(i, shape))))
        })
        .collect()
}

/// Checks what needs no model: a value that is not finite is an error that names its place.
pub fn check_finite(values: &[f64], shape: &[usize]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => {
            let what = if values[i].is_nan() { "NaN" } else { "infinite" };
            Err(Error::usage(format!("the value at index {:?} is {what}", unravel(i, shape))))
        }
    }
}

fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&d| {
            let at = i % d.max(1);
            i /= d.max(1);
            at
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use ezpc_core::ErrorKind;

    #[test]
    fn rounds_to_nearest() {
        for (v, q) in
            [(0.0, 0), (0.5, 2048), (-1.0, -4096), (1.0 / 8192.0, 1), (-1.0 / 8192.0, -1), (1e-9, 0)]
        {
            assert_eq!(encode(v, 12), q);
        }
        assert_eq!(decode(-2048, 12), -0.5);
    }

    #[test]
    fn names_the_place_of_a_bad_value() {
        for (bad, what) in
            [(f64::NAN, "NaN"), (f64::INFINITY, "infinite"), (1.5, "outside"), (-0.1, "outside")]
        {
            let values = [0.0, 0.0, 0.0, 0.0, bad, 0.0];
            let error = encode_checked(&values, &[3, 2], [0, 4096], 12).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Usage);
            let text = error.to_string();
            assert!(text.contains("[2, 0]") && text.contains(what), "{text}");
        }
        assert_eq!(encode_checked(&[1.0, 0.0], &[2], [0, 4096], 12).expect("in range"), [4096, 0]);
    }
}
