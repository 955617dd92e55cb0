//! The recipes against plain Rust: in the clear on many inputs, and between two processes at the predicted cost.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: numbers by chance are below the bound that they are drawn with"
)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "the examples are programs of their own")]

// The examples as modules; their `main` is not called here.
#[path = "../auction.rs"]
mod auction;
#[path = "../edit_distance.rs"]
mod edit_distance;
#[path = "common/example.rs"]
mod example;
#[path = "../factorise.rs"]
mod factorise;
#[path = "../forest.rs"]
mod forest;
#[path = "../histogram.rs"]
mod histogram;
#[path = "../nearest.rs"]
mod nearest;
#[path = "../set_size.rs"]
mod set_size;

use example::example;
use ezpc_core::Party;
use ezpc_core::protocol::Cleartext;
use ezpc_examples::cookbook::numbers;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;

/// Runs a recipe between two processes; what it says, after its cost was found to be the predicted one.
fn run(name: &str, args: &[&str]) -> Value {
    let output = example(name).args(args).arg("--json").output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(said["half_rounds"].as_u64() > Some(0), "{name} talks");
    assert_eq!(said["half_rounds"], said["predicted_half_rounds"], "{name}");
    assert_eq!(said["bytes"], said["predicted_bytes"], "{name}");
    said
}

#[test]
fn set_size() {
    use crate::set_size::{prepare, set_size};
    for (seed, sizes) in [(1, [1, 1]), (2, [8, 8]), (3, [5, 13]), (4, [32, 20]), (5, [0, 7])] {
        let set = |party: Party, len| -> Vec<u32> {
            let all: HashSet<u32> = numbers(seed + 10 * party.index() as u64, len, 40).into_iter().collect();
            all.into_iter().collect()
        };
        let [mine, yours] = Party::BOTH.map(|party| set(party, sizes[party.index()]));
        let expected = mine.iter().filter(|x| yours.contains(x)).count();
        let n = mine.len().max(yours.len()).next_power_of_two();
        let inputs = set_size::Inputs {
            n: Some(n as i32),
            mine: Some(prepare(mine, Party::Server, n)),
            yours: Some(prepare(yours, Party::Client, n)),
        };
        let out = set_size::main(&mut Cleartext::new(), &inputs).expect("runs");
        assert_eq!(out.common as usize, expected, "{sizes:?}");
    }
    let said = run("set_size", &["--server", "3,1,4,15,9", "--client", "9,2,6,5,3"]);
    assert_eq!(said["common"], 2);
}

#[test]
fn auction() {
    use crate::auction::auction;
    for (n, m) in [(1, 1), (2, 1), (3, 4), (5, 0), (0, 6), (8, 8)] {
        for below in [3, 1000] {
            let bids: Vec<u32> = numbers(n + 7 * m + below, (n + m) as usize, below);
            let (mine, yours) = bids.split_at(n as usize);
            let inputs = auction::Inputs {
                n: Some(n as i32),
                m: Some(m as i32),
                mine: Some(mine.to_vec()),
                yours: Some(yours.to_vec()),
            };
            let out = auction::main(&mut Cleartext::new(), &inputs).expect("runs");
            let mut order: Vec<usize> = (0..bids.len()).collect();
            order.sort_by_key(|&i| (std::cmp::Reverse(bids[i]), i));
            assert_eq!((out.winner as usize, out.beaten), (order[0], bids[order[1]]), "{bids:?}");
        }
    }
    let said = run("auction", &["--server", "7,9", "--client", "4,12,12"]);
    assert_eq!((&said["winner"], &said["price"]), (&json!(3), &json!(12)));
}

#[test]
fn forest() {
    use crate::forest::{Model, forest, inputs, read_model, read_samples};
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let samples = read_samples(&data.join("forest_samples.txt")).expect("the example's rows");
    let walk = |model: &Model, x: &[u16]| {
        let answer = |t: usize| {
            let nodes = model.feature[t].len();
            let mut at = 0;
            while at < nodes {
                let greater = x[usize::from(model.feature[t][at])] > model.threshold[t][at];
                at = 2 * at + 1 + usize::from(greater);
            }
            model.leaf[t][at - nodes]
        };
        (0..model.leaf.len()).map(answer).sum::<u32>() > 500 * model.leaf.len() as u32
    };
    for (at, file) in ["tree.txt", "forest.txt"].into_iter().enumerate() {
        let model = read_model(&data.join(file)).expect("the example's model");
        let x: Vec<Vec<u16>> = samples.iter().map(|row| row.1.clone()).collect();
        let given = inputs(model.shape, Some(model.clone()), x.len(), Some(x.clone()));
        let yes = forest::main(&mut Cleartext::new(), &given).expect("runs").yes.expect("for the client");
        for (row, (answers, x)) in samples.iter().enumerate() {
            assert_eq!(yes[row], walk(&model, x), "{file}, row {row}");
            assert_eq!(yes[row], answers[at], "{file}, row {row}: scikit-learn");
        }
    }
    let tree = data.join("tree.txt").display().to_string();
    let said = run("forest", &["--model", &tree, "--trees", "1", "--rows", "5"]);
    let expected: Vec<bool> = samples.iter().take(5).map(|row| row.0[0]).collect();
    assert_eq!(said["yes"], json!(expected));
    run("forest", &["--rows", "2"]);
}

