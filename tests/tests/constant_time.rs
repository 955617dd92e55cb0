//! No branch and no address depends on a secret, as valgrind's memcheck sees it: secrets are marked undefined, and what
//! jumps or indexes on an undefined value is an error. Messages are declared defined when they leave: they are public.
//!
//! ```sh
//! cargo test --release -p ezpc-tests --test constant_time -- --ignored --nocapture
//! ```
//!
//! Release, because overflow checks of other builds branch on values. The technique is Langley's ctgrind. memcheck knows
//! nothing of AVX-512, so it is the AVX2 and AES-NI kernels that are seen, and the portable ones under
//! `RUSTFLAGS="--cfg ezpc_portable"`.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(clippy::print_stdout, reason = "the result is a table")]

use core::cell::RefCell;
use ezpc_core::crypto::{Block, Prg, SessionId};
use ezpc_core::he::{HeKeys, he_setup};
use ezpc_core::ops::compare::{Method, less_than, less_than_cost, msb, msb_cost};
use ezpc_core::ops::linear::{CheckedWeights, LinearPlan, OwnWeights, linear_private};
use ezpc_core::ops::{Ctx, and, convert, equal, extend, lut, maximum, mul, mux, relu, trunc};
use ezpc_core::ot::{CotEngine, CotPool, ideal};
use ezpc_core::protocol::{LinearKind, LinearSpec, MatMulSpec, Signedness, Trunc};
use ezpc_core::ring::{BitPlanes, BitVec, RingVec, Width};
use ezpc_core::secret::Values;
use ezpc_core::transport::Link;
use ezpc_core::transport::cost::Cost;
use ezpc_core::transport::cost::Ots;
use ezpc_core::transport::machine::{Io, Machine, Step};
use ezpc_core::{Party, Result};
use ezpc_tests::arch::valgrind::{COUNT_ERRORS, MAKE_DEFINED, MAKE_UNDEFINED, RUNNING_ON_VALGRIND, request};
use std::process::Command;

/// Exclusive references: the compiler must not remember what it knew of the content.
fn hide<T>(secret: &mut [T]) {
    request(MAKE_UNDEFINED, secret.as_mut_ptr().cast(), size_of_val(secret));
}

/// What others refer to, too, and the compiler therefore reads again.
fn hide_shared<T>(secret: &[T]) {
    request(MAKE_UNDEFINED, core::hint::black_box(secret).as_ptr().cast(), size_of_val(secret));
}

fn publish<T>(public: &mut [T]) {
    request(MAKE_DEFINED, public.as_mut_ptr().cast(), size_of_val(public));
}

fn errors() -> usize {
    request(COUNT_ERRORS, core::ptr::null(), 0)
}

/// A generator whose seed, and so everything it yields, is secret.
fn secret_rng(seed: u128) -> Prg {
    let mut bytes = seed.to_le_bytes();
    hide(&mut bytes);
    Prg::from_seed(Block::from_bytes(bytes))
}

fn secret_vec(width: Width, len: usize, seed: u128) -> RingVec {
    secret_rng(seed).ring_vec(width, len)
}

fn secret_bits(len: usize, seed: u128) -> BitVec {
    secret_rng(seed).bits(len)
}

/// Runs the machines of both parties against each other; messages become public on their way.
fn run<T>(protocol: impl AsyncFn(Io, Party) -> Result<T>) -> [T; 2] {
    let results: [RefCell<Option<T>>; 2] = Default::default();
    let mut machines = Party::BOTH.map(|party| {
        let (slot, protocol) = (&results[party.index()], &protocol);
        Machine::new(move |io| async move {
            *slot.borrow_mut() = Some(protocol(io, party).await?);
            Ok(())
        })
    });
    let mut inboxes = [Vec::new(), Vec::new()];
    loop {
        let mut outboxes = [Vec::new(), Vec::new()];
        let mut done = 0;
        for p in 0..2 {
            let step =
                machines[p].step(core::mem::take(&mut inboxes[p]), &mut outboxes[p]).expect("no error");
            done += usize::from(matches!(step, Step::Done));
            publish(&mut outboxes[p]);
        }
        if done == 2 {
            break;
        }
        let [to_client, to_server] = outboxes;
        inboxes = [to_server, to_client];
    }
    drop(machines);
    results.map(|slot| slot.into_inner().expect("finished"))
}

