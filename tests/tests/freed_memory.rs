//! Memory that was freed holds no secret: an allocator looks for planted ones in every block that is given back.

use core::mem::ManuallyDrop;
use ezpc_core::crypto::{Block, Prg, SessionId};
use ezpc_core::he::{HeKeys, he_setup};
use ezpc_core::ops::linear::{CheckedWeights, LinearPlan, OwnWeights, PreparedWeights, linear_private};
use ezpc_core::ot::{CotEngine, CotPool, ReceiverOts, SenderOts};
use ezpc_core::protocol::{
    Config, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, Reveal, Signedness, Trunc,
    TwoParty,
};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::secret::{Secret, Values};
use ezpc_core::testing::run_machines;
use ezpc_core::transport::cost::Ots;
use ezpc_core::transport::machine::Io;
use ezpc_core::transport::{Link, memory};
use ezpc_core::{Party, Result};
use ezpc_tests::arch::memory::Watched;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// What is looked for beside [`KEYS`]: a number in the inputs, and seeds. No code has them otherwise.
const INPUT: u64 = 0xd1ce_5a17_ab1e_0ddb;
const SEEDS: [u128; 2] =
    [0x5eed_0000_1111_2222_3333_4444_5555_6666, 0x5eed_7777_8888_9999_aaaa_bbbb_cccc_dddd];

static LOOKING: AtomicBool = AtomicBool::new(false);
static INPUTS: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// Sixteen bytes of each seed, and of each key that comes from them: correlations Δ, secret keys of the encryption.
static KEYS: Mutex<Vec<[u8; 16]>> = Mutex::new(Vec::new());
static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Watched = Watched { taken: |_| (), freed: look };

fn look(block: &[u8]) {
    if !LOOKING.load(Ordering::Relaxed) {
        return;
    }
    let input = block.windows(8).filter(|bytes| *bytes == INPUT.to_le_bytes()).count();
    let wanted = KEYS.lock().expect("no panic");
    let mut starts = [false; 256];
    wanted.iter().for_each(|key| starts[usize::from(key[0])] = true);
    // One bit a key: nothing may be allocated here.
    let found =
        block.windows(16).filter(|bytes| starts[usize::from(bytes[0])]).fold(0_u64, |found, bytes| {
            wanted.iter().zip(0..).fold(found, |found, (key, i)| found | u64::from(bytes == key) << i)
        });
    let keys = found.count_ones() as usize;
    if input + keys > 0 {
        INPUTS.fetch_add(input, Ordering::Relaxed);
        FOUND.fetch_add(keys, Ordering::Relaxed);
        LARGEST.fetch_max(block.len(), Ordering::Relaxed);
    }
}

/// Looks for this, too.
fn plant(key: [u8; 16]) {
    let mut keys = KEYS.lock().expect("no panic");
    keys.push(key);
    assert!(keys.len() <= 64, "a bit a key");
}

/// How many inputs, and how many blocks with a key, lie in what `act` frees.
fn freed(act: impl FnOnce()) -> [usize; 2] {
    INPUTS.store(0, Ordering::Relaxed);
    FOUND.store(0, Ordering::Relaxed);
    LOOKING.store(true, Ordering::Relaxed);
    act();
    LOOKING.store(false, Ordering::Relaxed);
    [INPUTS.load(Ordering::Relaxed), FOUND.load(Ordering::Relaxed)]
}

fn largest() -> usize {
    LARGEST.load(Ordering::Relaxed)
}

const LEN: usize = 300;

