//! The public random matrix of the LPN assumption, ten ones a row.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{LENGTH, SECRET};
use crate::arch::lpn::{LOCALITY, TABLE, add_rows};
use crate::crypto::{Block, Prg, SessionId};

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

    /// `leaves[i]` plus the product of row `first + i` and the secret. The places read are public.
    pub(super) fn add(&self, secret: &[Block], first: usize, leaves: &[Block], outputs: &mut [Block]) {
        let secret: &[u128] = bytemuck::must_cast_slice(secret);
        let secret: &[u128; TABLE] = secret.try_into().expect("the secret has the table's length");
        let rows = &self.0[first..first + outputs.len()];
        add_rows(secret, rows, bytemuck::must_cast_slice(leaves), bytemuck::must_cast_slice_mut(outputs));
    }
}
