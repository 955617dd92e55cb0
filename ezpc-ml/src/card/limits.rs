//! What a party accepts of the other's card before anything runs.

use super::Card;

/// Limits on a card, the data owner's protection against a card that would exhaust it.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a set of options with defaults")]
pub struct Limits {
    /// Bytes of the card's text.
    pub text_bytes: usize,
    /// Steps.
    pub steps: usize,
    /// Elements of one tensor of one sample.
    pub elements: usize,
    /// Multiplications by weights and elements of windows for one sample.
    pub products: u64,
    /// Bytes of live shares for one sample, and of what the largest maximum gathers.
    pub memory_bytes: u64,
    /// Half-rounds for one batch, estimated from above for the two-party protocol.
    pub half_rounds: u64,
    /// Whether the run may open a bit for each checked layer ([`StepOp::Check`](super::StepOp::Check)).
    pub checks: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 4 << 20,
            steps: 1 << 14,
            elements: 1 << 26,
            products: 1 << 36,
            memory_bytes: 4 << 30,
            half_rounds: 100_000,
            checks: false,
        }
    }
}

/// The most elements alive at once for one sample: operands and result of each step, and what later steps need.
pub(super) fn live_elements(card: &Card) -> usize {
    let last = card.last_uses();
    let size = |i: usize| card.steps[i].shape.iter().product::<usize>();
    let mut ends: Vec<Vec<usize>> = vec![Vec::new(); card.steps.len() + 1];
    for (i, &end) in last.iter().enumerate() {
        ends[end.min(card.steps.len())].push(i);
    }
    let (mut live, mut most) = (0_usize, 0_usize);
    for (i, ending) in ends.iter().enumerate().take(card.steps.len()) {
        live = live.saturating_add(size(i));
        most = most.max(live);
        live = live.saturating_sub(ending.iter().map(|&v| size(v)).sum());
    }
    most
}
