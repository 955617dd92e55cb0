//! Tools for tests: the conformance suite that every computing back end passes.

mod conformance;
mod machines;
#[cfg(test)]
mod minimal;

pub use conformance::{conformance, conformance_at, exhaustive};
pub use machines::{run_against, run_machines};