#[test]
fn nearest() {
    use crate::nearest::{inputs, nearest, points};
    for (count, k, x) in
        [(9, 3, vec![0, 0]), (30, 5, vec![900, 800, 700]), (12, 4, vec![450; 4]), (3, 9, vec![1])]
    {
        let (points, class) = points(count, x.len());
        let distance = |p: &[i32]| p.iter().zip(&x).map(|(a, b)| (a - b) * (a - b)).sum::<i32>();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&i| (distance(&points[i]), i));
        let mut votes = [0; 3];
        order.iter().take(usize::from(k)).for_each(|&i| votes[usize::from(class[i])] += 1);
        let expected = (0..3).rev().max_by_key(|&c| votes[c]).expect("a class");
        let given = inputs(points, class, k, x);
        let best = nearest::main(&mut Cleartext::new(), &given).expect("runs").best.expect("for the client");
        assert_eq!(usize::from(best), expected, "{count} points, {votes:?}");
    }
    assert_eq!(run("nearest", &["--points", "24", "--k", "3", "--x=1300,1400"])["class"], 2);
}

#[test]
fn edit_distance() {
    use crate::edit_distance::{edit_distance, inputs};
    let expected = |a: &[u8], b: &[u8]| {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let replaced = corner + usize::from(x != y);
                corner = row[j + 1];
                row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
            }
        }
        row[b.len()] as i32
    };
    let text =
        |seed, len| numbers::<u8>(seed, len, 3).iter().map(|x| char::from(b'a' + x)).collect::<String>();
    for (seed, lengths) in [(0, [7, 7]), (1, [1, 9]), (2, [0, 3]), (3, [4, 0]), (4, [12, 10]), (5, [0, 0])] {
        let [a, b] = [text(seed, lengths[0]), text(seed + 10, lengths[1])];
        let out = edit_distance::main(&mut Cleartext::new(), &inputs(&a, &b).expect("short")).expect("runs");
        assert_eq!(out.distance, expected(a.as_bytes(), b.as_bytes()), "{a} {b}");
    }
    assert_eq!(run("edit_distance", &["--server", "kitten", "--client", "sitting"])["distance"], 3);
}

#[test]
fn histogram() {
    use crate::histogram::{histogram, rows};
    for (count, groups, least) in [(1, 1, 0), (7, 2, 3), (40, 3, 2), (65, 4, 16), (100, 5, 5)] {
        let (group, amount) = rows(count, groups);
        let given = histogram::Inputs {
            n: Some(count as i32),
            groups: Some(i32::from(groups)),
            least: Some(least),
            group: Some(group.clone()),
            amount: Some(amount.clone()),
        };
        let out = histogram::main(&mut Cleartext::new(), &given).expect("runs");
        for g in 0..groups {
            let own = || group.iter().zip(&amount).filter(|row| *row.0 == g).map(|row| *row.1);
            let mut expected = (own().count() as i32, own().sum::<i32>(), own().max().unwrap_or(0));
            if expected.0 < least {
                expected = (0, 0, 0);
            }
            let at = usize::from(g);
            assert_eq!((out.count[at], out.total[at], out.largest[at]), expected, "group {g} of {groups}");
        }
    }
    let said = run("histogram", &["--rows", "30", "--groups", "3"]);
    let (group, _) = rows(30, 3);
    assert_eq!(said["count"][0], group.iter().filter(|&&g| g == 0).count());
}

#[test]
fn factorise() {
    use crate::factorise::{factorise, inputs};
    for (users, items, rank) in [(1, 1, 1), (3, 4, 2), (6, 8, 3)] {
        let given = inputs(users, items, rank);
        let out = factorise::main(&mut Cleartext::new(), &given).expect("runs");
        let (rating, known) = (given.rating.expect("given"), given.known.expect("given"));
        let (u, v) = (given.u.expect("given"), given.v.expect("given"));
        let (rate, decay) = (given.rate.expect("given"), given.decay.expect("given"));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let error = |i: usize, j: usize| if known[i][j] { rating[i][j] - dot(&u[i], &v[j]) } else { 0.0 };
        // A product is at most 2^-16 below; errors of at most rank units are multiplied by less than one and summed.
        let terms = f64::from(users.max(items)) * f64::from(rank + 1) + 2.0;
        let bound = (terms * rate + 2.0) / 65536.0;
        let close = |got: f64, want: f64| assert!((got - want).abs() <= bound, "{got} is not {want}");
        for (i, row) in out.u.expect("for the client").iter().enumerate() {
            for (k, &got) in row.iter().enumerate() {
                let sum: f64 = (0..v.len()).map(|j| error(i, j) * v[j][k]).sum();
                close(got, u[i][k] + rate * (sum - decay * u[i][k]));
            }
        }
        for (j, row) in out.v.expect("for the server").iter().enumerate() {
            for (k, &got) in row.iter().enumerate() {
                let sum: f64 = (0..u.len()).map(|i| error(i, j) * u[i][k]).sum();
                close(got, v[j][k] + rate * (sum - decay * v[j][k]));
            }
        }
    }
    let said = run("factorise", &["--users", "2", "--items", "3", "--rank", "2"]);
    assert_eq!(said["v"].as_array().map(Vec::len), Some(3));
    assert_eq!(said["u"].as_array().map(Vec::len), Some(2));
}

/// No recipe is longer than a page.
#[test]
fn programs_are_short() {
    for name in ["auction", "edit_distance", "factorise", "forest", "histogram", "nearest", "set_size"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).with_extension("rs");
        let text = std::fs::read_to_string(path).expect("a source");
        let program = text.lines().skip_while(|line| *line != "secure! {").take_while(|line| *line != "}");
        let lines = program.count();
        assert!((10..60).contains(&lines), "{name}: {lines} lines");
    }
}
