//! The oracle with nothing but the required methods: everything else is what [`Protocol`] provides.

use crate::error::Result;
use crate::party::Party;
use crate::protocol::{Cleartext, Protocol, Reveal};
use crate::ring::{BitPlanes, RingVec, Width};

/// A back end of required methods only, in the clear.
#[derive(Default)]
pub(super) struct Minimal(Cleartext);

#[rustfmt::skip]
impl Protocol for Minimal {
    type Arith = RingVec;
    type Bool = BitPlanes;

    fn party(&self) -> Option<Party> { None }
    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<RingVec> {
        self.0.input(from, width, len, values)
    }
    fn input_bool(&mut self, from: Party, width: Width, len: usize, values: Option<&BitPlanes>) -> Result<BitPlanes> {
        self.0.input_bool(from, width, len, values)
    }
    fn reveal(&mut self, x: &RingVec, to: Reveal) -> Result<Option<RingVec>> { self.0.reveal(x, to) }
    fn reveal_bool(&mut self, x: &BitPlanes, to: Reveal) -> Result<Option<BitPlanes>> { self.0.reveal_bool(x, to) }
    fn public(&self, values: &RingVec) -> RingVec { self.0.public(values) }
    fn public_bool(&self, values: &BitPlanes) -> BitPlanes { self.0.public_bool(values) }
    fn add(&self, x: &RingVec, y: &RingVec) -> RingVec { self.0.add(x, y) }
    fn sub(&self, x: &RingVec, y: &RingVec) -> RingVec { self.0.sub(x, y) }
    fn scale(&self, x: &RingVec, by: &[u64]) -> RingVec { self.0.scale(x, by) }
    fn reduce(&self, x: &RingVec, width: Width) -> RingVec { self.0.reduce(x, width) }
    fn trunc_reduce(&self, x: &RingVec, shift: u32) -> RingVec { self.0.trunc_reduce(x, shift) }
    fn xor(&self, x: &BitPlanes, y: &BitPlanes) -> BitPlanes { self.0.xor(x, y) }
    fn and_public(&self, x: &BitPlanes, mask: &BitPlanes) -> BitPlanes { self.0.and_public(x, mask) }
    fn planes(&self, x: &BitPlanes, planes: &[usize]) -> BitPlanes { self.0.planes(x, planes) }
    fn join_planes(&self, planes: &[&BitPlanes]) -> BitPlanes { self.0.join_planes(planes) }
    fn mul(&mut self, x: &RingVec, y: &RingVec) -> Result<RingVec> { self.0.mul(x, y) }
    fn and(&mut self, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> { self.0.and(x, y) }
    fn msb(&mut self, x: &RingVec) -> Result<BitPlanes> { self.0.msb(x) }
    fn bit_to_arith(&mut self, x: &BitPlanes, width: Width) -> Result<RingVec> { self.0.bit_to_arith(x, width) }
    fn a2b(&mut self, x: &RingVec) -> Result<BitPlanes> { self.0.a2b(x) }
}
