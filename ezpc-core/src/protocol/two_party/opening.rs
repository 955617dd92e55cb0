//! The opening rule: what a layer rounded under one party's weights is not opened to that party.
//!
//! The rounding of a product under encryption depends on the errors of the other party's ciphertexts. Its owner knows
//! the weights and could read hints on those errors, and so on the key, off opened results. Decisions hide the
//! rounding, and so does an exact quotient by [`GUARD`] bits or more. SECURITY.md, Opening rule.

use crate::error::{Error, Result};
use crate::party::Party;
use crate::protocol::{Op, Operand, Reveal, Trunc};
use crate::ring::{BitPlanes, RingVec};
use crate::sharing::{Rounded, Shared};

/// So many low bits, exactly dropped, hide a rounding: an opened value then depends on it once in 2^4 ulps.
const GUARD: u32 = 4;

/// The roundings in the result of an operation.
pub(super) fn rounded(op: &Op<Shared<RingVec>, Shared<BitPlanes>>) -> Rounded {
    match op {
        Op::Msb(_) | Op::LessThan(..) | Op::LessThanNear(..) | Op::Equal(..) | Op::Argmax(..) => Rounded::NOT,
        Op::Below(..) => Rounded::NOT,
        Op::Lookup(_, index) => index.rounded(),
        Op::Read(array, index) => array.rounded().or(index.rounded()),
        Op::Trunc(x, shift, Trunc::Floor | Trunc::Logical) => {
            if *shift < GUARD {
                x.rounded()
            } else {
                Rounded::NOT
            }
        }
        Op::Linear(layer, x) => {
            let weights = match (&*layer.weights, layer.spec.shift) {
                (Operand::Private { owner, .. }, 1..) => Rounded::under(*owner),
                (Operand::Shared(weights), _) => weights.rounded(),
                _ => Rounded::NOT,
            };
            let bias = match layer.bias.as_deref() {
                Some(Operand::Shared(bias)) => bias.rounded(),
                _ => Rounded::NOT,
            };
            x.rounded().or(weights).or(bias)
        }
        Op::Mul(x, y) => x.rounded().or(y.rounded()),
        Op::And(x, y) | Op::Or(x, y) | Op::AddBool(x, y) => x.rounded().or(y.rounded()),
        Op::MuxBool(c, t, f) => c.rounded().or(t.rounded()).or(f.rounded()),
        Op::Mux(c, t, f) => c.rounded().or(t.rounded()).or(f.rounded()),
        Op::Select(c, x) => c.rounded().or(x.rounded()),
        Op::BitToArith(x, _) | Op::B2a(x) | Op::Popcount(x, _) => x.rounded(),
        Op::A2b(x)
        | Op::Trunc(x, ..)
        | Op::Extend(x, ..)
        | Op::ExtendNear(x, ..)
        | Op::Relu { x, .. }
        | Op::ReluTrunc { x, .. }
        | Op::Max { x, .. } => x.rounded(),
    }
}

