//! Rows that are programs in the language.

use ezpc_core::program::{Array, Program};
use ezpc_core::protocol::{Cleartext, Protocol, TwoParty};
use ezpc_core::{Party, Result, secure};

secure! {
    /// An element-wise loop.
    pub mod elementwise;
    def void each(int32_pl n, int32_al[n] x, int32_al[n] y, int32_al[n] z) {
        for i = [0:n] { z[i] = x[i] * y[i] + 3 * x[i] - i; }
    }
}

/// Records, schedules and computes in the clear, with nobody to talk to: what a program costs on top of its protocol,
/// and the clear computation.
pub(crate) fn record(n: usize) -> Result<()> {
    let mut clear = Cleartext::new();
    let program = Program::new(&mut clear);
    let size = i32::try_from(n).map_err(|_| ezpc_core::Error::usage("too many elements"))?;
    let values: Vec<i32> = (0..size).collect();
    let x = program.input_array(Party::Server, [n], Some(&values))?;
    let y = program.input_array(Party::Client, [n], Some(&values))?;
    let z = Array::filled([n], program.constant(0i32))?;
    elementwise::each(&program, size, &x, &y, &z)?;
    // All that is held, now.
    program.set_budget(1);
    program.poll()
}

secure! {
    /// The shape of EzPC's random forest: ten complete trees of depth eleven over thirteen features in 64 bits; the
    /// parties' own model and query.
    pub mod forest;

    uint64 features = 13uL;
    int32 trees = 10;
    int32 depth = 11;
    int32 nodes = 3035;

    def uint64_al read(int32_pl from, int32_pl to, uint64_al[nodes] row, uint64_al at) {
        uint64_al found = 0uL;
        for i = [from:to] { found = found + (at == uint64(i) ? row[i] : 0uL); }
        return found;
    }
    def uint64_al feature(uint64_al[features] query, uint64_al at) {
        uint64_al found = 0uL;
        for i = [0:features] { found = found + (at == uint64(i) ? query[i] : 0uL); }
        return found;
    }
    def void main() {
        input(SERVER, choice, uint64_al[trees][nodes]);
        input(SERVER, threshold, uint64_al[trees][nodes]);
        input(CLIENT, query, uint64_al[features]);
        uint64_al sum = 0uL;
        for t = [0:trees] {
            uint64_al at = 0uL;
            uint64_al limit = threshold[t][0];
            uint64_al which = choice[t][0];
            for level = [1:depth] {
                at = at * 2uL + (limit > feature(query, which) ? 1uL : 2uL);
                int32_pl from = 2 ^^ level - 1;
                int32_pl to = 2 ^^ (level + 1) - 1;
                limit = read(from, to, threshold[t], at);
                if (level < depth - 1) { which = read(from, to, choice[t], at); }
            }
            sum = sum + limit;
        }
        output(ALL, sum);
    }
}

/// One query on a private forest.
pub(crate) fn random_forest(p: &mut TwoParty) -> Result<()> {
    let party = p.party();
    let grid = |most: u64| -> Vec<Vec<u64>> {
        (0..10u64).map(|t| (0..3035u64).map(|i| (t * 7919 + i * 104_729) % most).collect()).collect()
    };
    let model = |most| (party == Some(Party::Server)).then(|| grid(most));
    let query = (party == Some(Party::Client)).then(|| (0..13u64).map(|i| i * 31 % 97).collect());
    let inputs = forest::Inputs { choice: model(13), threshold: model(100), query };
    forest::main(p, &inputs).map(drop)
}
