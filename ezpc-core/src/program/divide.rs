//! Division as a Boolean circuit: restoring division, one quotient bit a step, most significant first.

use super::graph::{Graph, ZERO};
use super::record::{Label, plane};
use super::view::View;

impl Graph {
    /// The quotient truncated toward zero and the remainder with the sign of the dividend; by zero all ones and
    /// the dividend.
    pub(super) fn divide(&mut self, x: View, y: View, signed: bool) -> [View; 2] {
        let width = self.width(x);
        if let Some(by) = self.constant_value(y) {
            if by == 1 {
                return [x, self.constant(width, 0)];
            }
            if by.is_power_of_two() && !signed {
                let shift = by.trailing_zeros();
                let low = self.constant(width, by - 1);
                let digits = self.boolean(x);
                return [self.shift_right(digits, shift, false), self.and(digits, low)];
            }
        }
        let (x, y) = (self.boolean(x), self.boolean(y));
        if !signed {
            return self.divide_unsigned(x, y);
        }
        let top = width - 1;
        let (x_sign, y_sign) = (self.bit(x, top), self.bit(y, top));
        let (x_size, y_size) = (self.negate_if(x_sign, x), self.negate_if(y_sign, y));
        let [quotient, remainder] = self.divide_unsigned(x_size, y_size);
        // By zero the magnitude is all ones already and keeps its sign.
        let zero = self.constant(width, 0);
        let by_zero = self.equal(y, zero);
        let divides = self.invert(by_zero);
        let differ = self.xor(x_sign, y_sign);
        let negative = self.and(differ, divides);
        [self.negate_if(negative, quotient), self.negate_if(x_sign, remainder)]
    }

    fn divide_unsigned(&mut self, x: View, y: View) -> [View; 2] {
        let width = self.width(x);
        let low: Vec<i8> = (0..width).map(|i| if i == 0 { 0 } else { ZERO }).collect();
        let mut remainder = self.constant(width, 0);
        let mut quotient = self.constant(width, 0);
        for i in (0..width).rev() {
            // The bit that the shift drops: then the remainder is at least 2^width, more than y.
            let dropped = self.bit(remainder, width - 1);
            let shifted = self.shift_left(remainder, 1);
            let next = self.bit(x, i);
            let next = self.rewire(next, &low);
            let raised = self.xor(shifted, next);
            let difference = self.sub_bool(raised, y);
            let borrow = self.borrow(raised, y, difference);
            let fits = self.invert(borrow);
            let fits = self.or(dropped, fits);
            remainder = self.mux(Label::Bool, fits, difference, raised);
            remainder = self.boolean(remainder);
            let digit: Vec<i8> = (0..width).map(|j| if i == j { 0 } else { ZERO }).collect();
            let digit = self.rewire(fits, &digit);
            quotient = self.xor(quotient, digit);
        }
        [quotient, remainder]
    }

    /// Whether the unsigned x is below y, from z = x - y: z's top bit, corrected where those of x and y differ.
    fn borrow(&mut self, x: View, y: View, z: View) -> View {
        let top = self.width(x) - 1;
        let (x, y, z) = (self.bit(x, top), self.bit(y, top), self.bit(z, top));
        let differ = self.xor(x, y);
        let other = self.xor(z, y);
        let fix = self.and(differ, other);
        self.xor(z, fix)
    }

    /// (x ^ c…c) + c.
    fn negate_if(&mut self, c: View, x: View) -> View {
        let width = self.width(x);
        let spread = self.rewire(c, &vec![0; width as usize]);
        let low: Vec<i8> = (0..width).map(|i| if i == 0 { plane(0) } else { ZERO }).collect();
        let one = self.rewire(c, &low);
        let flipped = self.xor(x, spread);
        self.add_bool(flipped, one)
    }
}
