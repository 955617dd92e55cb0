//! The trait [`Protocol`]: the only thing programs see.
//!
//! A program is a function generic over one protocol. The cleartext oracle, the cost model and the real
//! two-party protocol implement it; a back end of your own needs the required methods only and gets fast by
//! overriding the provided ones.
//!
//! Every operation is a batch over a share vector. `&self` and no `Result`: local, free. `&mut self` and
//! `Result`: talks to the peer.

mod check;
pub mod cleartext;
mod linear;
mod op;
mod provided;
mod session;
pub mod tally;
mod trace;
pub mod two_party;

pub use crate::sharing::ShareVec;
pub use crate::spec::{ConvSpec, LinearKind, LinearSpec, MatMulSpec, Number, Reveal, Signedness, Trunc};
pub use cleartext::Cleartext;
pub use linear::{Linear, Operand, Prepared};
pub use op::{Op, Val};
pub use session::Config;
pub use tally::Tally;
pub use trace::{Origins, Site};
pub use two_party::TwoParty;

use crate::error::Result;
use crate::party::Party;
use crate::ring::{BitPlanes, RingVec, Width};

/// A protocol: where secret values live and how to compute on them.
///
/// Arithmetic vectors are over Z_{2^k} with the width k carried by the value; Boolean vectors hold k-bit words
/// in k packed planes.
///
/// # Panics
/// Local operations panic when widths or lengths of their operands differ, and the message names both, as
/// slices do: it is a bug of the calling program. Operations that return `Result` report it as
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage).
pub trait Protocol {
    /// A vector of arithmetic shares.
    type Arith: ShareVec;
    /// A vector of Boolean shares.
    type Bool: ShareVec;

    // ---- required: input and output ----------------------------------------------------------------------

    /// Which party this is; `None` for a back end that plays both (the cleartext oracle).
    fn party(&self) -> Option<Party>;

    /// The private values of party `from`, `len` of them. `values` is `Some` exactly where they are known: at
    /// `from`, and in a back end that plays both. One half-round, or none where shares come from a common seed.
    fn input(
        &mut self,
        from: Party,
        width: Width,
        len: usize,
        values: Option<&RingVec>,
    ) -> Result<Self::Arith>;

    /// The private words of party `from`, as [`Protocol::input`].
    fn input_bool(
        &mut self,
        from: Party,
        width: Width,
        len: usize,
        values: Option<&BitPlanes>,
    ) -> Result<Self::Bool>;

    /// Opens a vector to the parties of `to`; `None` at a party that does not learn it. One half-round.
    ///
    /// Only the value is revealed when it is a function of the secrets alone. The results of [`Protocol::linear`]
    /// with a shift, [`Protocol::trunc_reduce`], [`Protocol::round_reduce`], [`Protocol::relu_trunc`],
    /// [`Protocol::relu_coarse`], [`Protocol::max_coarse`] and the near and local [`Trunc`] are rounded in a way that
    /// depends on the shares or on noise: before opening one of them, keep guard bits and drop them with
    /// [`Trunc::Floor`], or whoever learns it learns low bits of what was rounded away. What [`Protocol::linear`]
    /// rounded under private weights is not opened to their owner without that: the two-party protocol refuses
    /// (SECURITY.md, Opening rule).
    fn reveal(&mut self, x: &Self::Arith, to: Reveal) -> Result<Option<RingVec>>;

    /// Opens a Boolean vector, as [`Protocol::reveal`].
    fn reveal_bool(&mut self, x: &Self::Bool, to: Reveal) -> Result<Option<BitPlanes>>;

    // ---- required: local ---------------------------------------------------------------------------------

