//! Adding ten blocks of a table, at public places, to every block of a slice.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

/// Blocks of the table: 512 KiB, to stay in a core's second-level cache.
pub(crate) const TABLE: usize = 1 << 15;

/// Ones in a row of the matrix.
pub(crate) const LOCALITY: usize = 10;

/// `outputs[i] = inputs[i] ^ table[rows[i][0]] ^ ... ^ table[rows[i][9]]`, places modulo the table's length.
pub(crate) fn add_rows(
    table: &[u128; TABLE],
    rows: &[[u16; LOCALITY]],
    inputs: &[u128],
    outputs: &mut [u128],
) {
    assert!(rows.len() == outputs.len() && inputs.len() == outputs.len(), "one row a block");
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "calls a kernel for an instruction set")]
    // SAFETY: SSE2 belongs to the architecture.
    unsafe {
        add_rows_sse2(table, rows, inputs, outputs);
    }
    #[cfg(not(target_arch = "x86_64"))]
    add_rows_portable(table, rows, inputs, outputs);
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn add_rows_portable(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], inputs: &[u128], outputs: &mut [u128]) {
    for (output, (&input, row)) in outputs.iter_mut().zip(inputs.iter().zip(rows)) {
        *output = row.iter().fold(input, |sum, &place| sum ^ table[usize::from(place) % TABLE]);
    }
}

/// One load a place, where integers take two.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn add_rows_sse2(table: &[u128; TABLE], rows: &[[u16; LOCALITY]], inputs: &[u128], outputs: &mut [u128]) {
    use bytemuck::must_cast;
    use core::arch::x86_64::{__m128i, _mm_xor_si128};

    for (output, (&input, row)) in outputs.iter_mut().zip(inputs.iter().zip(rows)) {
        let mut sum: __m128i = must_cast(input);
        for &place in row {
            sum = _mm_xor_si128(sum, must_cast(table[usize::from(place) % TABLE]));
        }
        *output = must_cast(sum);
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
        let rows: Vec<[u16; LOCALITY]> =
            (0..1000_u32).map(|i| core::array::from_fn(|j| (i * 7919 + j as u32 * 104_729) as u16)).collect();
        let inputs: Vec<u128> = (0..1000).map(|i| i << 100).collect();
        let mut outputs = vec![0; 1000];
        add_rows(table, &rows, &inputs, &mut outputs);
        let mut expected = vec![0; 1000];
        add_rows_portable(table, &rows, &inputs, &mut expected);
        assert_eq!(outputs, expected);
        let by_hand = rows[7].iter().fold(inputs[7], |sum, &place| sum ^ table[usize::from(place) % TABLE]);
        assert_eq!(outputs[7], by_hand);
    }
}
