//! Tools for tests: the conformance suite that every computing back end passes.

mod conformance;
#[cfg(test)]
mod minimal;

pub use conformance::{conformance, conformance_at, exhaustive};
