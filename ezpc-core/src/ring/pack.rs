//! Dense packing of k-bit lanes into bytes: what travels on the wire.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::ring::Width;

/// The bytes that `len` lanes of `width` take when packed.
#[must_use]
pub const fn packed_len(width: Width, len: usize) -> usize {
    (len * width.bits() as usize).div_ceil(8)
}

/// Appends the lanes, `width` bits each, least significant bit first, padded with zeros to a whole byte.
pub fn pack_lanes(width: Width, lanes: &[u64], out: &mut Vec<u8>) {
    let bits = width.bits();
    let mask = width.mask();
    out.reserve(packed_len(width, lanes.len()) + 8);
    let end = out.len() + packed_len(width, lanes.len());
    let (mut acc, mut have) = (0_u128, 0_u32);
    for &lane in lanes {
        acc |= u128::from(lane & mask) << have;
        have += bits;
        if have >= 64 {
            out.extend_from_slice(&(acc as u64).to_le_bytes());
            acc >>= 64;
            have -= 64;
        }
    }
    out.extend_from_slice(&(acc as u64).to_le_bytes());
    out.truncate(end);
}

/// Reads `len` lanes of `width` bits from the start of `bytes`.
///
/// # Panics
/// When `bytes` is shorter than [`packed_len`].
#[must_use]
pub fn unpack_lanes(width: Width, bytes: &[u8], len: usize) -> Vec<u64> {
    let bits = width.bits();
    let mask = width.mask();
    let bytes = &bytes[..packed_len(width, len)];
    let mut words = bytes.chunks(8).map(|c| {
        let mut word = [0; 8];
        word[..c.len()].copy_from_slice(c);
        u64::from_le_bytes(word)
    });
    let mut lanes = Vec::with_capacity(len);
    let (mut acc, mut have) = (0_u128, 0_u32);
    for _ in 0..len {
        if have < bits {
            acc |= u128::from(words.next().unwrap_or(0)) << have;
            have += 64;
        }
        lanes.push(acc as u64 & mask);
        acc >>= bits;
        have -= bits;
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unpack_inverts_pack(bits in 1_u32..=64, raw in prop::collection::vec(any::<u64>(), 0..200)) {
            let width = Width::new(bits);
            let lanes: Vec<u64> = raw.iter().map(|&v| width.wrap(v)).collect();
            let mut bytes = vec![7];
            pack_lanes(width, &lanes, &mut bytes);
            prop_assert_eq!(bytes.len(), 1 + packed_len(width, lanes.len()));
            prop_assert_eq!(unpack_lanes(width, &bytes[1..], lanes.len()), lanes);
        }
    }
}
