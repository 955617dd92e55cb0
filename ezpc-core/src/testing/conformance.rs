//! One suite, many back ends: every operation against its definition on edge values, odd widths and odd sizes.
//!
//! Both parties of a two-party back end run the suite on their own side; inputs come from both of them in turn
//! and every result is opened to both, or to all who may learn it. A mismatch panics with the operation, the shape and the element.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod linear;

use crate::error::{ErrorKind, Result};
use crate::party::Party;
use crate::protocol::{Cleartext, Protocol, Reveal, ShareVec, Signedness, Trunc};
use crate::ring::{BitPlanes, RingVec, Width};

/// The widths of the suite.
const WIDTHS: [u32; 14] = [1, 2, 7, 8, 13, 16, 20, 31, 32, 33, 37, 41, 63, 64];
/// The batch sizes of the suite.
const SIZES: [usize; 8] = [0, 1, 7, 8, 9, 1023, 1024, 1025];

/// Runs the whole suite: all operations x widths x edge values, with three of the batch sizes at each width.
pub fn conformance<P: Protocol>(p: &mut P) -> Result<()> {
    for (i, bits) in WIDTHS.into_iter().enumerate() {
        // Every size meets every kind of width over the run; the full product would only repeat itself.
        for size in [SIZES[i % 8], SIZES[(i + 3) % 8], SIZES[(i + 5) % 8]] {
            conformance_at(p, Width::new(bits), size)?;
        }
    }
    refusals(p)?;
    long_tables(p)?;
    linear::linear(p)
}

/// More elements than a lookup takes at once.
fn long_tables<P: Protocol>(p: &mut P) -> Result<()> {
    let mut suite = Suite { p };
    let (index, width) = (Width::new(13), Width::new(9));
    let (table, places) =
        (edge_values(width, 4099, 1), RingVec::new(index, vec![0, 4095, 4096, 4098, 4099, 8191]));
    let (array, at) = (suite.input(Party::Client, &table)?, suite.input(Party::Server, &places)?);
    let want = Cleartext::new().lookup(&table, &places)?;
    let found = suite.p.lookup(&table, &at)?;
    suite.expect("lookup in blocks", &found, &want, &[0])?;
    let found = suite.p.read(&array, &at)?;
    suite.expect("read in blocks", &found, &want, &[0])
}

/// Operands that do not fit together are usage errors at both parties, and nothing is sent.
fn refusals<P: Protocol>(p: &mut P) -> Result<()> {
    let mut suite = Suite { p };
    let (short, long) = (edge_values(Width::new(8), 3, 1), edge_values(Width::new(8), 4, 1));
    let x = suite.input(Party::Server, &short)?;
    let y = suite.input(Party::Client, &long)?;
    let z = suite.input(Party::Client, &edge_values(Width::new(9), 3, 1))?;
    let b = suite.input_bool(Party::Client, &short)?;
    let c = suite.input_bool(Party::Client, &long)?;
    let wide = suite.input(Party::Server, &edge_values(Width::W32, 2, 1))?;
    let p = suite.p;
    let eight = Width::new(8);
    let refused = [
        p.mul(&x, &y).err(),
        p.mul(&x, &z).err(),
        p.less_than(&x, &y, Signedness::Signed).err(),
        p.less_than_near(&x, &z).err(),
        p.equal(&x, &y).err(),
        p.and(&b, &c).err(),
        p.or(&b, &c).err(),
        p.add_bool(&b, &c).err(),
        p.mux_bool(&b, &b, &b).err(),
        p.mux(&b, &x, &x).err(),
        p.select(&b, &x).err(),
        p.bit_to_arith(&b, eight).err(),
        p.trunc(&x, 8, Trunc::Floor).err(),
        p.extend(&x, Width::new(7), Signedness::Signed).err(),
        p.relu(&x, Width::new(7)).err(),
        p.relu_trunc(&x, 4, 5, eight).err(),
        p.relu_trunc(&x, u32::MAX, 5, eight).err(),
        p.relu_coarse(&x, 7, eight).err(),
        p.relu_coarse(&x, u32::MAX, eight).err(),
        p.max_coarse(&x, 7, 1).err(),
        p.max(&x, 2).err(),
        p.argmax(&x, 0, eight).err(),
        p.trunc(&x, 2, Trunc::Local { bits: 3 }).err(),
        p.extend_near(&x, Width::new(7), Signedness::Unsigned).err(),
        p.below(&x, &RingVec::zeros(Width::new(9), 1), Signedness::Signed).err(),
        p.below(&x, &RingVec::zeros(eight, 0), Signedness::Signed).err(),
        p.below(&x, &RingVec::zeros(eight, 65), Signedness::Signed).err(),
        p.lookup(&RingVec::zeros(eight, 257), &x).err(),
        p.lookup(&RingVec::zeros(eight, 0), &x).err(),
        p.read(&wide, &wide).err(),
    ];
    for (i, error) in refused.into_iter().enumerate() {
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Usage), "refusal {i}");
    }
    Ok(())
}