/// As [`run`] with the COTs of `cost`, all of them secret.
fn gadget<T>(cost: &Cost, protocol: impl AsyncFn(Ctx) -> Result<T>) {
    gadget_by(Method::Chain, cost, protocol);
}

/// As [`gadget`], comparing by `method`.
fn gadget_by<T>(method: Method, cost: &Cost, protocol: impl AsyncFn(Ctx) -> Result<T>) {
    let mut rng = secret_rng(99);
    let (a, b) = ideal::deal_ots(Party::Server, cost.ots(), &mut rng);
    let (c, d) = ideal::deal_ots(Party::Client, cost.ots(), &mut rng);
    let ots = [RefCell::new(Some((a, d))), RefCell::new(Some((c, b)))];
    run(async |io, party: Party| {
        let (send, recv) = ots[party.index()].borrow_mut().take().expect("once a party");
        let rng = secret_rng(7 + party.index() as u128);
        protocol(Ctx { io, party, send, recv, rng, method }).await
    });
}

const N: usize = 37;

fn transfers() {
    for (engine, counts) in [(CotEngine::SoftSpoken, [300, 5]), (CotEngine::Ferret, [200_000, 1000])] {
        let want = Ots { cots: counts, quads: counts };
        run(async |io, party| {
            let mut rng = secret_rng(1 + party.index() as u128);
            let session = SessionId::new([5; 32]);
            let mut pool = CotPool::setup(&io, party, &mut rng, &session, engine).await?;
            pool.refill(&io, want).await?;
            Ok(pool.take(want))
        });
    }
}

fn comparisons() {
    for bits in [1, 8, 20, 33, 64] {
        let w = Width::new(bits);
        let x = secret_vec(w, N, 3);
        for method in [Method::Chain, Method::NarrowChain, Method::Tree] {
            gadget_by(method, &msb_cost(method, w, N), async |cx| msb(cx, &x).await);
        }
        let y = secret_vec(w, N, 4);
        let less = less_than_cost(Method::Chain, w, N);
        gadget(&less, async |cx| less_than(cx, &x, &y, Signedness::Signed).await);
        gadget(&equal::equal_cost(Method::Chain, w, N), async |cx| equal::equal(cx, &x, &y).await);
    }
}

fn selections() {
    let w = Width::new(20);
    let (c, x, y) = (secret_bits(N, 5), secret_vec(w, N, 3), secret_vec(w, N, 4));
    gadget(&mux::select_cost(w, N), async |cx| mux::select(cx, &c, &x).await);
    gadget(&mux::mux_cost(w, N), async |cx| mux::mux(cx, &c, &x, &y).await);
    gadget(&and::and_cost(N), async |cx| and::and(cx, &c, &secret_bits(N, 6)).await);
    gadget(&maximum::argmax_cost(Method::Chain, w, w, 6, 6), async |cx| {
        maximum::argmax(cx, &secret_vec(w, 6, 8), 6, w).await
    });
    // A tournament by a tree is one by a narrow chain.
    for method in [Method::Chain, Method::NarrowChain] {
        for drop in [0, 7] {
            gadget_by(method, &maximum::max_cost(method, w, drop, 6 * N, 6), async |cx| {
                maximum::max(cx, &secret_vec(w, 6 * N, 9), drop, 6).await
            });
        }
    }
}

fn tables() {
    let (index, w) = (Width::new(4), Width::new(13));
    let (table, at) = (RingVec::new(w, (0..16).collect()), secret_vec(index, N, 3));
    gadget(&lut::lookup_cost(index, w, N), async |cx| lut::lookup(cx, &table, &at).await);
    let array = secret_vec(w, 16, 4);
    gadget(&lut::read_cost(index, w, N), async |cx| lut::read(cx, &array, &at).await);
}