    /// A public value as a (trivial) sharing.
    fn public(&self, values: &RingVec) -> Self::Arith;
    /// Public words as a (trivial) sharing.
    fn public_bool(&self, values: &BitPlanes) -> Self::Bool;
    /// Element-wise sum.
    fn add(&self, x: &Self::Arith, y: &Self::Arith) -> Self::Arith;
    /// Element-wise difference.
    fn sub(&self, x: &Self::Arith, y: &Self::Arith) -> Self::Arith;
    /// Element-wise product with public values; a single public value multiplies every element.
    fn scale(&self, x: &Self::Arith, by: &[u64]) -> Self::Arith;
    /// The values mod 2^`width`, `width` at most the present one.
    fn reduce(&self, x: &Self::Arith, width: Width) -> Self::Arith;
    /// Both parties shift their shares right by `shift` bits into the ring of k - `shift` bits: the floor of
    /// the value divided by 2^`shift`, or one less ({-1, 0} ulp), mod 2^{k - shift}.
    fn trunc_reduce(&self, x: &Self::Arith, shift: u32) -> Self::Arith;
    /// Exclusive or, plane by plane.
    fn xor(&self, x: &Self::Bool, y: &Self::Bool) -> Self::Bool;
    /// And with public words.
    fn and_public(&self, x: &Self::Bool, mask: &BitPlanes) -> Self::Bool;
    /// The planes `planes[0]`, `planes[1]`, … of `x` as a new word vector, least significant first.
    fn planes(&self, x: &Self::Bool, planes: &[usize]) -> Self::Bool;
    /// Words of one bit each, joined into one word vector, least significant first.
    fn join_planes(&self, planes: &[&Self::Bool]) -> Self::Bool;

    // ---- required: interactive ---------------------------------------------------------------------------

    /// Element-wise product mod 2^k.
    fn mul(&mut self, x: &Self::Arith, y: &Self::Arith) -> Result<Self::Arith>;
    /// And, plane by plane.
    fn and(&mut self, x: &Self::Bool, y: &Self::Bool) -> Result<Self::Bool>;
    /// The most significant bit, one plane.
    fn msb(&mut self, x: &Self::Arith) -> Result<Self::Bool>;
    /// A one-plane vector as 0 and 1 in Z_{2^`width`}.
    fn bit_to_arith(&mut self, x: &Self::Bool, width: Width) -> Result<Self::Arith>;
    /// The binary digits of every element: k planes.
    fn a2b(&mut self, x: &Self::Arith) -> Result<Self::Bool>;

    // ---- provided: local ---------------------------------------------------------------------------------

    /// The sum with public values of the same width; a single public value is added to every element.
    fn add_public(&self, x: &Self::Arith, values: &RingVec) -> Self::Arith {
        provided::add_public(self, x, values)
    }
    /// As [`Protocol::trunc_reduce`], rounded: the integer nearest to the value divided by 2^`shift`, or one less where
    /// shares are shifted apart. Two parties get the floor or the ceiling without a bias, and an exact quotient exactly.
    fn round_reduce(&self, x: &Self::Arith, shift: u32) -> Self::Arith {
        provided::round_reduce(self, x, shift)
    }
    /// 0 - x.
    fn neg(&self, x: &Self::Arith) -> Self::Arith {
        self.scale(x, &[u64::MAX])
    }
    /// Complement of every bit.
    fn not(&self, x: &Self::Bool) -> Self::Bool {
        provided::not(self, x)
    }

    // ---- provided: Boolean circuits ----------------------------------------------------------------------

    /// Or, plane by plane.
    fn or(&mut self, x: &Self::Bool, y: &Self::Bool) -> Result<Self::Bool> {
        provided::or(self, x, y)
    }
    /// `c ? t : f` for Boolean words; `c` has one plane.
    fn mux_bool(&mut self, c: &Self::Bool, t: &Self::Bool, f: &Self::Bool) -> Result<Self::Bool> {
        provided::mux_bool(self, c, t, f)
    }
    /// Sum of Boolean words mod 2^k.
    fn add_bool(&mut self, x: &Self::Bool, y: &Self::Bool) -> Result<Self::Bool> {
        provided::add_bool(self, x, y)
    }
    /// Boolean words as elements of Z_{2^k}.
    fn b2a(&mut self, x: &Self::Bool) -> Result<Self::Arith> {
        provided::b2a(self, x)
    }