/// Every kind of operation, on inputs that are all the planted number; what is opened is a decision.
fn program(p: &mut TwoParty) -> Result<()> {
    let own = |p: &TwoParty, party| p.party() == Some(party);
    let w = Width::W64;
    let values = RingVec::new(w, vec![INPUT; LEN]);
    let x = p.input(Party::Server, w, LEN, own(p, Party::Server).then_some(&values))?;
    let y = p.input(Party::Client, w, LEN, own(p, Party::Client).then_some(&values))?;
    let planes = BitPlanes::from_lanes(64, &[INPUT; LEN]);
    let z = p.input_bool(Party::Client, w, LEN, own(p, Party::Client).then_some(&planes))?;
    let product = p.mul(&x, &y)?;
    let less = p.less_than(&x, &y, Signedness::Unsigned)?;
    let chosen = p.mux(&less, &product, &y)?;
    let small = p.trunc(&chosen, 5, Trunc::Floor)?;
    let relu = p.relu(&small, w)?;
    let bits = p.a2b(&relu)?;
    let both = p.and(&bits, &z)?;
    let back = p.b2a(&both)?;
    let narrow = p.reduce(&back, Width::W32);
    let kind = LinearKind::MatMul(MatMulSpec { rows: 4, inner: 100, cols: 3 });
    let spec = LinearSpec { kind, input: Width::W32, shift: 12, weight_bits: 8 };
    let weights = own(p, Party::Server).then(|| (0..400).map(|i| i % 200 - 100).collect());
    let layer = Linear::new(spec, Operand::Private { owner: Party::Server, values: weights }, None)?;
    let answers = p.linear(&layer, &narrow)?;
    let signs = p.msb(&answers)?;
    p.reveal_bool(&signs, Reveal::Both)?;
    Ok(())
}

fn both_parties() {
    let (server, client) = memory::pair();
    let run = |transport, party: Party| {
        let rng = Prg::from_seed(Block::new(SEEDS[party.index()]));
        let mut p = TwoParty::connect_seeded(transport, party, &Config::program("freed"), rng)?;
        program(&mut p)?;
        p.close()
    };
    thread::scope(|scope| {
        let client = scope.spawn(move || run(client, Party::Client));
        run(server, Party::Server).expect("an honest run");
        client.join().expect("no panic").expect("an honest run");
    });
}

fn seeded(party: Party) -> Prg {
    Prg::from_seed(Block::new(SEEDS[party.index()]))
}

/// A party's pool, and the OTs that it had made first.
type Transfers = (CotPool, (SenderOts, ReceiverOts));

/// Both parties' silent OTs: many COTs from the server, many quads from the client.
fn transfers(engine: CotEngine) -> [Transfers; 2] {
    async fn run(io: Io, party: Party, engine: CotEngine) -> Result<Transfers> {
        let session = SessionId::new([5; 32]);
        let mut pool = CotPool::setup(&io, party, &mut seeded(party), &session, engine).await?;
        pool.refill(&io, Ots { cots: [150_000, 1000], quads: [1000, 150_000] }).await?;
        let taken = pool.take(Ots { cots: [140_000, 900], quads: [900, 140_000] });
        Ok((pool, taken))
    }
    let (server, client, _) =
        run_machines(|io| run(io, Party::Server, engine), |io| run(io, Party::Client, engine));
    [server, client]
}

/// Both parties' keys, which have served one layer.
fn encryption() -> [HeKeys; 2] {
    async fn run(io: Io, party: Party) -> Result<HeKeys> {
        let mut rng = seeded(party);
        let keys = he_setup(io.clone(), party, SessionId::new([6; 32]), &mut rng).await?;
        let kind = LinearKind::MatMul(MatMulSpec { rows: 4, inner: 16, cols: 1 });
        for (shift, ahead) in [(12, true), (12, false), (0, true)] {
            let spec = LinearSpec { kind, input: Width::W32, shift, weight_bits: 8 };
            let plan = LinearPlan::new(&spec, Link::default())?;
            let checked = CheckedWeights::new(&plan, &(0..64).map(|i| i - 30).collect(), None, 1)?;
            let prepared = PreparedWeights::new(&plan, &checked, 1);
            let own = (party == Party::Server).then_some(match ahead {
                true => OwnWeights::Prepared(&prepared),
                false => OwnWeights::Plain(&checked),
            });
            let (x, rng) = (rng.ring_vec(Width::W32, 16), seeded(party));
            linear_private(io.clone(), &keys, &plan, Party::Server, own, x.lanes(), rng, 1).await?;
        }
        Ok(keys)
    }
    let (server, client, _) = run_machines(|io| run(io, Party::Server), |io| run(io, Party::Client));
    [server, client]
}

