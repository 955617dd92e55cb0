//! Transposing 128 × 128 bits.

/// Bit j of row i becomes bit i of row j.
pub(crate) fn transpose(rows: &mut [u128; 128]) {
    #[cfg(target_arch = "x86_64")]
    if detected!("avx2") {
        #[allow(unsafe_code, reason = "calls a kernel for the detected instruction set")]
        // SAFETY: the instruction set was just detected.
        unsafe {
            transpose_avx2(rows);
        }
        return;
    }
    transpose_portable(rows);
}

/// The portable algorithm, compiled for wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn transpose_avx2(rows: &mut [u128; 128]) {
    transpose_portable(rows);
}

/// Swaps the off-diagonal quarters of ever smaller squares: seven passes over the matrix.
#[inline(always)]
fn transpose_portable(rows: &mut [u128; 128]) {
    let words: &mut [[u64; 2]; 128] = bytemuck::must_cast_mut(rows);
    for i in 0..64 {
        (words[i][1], words[i + 64][0]) = (words[i + 64][0], words[i][1]);
    }
    swap_quarters::<32>(words, 0x0000_0000_ffff_ffff);
    swap_quarters::<16>(words, 0x0000_ffff_0000_ffff);
    swap_quarters::<8>(words, 0x00ff_00ff_00ff_00ff);
    swap_quarters::<4>(words, 0x0f0f_0f0f_0f0f_0f0f);
    swap_quarters::<2>(words, 0x3333_3333_3333_3333);
    swap_quarters::<1>(words, 0x5555_5555_5555_5555);
}

/// In every square of side 2·SIDE, swaps the upper half of the first rows with the lower half of the last rows.
#[inline(always)]
fn swap_quarters<const SIDE: usize>(words: &mut [[u64; 2]; 128], low: u64) {
    for square in words.chunks_exact_mut(2 * SIDE) {
        let (first, last) = square.split_at_mut(SIDE);
        for (a, b) in first.iter_mut().zip(last) {
            for half in 0..2 {
                let difference = ((a[half] >> SIDE) ^ b[half]) & low;
                a[half] ^= difference << SIDE;
                b[half] ^= difference;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Block, Prg};

    #[test]
    fn swaps_rows_and_columns() {
        let mut rows = [Block::ZERO; 128];
        Prg::from_seed(Block::new(8)).fill_blocks(&mut rows);
        let mut portable = rows;
        transpose_portable(bytemuck::must_cast_mut(&mut portable));
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in portable.iter().enumerate() {
                assert_eq!(row.bits() >> j & 1, column.bits() >> i & 1, "bit {j} of row {i}");
            }
        }
        transpose(bytemuck::must_cast_mut(&mut rows));
        assert_eq!(rows, portable);
    }
}
