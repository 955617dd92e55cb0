//! What an answer tells: the outputs, and nothing of the weights or of other coefficients.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::*;
use super::{Case, keys, prg, square, whole_answer};
use crate::he::answer::Needed;
use crate::he::encrypt::Scratch;
use crate::spec::{LinearKind, MatMulSpec};

/// The client's upload, the server's answer and its shares, of a layer in one piece.
fn transcript(case: &Case, keys: &[HeKeys; 2], privacy: Privacy) -> (Vec<u8>, Vec<u8>, Vec<u64>) {
    assert_eq!(case.plan.pieces(), 1);
    let set = case.plan.precision().set;
    let shares = case.shares(1);
    let job = |party: Party| Job {
        keys: &keys[party.index()],
        plan: &case.plan,
        first: 0,
        x: &shares[party.index()],
        threads: 1,
        privacy,
    };
    let upload = job(Party::Client).upload(0, keys[1].secret(set), &mut prg(20));
    let mut y = vec![0; case.plan.spec().output_len()];
    let checked = case.checked();
    let source = Source::new(&case.plan, OwnWeights::Plain(&checked), 1);
    let answer = whole_answer(&job(Party::Server), 0, keys[0].peer(set), &source, &upload, &mut y);
    (upload, answer, y)
}

/// Without re-randomisation the second half of an answer is a known polynomial times the weight.
#[test]
fn weights_are_read_off_answers_that_are_not_rerandomised() {
    let keys = keys();
    let kind = LinearKind::MatMul(MatMulSpec { rows: 8, inner: 1, cols: 2048 });
    let case = Case::new(kind, 37, 12, 8, 14, 5);
    let precision = case.plan.precision();
    let (ring, n) = (precision.set.ring(), precision.set.degree());
    let mut a = vec![0; precision.set.limbs() * n];
    keys[1].public_poly(Party::Client, precision.set, 0, &mut a);
    ring.inverse(&mut a);
    let recover = |answer: &[u8]| {
        let mut reader = crate::he::codec::BitReader::new(answer);
        let kept: Vec<u128> = (0..8).map(|_| reader.get(precision.kept1)).collect();
        let fits = |w: i64| {
            kept.iter().enumerate().all(|(j, &v)| {
                let scaled = ring.fraction(|i| {
                    let m = ring.ntts()[i].modulus();
                    m.mul(a[i * n + j], m.reduce_i64(w))
                });
                v == crate::he::answer::keep(scaled, precision.kept1)
            })
        };
        (-256..256).find(|&w| fits(w))
    };
    let answers = |privacy| {
        let (_, answer, _) = transcript(&case, &keys, privacy);
        answer.chunks_exact(answer.len() / 8).map(recover).collect::<Vec<_>>()
    };
    assert_eq!(answers(Privacy::None), case.weights.iter().map(|&w| Some(w)).collect::<Vec<_>>());
    assert_eq!(answers(Privacy::Fresh), vec![None; 8]);
}

/// Whoever holds all secrets finds in the answers the outputs, and of the other coefficients nothing: no part of c0
/// was sent for them, and c1 alone is far from their values.
#[test]
fn unsent_coefficients_are_absent() {
    let keys = keys();
    let case = Case::new(LinearKind::Conv(square([64, 64], 7, 3, 1)), 37, 12, 8, 12, 9);
    let (precision, geometry) = (case.plan.precision(), case.plan.geometry());
    let n = precision.set.degree();
    let (_, answers, server) = transcript(&case, &keys, Privacy::Fresh);
    let (kept1, out) = (n * precision.kept1 as usize / 8, case.plan.spec().output());
    let decrypt = |answer: &[u8], coefficients: &[usize]| {
        let mut shares = vec![0; coefficients.len()];
        let places: Vec<[u32; 2]> = coefficients.iter().map(|&at| [at as u32, 0]).collect();
        let needed = Needed { places: &places, channels: &[(0, 0)] };
        let key = keys[1].secret(precision.set);
        precision.decrypt(key, answer, needed, &mut Scratch::new(precision.set), &mut shares);
        shares
    };
    let tile = &geometry.tiles[0];
    let mut rest = answers.as_slice();
    // Distances of what the unsent coefficients decrypt to from their values, as parts of half the ring.
    let mut distances = Vec::new();
    for to in 0..geometry.outs() {
        let (answer, more) = rest.split_at(case.plan.answer_len(tile, to));
        rest = more;
        assert_eq!(
            answer.len(),
            kept1 + (geometry.outputs_len(tile, to) * precision.kept0 as usize).div_ceil(8)
        );
        // All of W X in this answer, at the scale of the input's ring.
        let mut full = vec![0_i64; n];
        for from in 0..geometry.ins() {
            let inputs: Vec<(usize, usize)> = geometry.inputs(tile, 0, from).collect();
            geometry.weights(0, to, from, |at, index, negative| {
                let w = case.weights[index] * if negative { -1 } else { 1 };
                for &(i, x) in &inputs {
                    full[(at + i) % n] += if at + i >= n { -w } else { w } * case.x[x];
                }
            });
        }
        let sent: Vec<usize> = geometry.outputs(tile, 0, to).map(|(at, ..)| at).collect();
        assert!(sent.len() < n * 3 / 4, "a layer with unsent coefficients");
        // What is sent decrypts to the outputs.
        let shares = decrypt(answer, &sent);
        for ((at, index, channel), &v) in geometry.outputs(tile, 0, to).zip(&shares) {
            let expected = (full[at] + case.bias[channel] + 2048) >> 12;
            let sum = v.wrapping_add(server[index]);
            assert!((-1..=1).contains(&out.signed(out.wrap(sum.wrapping_sub(expected as u64)))));
        }
        // Zeros in place of c0: the value at an unsent coefficient would need c1 s = -c0 there.
        let mut blank = answer.to_vec();
        blank[kept1..].fill(0);
        blank.resize(precision.answer_len(n), 0);
        let unsent: Vec<usize> = (0..n).filter(|at| !sent.contains(at)).collect();
        for (&at, v) in unsent.iter().zip(decrypt(&blank, &unsent)) {
            let distance = out.signed(out.wrap(v.wrapping_sub((full[at] >> 12) as u64))).unsigned_abs();
            distances.push(distance as f64 / (1_u64 << (out.bits() - 1)) as f64);
        }
    }
    assert!(rest.is_empty() && distances.len() > 10_000);
    // Absent: uniform, whatever the value is.
    for part in [0.5, 0.25, 1.0 / 16.0, 1.0 / 256.0] {
        let near = distances.iter().filter(|&&d| d < part).count() as f64;
        let n = distances.len() as f64;
        assert!((near - n * part).abs() < 5.0 * (n * part).sqrt(), "{near} of {n} within {part}");
    }
}