/// Runs every elementwise operation on `size` elements over Z_{2^k}.
pub fn conformance_at<P: Protocol>(p: &mut P, width: Width, size: usize) -> Result<()> {
    let (x, y) = (edge_values(width, size, 1), edge_values(width, size, 2));
    let c = edge_values(Width::W1, size, 3);
    Suite { p }.elementwise(&x, &y, &c)
}

/// Runs every elementwise operation on all pairs of values of Z_{2^k}; for widths up to 6.
pub fn exhaustive<P: Protocol>(p: &mut P, width: Width) -> Result<()> {
    let all = 1_u64 << width.bits();
    let x = RingVec::new(width, (0..all * all).map(|i| i / all).collect());
    let y = RingVec::new(width, (0..all * all).map(|i| i % all).collect());
    let c = edge_values(Width::W1, x.len(), 3);
    Suite { p }.elementwise(&x, &y, &c)
}

/// `size` values: the edges of the ring first, then a fixed pseudo-random sequence.
fn edge_values(width: Width, size: usize, seed: u64) -> RingVec {
    let top = 1_u64 << (width.bits() - 1);
    let edges = [
        0,
        1,
        u64::MAX,
        top,
        top.wrapping_sub(1),
        top.wrapping_add(1),
        u64::MAX - 1,
        2,
        top >> 1,
        top | top >> 1,
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let lanes = (0..size)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let edge = i / seed as usize;
            if edge < edges.len() { edges[edge] } else { state ^ (state >> 29) }
        })
        .collect();
    RingVec::new(width, lanes)
}

struct Suite<'a, P> {
    p: &'a mut P,
}

