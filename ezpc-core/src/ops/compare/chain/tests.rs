//! The lemma of SECURITY.md, Proofs, checked: for every x and y the map from (all pads, pi) to the evaluator's view is a
//! bijection, and at every boundary the pointer xor pi is the carry.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::*;
use crate::arch::vector::Way;
use crate::ring::Width;

/// The carry at bit position `bit`.
fn carry(rule: Rule, x: u64, y: u64, bit: u32) -> bool {
    let (x, y) = (x & u64::mask(bit), y & u64::mask(bit));
    match rule {
        Rule::Less => x < y,
        Rule::Equal => x == y,
    }
}

/// A run of a chain with given random choices, for many elements.
struct Run {
    message: Vec<u8>,
    garbler: Vec<BitVec>,
    evaluator: Vec<BitVec>,
}

/// `pads[i][j][element]`; the evaluator's choice for digit i is digit i of y xor flip.
fn run<T: Lane>(
    shape: &Shape,
    rule: Rule,
    x: &[u64],
    y: &[u64],
    flips: &[u64],
    pi: &[u64],
    pads: &[Vec<Vec<T>>],
) -> Run {
    let taps: Vec<usize> = (1..=shape.len()).collect();
    let message = garble(shape, rule, [x, flips, pi], pads);
    let evaluator = evaluate(shape, y, own_pads(shape, y, flips, pads), &message, &taps);
    Run { message, garbler: mask_shares(pi, &taps), evaluator }
}

fn garble<T: Lane>(shape: &Shape, rule: Rule, operands: [&[u64]; 3], pads: &[Vec<Vec<T>>]) -> Vec<u8> {
    let mut message = Vec::new();
    let pads = |i: usize, places: &mut [T]| places.copy_from_slice(&pads[i].concat());
    Garbler::new(shape, rule, operands[0].len()).garble(operands, pads, &mut message);
    message
}

fn evaluate<T: Lane>(
    shape: &Shape,
    y: &[u64],
    pads: Vec<Vec<T>>,
    message: &[u8],
    taps: &[usize],
) -> Vec<BitVec> {
    let mut evaluator = Evaluator::new(shape, taps, y.len());
    evaluator.evaluate(y, &mut pads.concat(), message);
    evaluator.finish(y.len())
}

fn own_pads<T: Lane>(shape: &Shape, y: &[u64], flips: &[u64], pads: &[Vec<Vec<T>>]) -> Vec<Vec<T>> {
    let digit =
        |i: usize, e: usize| ((y[e] ^ flips[e]) >> shape.offset(i) & u64::mask(shape.width(i))) as usize;
    (0..shape.len()).map(|i| (0..y.len()).map(|e| pads[i][digit(i, e)][e]).collect()).collect()
}

/// All pads and pi of `lanes` elements, from one word of random bits an element.
fn unpack(shape: &Shape, words: &[u64]) -> (Vec<Vec<Vec<u32>>>, Vec<u64>) {
    let mut at = shape.len() as u32;
    let pi = words.iter().map(|w| w & u64::mask(at)).collect();
    let mut pads = Vec::new();
    for i in 0..shape.len() {
        let mut slots = Vec::new();
        for _ in 0..1 << shape.width(i) {
            let bits = shape.pad_bits(i);
            slots.push(words.iter().map(|w| (w >> at & u64::mask(bits)) as u32).collect());
            at += bits;
        }
        pads.push(slots);
    }
    (pads, pi)
}

