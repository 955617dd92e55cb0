//! The cleartext oracle: computes on plain values, plays both parties, protects nothing.
//!
//! It defines what every operation means. Truncations round to the floor, linear layers and `round_reduce` to the
//! nearest integer; a promise that an operation asks of its caller is checked here, and a violation is an error that names
//! the element.

mod linear;

use super::check::{
    can_extend, can_extend_near, can_index, can_relu_trunc, can_trunc, index_fits, input_fits, one_plane,
    same_len, same_shape, thresholds_fit, whole_groups,
};
use super::{Linear, Protocol, Reveal, ShareVec, Signedness, Trunc};
use crate::error::{Error, Result};
use crate::ops::relu::{can_decide, rounding};
use crate::party::Party;
use crate::ring::{BitPlanes, BitVec, RingVec, Width};

/// The oracle back end. **It protects nothing**: both parties' inputs are given to one process.
#[derive(Clone, Debug, Default)]
pub struct Cleartext {}

impl Cleartext {
    /// The oracle.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

fn promised(what: &str, x: &RingVec, holds: impl Fn(i64) -> bool) -> Result<()> {
    match x.to_signed().iter().position(|&v| !holds(v)) {
        Some(i) => Err(Error::usage(format!("{what}: element {i} is outside the promised range"))),
        None => Ok(()),
    }
}

fn bits(x: impl Iterator<Item = bool>) -> BitPlanes {
    BitPlanes::new(vec![BitVec::from_lanes(&x.map(u64::from).collect::<Vec<_>>())])
}

fn lanes_of(c: &BitPlanes) -> Vec<u64> {
    c.planes()[0].to_lanes()
}

impl Protocol for Cleartext {
    type Arith = RingVec;
    type Bool = BitPlanes;

    fn party(&self) -> Option<Party> {
        None
    }

    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<RingVec> {
        input_fits(from, width, len, values).cloned()
    }

    fn input_bool(
        &mut self,
        from: Party,
        width: Width,
        len: usize,
        values: Option<&BitPlanes>,
    ) -> Result<BitPlanes> {
        input_fits(from, width, len, values).cloned()
    }

    fn reveal(&mut self, x: &RingVec, _: Reveal) -> Result<Option<RingVec>> {
        Ok(Some(x.clone()))
    }

    fn reveal_bool(&mut self, x: &BitPlanes, _: Reveal) -> Result<Option<BitPlanes>> {
        Ok(Some(x.clone()))
    }

    fn public(&self, values: &RingVec) -> RingVec {
        values.clone()
    }

    fn public_bool(&self, values: &BitPlanes) -> BitPlanes {
        values.clone()
    }

    fn add(&self, x: &RingVec, y: &RingVec) -> RingVec {
        x.add(y)
    }

    fn sub(&self, x: &RingVec, y: &RingVec) -> RingVec {
        x.sub(y)
    }

    fn scale(&self, x: &RingVec, by: &[u64]) -> RingVec {
        x.scale(by)
    }

    fn reduce(&self, x: &RingVec, width: Width) -> RingVec {
        x.reduce(width)
    }

    fn trunc_reduce(&self, x: &RingVec, shift: u32) -> RingVec {
        x.shift_down(shift)
    }

    fn xor(&self, x: &BitPlanes, y: &BitPlanes) -> BitPlanes {
        x.zip(y, BitVec::xor)
    }

    fn and_public(&self, x: &BitPlanes, mask: &BitPlanes) -> BitPlanes {
        x.zip(mask, BitVec::and)
    }

    fn planes(&self, x: &BitPlanes, planes: &[usize]) -> BitPlanes {
        x.select_planes(planes)
    }

    fn join_planes(&self, planes: &[&BitPlanes]) -> BitPlanes {
        BitPlanes::stack(planes)
    }

    fn mul(&mut self, x: &RingVec, y: &RingVec) -> Result<RingVec> {
        same_shape("product", x, y)?;
        Ok(x.mul(y))
    }

