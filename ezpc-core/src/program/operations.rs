//! The operations of programs: each records what the language's operator means.

use super::graph::Graph;
use super::record::Label;
use super::view::View;
use super::{Program, Scalar, Shared};
use crate::protocol::Protocol;

impl<P: Protocol> Program<'_, P> {
    /// x + y.
    pub fn add<T: Scalar>(&self, label: Label, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.sum(label, x.view(), y.view()))
    }
    /// x - y.
    pub fn sub<T: Scalar>(&self, label: Label, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.difference(label, x.view(), y.view()))
    }
    /// x * y; of fixed-point values the floor, for products below 2^(bits - 1 - 2·fraction) in magnitude.
    pub fn mul<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let product = g.product(x.view(), y.view());
            g.truncate(product, T::FRACTION)
        })
    }
    /// The quotient truncated toward zero; all ones when y is zero. Of fixed-point values for dividends below
    /// 2^(bits - 1 - 2·fraction) in magnitude, and the floor when y is a public power of two that is at least 1.
    pub fn div<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let by = g
                .constant_value(y.view())
                .filter(|&v| T::FRACTION > 0 && v.is_power_of_two() && v < 1 << (T::BITS - 1));
            if let Some(by) = by.map(u64::trailing_zeros).filter(|&by| by >= T::FRACTION) {
                return g.truncate(x.view(), by - T::FRACTION);
            }
            let x = g.shift_left(x.view(), T::FRACTION);
            g.divide(x, y.view(), T::SIGNED)[0]
        })
    }
    /// The remainder with the sign of x; x when y is zero.
    pub fn rem<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.divide(x.view(), y.view(), T::SIGNED)[1])
    }
    /// x & y; and for bool.
    pub fn and<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::and)
    }
    /// x | y; or for bool.
    pub fn or<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::or)
    }
    /// x ^ y; exclusive or for bool.
    pub fn xor<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::xor)
    }
    /// Every bit inverted; not for bool.
    pub fn not<T: Scalar>(&self, x: &Shared<T>) -> Shared<T> {
        self.record(|g| g.complement(x.view()))
    }
    /// x << by, for a public amount below the width.
    pub fn shl<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_left(x.view(), by))
    }
    /// x >> by: arithmetic on signed, logical on unsigned values.
    pub fn shr<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_right(x.view(), by, T::SIGNED))
    }
    /// x >> by, logical.
    pub fn shr_logical<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_right(x.view(), by, false))
    }
    /// x < y.
    pub fn lt<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.record(|g| g.less_than(x.view(), y.view(), T::SIGNED))
    }
    /// x > y.
    pub fn gt<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.lt(y, x)
    }
    /// x <= y.
    pub fn le<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.lt(y, x))
    }
    /// x >= y.
    pub fn ge<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.lt(x, y))
    }
    /// x == y.
    pub fn eq<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.record(|g| g.equal(x.view(), y.view()))
    }
    /// x != y.
    pub fn ne<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.eq(x, y))
    }
    /// -x.
    pub fn neg<T: Scalar>(&self, label: Label, x: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let zero = g.constant(T::BITS, 0);
            g.difference(label, zero, x.view())
        })
    }
    /// The elements with the one at a secret index replaced.
    pub fn replace<T: Scalar, I: Scalar>(
        &self,
        elements: &[Shared<T>],
        index: &Shared<I>,
        value: &Shared<T>,
    ) -> Vec<Shared<T>> {
        let choose = |(i, element): (usize, &Shared<T>)| {
            if !reaches::<I>(i) {
                return element.clone();
            }
            let hit = self.eq(index, &self.constant(I::from_lane(i as u64)));
            self.mux(Label::PreferBool, &hit, value, element)
        };
        elements.iter().enumerate().map(choose).collect()
    }

    /// c ? t : f.
    pub fn mux<T: Scalar>(&self, label: Label, c: &Shared<bool>, t: &Shared<T>, f: &Shared<T>) -> Shared<T> {
        self.record(|g| g.mux(label, c.view(), t.view(), f.view()))
    }
    /// The value in another type: reduced, or extended as T's signedness says; to bool, whether it is not zero. Where
    /// the fraction becomes shorter it is the floor.
    pub fn cast<T: Scalar, U: Scalar>(&self, x: &Shared<T>) -> Shared<U> {
        self.record(|g| {
            if U::BITS == 1 && T::BITS > 1 {
                let zero = g.constant(T::BITS, 0);
                let is_zero = g.equal(x.view(), zero);
                return g.invert(is_zero);
            }
            let floor = g.truncate(x.view(), T::FRACTION.saturating_sub(U::FRACTION));
            let resized = g.resize(floor, U::BITS, T::SIGNED);
            match U::FRACTION.saturating_sub(T::FRACTION) {
                0 => resized,
                by => g.shift_left(resized, by),
            }
        })
    }

    fn bitwise<T>(&self, x: &Shared<T>, y: &Shared<T>, f: fn(&mut Graph, View, View) -> View) -> Shared<T> {
        self.record(|g| {
            let (x, y) = (g.boolean(x.view()), g.boolean(y.view()));
            f(g, x, y)
        })
    }
}

/// Whether an index of type `I` can be `i`.
fn reaches<I: Scalar>(i: usize) -> bool {
    let most = I::width().mask() >> u32::from(I::SIGNED);
    i as u64 <= most
}