/// Enumerates all randomness for every x, y and every flip of `flips`.
fn enumerate(digits: &[u32], rule: Rule, flips: &[u64]) {
    let shape = Shape::new(digits.to_vec());
    let pad_bits = (0..shape.len()).map(|i| shape.pad_bits(i) << shape.width(i)).sum::<u32>();
    let random = pad_bits + shape.len() as u32;
    let lanes = 1_usize << random.min(12);
    for xy in 0..1_u64 << (2 * shape.bits()) {
        let (x, y) = (xy & u64::mask(shape.bits()), xy >> shape.bits());
        for &flip in flips {
            let mut seen = vec![0_u64; (1 << random) / 64 + 1];
            for start in (0..1_u64 << random).step_by(lanes) {
                let words: Vec<u64> = (start..start + lanes as u64).collect();
                let (pads, pi) = unpack(&shape, &words);
                let (xs, ys, fs) = (vec![x; lanes], vec![y; lanes], vec![flip; lanes]);
                let out = run(&shape, rule, &xs, &ys, &fs, &pi, &pads);
                for i in 1..=shape.len() {
                    let sum = out.garbler[i - 1].xor(&out.evaluator[i - 1]);
                    let expected = carry(rule, x, y, shape.offset(i));
                    let constant = if expected { BitVec::ones(lanes) } else { BitVec::zeros(lanes) };
                    assert!(sum == constant, "carry {i} of {digits:?} for x = {x}, y = {y}");
                }
                let mut view = vec![0_u64; lanes];
                let mut at = 0;
                let mut append = |bits: u32, field: &[u32]| {
                    view.iter_mut().zip(field).for_each(|(v, &f)| *v |= u64::from(f) << at);
                    at += bits;
                };
                let mut reader = LaneReader::new(&out.message, lanes, shape.correction_bits());
                for i in (0..shape.len()).rev() {
                    for _ in shape.corrected(i) {
                        append(shape.pad_bits(i), &reader.pull::<u32>(shape.pad_bits(i)));
                    }
                }
                for (i, own) in own_pads(&shape, &ys, &fs, &pads).iter().enumerate() {
                    append(shape.pad_bits(i), own);
                }
                assert_eq!(at, random, "the view has as many bits as the randomness");
                view.iter().for_each(|&v| seen[v as usize / 64] |= 1 << (v % 64));
            }
            let images: u32 = seen.iter().map(|w| w.count_ones()).sum();
            assert_eq!(images, 1 << random, "views of {digits:?} for x = {x}, y = {y}");
        }
    }
}

#[test]
fn views_are_uniform_for_two_one_bit_digits() {
    for rule in [Rule::Less, Rule::Equal] {
        enumerate(&[1], rule, &[0, 1]);
        enumerate(&[2], rule, &[0, 1, 2, 3]);
        enumerate(&[1, 1], rule, &[0, 1, 2, 3]);
    }
}

#[test]
fn views_are_uniform_for_mixed_digits() {
    for rule in [Rule::Less, Rule::Equal] {
        enumerate(&[1, 2], rule, &[0, 3, 5]);
        enumerate(&[2, 1], rule, &[0, 3, 6]);
    }
}

#[test]
fn views_are_uniform_for_two_two_bit_digits() {
    enumerate(&[2, 2], Rule::Less, &[6]);
}

#[test]
fn views_are_uniform_for_three_one_bit_digits() {
    enumerate(&[1, 1, 1], Rule::Less, &[5]);
}