impl<P: Protocol> Suite<'_, P> {
    fn input(&mut self, from: Party, x: &RingVec) -> Result<P::Arith> {
        let mine = self.p.party().is_none_or(|party| party == from);
        self.p.input(from, x.width(), x.len(), mine.then_some(x))
    }

    fn input_bool(&mut self, from: Party, x: &RingVec) -> Result<P::Bool> {
        let planes = BitPlanes::from_lanes(x.width().bits(), x.lanes());
        let mine = self.p.party().is_none_or(|party| party == from);
        self.p.input_bool(from, x.width(), x.len(), mine.then_some(&planes))
    }

    /// Opens `got` and compares: the difference to `want` must be one of `errors`.
    fn expect(&mut self, what: &str, got: &P::Arith, want: &RingVec, errors: &[i64]) -> Result<()> {
        self.expect_to(Reveal::Both, what, got, want, errors)
    }

    /// Compares at the parties of `to`.
    fn expect_to(
        &mut self,
        to: Reveal,
        what: &str,
        got: &P::Arith,
        want: &RingVec,
        errors: &[i64],
    ) -> Result<()> {
        assert_eq!((got.len(), got.width()), (want.len(), want.width()), "{what}: shape");
        let opened = self.p.reveal(got, to)?;
        let learns = self.p.party().is_none_or(|party| to.includes(party));
        assert_eq!(opened.is_some(), learns, "{what}: opened");
        let Some(got) = opened else { return Ok(()) };
        let width = want.width();
        for (i, (&g, &w)) in got.lanes().iter().zip(want.lanes()).enumerate() {
            let error = width.signed(width.wrap(g.wrapping_sub(w)));
            assert!(
                errors.iter().any(|&e| width.from_signed(e) == width.from_signed(error)),
                "{what} over {width}, element {i} of {}: got {g}, want {w}",
                want.len()
            );
        }
        Ok(())
    }

    fn expect_bool(&mut self, what: &str, got: &P::Bool, want: &BitPlanes) -> Result<()> {
        assert_eq!((got.len(), got.width().bits()), (want.len(), want.bits()), "{what}: shape");
        let got = self.p.reveal_bool(got, Reveal::Both)?.expect("opened to both").to_lanes();
        for (i, (g, w)) in got.iter().zip(want.to_lanes()).enumerate() {
            assert!(*g == w, "{what}, element {i} of {}: got {g}, want {w}", want.len());
        }
        Ok(())
    }

    fn elementwise(&mut self, x: &RingVec, y: &RingVec, c: &RingVec) -> Result<()> {
        self.arithmetic(x, y)?;
        self.boolean(x, y, c)?;
        self.comparison(x, y, c)?;
        self.tables(x, y)?;
        self.scaling(x)?;
        self.networks(x)
    }

    fn arithmetic(&mut self, x: &RingVec, y: &RingVec) -> Result<()> {
        let (sx, sy) = (self.input(Party::Server, x)?, self.input(Party::Client, y)?);
        self.expect("input", &sx, x, &[0])?;
        let sum = self.p.add(&sx, &sy);
        self.expect("add", &sum, &x.add(y), &[0])?;
        let difference = self.p.sub(&sx, &sy);
        self.expect("sub", &difference, &x.sub(y), &[0])?;
        let negative = self.p.neg(&sx);
        self.expect("neg", &negative, &x.scale(&[u64::MAX]), &[0])?;
        let scaled = self.p.scale(&sx, y.lanes());
        if x.len() != 1 {
            self.expect("scale", &scaled, &x.scale(y.lanes()), &[0])?;
        }
        let moved = self.p.add_public(&sx, y);
        self.expect("add_public", &moved, &x.add(y), &[0])?;
        let product = self.p.mul(&sx, &sy)?;
        self.expect("mul", &product, &x.mul(y), &[0])?;
        let reduced = self.p.reduce(&sx, Width::new(x.width().bits().div_ceil(2)));
        self.expect("reduce", &reduced, &x.reduce(reduced.width()), &[0])?;
        let all: Vec<usize> = (0..x.len()).rev().collect();
        let both = P::Arith::concat(&[&sx.gather(&all), &sy.slice(0..y.len() / 2)]);
        let want = RingVec::concat(&[&x.gather(&all), &y.slice(0..y.len() / 2)]);
        self.expect("gather, slice, concat", &both, &want, &[0])
    }

    fn boolean(&mut self, x: &RingVec, y: &RingVec, c: &RingVec) -> Result<()> {
        let bits = x.width().bits();
        let planes = |v: Vec<u64>| BitPlanes::from_lanes(bits, &v);
        let pairs = |f: fn(u64, u64) -> u64| x.zip(y, f).into_lanes();
        let (bx, by) = (self.input_bool(Party::Client, x)?, self.input_bool(Party::Server, y)?);
        let bc = self.input_bool(Party::Client, c)?;
        let xor = self.p.xor(&bx, &by);
        self.expect_bool("xor", &xor, &planes(pairs(|a, b| a ^ b)))?;
        let not = self.p.not(&bx);
        self.expect_bool("not", &not, &planes(x.map(x.width(), |v| !v).into_lanes()))?;
        let and = self.p.and(&bx, &by)?;
        self.expect_bool("and", &and, &planes(pairs(|a, b| a & b)))?;
        let masked = self.p.and_public(&bx, &planes(y.lanes().to_vec()));
        self.expect_bool("and_public", &masked, &planes(pairs(|a, b| a & b)))?;
        let or = self.p.or(&bx, &by)?;
        self.expect_bool("or", &or, &planes(pairs(|a, b| a | b)))?;
        let sum = self.p.add_bool(&bx, &by)?;
        self.expect_bool("add_bool", &sum, &planes(x.add(y).into_lanes()))?;
        let chosen = self.p.mux_bool(&bc, &bx, &by)?;
        let want =
            (0..x.len()).map(|i| if c.lanes()[i] == 1 { x.lanes()[i] } else { y.lanes()[i] }).collect();
        self.expect_bool("mux_bool", &chosen, &planes(want))?;
        let bit = self.p.bit_to_arith(&bc, x.width())?;
        self.expect("bit_to_arith", &bit, &c.map(x.width(), |v| v), &[0])?;
        let word = self.p.b2a(&bx)?;
        self.expect("b2a", &word, x, &[0])?;
        let sx = self.input(Party::Server, x)?;
        let digits = self.p.a2b(&sx)?;
        self.expect_bool("a2b", &digits, &planes(x.lanes().to_vec()))?;
        for width in [x.width(), Width::new(7)] {
            let ones = self.p.popcount(&bx, width)?;
            let want = x.map(width, |v| u64::from(v.count_ones()));
            self.expect("popcount", &ones, &want, &[0])?;
        }
        Ok(())
    }

    /// Indices of up to 6 bits, and arrays that end before the last of them.
    fn tables(&mut self, x: &RingVec, y: &RingVec) -> Result<()> {
        let mut oracle = Cleartext::new();
        let index = x.reduce(Width::new(x.width().bits().min(6)));
        let all = 1 << index.width().bits();
        let si = self.input(Party::Client, &index)?;
        for len in [all, (all - 1).max(1), 1] {
            let entries = edge_values(y.width(), len, 4);
            let found = self.p.lookup(&entries, &si)?;
            let want = oracle.lookup(&entries, &index)?;
            self.expect(&format!("lookup in {len}"), &found, &want, &[0])?;
            let array = self.input(Party::Server, &entries)?;
            let found = self.p.read(&array, &si)?;
            self.expect(&format!("read of {len}"), &found, &want, &[0])?;
        }
        Ok(())
    }

    fn comparison(&mut self, x: &RingVec, y: &RingVec, c: &RingVec) -> Result<()> {
        let mut oracle = Cleartext::new();
        let (sx, sy) = (self.input(Party::Server, x)?, self.input(Party::Client, y)?);
        let msb = self.p.msb(&sx)?;
        self.expect_bool("msb", &msb, &oracle.msb(x)?)?;
        for s in [Signedness::Signed, Signedness::Unsigned] {
            let less = self.p.less_than(&sx, &sy, s)?;
            self.expect_bool(&format!("less_than {s:?}"), &less, &oracle.less_than(x, y, s)?)?;
        }
        let equal = self.p.equal(&sx, &sy)?;
        self.expect_bool("equal", &equal, &oracle.equal(x, y)?)?;
        let limits = y.slice(0..y.len().min(5));
        if !limits.is_empty() {
            for s in [Signedness::Signed, Signedness::Unsigned] {
                let below = self.p.below(&sx, &limits, s)?;
                self.expect_bool(&format!("below {s:?}"), &below, &oracle.below(x, &limits, s)?)?;
            }
        }
        let same = self.p.equal(&sx, &sx)?;
        self.expect_bool("equal to itself", &same, &oracle.equal(x, x)?)?;
        if x.width().bits() > 1 {
            let (near, far) = (halved(x), halved(y));
            let (sx, sy) = (self.input(Party::Client, &near)?, self.input(Party::Server, &far)?);
            let less = self.p.less_than_near(&sx, &sy)?;
            self.expect_bool("less_than_near", &less, &oracle.less_than_near(&near, &far)?)?;
        }
        let choice = BitPlanes::from_lanes(1, c.lanes());
        let bc = self.input_bool(Party::Server, c)?;
        let chosen = self.p.mux(&bc, &sx, &sy)?;
        self.expect("mux", &chosen, &oracle.mux(&choice, x, y)?, &[0])?;
        let selected = self.p.select(&bc, &sx)?;
        self.expect("select", &selected, &oracle.select(&choice, x)?, &[0])
    }

    fn scaling(&mut self, x: &RingVec) -> Result<()> {
        let mut oracle = Cleartext::new();
        let bits = x.width().bits();
        let sx = self.input(Party::Client, x)?;
        for shift in [0, 1, bits / 3, bits / 2, bits - 1] {
            if shift >= bits {
                continue;
            }
            for kind in [Trunc::Floor, Trunc::Logical] {
                let small = self.p.trunc(&sx, shift, kind)?;
                let want = oracle.trunc(x, shift, kind)?;
                self.expect(&format!("trunc {kind:?} by {shift}"), &small, &want, &[0])?;
            }
            let dropped = self.p.trunc_reduce(&sx, shift);
            self.expect(&format!("trunc_reduce by {shift}"), &dropped, &x.shift_down(shift), &[-1, 0])?;
            let rounded = self.p.round_reduce(&sx, shift);
            let (want, errors): (_, &[i64]) =
                (oracle.round_reduce(x, shift), if shift == 0 { &[0] } else { &[-1, 0, 1] });
            self.expect(&format!("round_reduce by {shift}"), &rounded, &want, errors)?;
            if bits >= 3 && shift <= bits - 2 {
                let quarter = halved(&halved(x));
                let sq = self.input(Party::Server, &quarter)?;
                let small = self.p.trunc(&sq, shift, Trunc::Near)?;
                let want = oracle.trunc(&quarter, shift, Trunc::Near)?;
                self.expect(&format!("trunc Near by {shift}"), &small, &want, &[-1, 0])?;
            }
            let positive = x.map(x.width(), |v| v >> 1);
            let sp = self.input(Party::Server, &positive)?;
            let small = self.p.trunc(&sp, shift, Trunc::NearPositive)?;
            let want = oracle.trunc(&positive, shift, Trunc::NearPositive)?;
            self.expect(&format!("trunc NearPositive by {shift}"), &small, &want, &[-1, 0])?;
            let least = (1_i128 << shift) - 1 - (1_i128 << bits >> 1);
            let wide = x.map(x.width(), |v| {
                let v = i128::from(x.width().signed(v)).max(least);
                x.width().from_signed(v as i64)
            });
            let sw = self.input(Party::Server, &wide)?;
            let small = self.p.trunc(&sw, shift, Trunc::NearWide)?;
            let want = oracle.trunc(&wide, shift, Trunc::NearWide)?;
            self.expect(&format!("trunc NearWide by {shift}"), &small, &want, &[-1, 0])?;
            let significant = bits.saturating_sub(40 + 11);
            if significant > shift {
                let few = x.map(x.width(), |v| {
                    let narrow = Width::new(significant);
                    x.width().from_signed(narrow.signed(narrow.wrap(v)))
                });
                let kind = Trunc::Local { bits: significant };
                let sf = self.input(Party::Client, &few)?;
                let small = self.p.trunc(&sf, shift, kind)?;
                self.expect(
                    &format!("{kind:?} by {shift}"),
                    &small,
                    &oracle.trunc(&few, shift, kind)?,
                    &[-1, 0],
                )?;
            }
        }
        for wide in [bits, bits + 1, bits + 12, 64] {
            if wide < bits || wide > 64 {
                continue;
            }
            for s in [Signedness::Signed, Signedness::Unsigned] {
                let wider = self.p.extend(&sx, Width::new(wide), s)?;
                let want = oracle.extend(x, Width::new(wide), s)?;
                self.expect(&format!("extend {s:?} from {bits}"), &wider, &want, &[0])?;
                let near = match s {
                    Signedness::Signed if bits == 1 => continue,
                    Signedness::Signed => halved(x),
                    Signedness::Unsigned => x.map(x.width(), |v| v >> 1),
                };
                let sn = self.input(Party::Server, &near)?;
                let wider = self.p.extend_near(&sn, Width::new(wide), s)?;
                let want = oracle.extend_near(&near, Width::new(wide), s)?;
                self.expect(&format!("extend_near {s:?} from {bits}"), &wider, &want, &[0])?;
            }
        }
        Ok(())
    }

    fn networks(&mut self, x: &RingVec) -> Result<()> {
        let mut oracle = Cleartext::new();
        let bits = x.width().bits();
        let sx = self.input(Party::Server, x)?;
        for wide in [bits, (bits + 12).min(64)] {
            let relu = self.p.relu(&sx, Width::new(wide))?;
            self.expect("relu", &relu, &oracle.relu(x, Width::new(wide))?, &[0])?;
        }
        if bits > 4 {
            self.coarse(x)?;
        }
        for (shift, significant) in [(0, bits), (bits / 3, bits - bits / 3), (bits / 4, bits / 2)] {
            if significant < 2 {
                continue;
            }
            let inside = within(x, shift, significant);
            let si = self.input(Party::Client, &inside)?;
            let errors: &[i64] = if shift == 0 { &[0] } else { &[-1, 0] };
            for wide in [significant, bits, 64] {
                let wide = Width::new(wide);
                let got = self.p.relu_trunc(&si, shift, significant, wide)?;
                let want = oracle.relu_trunc(&inside, shift, significant, wide)?;
                self.expect(&format!("relu_trunc by {shift} of {significant}"), &got, &want, errors)?;
            }
        }
        if bits > 1 {
            let near = halved(x);
            for group in [1, 2, 3, 4, 9] {
                let whole = near.slice(0..x.len() / group * group);
                let s = self.input(Party::Client, &whole)?;
                let best = self.p.max(&s, group)?;
                self.expect(&format!("max of {group}"), &best, &oracle.max(&whole, group)?, &[0])?;
                let width = Width::new(5);
                let place = self.p.argmax(&s, group, width)?;
                let want = oracle.argmax(&whole, group, width)?;
                self.expect(&format!("argmax of {group}"), &place, &want, &[0])?;
            }
        }
        Ok(())
    }

    /// Decisions without the lowest bits.
    fn coarse(&mut self, x: &RingVec) -> Result<()> {
        let (mut oracle, bits, drop) = (Cleartext::new(), x.width().bits(), 2);
        // Half of what is left out, on either side of zero.
        let lost = [-2, -1, 0];
        let w = x.width();
        let inside = x.map(w, |v| {
            let bound = (1_i128 << bits >> 1) - 2;
            w.from_signed(i128::from(w.signed(v)).clamp(-bound, bound - 1) as i64)
        });
        let s = self.input(Party::Server, &inside)?;
        for wide in [bits, 64] {
            let relu = self.p.relu_coarse(&s, drop, Width::new(wide))?;
            self.expect("relu_coarse", &relu, &oracle.relu_coarse(&inside, drop, Width::new(wide))?, &lost)?;
        }
        let near = halved(&halved(x));
        for group in [1, 2, 5] {
            let lost: Vec<i64> = (-6..=0).collect();
            let whole = near.slice(0..x.len() / group * group);
            let s = self.input(Party::Client, &whole)?;
            let best = self.p.max_coarse(&s, drop, group)?;
            self.expect("max_coarse", &best, &oracle.max_coarse(&whole, drop, group)?, &lost)?;
        }
        Ok(())
    }
}

/// Every value divided by two, so that differences fit.
fn halved(x: &RingVec) -> RingVec {
    let w = x.width();
    x.map(w, |v| w.from_signed(w.signed(v) >> 1))
}

/// Every value moved into the promise of `relu_trunc`.
fn within(x: &RingVec, shift: u32, bits: u32) -> RingVec {
    let w = x.width();
    let bound = 1_i128 << (bits - 1 + shift);
    let least = if shift == 0 { -bound } else { -bound + (1 << shift) };
    x.map(w, |v| {
        let v = i128::from(w.signed(v)).clamp(least, bound - 1);
        w.from_signed(v as i64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::minimal::Minimal;

    #[test]
    fn the_oracle_conforms() {
        conformance(&mut Cleartext::new()).expect("no error");
    }

    #[test]
    fn what_the_trait_provides_conforms() {
        conformance(&mut Minimal::default()).expect("no error");
        for bits in 1..=6 {
            exhaustive(&mut Minimal::default(), Width::new(bits)).expect("no error");
        }
    }

    #[test]
    fn the_oracle_conforms_on_small_rings() {
        for bits in 1..=6 {
            exhaustive(&mut Cleartext::new(), Width::new(bits)).expect("no error");
        }
    }
}
