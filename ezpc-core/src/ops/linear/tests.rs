//! Both parties in one thread, against plain ring arithmetic.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::owner::Answers;
use super::*;
use crate::crypto::{Block, SessionId};
use crate::error::ErrorKind;
use crate::he::encrypt::Scratch;
use crate::he::tile::plain::plain;
use crate::he::{he_setup, he_setup_cost};
use crate::ring::Width;
use crate::secret::Values;
use crate::spec::{ConvSpec, LinearKind, LinearSpec, MatMulSpec};
use crate::testing::{run_against, run_machines};
use crate::transport::Link;
use proptest::prelude::*;

pub(super) fn prg(seed: u128) -> Prg {
    Prg::from_seed(Block::new(seed))
}

pub(super) fn keys() -> [HeKeys; 2] {
    let session = SessionId::new([7; 32]);
    let (server, client, cost) = run_machines(
        |io| async move { he_setup(io, Party::Server, session, &mut prg(1)).await },
        |io| async move { he_setup(io, Party::Client, session, &mut prg(2)).await },
    );
    assert_eq!(cost, he_setup_cost());
    [server, client]
}

fn conv_of(kind: &LinearKind) -> ConvSpec {
    match *kind {
        LinearKind::Conv(conv) => conv,
        LinearKind::MatMul(m) => ConvSpec {
            batch: 1,
            in_channels: m.inner,
            input: [1, m.cols],
            out_channels: m.rows,
            kernel: [1; 2],
            stride: [1; 2],
            padding: [0; 4],
            dilation: [1; 2],
            groups: 1,
        },
    }
}

mod privacy;
mod rounding;

/// The answers to a piece, all of them at once.
pub(super) fn whole_answer(
    job: &Job<'_>,
    piece: usize,
    key: &crate::he::encrypt::PublicKey,
    weights: &Source<'_>,
    ciphertexts: &[u8],
    y: &mut [u64],
) -> Vec<u8> {
    let mut answers = Answers::new(job, piece, key, weights, ciphertexts);
    answers.next(usize::MAX, &mut prg(21), y).expect("an answer")
}

/// A layer with random weights, bias and input, whose sums are far inside the ring.
struct Case {
    plan: LinearPlan,
    weights: Values,
    bias: Values,
    x: Vec<i64>,
}

impl Case {
    fn new(kind: LinearKind, input: u32, shift: u32, weight_bits: u32, x_bits: u32, seed: u128) -> Self {
        let spec = LinearSpec { kind, input: Width::new(input), shift, weight_bits };
        let mut rng = prg(seed);
        let mut signed = |len: usize, bits: u32| -> Values {
            rng.lanes(Width::new(bits + 1), len)
                .iter()
                .map(|&v| Width::new(bits + 1).signed(v) / 2 * 2 + 1)
                .collect()
        };
        let weights = signed(spec.weights_len(), weight_bits - 1);
        let bias = signed(spec.bias_len(), x_bits + weight_bits - 2);
        let x = signed(spec.input_len(), x_bits).to_vec();
        Self { plan: LinearPlan::new(&spec, Link::default()).expect("a plan"), weights, bias, x }
    }

    fn prepared(&self, threads: usize) -> PreparedWeights {
        PreparedWeights::new(&self.plan, &self.checked(), threads)
    }

    fn expected(&self) -> Vec<i64> {
        let conv = conv_of(&self.plan.spec().kind);
        let [h, w] = conv.output();
        let sums = plain(&conv, &self.weights, &self.x);
        let bias = |i: usize| self.bias[i / (h * w) % conv.out_channels];
        sums.iter().enumerate().map(|(i, v)| v + bias(i)).collect()
    }

    fn shares(&self, seed: u128) -> [Vec<u64>; 2] {
        let width = self.plan.spec().input;
        let one = prg(seed).lanes(width, self.x.len());
        let two = self.x.iter().zip(&one).map(|(&x, &s)| width.wrap(width.from_signed(x).wrapping_sub(s)));
        let two = two.collect();
        [one, two]
    }

    /// The shares of both parties.
    fn run(&self, keys: &[HeKeys; 2], owner: Party, threads: usize, seed: u128) -> [Vec<u64>; 2] {
        self.run_with(keys, owner, OwnWeights::Plain(&self.checked()), threads, seed)
    }

