//! Linear layers of the suite.

use super::{Suite, edge_values};
use crate::error::Result;
use crate::party::Party;
use crate::protocol::{
    Cleartext, ConvSpec, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal,
};
use crate::ring::{RingVec, Width};

/// Matrix products and convolutions, with weights that are public, private to either party, and shared.
pub(super) fn linear<P: Protocol>(p: &mut P) -> Result<()> {
    let conv = |input, in_channels, out_channels, kernel, stride, padding, dilation, groups| {
        LinearKind::Conv(ConvSpec {
            batch: 2,
            in_channels,
            input,
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        })
    };
    let kinds = [
        LinearKind::MatMul(MatMulSpec { rows: 1, inner: 1, cols: 1 }),
        LinearKind::MatMul(MatMulSpec { rows: 5, inner: 7, cols: 3 }),
        conv([5, 4], 3, 2, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1),
        conv([6, 7], 2, 4, [3, 2], [2, 1], [0, 1, 1, 0], [1, 2], 2),
        conv([4, 4], 4, 4, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 4),
    ];
    for (input, shift) in [(32, 12), (37, 12), (20, 0)] {
        for kind in kinds {
            let spec = LinearSpec { kind, input: Width::new(input), shift, weight_bits: 6 };
            layer(p, spec)?;
        }
    }
    Ok(())
}

fn layer<P: Protocol>(p: &mut P, spec: LinearSpec) -> Result<()> {
    let weights: Vec<i64> =
        edge_values(Width::new(6), spec.weights_len(), 5).to_signed().iter().map(|w| w / 2).collect();
    let bias: Vec<i64> = (0..spec.bias_len()).map(|i| 1000 * i as i64 - 1500).collect();
    let small = edge_values(Width::new(spec.input.bits() - 10), spec.input_len(), 7);
    let x = RingVec::from_signed(spec.input, &small.to_signed());
    let oracle = Linear::new(spec, Operand::Public(weights.clone()), Some(Operand::Public(bias.clone())))?;
    let want = Cleartext::new().linear(&oracle, &x)?;
    for owner in [None, Some(Party::Server), Some(Party::Client)] {
        let operand = |values: &[i64]| match owner {
            None => Operand::Public(values.to_vec()),
            Some(owner) => {
                let known = p.party().is_none_or(|party| party == owner);
                Operand::Private { owner, values: known.then(|| values.to_vec().into()) }
            }
        };
        let layer = Linear::new(spec, operand(&weights), Some(operand(&bias)))?;
        check_layer(p, &layer, &x, &want)?;
    }
    let mut suite = Suite { p };
    let ring = RingVec::from_signed(spec.input, &weights);
    let shared = suite.input(Party::Server, &ring)?;
    let layer = Linear::new(spec, Operand::Shared(shared), Some(Operand::Public(bias)))?;
    check_layer(p, &layer, &x, &want)
}

fn check_layer<P: Protocol>(p: &mut P, layer: &Linear<P::Arith>, x: &RingVec, want: &RingVec) -> Result<()> {
    let mut suite = Suite { p };
    let sx = suite.input(Party::Client, x)?;
    let got = suite.p.linear(layer, &sx)?;
    let errors: &[i64] = if layer.spec.shift == 0 { &[0] } else { &[-1, 0, 1] };
    // A rounded product is not opened to the owner of its weights.
    let to = match &*layer.weights {
        Operand::Private { owner, .. } if layer.spec.shift > 0 => Reveal::To(owner.peer()),
        _ => Reveal::Both,
    };
    suite.expect_to(to, &format!("{:?} with {:?}", layer.spec.kind, layer.weights), &got, want, errors)
}