fn arithmetic() {
    let (w, wide) = (Width::new(20), Width::new(41));
    let (x, y) = (secret_vec(w, N, 3), secret_vec(w, N, 4));
    gadget(&mul::mul_cost(w, N), async |cx| mul::mul(cx, &x, &y).await);
    for method in [Method::Chain, Method::NarrowChain, Method::Tree] {
        let cost = relu::relu_cost(method, w, wide, N);
        gadget_by(method, &cost, async |cx| relu::relu(cx, &x, wide).await);
        let cost = relu::relu_coarse_cost(method, w, 7, wide, N);
        gadget_by(method, &cost, async |cx| relu::relu_coarse(cx, &x, 7, wide).await);
        let cost = relu::relu_trunc_cost(method, 12, wide, N);
        gadget_by(method, &cost, async |cx| relu::relu_trunc(cx, &x, 8, 12, wide).await);
    }
    for kind in [Trunc::Floor, Trunc::Near, Trunc::NearWide, Trunc::Local { bits: 8 }] {
        gadget(&trunc::trunc_cost(Method::Chain, w, 5, kind, N), async |cx| {
            trunc::trunc(cx, &x, 5, kind).await
        });
    }
    gadget(&extend::extend_cost(Method::Chain, w, wide, N), async |cx| {
        extend::extend(cx, &x, wide, Signedness::Signed).await
    });
    gadget(&convert::a2b_cost(w, N), async |cx| convert::a2b(cx, &x).await);
    let planes = BitPlanes::new((0..20).map(|i| secret_bits(N, i)).collect());
    gadget(&convert::b2a_cost(w, N), async |cx| convert::b2a(cx, &planes).await);
}

/// Key samplers, encryption, answers, decryption.
fn layers() {
    let session = SessionId::new([6; 32]);
    let keys: [HeKeys; 2] = run(async |io, party| {
        let mut rng = secret_rng(1 + party.index() as u128);
        he_setup(io, party, session, &mut rng).await
    });
    let kind = LinearKind::MatMul(MatMulSpec { rows: 8, inner: 16, cols: 1 });
    for shift in [12, 0] {
        let spec = LinearSpec { kind, input: Width::W32, shift, weight_bits: 8 };
        let plan = LinearPlan::new(&spec, Link::default()).expect("it fits");
        // The check of weights is allowed to tell whether they pass; their transform is not allowed to tell anything.
        let values: Values = (0..128).map(|i| i % 200 - 100).collect();
        let checked = CheckedWeights::new(&plan, &values, None, 1).expect("they fit");
        hide_shared(&values);
        let weights = OwnWeights::Plain(&checked);
        run(async |io, party: Party| {
            let x = secret_vec(Width::W32, 16, 3 + party.index() as u128);
            let own = (party == Party::Server).then_some(weights);
            let rng = secret_rng(9 + party.index() as u128);
            linear_private(io, &keys[party.index()], &plan, Party::Server, own, x.lanes(), rng, 1).await
        });
    }
}

/// Branches and indexes on a secret: what the check must find.
fn offences() {
    let mut secret = [3_u8];
    hide(&mut secret);
    if secret[0] == 3 {
        errors();
    }
    let table = core::hint::black_box([1_u8, 2, 3, 4]);
    core::hint::black_box(table[usize::from(secret[0] & 3)]);
}

#[test]
#[ignore = "runs under valgrind, in release"]
fn nothing_depends_on_secrets() {
    if request(RUNNING_ON_VALGRIND, core::ptr::null(), 0) == 0 {
        let own = std::env::current_exe().expect("a test has a path");
        let status = Command::new("valgrind")
            .args(["--error-limit=no", "--num-callers=24", "--quiet"])
            .arg(own)
            .args(["--ignored", "--exact", "nothing_depends_on_secrets", "--nocapture", "--test-threads=1"])
            .status()
            .expect("valgrind is installed");
        assert!(status.success());
        return;
    }
    if cfg!(debug_assertions) {
        panic!("overflow checks branch on values: add --release");
    }
    let before = errors();
    offences();
    assert!(errors() >= before + 2, "the check finds what it is for");
    let mut found = Vec::new();
    let parts: [(&str, fn()); 6] = [
        ("ot: base OTs, SoftSpoken, Ferret", transfers),
        ("compare: chain, narrow chain, tree, equality", comparisons),
        ("mux, and, maxima", selections),
        ("lut: tables, arrays", tables),
        ("mul, relu, trunc, extend, conversions", arithmetic),
        ("he: samplers, encryption, answers, decryption", layers),
    ];
    for (name, part) in parts {
        let before = errors();
        part();
        let count = errors() - before;
        println!("{name}: {count} errors");
        if count > 0 {
            found.push(name);
        }
    }
    assert!(found.is_empty(), "secrets decide in {found:?}");
}