    // ---- provided: comparison and selection --------------------------------------------------------------

    /// `x < y`, for the full range, one plane.
    fn less_than(&mut self, x: &Self::Arith, y: &Self::Arith, s: Signedness) -> Result<Self::Bool> {
        provided::less_than(self, x, y, s)
    }
    /// `x < y` where the caller promises that the signed difference fits: `-2^{k-1} <= x - y < 2^{k-1}`.
    fn less_than_near(&mut self, x: &Self::Arith, y: &Self::Arith) -> Result<Self::Bool> {
        check::same_shape("comparison", x, y)?;
        let difference = self.sub(x, y);
        self.msb(&difference)
    }
    /// `x == y`, one plane.
    fn equal(&mut self, x: &Self::Arith, y: &Self::Arith) -> Result<Self::Bool> {
        provided::equal(self, x, y)
    }
    /// For every one of 1 to 64 public thresholds of the width of x, in a plane of its own, whether x is below it.
    fn below(&mut self, x: &Self::Arith, thresholds: &RingVec, s: Signedness) -> Result<Self::Bool> {
        provided::below(self, x, thresholds, s)
    }
    /// `c ? t : f`; `c` has one plane.
    fn mux(&mut self, c: &Self::Bool, t: &Self::Arith, f: &Self::Arith) -> Result<Self::Arith> {
        provided::mux(self, c, t, f)
    }
    /// `c · x` for a one-plane `c`.
    fn select(&mut self, c: &Self::Bool, x: &Self::Arith) -> Result<Self::Arith> {
        provided::select(self, c, x)
    }

    // ---- provided: tables and arrays ---------------------------------------------------------------------

    /// The elements of a public table at shared indices of m bits, m at most 16. The table has 1 to 2^m elements, and is 0
    /// beyond. To look an index up that has more bits, [`reduce`](Protocol::reduce) it.
    fn lookup(&mut self, table: &RingVec, index: &Self::Arith) -> Result<Self::Arith> {
        provided::lookup(self, table, index)
    }
    /// The elements of one shared array at shared indices, as [`Protocol::lookup`].
    fn read(&mut self, array: &Self::Arith, index: &Self::Arith) -> Result<Self::Arith> {
        provided::read(self, array, index)
    }
    /// How many bits of each word are set, mod 2^`width`.
    fn popcount(&mut self, x: &Self::Bool, width: Width) -> Result<Self::Arith> {
        provided::popcount(self, x, width)
    }

    // ---- provided: changing width and scale --------------------------------------------------------------

    /// Divides by 2^`shift` within the ring, as `kind` says.
    fn trunc(&mut self, x: &Self::Arith, shift: u32, kind: Trunc) -> Result<Self::Arith> {
        provided::trunc(self, x, shift, kind)
    }
    /// The same value in the wider ring of `width` bits.
    fn extend(&mut self, x: &Self::Arith, width: Width, s: Signedness) -> Result<Self::Arith> {
        provided::extend(self, x, width, s)
    }

    /// As [`Protocol::extend`], promised that values use half the range of their ring of k bits: `0 <= x < 2^{k-1}` for
    /// unsigned ones, `-2^{k-2} <= x < 2^{k-2}` for signed ones. Outside the promise the result is wrong.
    fn extend_near(&mut self, x: &Self::Arith, width: Width, s: Signedness) -> Result<Self::Arith> {
        check::can_extend_near(x.width(), width, s)?;
        self.extend(x, width, s)
    }

    // ---- provided: neural networks -----------------------------------------------------------------------

