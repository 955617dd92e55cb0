//! Every block of a slice plus ten blocks of a table, at public places.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

/// Blocks of the table: as many as places have values, so that no place is out of bounds. Only what places name is
/// read: to stay in a core's second-level cache, they name the first part only.
pub(crate) const TABLE: usize = 1 << 16;

/// Ones in a row of the matrix.
pub(crate) const LOCALITY: usize = 10;

/// `sums[i] = leaves[i] ^ table[rows[i][0]] ^ ... ^ table[rows[i][9]]`.
///
/// Where the table stays in the second-level cache, asking for a later row's blocks ahead of time costs more than
/// it saves: the processor has several rows in flight.
pub(crate) fn add_rows(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], leaves: &[u128], sums: &mut [u128]) {
    assert!(rows.len() == leaves.len() && rows.len() == sums.len(), "one row a block");
    #[cfg(target_arch = "x86_64")]
    x86_64::add_rows(table, rows, leaves, sums);
    #[cfg(not(target_arch = "x86_64"))]
    add_rows_portable(table, rows, leaves, sums);
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn add_rows_portable(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], leaves: &[u128], sums: &mut [u128]) {
    for ((sum, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
        *sum = row.iter().fold(*leaf, |sum, &place| sum ^ table[usize::from(place)]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{LOCALITY, TABLE};
    use bytemuck::must_cast;
    use core::arch::x86_64::{__m128i, _mm_xor_si128};

    #[allow(unsafe_code, reason = "calls a kernel for an instruction set")]
    pub(super) fn add_rows(
        table: &[u128; TABLE],
        rows: &[[u16; LOCALITY]],
        leaves: &[u128],
        sums: &mut [u128],
    ) {
        // SAFETY: SSE2 belongs to the architecture.
        unsafe { add_rows_sse2(table, rows, leaves, sums) }
    }

    /// One load a place, where integers take two.
    #[target_feature(enable = "sse2")]
    fn add_rows_sse2(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], leaves: &[u128], sums: &mut [u128]) {
        for ((sum, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
            let mut vector: __m128i = must_cast(*leaf);
            for &place in row {
                vector = _mm_xor_si128(vector, must_cast(table[usize::from(place)]));
            }
            *sum = must_cast(vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_blocks_of_the_row() {
        let table: Vec<u128> =
            (0..TABLE as u128).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).collect();
        let table: &[u128; TABLE] = table.as_slice().try_into().expect("the length is fixed");
        for len in [0_u32, 1, 7, 8, 9, 1000] {
            let rows: Vec<[u16; LOCALITY]> =
                (0..len).map(|i| core::array::from_fn(|j| (i * 7919 + j as u32 * 104_729) as u16)).collect();
            let inputs: Vec<u128> = (0..u128::from(len)).map(|i| i << 100).collect();
            let (mut sums, mut expected) = (vec![0; inputs.len()], vec![0; inputs.len()]);
            add_rows(table, &rows, &inputs, &mut sums);
            add_rows_portable(table, &rows, &inputs, &mut expected);
            assert_eq!(sums, expected);
            if len > 7 {
                let by_hand = rows[7].iter().fold(inputs[7], |sum, &place| sum ^ table[usize::from(place)]);
                assert_eq!(sums[7], by_hand);
            }
        }
    }
}
