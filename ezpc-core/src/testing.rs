//! Tools for tests: the conformance suite that every computing back end passes.

mod conformance;
mod machines;
#[cfg(test)]
mod minimal;
mod run_two;

pub use conformance::{conformance, conformance_at, exhaustive};
pub use machines::{run_against, run_machines};
pub use run_two::{run_two, run_two_over, run_two_with};
