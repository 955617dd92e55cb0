//! Reading arrays at secret indices.
//!
//! An index of the language is of 8 to 64 bits and may be anything; outside of the array the result is 0. Arithmetic elements
//! are read by one oblivious read at the low bits of the index ([`Protocol::read`], [`Protocol::lookup`] where all
//! are public), whose result is kept where the index is in range: one comparison for all sizes. Of few elements, and of
//! truth values, each is compared with the index instead.

use super::array::Array;
use super::graph::Graph;
use super::kind::Kind;
use super::record::Label;
use super::view::View;
use super::{Program, Scalar, Shared};
use crate::protocol::Protocol;

impl<P: Protocol> Program<'_, P> {
    /// The element at a secret index; 0 outside of the array.
    pub fn read<T: Scalar, I: Scalar>(&self, array: &Array<Shared<T>, 1>, index: &Shared<I>) -> Shared<T> {
        if array.is_empty() {
            return self.constant(T::from_lane(0));
        }
        self.record(|g| {
            let all = array.elements(g);
            g.read(all, index.view(), I::SIGNED)
        })
    }

    /// The element of a public array at a secret index; 0 outside of the array.
    pub fn read_public<T: Scalar, I: Scalar>(&self, array: &Array<T, 1>, index: &Shared<I>) -> Shared<T> {
        if array.is_empty() {
            return self.constant(T::from_lane(0));
        }
        self.record(|g| {
            let all = g.table(T::BITS, array.to_vec().into_iter().map(T::to_lane).collect());
            g.read(all, index.view(), I::SIGNED)
        })
    }
}

impl Graph {
    fn read(&mut self, array: View, index: View, signed: bool) -> View {
        if index.len > 1 && index.is_one() {
            return self.read(array, index.first(), signed).spread(index.len);
        }
        let (width, bits) = (self.width(array), self.width(index));
        // What an index of that type can name.
        let len = 1u64.checked_shl(bits - u32::from(signed)).unwrap_or(u64::MAX).min(array.len.into());
        let array = array.slice(0, u32::try_from(len).expect("not longer than the array"));
        if let Some(at) = self.constant_value(index) {
            let element = u32::try_from(at).ok().filter(|&at| at < array.len);
            return match element {
                Some(at) => self.gather([array.slice(at, 1)]),
                None => self.constant(width, 0),
            };
        }
        let least = array.len.next_power_of_two().trailing_zeros().max(1);
        if width == 1 || array.len <= FEW || least > MOST {
            return self.scan(array, index);
        }
        let all = self.gather([array]);
        let (all, index) = (self.arith(all), self.arith(index));
        if bits <= least + 1 {
            return self.append(Kind::Read, width, index.len, [all, index, View::NONE], 0);
        }
        let low = self.push(Kind::Reduce, least, &[index], 0);
        let found = self.append(Kind::Read, width, index.len, [all, low, View::NONE], 0);
        let end = self.constant(bits, len);
        let inside = self.less_than(index, end, false);
        self.push(Kind::Select, width, &[inside, found], 0)
    }

    /// Every element compared with the index.
    fn scan(&mut self, array: View, index: View) -> View {
        let (width, bits) = (self.width(array), self.width(index));
        let zero = self.constant(width, 0);
        let mut sum = zero;
        for at in 0..array.len {
            let (element, here) = (self.gather([array.slice(at, 1)]), self.constant(bits, at.into()));
            let hit = self.equal(index, here);
            let term = self.mux(Label::PreferBool, hit, element.spread(index.len), zero);
            // At most one term is not zero: exclusive or, on Boolean shares.
            sum = if width == 1 || self.prefers_bool(sum, term) {
                let (sum, term) = (self.boolean(sum), self.boolean(term));
                self.xor(sum, term)
            } else {
                self.sum(Label::Arith, sum, term)
            };
        }
        sum
    }
}

/// Up to as many elements are compared with the index one by one.
const FEW: u32 = 3;

/// The most bits of an index of an oblivious read.
const MOST: u32 = 16;