    /// `max(x, 0)` of signed values, in the ring of `width` bits, which is at least the present one.
    fn relu(&mut self, x: &Self::Arith, width: Width) -> Result<Self::Arith> {
        provided::relu(self, x, width)
    }
    /// As [`Protocol::relu`], decided without the lowest `drop` bits: the result is either of 0 and x where -h <= x < h for
    /// h = 2^{`drop`-1}. Promised: `-2^{k-1} + h <= x < 2^{k-1} - h`.
    fn relu_coarse(&mut self, x: &Self::Arith, drop: u32, width: Width) -> Result<Self::Arith> {
        crate::ops::relu::can_decide(x.width(), drop)?;
        self.relu(x, width)
    }
    /// `max(x, 0) / 2^shift` of signed values in the ring of `width` bits, within {-1, 0} ulp; promised
    /// `-2^{bits-1+shift} + 2^shift <= x <= 2^{bits-1+shift} - 1`.
    fn relu_trunc(&mut self, x: &Self::Arith, shift: u32, bits: u32, width: Width) -> Result<Self::Arith> {
        provided::relu_trunc(self, x, shift, bits, width)
    }
    /// The maximum of each group of `group` consecutive signed elements. Promised: differences within a group
    /// fit the signed range of the ring.
    fn max(&mut self, x: &Self::Arith, group: usize) -> Result<Self::Arith> {
        provided::max(self, x, group)
    }
    /// As [`Protocol::max`], decided without the lowest `drop` bits: one of the group that is at most
    /// ceil(log2 `group`)·2^{`drop`-1} below its maximum. Promised: `|a - b| < 2^{k-1} - 2^{drop-1}` within a group.
    fn max_coarse(&mut self, x: &Self::Arith, drop: u32, group: usize) -> Result<Self::Arith> {
        crate::ops::relu::can_decide(x.width(), drop)?;
        self.max(x, group)
    }
    /// The index of the maximum of each group of `group` consecutive signed elements, in the ring of `width`
    /// bits; the first of equal ones. Promised as [`Protocol::max`].
    fn argmax(&mut self, x: &Self::Arith, group: usize, width: Width) -> Result<Self::Arith> {
        provided::argmax(self, x, group, width)
    }
    /// Says before the first input what is wrong with a layer's weights. Local.
    fn check(&mut self, _layer: &Linear<Self::Arith>) -> Result<()> {
        Ok(())
    }
    /// Checks a layer, and does what does not depend on its input: for a layer that runs many times, and before its first
    /// input is there. Local; optional.
    fn prepare(&mut self, layer: &Linear<Self::Arith>) -> Result<()> {
        self.check(layer)
    }
    /// A linear layer; the result is truncated and in the smaller ring, as [`LinearSpec`] says.
    fn linear(&mut self, layer: &Linear<Self::Arith>, x: &Self::Arith) -> Result<Self::Arith> {
        provided::linear(self, layer, x)
    }

    // ---- provided: batching, scopes ----------------------------------------------------------------------

    /// Runs independent operations of different kinds; a back end may let them share half-rounds.
    fn together(&mut self, ops: &[Op<Self::Arith, Self::Bool>]) -> Result<Vec<Val<Self::Arith, Self::Bool>>> {
        ops.iter().map(|op| op::run(self, op)).collect()
    }

    /// Fails unless the peer gives the same `public` bytes; `what` is the subject of the message. A back end that
    /// plays both parties has nobody to ask.
    fn agree(&mut self, _what: &str, _public: &[u8]) -> Result<()> {
        Ok(())
    }

    /// The values themselves, in a back end that computes in the clear and protects nothing; `None` in every other. For
    /// checks of what a real protocol cannot see.
    fn in_clear(&self, _x: &Self::Arith) -> Option<RingVec> {
        None
    }

    /// Told before [`Protocol::together`] where each operation comes from. A back end that counts by line asks for it.
    fn trace(&mut self, _ops: &[Op<Self::Arith, Self::Bool>], _origins: &dyn Fn() -> Vec<Origins>) {}

    /// Told before [`Protocol::reveal`] and [`Protocol::reveal_bool`] where the values come from, as [`Protocol::trace`].
    fn trace_opening(&mut self, _width: Width, _to: Reveal, _origins: &dyn Fn() -> Origins) {}

    /// Attributes what follows to the named scope (a layer, a function) in the statistics, until the next call.
    fn scope(&mut self, _name: &str) {}
}
