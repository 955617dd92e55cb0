//! Element-wise product of two shared vectors.
//!
//! x·y = x0·y0 + x1·y1 + x0·y1 + x1·y0: two batches of one-sided products side by side, one a direction.
//!
//! Cost per element over Z_{2^k}: 2k COTs, 2 half-rounds, k bits of flips and k(k+1)/2 bits of corrections each
//! way. What the messages reveal: see [`product`](super::product).

use crate::error::Result;
use crate::ops::Ctx;
use crate::ops::product::{ProductShape, cross_products, cross_products_cost};
use crate::ring::{RingVec, Width};
use crate::transport::cost::Cost;

/// The cost of [`mul`] on `len` elements of `width`.
#[must_use]
pub fn mul_cost(width: Width, len: usize) -> Cost {
    cross_products_cost([shape(width, len); 2])
}

const fn shape(width: Width, len: usize) -> ProductShape {
    ProductShape { width, factors: len, bits: width.bits(), len: 1 }
}

/// The shares of the element-wise product.
pub async fn mul(cx: Ctx, x: &RingVec, y: &RingVec) -> Result<RingVec> {
    let shape = shape(x.width(), x.len());
    let [own, peers] = cross_products(cx, [shape; 2], x.lanes(), y.lanes()).await;
    Ok(x.mul(y).add(&own).add(&peers))
}
