//! The public random matrix of the LPN assumption, ten ones a row.

use super::{LENGTH, SECRET};
use crate::crypto::{Block, Prg, SessionId};

/// Ones in a row. A security parameter, not a tuning knob.
const LOCALITY: usize = 10;

/// The places of the ones, row by row. Public.
pub(in crate::ot) struct Matrix(Vec<[u16; LOCALITY]>);

impl Matrix {
    /// The matrix of a session.
    pub(in crate::ot) fn new(session: &SessionId) -> Self {
        let mut rows = vec![[0_u16; LOCALITY]; LENGTH];
        Prg::from_seed(session.key("ferret matrix"))
            .fill_bytes(bytemuck::must_cast_slice_mut(rows.as_flattened_mut()));
        for place in rows.as_flattened_mut() {
            *place &= (SECRET - 1) as u16;
        }
        Self(rows)
    }

    /// Adds to every block the product of its row and the secret. The places read are public.
    pub(super) fn add_to(&self, secret: &[Block; SECRET], blocks: &mut [Block]) {
        for (block, row) in blocks.iter_mut().zip(&self.0) {
            *block = row.iter().fold(*block, |sum, &place| sum ^ secret[usize::from(place) % SECRET]);
        }
    }
}
