//! Thresholds in exact decimal arithmetic: 0.95 of 20 samples is 19, never 19.000000000000004.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use core::fmt;
use core::str::FromStr;
use ezpc_core::{Error, Result};

/// A share between 0 and 1, as a decimal number of at most 18 digits behind the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    digits: u64,
    scale: u64,
}

impl Threshold {
    /// The least number of correct answers among `samples` that reaches it: the ceiling of the exact product.
    #[must_use]
    pub fn need(&self, samples: u64) -> u64 {
        let product = u128::from(self.digits) * u128::from(samples);
        u64::try_from(product.div_ceil(u128::from(self.scale)))
            .expect("a share of a count is no larger than it")
    }
}

impl FromStr for Threshold {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::usage("a threshold is a decimal number between 0 and 1, such as 0.95");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole)
            || !plain(fraction)
            || fraction.len() > 18
            || whole.len() > 18
            || text.is_empty()
            || text == "."
        {
            return Err(bad());
        }
        let scale = 10_u64.pow(fraction.len() as u32);
        let number = |s: &str| if s.is_empty() { Ok(0) } else { s.parse::<u64>().map_err(|_| bad()) };
        let digits = number(whole)?.checked_mul(scale).and_then(|w| w.checked_add(number(fraction).ok()?));
        digits.filter(|&d| d <= scale).map(|digits| Self { digits, scale }).ok_or_else(bad)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.scale.ilog10() as usize;
        match places {
            0 => write!(f, "{}", self.digits),
            _ => write!(f, "{}.{:0places$}", self.digits / self.scale, self.digits % self.scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact() {
        for (text, samples, need) in [
            ("0.95", 20, 19),
            ("0.95", 297, 283),
            ("0.1", 10, 1),
            ("0.1", 11, 2),
            ("0.3", 10, 3),
            ("0", 5, 0),
            ("1", 5, 5),
            ("1.000", 5, 5),
            (".5", 3, 2),
            ("0.000000000000000001", 5, 1),
            ("0.999999999999999999", 1 << 40, 1 << 40),
        ] {
            let threshold: Threshold = text.parse().expect("a threshold");
            assert_eq!(threshold.need(samples), need, "{text} of {samples}");
            assert_eq!(threshold.to_string().parse::<Threshold>().expect("prints itself"), threshold);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in
            ["", ".", "1.1", "-0.5", "95%", "1e-1", "0,5", "NaN", "2", "0.1234567890123456789", " 0.5"]
        {
            assert!(text.parse::<Threshold>().is_err(), "{text:?}");
        }
    }
}
