//! What may hold a secret does not print it.

use ezpc_core::crypto::{Block, Prg};
use ezpc_core::ot::ideal;
use ezpc_core::protocol::{Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Protocol, TwoParty};
use ezpc_core::ring::{BitPlanes, BitVec, RingVec, Width};
use ezpc_core::secret::Secret;
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Result};
use ezpc_ml::csv::{Normalisation, Table};
use ezpc_ml::npy::{Array, Elements};
use ezpc_tests::sources;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// A planted number whose digits turn up nowhere by chance.
const SECRET: u64 = 7_654_321_987;

fn assert_hides(name: &str, value: &dyn Debug) {
    let traces = [SECRET.to_string(), format!("{SECRET:x}"), format!("{SECRET:X}"), format!("{SECRET:b}")];
    for text in [format!("{value:?}"), format!("{value:#?}"), format!("{value:x?}")] {
        for trace in &traces {
            assert!(!text.contains(&trace[..8]), "{name} prints {text}");
        }
    }
}

#[test]
fn what_may_hold_a_secret_does_not_print_it() -> Result<()> {
    let lanes = RingVec::new(Width::W64, vec![SECRET; 3]);
    let planes = BitPlanes::from_lanes(64, &[SECRET; 3]);
    let block = Block::new(u128::from(SECRET));
    let bits = BitVec::from_fn(64, |i| SECRET >> i & 1 == 1);
    let (send, receive) = ideal::deal(128, &mut Prg::from_seed(block));
    run_two(|p| {
        let own = |p: &TwoParty| p.party() == Some(Party::Server);
        // The client's share is no secret of the test; the server's input is.
        let x = p.input(Party::Server, Width::W64, 3, own(p).then_some(&lanes))?;
        let y = p.input_bool(Party::Server, Width::W64, 3, own(p).then_some(&planes))?;
        assert_hides("a share vector", &x);
        assert_hides("a share of bits", &y);
        assert!(format!("{x:?}{y:?}").len() < 300, "{x:?} {y:?}");
        Ok(())
    })?;
    assert_hides("RingVec", &lanes);
    assert_hides("BitPlanes", &planes);
    assert_hides("BitVec", &bits);
    assert_hides("Block", &block);
    assert_hides("Prg", &Prg::from_seed(block));
    assert_hides("Secret", &Secret::new(SECRET));
    for (name, text) in [("SenderCots", format!("{send:?}")), ("ReceiverCots", format!("{receive:?}"))] {
        assert!(text.len() < 80, "{name} prints {text}");
    }
    let weight = i64::try_from(SECRET).expect("it fits");
    let kind = LinearKind::MatMul(MatMulSpec { rows: 1, inner: 2, cols: 1 });
    let operand =
        || Operand::<RingVec>::Private { owner: Party::Server, values: Some(vec![weight; 2].into()) };
    assert_hides("Operand", &operand());
    let spec = LinearSpec { kind, input: Width::W64, shift: 0, weight_bits: 40 };
    assert_hides("Linear", &Linear::new(spec, operand(), None)?.weights);
    for data in [Elements::Float64(vec![SECRET as f64]), Elements::Int64(vec![weight])] {
        assert_hides("Elements", &data);
        assert_hides("Array", &Array { shape: vec![1], data });
    }
    assert_hides("Table", &Table { columns: vec!["a".into()], values: vec![SECRET as f64] });
    let rules = Normalisation::parse(format!("a,{SECRET},{SECRET}\n").as_bytes())?;
    assert_hides("Normalisation", &rules);
    Ok(())
}

/// Types that hold secrets say themselves what they print: a derived `Debug` prints everything.
#[test]
fn no_secret_type_derives_debug() {
    let secret = [
        "Secret",
        "Block",
        "Prg",
        "Aes",
        "FixedKey",
        "Mmo",
        "RingVec",
        "BitVec",
        "BitPlanes",
        "Shared",
        "SenderCots",
        "ReceiverCots",
        "CotPool",
        "Stock",
        "HeKeys",
        "SecretKey",
        "PreparedWeights",
        "Operand",
        "Linear",
        "TwoParty",
        "Blocks",
        "Tiles",
        "Identity",
        "Weights",
        "Data",
        "Elements",
        "Table",
        "Normalisation",
        "Op",
    ];
    let mut seen = BTreeSet::new();
    for source in sources("ezpc-core/src").iter().chain(&sources("ezpc-ml/src")) {
        let mut derived = false;
        for line in source.code.lines().map(str::trim) {
            if line.starts_with("#[derive(") {
                derived = line.contains("Debug");
            }
            // Whatever its visibility: `pub`, `pub(super)`, `pub(in a::b)`.
            let item = line.strip_prefix("pub").map_or(line, |rest| {
                let rest = rest
                    .strip_prefix('(')
                    .and_then(|rest| rest.split_once(')'))
                    .map_or(rest, |(_, rest)| rest);
                rest.trim_start()
            });
            if let Some(item) = item.strip_prefix("struct ").or_else(|| item.strip_prefix("enum ")) {
                let name: String = item.chars().take_while(|c| c.is_alphanumeric()).collect();
                // An operation of a protocol holds shares, which do not print.
                let operation = source.path.ends_with("protocol/op.rs");
                if secret.contains(&&*name) && !operation {
                    assert!(!derived, "{} derives Debug in {}", name, source.path.display());
                    seen.insert(name);
                }
                derived = false;
            }
        }
    }
    // A type that was renamed would escape.
    let missing: Vec<_> = secret.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not there: what are they called now?");
}