    fn checked(&self) -> CheckedWeights {
        CheckedWeights::new(&self.plan, &self.weights, Some(&self.bias), 2).expect("they fit")
    }

    fn run_with(
        &self,
        keys: &[HeKeys; 2],
        owner: Party,
        weights: OwnWeights<'_>,
        threads: usize,
        seed: u128,
    ) -> [Vec<u64>; 2] {
        self.run_on(keys, owner, weights, [threads; 2], seed)
    }

    /// With so many threads at the server and at the client.
    fn run_on(
        &self,
        keys: &[HeKeys; 2],
        owner: Party,
        weights: OwnWeights<'_>,
        threads: [usize; 2],
        seed: u128,
    ) -> [Vec<u64>; 2] {
        let weights = Party::BOTH.map(|p| (p == owner).then_some(weights));
        let shares = self.shares(seed);
        let run = |party: Party| {
            let i = party.index();
            let (keys, plan, weights, x) = (&keys[i], &self.plan, weights[i], &shares[i]);
            move |io| {
                linear_private(io, keys, plan, owner, weights, x, prg(seed + 10 + i as u128), threads[i])
            }
        };
        let (server, client, cost) = run_machines(run(Party::Server), run(Party::Client));
        assert_eq!(cost, linear_private_cost(&self.plan, owner));
        [server, client]
    }

    /// How far each output is from the nearest integer.
    fn errors(&self, shares: &[Vec<u64>; 2]) -> Vec<i64> {
        self.distances(shares, 1 << self.plan.spec().shift >> 1)
    }

    /// How far the results are from `floor((sum + up) / 2^shift)`.
    fn distances(&self, shares: &[Vec<u64>; 2], up: i64) -> Vec<i64> {
        let out = self.plan.spec().output();
        let sums = shares[0].iter().zip(&shares[1]).map(|(&a, &b)| a.wrapping_add(b));
        let expected = self.expected();
        let shift = self.plan.spec().shift;
        assert!(shares.iter().flatten().all(|&v| v == out.wrap(v)), "shares are reduced");
        sums.zip(expected)
            .map(|(y, e)| out.signed(out.wrap(y.wrapping_sub(((e + up) >> shift) as u64))))
            .collect()
    }
}

fn square(channels: [usize; 2], side: usize, kernel: usize, padding: usize) -> ConvSpec {
    ConvSpec {
        batch: 1,
        in_channels: channels[0],
        input: [side; 2],
        out_channels: channels[1],
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [padding; 4],
        dilation: [1; 2],
        groups: 1,
    }
}