    fn and(&mut self, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> {
        same_shape("and", x, y)?;
        Ok(x.zip(y, BitVec::and))
    }

    fn msb(&mut self, x: &RingVec) -> Result<BitPlanes> {
        let top = x.width().bits() - 1;
        Ok(bits(x.lanes().iter().map(|v| v >> top == 1)))
    }

    fn bit_to_arith(&mut self, x: &BitPlanes, width: Width) -> Result<RingVec> {
        one_plane("a bit in arithmetic form", x)?;
        Ok(RingVec::new(width, lanes_of(x)))
    }

    fn a2b(&mut self, x: &RingVec) -> Result<BitPlanes> {
        Ok(BitPlanes::from_lanes(x.width().bits(), x.lanes()))
    }

    fn b2a(&mut self, x: &BitPlanes) -> Result<RingVec> {
        Ok(RingVec::new(x.width(), x.to_lanes()))
    }

    fn add_bool(&mut self, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> {
        same_shape("sum", x, y)?;
        let sum: Vec<u64> = x.to_lanes().iter().zip(y.to_lanes()).map(|(a, b)| a.wrapping_add(b)).collect();
        Ok(BitPlanes::from_lanes(x.bits(), &sum))
    }

    fn less_than(&mut self, x: &RingVec, y: &RingVec, s: Signedness) -> Result<BitPlanes> {
        same_shape("comparison", x, y)?;
        let w = x.width();
        Ok(bits(x.lanes().iter().zip(y.lanes()).map(|(&a, &b)| match s {
            Signedness::Signed => w.signed(a) < w.signed(b),
            Signedness::Unsigned => a < b,
        })))
    }

    fn less_than_near(&mut self, x: &RingVec, y: &RingVec) -> Result<BitPlanes> {
        same_shape("comparison", x, y)?;
        near("comparison", x, y)?;
        self.msb(&x.sub(y))
    }

    fn equal(&mut self, x: &RingVec, y: &RingVec) -> Result<BitPlanes> {
        same_shape("comparison", x, y)?;
        Ok(bits(x.lanes().iter().zip(y.lanes()).map(|(a, b)| a == b)))
    }

    fn below(&mut self, x: &RingVec, thresholds: &RingVec, s: Signedness) -> Result<BitPlanes> {
        thresholds_fit(x.width(), thresholds)?;
        let plane = |&t: &u64| {
            let all = RingVec::new(x.width(), vec![t; x.len()]);
            Ok(self.less_than(x, &all, s)?.planes()[0].clone())
        };
        Ok(BitPlanes::new(thresholds.lanes().iter().map(plane).collect::<Result<_>>()?))
    }

    fn lookup(&mut self, table: &RingVec, index: &RingVec) -> Result<RingVec> {
        self.read(table, index)
    }

    fn read(&mut self, array: &RingVec, index: &RingVec) -> Result<RingVec> {
        can_index(array.len(), index.width())?;
        let element =
            |&i: &u64| usize::try_from(i).ok().and_then(|i| array.lanes().get(i)).copied().unwrap_or(0);
        Ok(RingVec::new(array.width(), index.lanes().iter().map(element).collect()))
    }

    fn popcount(&mut self, x: &BitPlanes, width: Width) -> Result<RingVec> {
        Ok(RingVec::new(width, x.to_lanes().iter().map(|v| u64::from(v.count_ones())).collect()))
    }

    fn mux(&mut self, c: &BitPlanes, t: &RingVec, f: &RingVec) -> Result<RingVec> {
        same_shape("choice", t, f)?;
        one_plane("choice", c)?;
        same_len("choice", c.len(), t.len())?;
        Ok(f.add(&self.select(c, &t.sub(f))?))
    }

    fn select(&mut self, c: &BitPlanes, x: &RingVec) -> Result<RingVec> {
        one_plane("choice", c)?;
        same_len("choice", c.len(), x.len())?;
        Ok(x.mul(&RingVec::new(x.width(), lanes_of(c))))
    }

    fn trunc(&mut self, x: &RingVec, shift: u32, kind: Trunc) -> Result<RingVec> {
        let w = x.width();
        can_trunc(x, shift, kind)?;
        let half = 1_i128 << w.bits() >> 1;
        let range = match kind {
            _ if shift == 0 => -half..half,
            Trunc::Floor | Trunc::Logical => -half..half,
            Trunc::Near => -half / 2..half / 2,
            Trunc::NearPositive => 0..half,
            Trunc::NearWide => (1 << shift) - 1 - half..half,
            Trunc::Local { bits } => -(1 << bits >> 1)..1 << bits >> 1,
        };
        promised("truncation", x, |v| range.contains(&i128::from(v)))?;
        Ok(match kind {
            Trunc::Logical => x.map(w, |v| v >> shift),
            _ => x.map(w, |v| w.from_signed(w.signed(v) >> shift)),
        })
    }

    fn extend(&mut self, x: &RingVec, width: Width, s: Signedness) -> Result<RingVec> {
        let w = x.width();
        can_extend(w, width)?;
        Ok(match s {
            Signedness::Signed => x.map(width, |v| width.from_signed(w.signed(v))),
            Signedness::Unsigned => x.map(width, |v| v),
        })
    }

    fn extend_near(&mut self, x: &RingVec, width: Width, s: Signedness) -> Result<RingVec> {
        can_extend_near(x.width(), width, s)?;
        let quarter = 1_i128 << x.width().bits() >> 2;
        if width > x.width() {
            promised("extension", x, |v| match s {
                Signedness::Signed => (-quarter..quarter).contains(&i128::from(v)),
                Signedness::Unsigned => v >= 0,
            })?;
        }
        self.extend(x, width, s)
    }

    fn relu(&mut self, x: &RingVec, width: Width) -> Result<RingVec> {
        let w = x.width();
        can_extend(w, width)?;
        Ok(x.map(width, |v| width.from_signed(w.signed(v).max(0))))
    }

    fn relu_coarse(&mut self, x: &RingVec, drop: u32, width: Width) -> Result<RingVec> {
        can_decide(x.width(), drop)?;
        let half = i128::from(rounding(drop));
        let bound = 1_i128 << x.width().bits() >> 1;
        promised("relu", x, |v| (half - bound..bound - half).contains(&i128::from(v)))?;
        self.relu(x, width)
    }

    fn relu_trunc(&mut self, x: &RingVec, shift: u32, bits: u32, width: Width) -> Result<RingVec> {
        let w = x.width();
        can_relu_trunc(shift, bits, w)?;
        let bound = 1_i128 << (bits - 1 + shift);
        let least = if shift == 0 { -bound } else { -bound + (1 << shift) };
        promised("relu", x, |v| (least..bound).contains(&i128::from(v)))?;
        Ok(x.map(width, |v| width.from_signed(w.signed(v).max(0) >> shift)))
    }

    fn max(&mut self, x: &RingVec, group: usize) -> Result<RingVec> {
        self.winners(x, 0, group).map(|places| x.gather(&places))
    }

    fn max_coarse(&mut self, x: &RingVec, drop: u32, group: usize) -> Result<RingVec> {
        can_decide(x.width(), drop)?;
        self.winners(x, drop, group).map(|places| x.gather(&places))
    }

    fn argmax(&mut self, x: &RingVec, group: usize, width: Width) -> Result<RingVec> {
        let places = self.winners(x, 0, group)?;
        index_fits(group, width)?;
        Ok(RingVec::new(width, places.iter().map(|&p| (p % group) as u64).collect()))
    }

    fn linear(&mut self, layer: &Linear<RingVec>, x: &RingVec) -> Result<RingVec> {
        linear::linear(layer, x)
    }

    fn in_clear(&self, x: &RingVec) -> Option<RingVec> {
        Some(x.clone())
    }
}

/// Checks the promise that signed differences fit the ring.
fn near(what: &str, x: &RingVec, y: &RingVec) -> Result<()> {
    let half = 1_i128 << x.width().bits() >> 1;
    let fits = |(a, b): (&i64, &i64)| (-half..half).contains(&(i128::from(*a) - i128::from(*b)));
    match x.to_signed().iter().zip(&y.to_signed()).position(|pair| !fits(pair)) {
        Some(i) => {
            Err(Error::usage(format!("{what}: the difference at element {i} does not fit {}", x.width())))
        }
        None => Ok(()),
    }
}

impl Cleartext {
    /// The position of each group's first maximum.
    fn winners(&self, x: &RingVec, drop: u32, group: usize) -> Result<Vec<usize>> {
        whole_groups(x.len(), group)?;
        let half = 1_i128 << x.width().bits() >> 1;
        let reach = half - 1 - i128::from(rounding(drop));
        let values = x.to_signed();
        let mut places = Vec::with_capacity(x.len() / group);
        for (g, chunk) in values.chunks(group).enumerate() {
            let (mut best, mut least) = (0, 0);
            for (i, v) in chunk.iter().enumerate() {
                if *v > chunk[best] {
                    best = i;
                }
                if *v < chunk[least] {
                    least = i;
                }
            }
            if i128::from(chunk[best]) - i128::from(chunk[least]) > reach {
                return Err(Error::usage(format!(
                    "maximum: differences in group {g} do not fit {}",
                    x.width()
                )));
            }
            places.push(g * group + best);
        }
        Ok(places)
    }
}
