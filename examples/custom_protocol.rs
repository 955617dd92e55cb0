//! A back end of your own: implement the required methods of `Protocol`, get every other operation for free.
//!
//! `Logged` wraps any protocol and counts what a program asks of it. Here it counts a small private auction in
//! the clear; wrapped around `TwoParty` it would count a real run the same way.
//!
//! ```sh
//! cargo run --release --example custom_protocol
//! ```

use clap::Parser;
use ezpc_core::protocol::{Cleartext, Protocol, Reveal, ShareVec, Signedness};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::{Party, Result};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Counts the interactive operations and elements of a program.
struct Logged<P> {
    inner: P,
    log: BTreeMap<&'static str, (usize, usize)>,
}

impl<P> Logged<P> {
    fn count(&mut self, name: &'static str, elements: usize) {
        let entry = self.log.entry(name).or_default();
        *entry = (entry.0 + 1, entry.1 + elements);
    }
}

#[rustfmt::skip]
impl<P: Protocol> Protocol for Logged<P> {
    type Arith = P::Arith;
    type Bool = P::Bool;

    fn party(&self) -> Option<Party> { self.inner.party() }

    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<P::Arith> {
        self.count("input", len);
        self.inner.input(from, width, len, values)
    }
    fn input_bool(&mut self, from: Party, width: Width, len: usize, values: Option<&BitPlanes>) -> Result<P::Bool> {
        self.count("input_bool", len);
        self.inner.input_bool(from, width, len, values)
    }
    fn reveal(&mut self, x: &P::Arith, to: Reveal) -> Result<Option<RingVec>> {
        self.count("reveal", x.len());
        self.inner.reveal(x, to)
    }
    fn reveal_bool(&mut self, x: &P::Bool, to: Reveal) -> Result<Option<BitPlanes>> {
        self.count("reveal_bool", x.len());
        self.inner.reveal_bool(x, to)
    }

    // Local operations cost nothing and are handed on.
    fn public(&self, values: &RingVec) -> P::Arith { self.inner.public(values) }
    fn public_bool(&self, values: &BitPlanes) -> P::Bool { self.inner.public_bool(values) }
    fn add(&self, x: &P::Arith, y: &P::Arith) -> P::Arith { self.inner.add(x, y) }
    fn sub(&self, x: &P::Arith, y: &P::Arith) -> P::Arith { self.inner.sub(x, y) }
    fn scale(&self, x: &P::Arith, by: &[u64]) -> P::Arith { self.inner.scale(x, by) }
    fn reduce(&self, x: &P::Arith, width: Width) -> P::Arith { self.inner.reduce(x, width) }
    fn trunc_reduce(&self, x: &P::Arith, shift: u32) -> P::Arith { self.inner.trunc_reduce(x, shift) }
    fn round_reduce(&self, x: &P::Arith, shift: u32) -> P::Arith { self.inner.round_reduce(x, shift) }
    fn xor(&self, x: &P::Bool, y: &P::Bool) -> P::Bool { self.inner.xor(x, y) }
    fn and_public(&self, x: &P::Bool, mask: &BitPlanes) -> P::Bool { self.inner.and_public(x, mask) }
    fn planes(&self, x: &P::Bool, planes: &[usize]) -> P::Bool { self.inner.planes(x, planes) }
    fn join_planes(&self, planes: &[&P::Bool]) -> P::Bool { self.inner.join_planes(planes) }

    fn mul(&mut self, x: &P::Arith, y: &P::Arith) -> Result<P::Arith> {
        self.count("mul", x.len());
        self.inner.mul(x, y)
    }
    fn and(&mut self, x: &P::Bool, y: &P::Bool) -> Result<P::Bool> {
        self.count("and", x.len() * x.width().bits() as usize);
        self.inner.and(x, y)
    }
    fn msb(&mut self, x: &P::Arith) -> Result<P::Bool> {
        self.count("msb", x.len());
        self.inner.msb(x)
    }
    fn bit_to_arith(&mut self, x: &P::Bool, width: Width) -> Result<P::Arith> {
        self.count("bit_to_arith", x.len());
        self.inner.bit_to_arith(x, width)
    }
    fn a2b(&mut self, x: &P::Arith) -> Result<P::Bool> {
        self.count("a2b", x.len());
        self.inner.a2b(x)
    }
}

/// The highest bid and whether it exceeds the reserve price: a program for any protocol.
fn auction<P: Protocol>(p: &mut P, bids: &[u64], reserve: u64) -> Result<(u64, bool)> {
    let width = Width::W32;
    let mine = |p: &P, from| p.party().is_none_or(|party| party == from);
    let bids = RingVec::new(width, bids.to_vec());
    let reserve = RingVec::new(width, vec![reserve]);
    let own = mine(p, Party::Client).then_some(&bids);
    let bids = p.input(Party::Client, width, bids.len(), own)?;
    let own = mine(p, Party::Server).then_some(&reserve);
    let reserve = p.input(Party::Server, width, 1, own)?;
    let best = p.max(&bids, bids.len())?;
    let sold = p.less_than(&reserve, &best, Signedness::Unsigned)?;
    let price = p.select(&sold, &best)?;
    let price = p.reveal(&price, Reveal::Both)?.expect("opened to both");
    let sold = p.reveal_bool(&sold, Reveal::Both)?.expect("opened to both");
    Ok((price.lanes()[0], sold.to_lanes()[0] == 1))
}

/// Counts what a small auction in the clear asks of a back end of its own.
#[derive(Parser)]
struct Args {}

fn main() -> ExitCode {
    ezpc_examples::tool(|_: &Args| run())
}

#[expect(clippy::print_stdout, reason = "an example talks to its user")]
fn run() -> Result<()> {
    let mut p = Logged { inner: Cleartext::new(), log: BTreeMap::new() };
    let (price, sold) = auction(&mut p, &[310, 275, 512, 120, 499], 400)?;
    println!("price {price}, sold {sold}");
    println!("{:<14}{:>7}{:>10}", "operation", "calls", "elements");
    for (name, (calls, elements)) in &p.log {
        println!("{name:<14}{calls:>7}{elements:>10}");
    }
    Ok(())
}
