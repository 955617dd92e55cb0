//! The public code of the LPN assumption: a random matrix with ten entries a row. Over F_2 they are ones; over F_4 the
//! same places have coefficients.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Kind, LENGTH, SECRET};
use crate::arch::lpn::{LOCALITY, TABLE, add_rows, add_rows_over_f4};
use crate::crypto::{Block, Prg, SessionId};

/// Places drawn at once.
const DRAWN: usize = 4096;

/// The places of the entries, row by row. Public.
pub(in crate::ot) struct Code(Vec<[u16; LOCALITY]>);

impl Code {
    /// The code of a session, for both directions and all rounds.
    pub(in crate::ot) fn new(session: &SessionId) -> Self {
        let mut rows = vec![[0_u16; LOCALITY]; LENGTH];
        let places = rows.as_flattened_mut();
        let mut prg = Prg::from_seed(session.key("ferret matrix"));
        let mut drawn = [0_u16; DRAWN];
        let mut done = 0;
        while done < places.len() {
            prg.fill_bytes(bytemuck::must_cast_slice_mut(&mut drawn));
            for &place in &drawn {
                // Uniform by rejection, without a jump: the next place overwrites one that is beyond the secret.
                if let Some(free) = places.get_mut(done) {
                    *free = u16::from_le(place);
                    done += usize::from(usize::from(*free) < SECRET);
                }
            }
        }
        Self(rows)
    }

    /// `cots[i]` is `leaves[i]` plus the product of row `first + i` and the secret. The places read are public.
    pub(super) fn add(
        &self,
        kind: Kind,
        secret: &[u128; TABLE],
        first: usize,
        leaves: &[Block],
        cots: &mut [Block],
    ) {
        let rows = &self.0[first..first + leaves.len()];
        let (leaves, cots) = (bytemuck::must_cast_slice(leaves), bytemuck::must_cast_slice_mut(cots));
        match kind {
            Kind::Cots => add_rows(secret, rows, leaves, cots),
            Kind::Quads => add_rows_over_f4(secret, rows, leaves, cots),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_uniform_in_the_secret() {
        let code = Code::new(&SessionId::new([7; 32]));
        let mut counts = vec![0_u32; SECRET];
        for &place in code.0.as_flattened() {
            counts[usize::from(place)] += 1;
        }
        let mean = (LENGTH * LOCALITY) as f64 / SECRET as f64;
        let chi_squared: f64 = counts.iter().map(|&c| (f64::from(c) - mean).powi(2) / mean).sum();
        let freedom = SECRET as f64 - 1.0;
        // Six standard deviations.
        assert!((chi_squared - freedom).abs() < 6.0 * (2.0 * freedom).sqrt(), "chi squared {chi_squared}");
    }
}