/// A pseudorandom stream for tests.
pub(crate) fn stream(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// For fixed x, y and pi the view is an affine function of the pads; its rank says whether it is injective. As
/// pointers xor pi are carries, different pi have different views, so full rank at every pi is a bijection.
fn check_rank(shape: &Shape, rule: Rule, seed: u64) {
    let mut next = stream(seed);
    let pad_bits: u32 = (0..shape.len()).map(|i| shape.pad_bits(i) << shape.width(i)).sum();
    // Lane 0 has zero pads, lane 1 + b has bit b set, the last lanes are random: they test affinity.
    let extra = 4;
    let lanes = 1 + pad_bits as usize + extra;
    let width = Width::new(shape.bits());
    let (x, flip, pi) = (width.wrap(next()), width.wrap(next()), next());
    let y = match seed % 3 {
        0 => x,
        1 => width.wrap(x.wrapping_add(1)),
        _ => width.wrap(next()),
    };
    let mut random = vec![vec![false; pad_bits as usize]; extra];
    random.iter_mut().flatten().for_each(|bit| *bit = next() & 1 == 1);
    let is_set = |lane: usize, bit: usize| {
        if lane <= pad_bits as usize { lane == bit + 1 } else { random[lane - 1 - pad_bits as usize][bit] }
    };
    let mut at = 0;
    let mut pads: Vec<Vec<Vec<u128>>> = Vec::new();
    for i in 0..shape.len() {
        let mut slots = Vec::new();
        for _ in 0..1 << shape.width(i) {
            let bits = shape.pad_bits(i) as usize;
            let pad = |lane| (0..bits).fold(0, |p, b| p | u128::from(is_set(lane, at + b)) << b);
            slots.push((0..lanes).map(pad).collect());
            at += bits;
        }
        pads.push(slots);
    }
    let (xs, ys, fs) = (vec![x; lanes], vec![y; lanes], vec![flip; lanes]);
    let out = run(shape, rule, &xs, &ys, &fs, &vec![pi; lanes], &pads);
    let mut views: Vec<Vec<bool>> = vec![Vec::new(); lanes];
    let mut append = |bits: u32, field: &[u128]| {
        for (view, &f) in views.iter_mut().zip(field) {
            view.extend((0..bits).map(|b| f >> b & 1 == 1));
        }
    };
    let mut reader = LaneReader::new(&out.message, lanes, shape.correction_bits());
    for i in (0..shape.len()).rev() {
        for _ in shape.corrected(i) {
            append(shape.pad_bits(i), &reader.pull::<u128>(shape.pad_bits(i)));
        }
    }
    for (i, own) in own_pads(shape, &ys, &fs, &pads).iter().enumerate() {
        append(shape.pad_bits(i), own);
    }
    let xor = |a: &[bool], b: &[bool]| -> Vec<bool> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
    let basis: Vec<Vec<bool>> = (1..=pad_bits as usize).map(|lane| xor(&views[lane], &views[0])).collect();
    for (r, view) in random.iter().zip(&views[1 + pad_bits as usize..]) {
        let used = basis.iter().zip(r).filter(|(_, used)| **used);
        let sum = used.fold(views[0].clone(), |sum, (row, _)| xor(&sum, row));
        assert!(sum == *view, "the view of {shape:?} is affine in the pads");
    }
    let mut rows: Vec<Vec<u64>> = basis
        .iter()
        .map(|r| r.chunks(64).map(|c| c.iter().rev().fold(0, |w, &b| w << 1 | u64::from(b))).collect())
        .collect();
    let mut rank = 0;
    for bit in 0..pad_bits as usize + shape.len() {
        let has = |row: &Vec<u64>| row[bit / 64] >> (bit % 64) & 1 == 1;
        let Some(pivot) = (rank..rows.len()).find(|&r| has(&rows[r])) else { continue };
        rows.swap(rank, pivot);
        let (head, below) = rows.split_at_mut(rank + 1);
        for row in below.iter_mut().filter(|row| has(row)) {
            row.iter_mut().zip(&head[rank]).for_each(|(a, b)| *a ^= b);
        }
        rank += 1;
    }
    assert_eq!(rank, pad_bits as usize, "the pads of {shape:?} follow from the view and pi");
}

#[test]
fn views_are_uniform_for_large_shapes() {
    let shapes = [
        Shape::balanced(20, &[]),
        Shape::balanced(13, &[4]),
        Shape::new(vec![2; 10]),
        Shape::radix2(9),
        Shape::new(vec![2, 2, 2]),
        Shape::new(vec![1, 2, 3]),
        Shape::new(vec![3, 2, 1]),
        Shape::new(vec![4, 2]),
        Shape::new(vec![2, 4]),
        Shape::new(vec![2, 1, 1, 1, 1, 2, 2, 2, 3, 4]),
    ];
    for shape in &shapes {
        for (seed, rule) in (0..6).flat_map(|s| [(s, Rule::Less), (s, Rule::Equal)]) {
            check_rank(shape, rule, seed);
        }
    }
}

/// Correct on random and edge operands, whatever the pads hold above the shape's width.
fn check_values<T: Lane>(shape: &Shape, rule: Rule, seed: u64) {
    let bits = shape.bits();
    let width = Width::new(bits);
    let mut next = stream(seed ^ u64::from(bits) << 8);
    let edges = [0, 1, 2, 3, width.mask() / 2, width.mask() / 2 + 1, width.mask() - 1, width.mask()];
    let mut x: Vec<u64> = edges.iter().flat_map(|&e| [width.wrap(e); 8]).collect();
    let mut y: Vec<u64> = edges.iter().flat_map(|_| edges.map(|e| width.wrap(e))).collect();
    for i in 0..70 {
        let value = width.wrap(next());
        x.push(value);
        y.push(width.wrap(
            [value, value.wrapping_add(1), value.wrapping_sub(1), value ^ 3 << (next() % 64), next()][i % 5],
        ));
    }
    let n = x.len();
    let flips: Vec<u64> = (0..n).map(|_| width.wrap(next())).collect();
    let pi: Vec<u64> = (0..n).map(|_| next()).collect();
    let mut word =
        || T::from_u64(next()) | if T::BITS > 64 { T::from_u64(next()) << (T::BITS / 2) } else { T::ZERO };
    let pads: Vec<Vec<Vec<T>>> = (0..shape.len())
        .map(|i| (0..1 << shape.width(i)).map(|_| (0..n).map(|_| word()).collect()).collect())
        .collect();
    let out = run(shape, rule, &x, &y, &flips, &pi, &pads);
    assert_eq!(out.message.len(), shape.message_lens(n)[1]);
    for i in 1..=shape.len() {
        let sum = out.garbler[i - 1].xor(&out.evaluator[i - 1]);
        for e in 0..n {
            let expected = carry(rule, x[e], y[e], shape.offset(i));
            assert_eq!(sum.bit(e), expected, "carry {i} of {shape:?} for {:#x} and {:#x}", x[e], y[e]);
        }
    }
    // Bits of the pads above the shape's width never reach the message.
    let trimmed: Vec<Vec<Vec<T>>> = (0..shape.len())
        .map(|i| {
            pads[i].iter().map(|s| s.iter().map(|&p| p & T::mask(shape.pad_bits(i))).collect()).collect()
        })
        .collect();
    assert!(run(shape, rule, &x, &y, &flips, &pi, &trimmed).message == out.message);
}

#[test]
fn carries_are_right_for_every_length() {
    for bits in 1..=64 {
        for rule in [Rule::Less, Rule::Equal] {
            check_values::<u64>(&Shape::balanced(bits, &[]), rule, 1);
            check_values::<u128>(&Shape::radix2(bits), rule, 2);
            if bits <= 32 {
                check_values::<u32>(&Shape::balanced(bits, &[]), rule, 3);
            }
            if bits > 7 {
                check_values::<u64>(&Shape::balanced(bits, &[5]), rule, 4);
                check_values::<u128>(
                    &Shape::new([vec![2, 1, 3], vec![1; bits as usize - 7], vec![1]].concat()),
                    rule,
                    5,
                );
            }
        }
    }
    check_values::<u64>(&Shape::new(vec![4, 3, 4, 1, 2]), Rule::Less, 6);
}

/// Every instruction set computes the same garbled digits, labels and selections.
#[test]
fn vector_widths_agree() {
    fn check<T: Lane + PartialEq + core::fmt::Debug, const S: usize>(index: usize, n: usize) {
        let run = |way: Way| {
            let mut next = stream(n as u64);
            let mut lanes = || -> Wiped<T> { (0..n).map(|_| T::from_u64(next())).collect() };
            let (x, flips, pi) = (lanes(), lanes(), lanes());
            let (mut zero, mut difference) = (lanes(), lanes());
            let pads: Vec<T> = (0..S).flat_map(|_| lanes().into_vec()).collect();
            let mut corrections = vec![vec![T::ZERO; n]; 1 << MAX_DIGIT];
            way.run(GarbleDigit::<T, S>(Digit {
                rule: Rule::Less,
                offset: 3,
                index,
                label_bits: 9,
                x: &x,
                flips: &flips,
                pi: &pi,
                pads: &pads,
                zero: &mut zero,
                difference: &mut difference,
                corrections: &mut corrections,
            }));
            let mut sum = pads[..n].to_vec();
            way.run(Select::<T, S> { sum: &mut sum, corrections: &corrections, y: &x, offset: 3 });
            corrections.push(sum);
            way.run(Step {
                label: &mut difference,
                ciphertexts: &pads[n..2 * n],
                label_bits: 9,
                lowest: index == 0,
            });
            (corrections, zero.to_vec(), difference.to_vec())
        };
        let expected = run(Way::Portable);
        Way::ALL.iter().for_each(|&way| assert_eq!(run(way), expected, "{way:?}, {S} slots, {n} lanes"));
    }
    for (index, n) in [(0, 200), (4, 200), (4, 64), (1, 5)] {
        check::<u32, 2>(index, n);
        check::<u32, 4>(index, n);
        check::<u64, 4>(index, n);
        check::<u64, 16>(index, n);
        check::<u128, 8>(index, n);
    }
}

/// Nanoseconds per comparison without the OTs' hashing; the smallest of several runs.
#[test]
#[ignore = "a measurement, for release builds with --nocapture"]
#[allow(clippy::print_stdout, reason = "a measurement prints")]
fn measure_garbling_and_evaluation() {
    fn measure<T: Lane>(bits: u32) {
        let (n, shape) = (512, Shape::balanced(bits, &[]));
        let taps = [shape.len()];
        let mut next = stream(1);
        let mut lanes = || -> Vec<u64> { (0..n).map(|_| next() & u64::mask(bits)).collect() };
        let (x, y, flips, pi) = (lanes(), lanes(), lanes(), lanes());
        let mut word = || T::from_u64(next());
        let pads: Vec<Vec<Vec<T>>> = (0..shape.len())
            .map(|i| (0..1 << shape.width(i)).map(|_| (0..n).map(|_| word()).collect()).collect())
            .collect();
        let own = own_pads(&shape, &y, &flips, &pads);
        let mut best = [f64::MAX; 2];
        let mut message = Vec::new();
        let pads: Vec<Vec<T>> = pads.iter().map(|slots| slots.concat()).collect();
        for _ in 0..300 {
            let start = std::time::Instant::now();
            message.clear();
            let copy = |i: usize, places: &mut [T]| places.copy_from_slice(&pads[i]);
            Garbler::new(&shape, Rule::Less, n).garble([&x, &flips, &pi], copy, &mut message);
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let mut own = own.concat();
            let start = std::time::Instant::now();
            let mut evaluator = Evaluator::new(&shape, &taps, n);
            evaluator.evaluate(&y, &mut own, &message);
            assert_eq!(evaluator.finish(n).len(), 1);
            best[1] = best[1].min(start.elapsed().as_secs_f64());
        }
        let [garble, evaluate] = best.map(|t| t * 1e9 / n as f64);
        println!(
            "{bits} bits, {}-bit lanes: garble {garble:.1} ns, evaluate {evaluate:.1} ns, {} B",
            T::BITS,
            message.len() / n
        );
    }
    measure::<u32>(20);
    measure::<u64>(20);
    measure::<u32>(31);
    measure::<u64>(63);
}
