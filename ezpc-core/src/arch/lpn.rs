//! Adding ten blocks of a table, at public places, to every block of a slice.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

/// Blocks of the table: as many as places have values, so that no place is out of bounds. Only what places name is
/// read: to stay in a core's second-level cache, they name the first part only.
pub(crate) const TABLE: usize = 1 << 16;

/// Ones in a row of the matrix.
pub(crate) const LOCALITY: usize = 10;

/// `outputs[i] = inputs[i] ^ table[rows[i][0]] ^ ... ^ table[rows[i][9]]`.
pub(crate) fn add_rows(
    table: &[u128; TABLE],
    rows: &[[u16; LOCALITY]],
    inputs: &[u128],
    outputs: &mut [u128],
) {
    assert!(rows.len() == outputs.len() && inputs.len() == outputs.len(), "one row a block");
    #[cfg(target_arch = "x86_64")]
    x86_64::add_rows(table, rows, inputs, outputs);
    #[cfg(not(target_arch = "x86_64"))]
    add_rows_portable(table, rows, inputs, outputs);
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn add_rows_portable(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], inputs: &[u128], outputs: &mut [u128]) {
    for (output, (&input, row)) in outputs.iter_mut().zip(inputs.iter().zip(rows)) {
        *output = row.iter().fold(input, |sum, &place| sum ^ table[usize::from(place)]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{LOCALITY, TABLE};
    use bytemuck::must_cast;
    use core::arch::x86_64::{__m128i, _MM_HINT_T0, _mm_prefetch, _mm_xor_si128};

    /// Rows between asking for the blocks of one and adding them: the second-level cache answers in that time, and
    /// mostly the third-level one, where a table does not fit.
    const AHEAD: usize = 8;

    #[allow(unsafe_code, reason = "calls a kernel for an instruction set")]
    pub(super) fn add_rows(
        table: &[u128; TABLE],
        rows: &[[u16; LOCALITY]],
        inputs: &[u128],
        outputs: &mut [u128],
    ) {
        // SAFETY: SSE2 belongs to the architecture.
        unsafe { add_rows_sse2(table, rows, inputs, outputs) }
    }

    /// One load a place, where integers take two.
    #[target_feature(enable = "sse2")]
    fn add_rows_sse2(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], inputs: &[u128], outputs: &mut [u128]) {
        let none = [0; LOCALITY];
        for (i, (output, (&input, row))) in outputs.iter_mut().zip(inputs.iter().zip(rows)).enumerate() {
            for &place in rows.get(i + AHEAD).unwrap_or(&none) {
                prefetch(&table[usize::from(place)]);
            }
            let mut sum: __m128i = must_cast(input);
            for &place in row {
                sum = _mm_xor_si128(sum, must_cast(table[usize::from(place)]));
            }
            *output = must_cast(sum);
        }
    }

    #[inline(always)]
    #[allow(unsafe_code, reason = "a hint to the cache")]
    fn prefetch(block: &u128) {
        // SAFETY: a hint has no effect but on time, and the address is that of a reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(block).cast()) }
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
        for len in [0, 1, 7, 8, 9, 1000] {
            let rows: Vec<[u16; LOCALITY]> = (0..len)
                .map(|i| core::array::from_fn(|j| (i as u32 * 7919 + j as u32 * 104_729) as u16))
                .collect();
            let inputs: Vec<u128> = (0..len as u128).map(|i| i << 100).collect();
            let mut outputs = vec![0; len];
            add_rows(table, &rows, &inputs, &mut outputs);
            let mut expected = vec![0; len];
            add_rows_portable(table, &rows, &inputs, &mut expected);
            assert_eq!(outputs, expected);
            if len > 7 {
                let by_hand = rows[7].iter().fold(inputs[7], |sum, &place| sum ^ table[usize::from(place)]);
                assert_eq!(outputs[7], by_hand);
            }
        }
    }
}
