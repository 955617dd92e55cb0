//! Comparison.

mod chain;
mod shape;