/// One test: the allocator is one.
#[test]
fn freed_memory_holds_no_secrets() {
    SEEDS.iter().for_each(|seed| plant(seed.to_le_bytes()));
    // What is not wiped is found: a plain vector, and one that grew and left its old place behind.
    assert_eq!(freed(|| drop(core::hint::black_box(vec![INPUT; 4]))), [4, 0]);
    let grown = freed(|| {
        let mut all = core::hint::black_box(vec![SEEDS[0]; 4]);
        all.shrink_to_fit();
        all.extend([0; 100]);
        core::mem::forget(core::hint::black_box(all));
    });
    assert_eq!(grown, [0, 1]);
    assert_eq!(freed(|| drop(core::hint::black_box(Box::new(Secret::new(INPUT))))), [0, 0]);
    // As many values as nobody knows beforehand.
    let some = || (0..100).filter(|&i| core::hint::black_box(i) < 90).map(|_| INPUT.cast_signed());
    let grown = freed(|| drop(core::hint::black_box(some().collect::<Vec<i64>>())));
    assert!(grown[0] >= 90, "{grown:?}");
    assert_eq!(freed(|| drop(core::hint::black_box(some().collect::<Values>()))), [0, 0]);
    let found = freed(both_parties);
    assert_eq!(found, [0, 0], "inputs and seeds in blocks of up to {} bytes", largest());

    // A party's Δ is the first that its generator yields; a pool that is freed and not dropped shows it.
    for party in Party::BOTH {
        plant(Block::random_delta(&mut seeded(party)).bits().to_le_bytes());
    }
    for engine in [CotEngine::SoftSpoken, CotEngine::Ferret] {
        for (party, (pool, (send, receive))) in Party::BOTH.into_iter().zip(transfers(engine)) {
            // Of each kind an OT that is handed out, by SoftSpoken one of those that are Ferret's first base: of its secret, of
            // trees, of the noise of quads. What its second round starts from is in nobody's hands.
            let many = party.index();
            for place in [5, 50_000, 60_000] {
                plant(send.keys()[many][place].to_bytes());
                plant(receive.macs()[1 - many][place].to_bytes());
                pool.bases().iter().for_each(|base| plant(base[place.min(base.len() - 1)].to_bytes()));
            }
            let pool = Box::new(ManuallyDrop::new(pool));
            assert_eq!(freed(|| drop(core::hint::black_box(pool))), [0, 1], "the {party}'s pool has its Δ");
        }
        // Now with the machines that make and use it: the whole run.
        let found = freed(|| drop(core::hint::black_box(transfers(engine))));
        assert_eq!(found, [0, 0], "Δ and seeds in blocks of up to {} bytes", largest());
    }
    // Keys of the encryption are the same in the next run with the same seeds; a copy that is not wiped is found.
    for keys in encryption() {
        for words in keys.secret_words() {
            let bytes: Vec<u8> = words[64..68].iter().flat_map(|word| word.to_ne_bytes()).collect();
            plant(bytes.try_into().expect("four words"));
            let copy = words.to_vec();
            assert_eq!(freed(|| drop(core::hint::black_box(copy))), [0, 1]);
        }
    }
    // What the first answer and the first ciphertext of a layer are made of.
    for (party, what) in [(Party::Server, "he answer"), (Party::Client, "he encryption")] {
        plant(seeded(party).fork_seed(what).to_bytes());
    }
    let found = freed(|| drop(core::hint::black_box(encryption())));
    assert_eq!(found, [0, 0], "keys and seeds in blocks of up to {} bytes", largest());
}