fn convs() -> impl Strategy<Value = ConvSpec> {
    let sizes = ([1_usize..=4, 1..=4], [1_usize..=3, 1..=3], [1_usize..=2, 1..=2], [1_usize..=9, 1..=9]);
    ([1_usize..=2, 1..=3, 1..=3, 1..=3], sizes, [0_usize..=2, 0..=2, 0..=2, 0..=2]).prop_map(
        |([batch, groups, cg, mg], (kernel, stride, dilation, extra), padding)| ConvSpec {
            batch,
            in_channels: groups * cg,
            input: core::array::from_fn(|d| dilation[d] * (kernel[d] - 1) + extra[d]),
            out_channels: groups * mg,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn convolutions_of_every_shape(conv in convs(), by_client: bool, widths in 0_usize..4, seed: u64) {
        let keys = keys();
        let owner = if by_client { Party::Client } else { Party::Server };
        let (input, shift) = [(37, 12), (32, 8), (41, 12), (64, 12)][widths];
        let case = Case::new(LinearKind::Conv(conv), input, shift, 10, 14, u128::from(seed));
        let errors = case.errors(&case.run(&keys, owner, 1, u128::from(seed)));
        prop_assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
    }

    #[test]
    fn exact_layers_have_no_error(conv in convs(), input in 26_u32..=44, seed: u64) {
        let case = Case::new(LinearKind::Conv(conv), input, 0, 8, 10, u128::from(seed));
        let errors = case.errors(&case.run(&keys(), Party::Server, 1, u128::from(seed)));
        prop_assert!(errors.iter().all(|&e| e == 0), "{errors:?}");
    }

    #[test]
    fn products_of_every_shape(rows in 1_usize..40, inner in 1_usize..60, cols in 1_usize..70, seed: u64) {
        let kind = LinearKind::MatMul(MatMulSpec { rows, inner, cols });
        let case = Case::new(kind, 37, 12, 10, 14, u128::from(seed));
        let errors = case.errors(&case.run(&keys(), Party::Server, 2, u128::from(seed)));
        prop_assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
    }
}

/// The ring wraps as the plaintext ring does: sums of either sign to the edge of the promise.
#[test]
fn sums_at_the_edge_of_the_promise() {
    let keys = keys();
    let kind = LinearKind::MatMul(MatMulSpec { rows: 2, inner: 1, cols: 4 });
    let mut case = Case::new(kind, 37, 12, 12, 14, 5);
    let most = (1_i64 << 36) - 3 * (1 << 12);
    case.weights = vec![1, -1].into();
    case.bias = vec![0, 0].into();
    case.x = vec![most, -most, most - 1, 0];
    for seed in 0..20 {
        let errors = case.errors(&case.run(&keys, Party::Client, 1, 50 * seed));
        assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
    }
}

/// Layers whose polynomials would take too much memory at once travel in pieces, up and down at the same time.
#[test]
fn pieces_follow_one_another() {
    let conv = ConvSpec { batch: 5, ..square([3, 5], 40, 3, 1) };
    let mut case = Case::new(LinearKind::Conv(conv), 37, 12, 10, 14, 5);
    let tiles = case.plan.geometry().tiles.len();
    assert!(tiles >= 5);
    for piece in [1, 2, tiles] {
        case.plan = case.plan.with_piece(piece);
        assert_eq!(linear_private_cost(&case.plan, Party::Server).half_rounds(), tiles.div_ceil(piece) + 1);
        let errors = case.errors(&case.run(&keys(), Party::Server, 1, 3));
        assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
    }
}

#[test]
fn threads_change_nothing() {
    let case = Case::new(LinearKind::Conv(square([10, 9], 12, 3, 1)), 37, 12, 10, 14, 5);
    let one = case.run(&keys(), Party::Server, 1, 3);
    assert_eq!(one, case.run(&keys(), Party::Server, 3, 3));
    assert_eq!(one, case.run(&keys(), Party::Server, 64, 3));
}

/// Parties with other numbers of threads agree about pieces, and about the parts of the last answer.
#[test]
fn answers_in_parts() {
    let grouped = ConvSpec { groups: 2, ..square([4, 120], 90, 3, 1) };
    for pieces in [1, 2] {
        let mut case = Case::new(LinearKind::Conv(grouped), 37, 12, 10, 14, 5);
        let tiles = case.plan.geometry().tiles.len();
        assert!(tiles > 1);
        case.plan = case.plan.with_piece(tiles.div_ceil(pieces));
        let all = case.plan.chunks().len();
        let last = case.plan.pieces() - 1;
        assert!(last + 1 == pieces && case.plan.part(last) < all);
        assert!(last == 0 || case.plan.part(0) == all);
        let one = case.run(&keys(), Party::Server, 1, 3);
        for threads in [[1, 8], [5, 3]] {
            assert!(
                one == case.run_on(&keys(), Party::Server, OwnWeights::Plain(&case.checked()), threads, 3)
            );
        }
        let errors = case.errors(&one);
        assert!(errors.iter().all(|e| (-1..=1).contains(e)));
    }
}

/// A thin link costs bytes more and gets fewer of them, and a plan costs what it says on either.
#[test]
fn tiles_depend_on_the_link() {
    let kind = LinearKind::Conv(square([256, 64], 7, 1, 0));
    let bytes = |megabits: u64| {
        let mut case = Case::new(kind, 37, 12, 8, 12, 5);
        let link = Link::new(1_000_000 * megabits, core::time::Duration::ZERO);
        case.plan = LinearPlan::new(case.plan.spec(), link).expect("a plan");
        let errors = case.errors(&case.run(&keys(), Party::Server, 1, 3));
        assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
        let cost = linear_private_cost(&case.plan, Party::Server);
        Party::BOTH.iter().map(|&p| cost.bytes(p)).sum::<usize>()
    };
    let (thin, ordinary, thick) = (bytes(10), bytes(1000), bytes(1_000_000));
    assert!(thin <= ordinary && ordinary <= thick && thin < thick, "{thin} {ordinary} {thick}");
}

/// A result of more than 29 bits that rounds: each run has a key of its own, which goes ahead of its ciphertexts.
#[test]
fn wide_results_have_one_time_keys() {
    let keys = keys();
    let case = |shift| {
        let kind = LinearKind::Conv(square([2, 3], 9, 3, 1));
        Case::new(kind, 44, shift, 10, 14, 5)
    };
    for (shift, one_time) in [(12, true), (15, false), (0, false)] {
        let case = case(shift);
        assert_eq!(case.plan.one_time_key(), one_time);
        let key = if one_time { crate::he::encrypt::public_len(case.plan.precision().set) } else { 0 };
        let cost = linear_private_cost(&case.plan, Party::Server);
        assert_eq!(cost.bytes(Party::Client), key + case.plan.upload_len(0));
        let errors = case.errors(&case.run(&keys, Party::Server, 1, 3));
        assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
    }
    // What one run encrypts, neither the session's key nor that of another run opens.
    let set = case(12).plan.precision().set;
    let ring = set.ring();
    let n = set.degree();
    let (one, public) = keys[1].one_time(set, 0, &mut prg(1));
    let (other, _) = keys[1].one_time(set, 5, &mut prg(2));
    let decrypts = |key: &crate::he::encrypt::SecretKey| {
        let mut b = vec![0; set.limbs() * n];
        one.encrypt(&mut b, &mut poly(&keys[1], set), &mut prg(3), &mut Scratch::new(set));
        let mut product = poly(&keys[1], set);
        key.multiply(&mut product);
        ring.inverse(&mut product);
        ring.combine(&mut b, &product, crate::arch::residues::add_assign);
        (0..n).all(|j| (ring.lift(|i| b[i * n + j]) as i128).unsigned_abs() <= 21)
    };
    fn poly(keys: &HeKeys, set: crate::he::ring::RingSet) -> Vec<u32> {
        let mut a = vec![0; set.limbs() * set.degree()];
        keys.public_poly(Party::Client, set, 0, &mut a);
        a
    }
    assert!(decrypts(&one));
    assert!(!decrypts(&other) && !decrypts(keys[1].secret(set)));
    assert!(keys[0].peers_one_time(set, 0, &public).is_ok());
}

#[test]
fn large_weights_are_refused_with_what_to_lower() {
    let kind = LinearKind::MatMul(MatMulSpec { rows: 4, inner: 512, cols: 4 });
    let refuse = |input, shift, weight: i64| {
        let spec = LinearSpec { kind, input: Width::new(input), shift, weight_bits: 40 };
        let plan = LinearPlan::new(&spec, Link::default()).expect("a plan");
        CheckedWeights::new(&plan, &vec![weight; spec.weights_len()].into(), None, 1).map(|w| *w.report())
    };
    let report = refuse(37, 12, 1 << 9).expect("ordinary weights fit");
    assert!(report.bound < report.step - 2.0);
    for (input, shift, weight) in [(41, 12, 1 << 14), (44, 0, 1 << 20)] {
        let error = refuse(input, shift, weight).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("lower the ring of the input"), "{error}");
    }
    // Where no weights at all would fit, there is no plan, and the layer runs on oblivious transfers.
    let spec = LinearSpec { kind, input: Width::new(45), shift: 0, weight_bits: 2 };
    let error = LinearPlan::new(&spec, Link::default()).map(drop).expect_err("too wide");
    assert!(error.to_string().contains("at most 44 bits"), "{error}");
}

/// Transformed ahead or when they are needed, whole or from short transforms, weights give the same messages.
#[test]
fn when_weights_are_transformed_changes_nothing() {
    let strided = ConvSpec { stride: [2; 2], ..square([3, 30], 40, 5, 2) };
    let grouped = ConvSpec { groups: 2, ..square([4, 60], 45, 3, 1) };
    for kind in [
        LinearKind::Conv(square([2, 26], 50, 3, 1)),
        LinearKind::Conv(square([5, 50], 24, 3, 1)),
        LinearKind::Conv(strided),
        LinearKind::Conv(grouped),
        LinearKind::Conv(square([70, 70], 7, 3, 1)),
        LinearKind::Conv(square([70, 9], 14, 1, 0)),
        LinearKind::MatMul(MatMulSpec { rows: 4, inner: 512, cols: 4 }),
    ] {
        let mut case = Case::new(kind, 37, 12, 10, 14, 5);
        let one = PreparedWeights::bytes_of(&case.plan) / case.plan.chunks().len();
        // None, the first chunk or two, and all of them ahead; and messages of one tile.
        for (ahead, piece) in [(0, None), (one * 2, None), (usize::MAX, None), (0, Some(1))] {
            case.plan = case.plan.with_ahead(ahead);
            if let Some(tiles) = piece {
                case.plan = case.plan.with_piece(tiles);
            }
            let prepared = case.prepared(2);
            assert_eq!(PreparedWeights::bytes_of(&case.plan), prepared.bytes());
            let ahead = case.run_with(&keys(), Party::Server, OwnWeights::Prepared(&prepared), 1, 3);
            assert!(ahead == case.run(&keys(), Party::Server, 3, 3));
            let errors = case.errors(&ahead);
            assert!(errors.iter().all(|e| (-1..=1).contains(e)), "{errors:?}");
        }
    }
}

#[test]
fn malformed_ciphertexts_are_the_peers_fault() {
    let [server, _] = keys();
    let case = Case::new(LinearKind::Conv(square([2, 2], 5, 3, 1)), 37, 12, 10, 14, 5);
    let share = vec![0; case.x.len()];
    let message = vec![0xFF; case.plan.upload_len(0)];
    let weights = case.checked();
    let weights = Some(OwnWeights::Plain(&weights));
    let result = run_against(vec![message], |io| {
        linear_private(io, &server, &case.plan, Party::Server, weights, &share, prg(1), 1)
    });
    assert_eq!(result.expect_err("not reduced").kind(), ErrorKind::Peer);
    let bad_key = vec![0xFF; he_setup_cost().bytes(Party::Client)];
    let result = run_against(vec![bad_key], |io| async move {
        he_setup(io, Party::Server, SessionId::new([1; 32]), &mut prg(1)).await
    });
    assert_eq!(result.expect_err("not reduced").kind(), ErrorKind::Peer);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let [server, _] = keys();
    let case = Case::new(LinearKind::Conv(square([2, 2], 5, 3, 1)), 37, 12, 10, 14, 5);
    let result = run_against(Vec::new(), |io| {
        linear_private(io, &server, &case.plan, Party::Server, None, &[0; 50], prg(1), 1)
    });
    assert_eq!(result.expect_err("no weights").kind(), ErrorKind::Usage);
    let check = |weights: &Values, bias: Option<&Values>| CheckedWeights::new(&case.plan, weights, bias, 1);
    for (weights, bias) in
        [(vec![1; 3], vec![0; 2]), (vec![1; 36], vec![0; 3]), (vec![1 << 10; 36], vec![0; 2])]
    {
        let error =
            check(&weights.into(), Some(&bias.into())).expect_err("another shape, or beyond the bound");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    // The bounds of their errors hold for the plan they were checked against: its widths, and its tiles.
    let weights = check(&case.weights, None).expect("they fit");
    let wider = LinearSpec { input: Width::new(41), ..*case.plan.spec() };
    for (spec, link) in
        [(wider, Link::default()), (*case.plan.spec(), Link::new(1_000_000, core::time::Duration::ZERO))]
    {
        let plan = LinearPlan::new(&spec, link).expect("a plan");
        let result = run_against(Vec::new(), |io| {
            let weights = Some(OwnWeights::Plain(&weights));
            linear_private(io, &server, &plan, Party::Server, weights, &[0; 50], prg(1), 1)
        });
        assert_eq!(result.expect_err("another plan").kind(), ErrorKind::Usage);
    }
}
