//! Recipes: programs in the language, with their predicted cost.

use crate::{Common, Connection, Example, Report, Ui};
use clap::Parser;
use ezpc_core::protocol::{Cleartext, Protocol, Tally};
use ezpc_core::transport::Phase;
use ezpc_core::{Party, Result};

/// An example that is one program. The cost is predicted before the parties talk, from the shapes of the inputs.
pub trait Recipe: Parser {
    /// What the program takes, as `secure!` generates it.
    type Inputs;
    /// What it puts out.
    type Outputs;

    /// The name that both sessions have to agree on.
    const NAME: &'static str;

    /// The flags that all examples have.
    fn common(&self) -> &Common;

    /// The inputs of one party and what is public; with `None` those of both, where only shapes matter.
    fn inputs(&self, party: Option<Party>) -> Result<Self::Inputs>;

    /// The program.
    fn program<P: Protocol>(protocol: &mut P, inputs: &Self::Inputs) -> Result<Self::Outputs>;

    /// Tells what came out.
    fn tell(&self, outputs: &Self::Outputs, report: Report) -> Report;
}

impl<R: Recipe> Example for R {
    type Input = R::Inputs;

    fn common(&self) -> &Common {
        Recipe::common(self)
    }

    fn load(&self, party: Party) -> Result<R::Inputs> {
        self.inputs(Some(party))
    }

    fn run(&self, inputs: R::Inputs, connection: Connection, ui: &Ui) -> Result<Report> {
        let mut tally = Tally::new(Cleartext::new());
        R::program(&mut tally, &self.inputs(None)?)?;
        let totals = [Phase::Offline, Phase::Online].map(|phase| tally.phase(phase));
        let half_rounds: u64 = totals.iter().map(|t| t.half_rounds).sum();
        let bytes: u64 = totals.iter().flat_map(|t| t.bytes).sum();
        let transfers: u64 = totals.iter().map(|t| t.ots()).sum();
        ui.note(&format!(
            "predicted: {half_rounds} half-rounds, {}, {transfers} oblivious transfers",
            crate::report::human(bytes)
        ));
        tally.lines().to_string().lines().for_each(|line| ui.note(line));

        let mut p = connection.session(R::NAME)?;
        let outputs = R::program(&mut p, &inputs)?;
        let counts = [Phase::Offline, Phase::Online].map(|phase| p.stats().phase(phase));
        let report = self
            .tell(&outputs, Report::new(p.stats()))
            .field("predicted_half_rounds", half_rounds)
            .field("predicted_bytes", bytes)
            .field("half_rounds", counts.iter().map(|c| c.half_rounds).sum::<u64>())
            .field("bytes", counts.iter().map(|c| c.bytes_sent + c.bytes_received).sum::<u64>());
        p.close()?;
        Ok(report)
    }
}

/// A value for the prediction and for its owner; nothing for the peer.
pub fn own<T>(value: T, owner: Party, party: Option<Party>) -> Option<T> {
    party.is_none_or(|party| party == owner).then_some(value)
}

/// `count` numbers below `below` that a seed determines: splitmix64.
///
/// # Panics
/// When `T` cannot hold them.
#[must_use]
pub fn numbers<T: TryFrom<u64>>(seed: u64, count: usize, below: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let Ok(number) = T::try_from((z ^ (z >> 31)) % below) else { panic!("{below} is too much") };
        number
    };
    (0..count).map(|_| next()).collect()
}