/// Refuses an opening against the rule.
pub(super) fn check(rounded: Rounded, to: Reveal) -> Result<()> {
    match Party::BOTH.into_iter().find(|&party| to.includes(party) && rounded.is_under(party)) {
        None => Ok(()),
        Some(owner) => Err(Error::usage(format!(
            "a value that a linear layer rounded under the {owner}'s weights is not opened to the {owner}: it would \
             tell of the {}'s key; drop at least {GUARD} bits of it with Trunc::Floor, open a comparison, or open it to \
             the {} alone",
            owner.peer(),
            owner.peer()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::error::{ErrorKind, Result};
    use crate::party::Party;
    use crate::protocol::{
        Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal, ShareVec, Trunc, TwoParty,
    };
    use crate::ring::{RingVec, Width};
    use crate::sharing::Shared;
    use crate::testing::run_two;

    type Arith = Shared<RingVec>;

    /// What a layer of the server's weights makes of an input of the client.
    fn layer(p: &mut TwoParty, input: u32, shift: u32) -> Result<Arith> {
        let kind = LinearKind::MatMul(MatMulSpec { rows: 4, inner: 2, cols: 3 });
        let spec = LinearSpec { kind, input: Width::new(input), shift, weight_bits: 4 };
        let values = (p.party() == Some(Party::Server)).then(|| vec![3, -1, 2, 7, 5, 5, -8, 1].into());
        let layer = Linear::new(spec, Operand::Private { owner: Party::Server, values }, None)?;
        let x = RingVec::from_signed(spec.input, &[100, 200, 300, -400, 500, 600]);
        let x = p.input(Party::Client, spec.input, 6, (p.party() == Some(Party::Client)).then_some(&x))?;
        p.linear(&layer, &x)
    }

    fn refused<T>(result: Result<T>) {
        let error = result.err().expect("a refusal");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("not opened to the server"), "{error}");
    }

    #[test]
    fn rounded_products_are_not_opened_to_the_owner_of_their_weights() {
        run_two(|p| {
            // More than 29 bits and fewer.
            for input in [64, 37] {
                let y = layer(p, input, 8)?;
                for to in [Reveal::Both, Reveal::To(Party::Server)] {
                    refused(p.reveal(&y, to));
                    // Neither are functions that keep the low bits.
                    let x = p.scale(&p.add(&y, &y).slice(1..3), &[3]);
                    refused(p.reveal(&x, to));
                    let x = Arith::concat(&[
                        &p.reduce(&y, Width::new(9)),
                        &p.public(&RingVec::zeros(Width::new(9), 1)),
                    ]);
                    refused(p.reveal(&x, to));
                    let x = p.relu(&y, y.width())?;
                    refused(p.reveal(&p.trunc_reduce(&x, 5), to));
                    let x = p.trunc(&y, 5, Trunc::Near)?;
                    refused(p.reveal(&x, to));
                    let x = p.trunc(&y, super::GUARD - 1, Trunc::Floor)?;
                    refused(p.reveal(&x, to));
                    let x = p.a2b(&y)?;
                    refused(p.reveal_bool(&p.not(&p.planes(&x, &[0])), to));
                }
            }
            Ok(())
        })
        .expect("only refusals");
    }

    #[test]
    fn what_hides_the_rounding_is_opened() {
        let [server, client] = run_two(|p| {
            let y = layer(p, 37, 8)?;
            let bits = p.msb(&y)?;
            let bits = p.reveal_bool(&bits, Reveal::Both)?.expect("opened to both").to_lanes();
            let floor = p.trunc(&y, super::GUARD, Trunc::Floor)?;
            let floor = p.reveal(&floor, Reveal::Both)?.expect("opened to both").to_signed();
            // The other party learns the result as it is, and both an exact product.
            let whole = p.reveal(&y, Reveal::To(Party::Client))?.map(|v| v.to_signed());
            let exact = layer(p, 37, 0)?;
            let exact = p.reveal(&exact, Reveal::Both)?.expect("opened to both").to_signed();
            Ok((bits, floor, whole, exact))
        })
        .expect("no error");
        let exact = vec![700, 100, 300, -2600, 3900, 4800, -1500, 3500, 4500, -1200, -1100, -1800];
        // Beyond the rounding the sign is that of the exact product.
        let signs = exact.iter().zip(&server.0).filter(|(e, _)| i64::abs(**e) > 512);
        assert!(signs.clone().count() == 10 && signs.into_iter().all(|(&e, &bit)| u64::from(e < 0) == bit));
        assert_eq!((&server.0, &server.1, &server.3), (&client.0, &client.1, &client.3));
        assert_eq!((server.2, server.3), (None, exact.clone()));
        for (e, y) in exact.iter().zip(client.2.expect("the client learns it")) {
            assert!((-1..=1).contains(&(y - ((e + 128) >> 8))), "{y} for {e}");
        }
    }
}
