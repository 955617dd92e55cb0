//! Every block of a slice plus ten blocks of a table, at public places, with coefficients in F_2 or F_4.

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

/// Of a row over F_4, the places whose coefficient is ω; those before them have 1, those after them ω^2.
const OMEGA: core::ops::Range<usize> = 4..7;

/// As [`add_rows`], with blocks as vectors over F_4: the coefficients of a row are 1 at its first four places, ω at the
/// next three and ω^2 at the last three. As the places are uniform and in no order, so are the coefficients of a row but
/// for how often each occurs.
pub(crate) fn add_rows_over_f4(
    table: &[u128; TABLE],
    rows: &[[u16; LOCALITY]],
    leaves: &[u128],
    sums: &mut [u128],
) {
    assert!(rows.len() == leaves.len() && rows.len() == sums.len(), "one row a block");
    #[cfg(target_arch = "x86_64")]
    x86_64::add_rows_over_f4(table, rows, leaves, sums);
    #[cfg(not(target_arch = "x86_64"))]
    add_rows_over_f4_portable(table, rows, leaves, sums);
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn add_rows_over_f4_portable(
    table: &[u128; TABLE],
    rows: &[[u16; LOCALITY]],
    leaves: &[u128],
    sums: &mut [u128],
) {
    let sum = |places: &[u16]| places.iter().fold(0, |sum, &place| sum ^ table[usize::from(place)]);
    let times_omega = |x: u128| (x >> 64) | ((x ^ x >> 64) << 64);
    for ((of_row, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
        // 1 + ω = ω^2.
        let square = sum(&row[OMEGA.end..]);
        *of_row = *leaf ^ sum(&row[..OMEGA.start]) ^ square ^ times_omega(sum(&row[OMEGA]) ^ square);
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn add_rows_portable(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], leaves: &[u128], sums: &mut [u128]) {
    for ((sum, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
        *sum = row.iter().fold(*leaf, |sum, &place| sum ^ table[usize::from(place)]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{LOCALITY, OMEGA, TABLE};
    use bytemuck::must_cast;
    use core::arch::x86_64::{
        __m128i, _mm_setzero_si128, _mm_shuffle_epi32, _mm_unpackhi_epi64, _mm_xor_si128,
    };

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

    #[allow(unsafe_code, reason = "calls a kernel for an instruction set")]
    pub(super) fn add_rows_over_f4(
        table: &[u128; TABLE],
        rows: &[[u16; LOCALITY]],
        leaves: &[u128],
        sums: &mut [u128],
    ) {
        // SAFETY: as above.
        unsafe { add_rows_over_f4_sse2(table, rows, leaves, sums) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn add(sum: __m128i, table: &[u128; TABLE], places: &[u16]) -> __m128i {
        places.iter().fold(sum, |sum, &place| _mm_xor_si128(sum, must_cast(table[usize::from(place)])))
    }

    #[target_feature(enable = "sse2")]
    fn add_rows_over_f4_sse2(
        table: &[u128; TABLE],
        rows: &[[u16; LOCALITY]],
        leaves: &[u128],
        sums: &mut [u128],
    ) {
        let zero = _mm_setzero_si128();
        for ((of_row, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
            let square = add(zero, table, &row[OMEGA.end..]);
            let omega = add(square, table, &row[OMEGA]);
            let one = add(_mm_xor_si128(square, must_cast(*leaf)), table, &row[..OMEGA.start]);
            // ω·(low + high·ω) = high + (low + high)·ω.
            let swapped = _mm_shuffle_epi32::<0x4e>(omega);
            let high = _mm_unpackhi_epi64(zero, omega);
            *of_row = must_cast(_mm_xor_si128(one, _mm_xor_si128(swapped, high)));
        }
    }

    /// One load a place, where integers take two.
    #[target_feature(enable = "sse2")]
    fn add_rows_sse2(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], leaves: &[u128], sums: &mut [u128]) {
        for ((sum, leaf), row) in sums.iter_mut().zip(leaves).zip(rows) {
            *sum = must_cast(add(must_cast(*leaf), table, row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Block;

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
            let mut over_f4 = [vec![0; inputs.len()], vec![0; inputs.len()]];
            add_rows_over_f4(table, &rows, &inputs, &mut over_f4[0]);
            add_rows_over_f4_portable(table, &rows, &inputs, &mut over_f4[1]);
            assert_eq!(over_f4[0], over_f4[1]);
            if len > 7 {
                let scaled = rows[7].iter().zip([1, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
                let terms = scaled.map(|(&place, by)| Block::new(table[usize::from(place)]).times(by).bits());
                assert_eq!(over_f4[0][7], terms.fold(inputs[7], |sum, term| sum ^ term));
                let by_hand = rows[7].iter().fold(inputs[7], |sum, &place| sum ^ table[usize::from(place)]);
                assert_eq!(sums[7], by_hand);
            }
        }
    }
}
