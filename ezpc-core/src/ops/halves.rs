//! A batch in two halves with opposite roles, so that both parties garble and evaluate at the same time and both
//! directions of the channel carry data.

use crate::error::Result;
use crate::ops::Ctx;
use crate::party::Party;
use crate::transport::cost::Cost;
use crate::transport::machine::join;
use core::ops::Range;

/// Halves are cut at a multiple of this many elements, a block of a packed message, when there are enough.
const CUT: usize = 512;

/// The elements of the first half, in which the server garbles.
pub(crate) const fn first_half(len: usize) -> usize {
    let half = len.div_ceil(2);
    let cut = half.next_multiple_of(if half < CUT { 64 } else { CUT });
    if cut < len { cut } else { len }
}

/// The cost of [`both_roles`] for a protocol with `cost(garbler, len)`.
pub(crate) fn both_roles_cost(len: usize, cost: impl Fn(Party, usize) -> Cost) -> Cost {
    let middle = first_half(len);
    cost(Party::Server, middle).beside(cost(Party::Client, len - middle))
}

/// Runs `run(context, garbler, range)` on the two halves of `0..len`, side by side.
pub(crate) async fn both_roles<R>(
    mut cx: Ctx,
    len: usize,
    cost: impl Fn(Party, usize) -> Cost,
    run: impl AsyncFn(Ctx, Party, Range<usize>) -> Result<R>,
) -> Result<[R; 2]> {
    let middle = first_half(len);
    let first = cx.split(cost(Party::Server, middle).ots());
    let second = cx.split(cost(Party::Client, len - middle).ots());
    let (a, b) = join(run(first, Party::Server, 0..middle), run(second, Party::Client, middle..len)).await;
    Ok([a?, b?])
}
