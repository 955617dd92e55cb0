//! What programs cost: levels of their dataflow, whatever their loops look like; and memory stays bounded.

use ezpc_core::program::{Array, Label, Program, Shared};
use ezpc_core::protocol::{Cleartext, Reveal, Tally};
use ezpc_core::transport::stats::Phase;
use ezpc_core::{Party, secure};

secure! {
    def void compare(int32_pl n, int32_al[n] x, int32_al[n] y, bool_bl[n] z) {
        for i = [0:n] { z[i] = x[i] < y[i]; }
    }
    def int32_al sum(int32_pl n, int32_al[n] x) {
        int32_al s = 0;
        for i = [0:n] { s = s + x[i] - 1; }
        return s;
    }
    def bool_bl any(int32_pl n, int32_al[n] x, int32_al[n] y) {
        bool_bl found = false;
        for i = [0:n] { found = found || (x[i] < y[i]); }
        return found;
    }
    def int32_al product(int32_pl n, int32_al[n] x) {
        int32_al p = 1;
        for i = [0:n] { p = p * x[i]; }
        return p;
    }
    def bool_bl parity(int32_pl n, int32_al[n] x, int32_al[n] y) {
        bool_bl odd = false;
        for i = [0:n] { odd = odd @ (x[i] < y[i]); }
        return odd;
    }
    def int32_al largest(int32_pl n, int32_al[n] x) {
        int32_al most = x[0];
        for i = [1:n] { most = x[i] > most ? x[i] : most; }
        return most;
    }
    def void search(int32_pl n, int32_al[n] x, int32_al[4] found) {
        int32_al most = x[0]; int32_al first = 0; int32_al last = 0; int32_al least = x[0]; int32_al at = 0;
        for i = [1:n] {
            if (x[i] > most) { most = x[i]; first = i; }
            if (least >= x[i]) { at = i; least = x[i]; }
        }
        int32_al again = x[0];
        for i = [1:n] { last = x[i] >= again ? i : last; again = x[i] >= again ? x[i] : again; }
        found[0] = most; found[1] = first; found[2] = last; found[3] = at;
    }
    (* The squares are one vector; each is there for the last loop as soon as its root is. *)
    def int32_al wavefront(int32_pl n, int32_al[n] x) {
        for i = [1:n] { x[i] = (x[i - 1] ^ x[i]) * x[i]; }
        for i = [0:n] { x[i] = x[i] * x[i]; }
        for i = [1:n] { x[i] = (x[i - 1] ^ x[i]) * x[i]; }
        return x[n - 1];
    }
    def int32_al branches(int32_al x, int32_al y) {
        int32_al a = x < y ? x * 3 : y;
        int32_al b = x * y;
        bool_bl c = x == y;
        return c ? a : b;
    }
    def int32_al repeated(int32_pl n, int32_al x, int32_al y) {
        int32_al s = 0;
        for i = [0:n] { int32_al t = x * y; s = s + t * i; }
        return s + (y * x) * 7 + (x < y ? 2 : 1) + (x < y ? 5 : 4);
    }
    def int32_al converted_once(int32_al x) {
        int32_al a = (x & 255) * 3;
        int32_al b = (x ^ 255) * 5;
        int32_al c = x >> 4;
        return a + b + c;
    }
}

fn levels(
    n: usize,
    f: impl Fn(&Program<'_, Cleartext>, i32, &Array<Shared<i32>, 1>, &Array<Shared<i32>, 1>),
) -> usize {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let size = i32::try_from(n).expect("small");
    let x: Vec<i32> = (0..size).collect();
    let y: Vec<i32> = (0..size).map(|i| 2 * i - 9).collect();
    let array = |from, v: &[i32]| Array::from_vec([n], program.input_vec(from, n, Some(v)).expect("inputs"));
    let (x, y) = (array(Party::Server, &x).expect("sizes"), array(Party::Client, &y).expect("sizes"));
    f(&program, size, &x, &y);
    program.levels()
}

#[test]
fn independent_comparisons_take_the_levels_of_one() {
    let run = |n: usize| {
        levels(n, |p, size, x, y| {
            let z = Array::filled([n], p.constant(false)).expect("sizes");
            compare(p, size, x, y, &z).expect("runs");
            let bits = p.reveal_vec(&z.to_vec(), Reveal::Both).expect("opens").expect("both");
            assert!(bits.iter().zip(0..size).all(|(&bit, i)| bit == (i < 2 * i - 9)));
        })
    };
    assert_eq!((run(1), run(1000)), (1, 1));
}

#[test]
fn sums_are_local() {
    let run = levels(1000, |p, n, x, _| {
        let s = sum(p, n, x).expect("runs");
        assert_eq!(p.reveal(&s, Reveal::Both).expect("opens"), Some(499_500 - 1000));
    });
    assert_eq!(run, 0);
    let run = levels(1000, |p, n, x, y| {
        let odd = parity(p, n, x, y).expect("runs");
        let expected = (0..n).filter(|&i| i < 2 * i - 9).count() % 2 == 1;
        assert_eq!(p.reveal(&odd, Reveal::Both).expect("opens"), Some(expected));
    });
    assert_eq!(run, 1);
}

#[test]
fn chains_become_trees() {
    for (n, depth) in [(2, 1), (3, 2), (8, 3), (100, 7)] {
        let run = levels(n, |p, size, x, y| {
            let found = any(p, size, x, y).expect("runs");
            assert_eq!(p.reveal(&found, Reveal::Both).expect("opens"), Some(size > 10));
        });
        assert_eq!(run, 1 + depth, "a chain of {n}");
    }
    let run = levels(64, |p, n, x, _| {
        let product = product(p, n, x).expect("runs");
        assert_eq!(p.reveal(&product, Reveal::Both).expect("opens"), Some(0));
    });
    assert_eq!(run, 6);
}

/// Minima and maxima are chains as well: a level compares and one chooses.
#[test]
fn maxima_become_trees() {
    for (n, depth) in [(2, 1), (3, 2), (8, 3), (100, 7)] {
        let run = levels(n, |p, size, x, _| {
            let most = largest(p, size, x).expect("runs");
            assert_eq!(p.reveal(&most, Reveal::Both).expect("opens"), Some(size - 1));
        });
        assert_eq!(run, 2 * depth, "the largest of {n}");
    }
}

/// Searches for the place of a maximum are trees as well, and keep the first or last of equal values as the loop does.
#[test]
fn searches_become_trees() {
    for size in 1..=33i32 {
        for seed in 0..4 {
            let values: Vec<i32> = (0..size).map(|i| (i * 7919 + seed * 31) % 5 - 2).collect();
            let n = values.len();
            let mut protocol = Cleartext::new();
            let p = Program::new(&mut protocol);
            let x = p.input_array(Party::Server, [n], Some(&values)).expect("inputs");
            let found = Array::filled([4], p.constant(0i32)).expect("sizes");
            search(&p, size, &x, &found).expect("runs");
            let got = p.reveal_vec(&found.to_vec(), Reveal::Both).expect("opens").expect("both");
            let (most, least) = (values.iter().max().expect("some"), values.iter().min().expect("some"));
            let first = values.iter().position(|v| v == most).expect("there");
            let last = values.iter().rposition(|v| v == most).expect("there");
            let at = values.iter().rposition(|v| v == least).expect("there");
            let expected = [first, last, at].map(|i| i32::try_from(i).expect("small"));
            assert_eq!((got[0], &got[1..]), (*most, &expected[..]), "{values:?}");
            let depth = usize::try_from(n.next_power_of_two().trailing_zeros()).expect("small");
            assert!(p.levels() <= 2 * depth + 1, "{} levels for {n}", p.levels());
        }
    }
}

/// The sum of a whole loop is local on arithmetic shares, whatever label its additions have: a tree of adders would take
/// levels. The result is where the label says.
#[test]
fn sums_with_a_label_are_local_too() {
    secure! {
        def int32_bl sum_bool(int32_pl n, int32_al[n] x, int32_al[n] y) {
            int32_bl s = 0;
            for i = [0:n] { s = s +_bl (x[i] < y[i] ? x[i] : 0); }
            return s;
        }
    }
    let run = |n| {
        levels(n, |p, size, x, y| {
            let s = sum_bool(p, size, x, y).expect("runs");
            let expected = (0..size).filter(|&i| i < 2 * i - 9).sum::<i32>();
            assert_eq!(p.reveal(&s, Reveal::Both).expect("opens"), Some(expected));
        })
    };
    assert_eq!(run(1000), run(2));
}

/// Half-rounds between two parties, as predicted to be: n comparisons take those of one, a sum takes none, a chain one
/// level of an `or` for each doubling.
#[test]
fn half_rounds_are_those_of_the_dataflow() {
    let cost = |n: usize, f: &dyn Fn(&Program<'_, Tally<Cleartext>>, i32)| {
        let mut tally = Tally::new(Cleartext::new());
        f(&Program::new(&mut tally), i32::try_from(n).expect("small"));
        tally.phase(Phase::Online).half_rounds
    };
    type Values = Array<Shared<i32>, 1>;
    fn inputs(p: &Program<'_, Tally<Cleartext>>, n: i32) -> [Values; 2] {
        let len = usize::try_from(n).expect("not negative");
        let values = |by: i32| (0..n).map(|i| by * i - 9).collect::<Vec<i32>>();
        let input = |from, by| p.input_array(from, [len], Some(&values(by))).expect("inputs");
        [input(Party::Server, 1), input(Party::Client, 2)]
    }
    let opening = 1;
    let comparisons = |n| {
        cost(n, &|p, n| {
            let [x, y] = inputs(p, n);
            let z = Array::filled([x.len()], p.constant(false)).expect("sizes");
            compare(p, n, &x, &y, &z).expect("runs");
            p.reveal_vec(&z.to_vec(), Reveal::Both).expect("opens");
        })
    };
    let one = comparisons(1);
    assert!(one > opening);
    assert_eq!(comparisons(1000), one);
    let sums = cost(1000, &|p, n| {
        let [x, _] = inputs(p, n);
        p.reveal(&sum(p, n, &x).expect("runs"), Reveal::Both).expect("opens");
    });
    assert_eq!(sums, opening);
    let or = cost(1, &|p, _| {
        let bit = |from| p.input(from, Some(true)).expect("input");
        p.reveal(&p.or(&bit(Party::Server), &bit(Party::Client)), Reveal::Both).expect("opens");
    }) - opening;
    for (n, depth) in [(2, 1), (3, 2), (8, 3), (100, 7), (1000, 10)] {
        let chain = cost(n, &|p, n| {
            let [x, y] = inputs(p, n);
            p.reveal(&any(p, n, &x, &y).expect("runs"), Reveal::Both).expect("opens");
        });
        assert_eq!(chain, one + depth * or, "a chain of {n}");
    }
}

/// Independent operations of different kinds share a level; the same operation is done once.
#[test]
fn levels_are_shared_and_operations_not_repeated() {
    let run = levels(2, |p, _, x, y| {
        let (x, y) = (x.get([1i32]).expect("in"), y.get([1i32]).expect("in"));
        let r = branches(p, &x, &y).expect("runs");
        assert_eq!(p.reveal(&r, Reveal::Both).expect("opens"), Some(-7));
    });
    // Compare, multiply, test; choose; choose.
    assert_eq!(run, 3);
    let mut protocol = Tally::new(Cleartext::new());
    let once = {
        let p = Program::new(&mut protocol);
        let [x, y] = [3, 4].map(|v| p.input(Party::Server, Some(v)).expect("input"));
        let r = repeated(&p, 9, &x, &y).expect("runs");
        assert_eq!(p.reveal(&r, Reveal::Both).expect("opens"), Some(12 * 36 + 12 * 7 + 2 + 5));
        p.levels()
    };
    // One product and one comparison, and the one bit that both choices use.
    assert_eq!(once, 2);
    let lines = protocol.lines();
    let all: u64 = lines.lines().map(|l| l.1.ots()).sum();
    let mut single = Tally::new(Cleartext::new());
    {
        let p = Program::new(&mut single);
        let [x, y] = [3i32, 4].map(|v| p.input(Party::Server, Some(v)).expect("input"));
        let sum = p.add(Label::Arith, &p.mul(&x, &y), &p.cast(&p.lt(&x, &y)));
        p.reveal(&sum, Reveal::Both).expect("opens");
    }
    let least: u64 = single.lines().lines().map(|l| l.1.ots()).sum();
    assert_eq!(all, least);
}

/// Vectors do not make an element wait for others.
#[test]
fn elements_are_computed_as_early_as_alone() {
    let n = 20;
    let mut v: Vec<i32> = (0..20).collect();
    let chain = |v: &mut [i32]| (1..n).for_each(|i| v[i] = (v[i - 1] ^ v[i]).wrapping_mul(v[i]));
    chain(&mut v);
    v.iter_mut().for_each(|x| *x = x.wrapping_mul(*x));
    chain(&mut v);
    let run = levels(n, |p, size, x, _| {
        let y = wavefront(p, size, x).expect("runs");
        assert_eq!(p.reveal(&y, Reveal::Both).expect("opens"), Some(v[n - 1]));
    });
    // Each step of a chain takes three levels; the second chain runs behind the first, not after it.
    assert!((3 * (n - 1)..3 * (n - 1) + 6).contains(&run), "{run} levels");
}

/// A prefix of a chain that somebody holds is not taken apart.
#[test]
fn held_prefixes_stay() {
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    let xs = p.input_vec(Party::Server, 5, Some(&[2i32, 3, 5, 7, 11])).expect("inputs");
    let mut prefixes = vec![xs[0].clone()];
    for x in &xs[1..] {
        let last = prefixes.last().expect("not empty").clone();
        prefixes.push(p.mul(&last, x));
    }
    assert_eq!(p.reveal_vec(&prefixes, Reveal::Both).expect("opens"), Some(vec![2, 6, 30, 210, 2310]));
    // And what was computed can be used again.
    let more = p.mul(&prefixes[4], &prefixes[1]);
    assert_eq!(p.reveal(&more, Reveal::Both).expect("opens"), Some(13860));
}

#[test]
fn a_value_is_converted_once() {
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    let a = p.input(Party::Server, Some(100i32)).expect("input");
    let x = p.mul(&a, &a);
    let result = converted_once(&p, &x).expect("runs");
    let v = 10_000i32;
    let expected = (v & 255) * 3 + (v ^ 255) * 5 + (v >> 4);
    assert_eq!(p.reveal(&result, Reveal::Both).expect("opens"), Some(expected));
    // The product, its digits, and one batch back.
    assert_eq!(p.levels(), 3);
}

/// The budget bounds what is recorded; results do not depend on it.
#[test]
fn results_do_not_depend_on_the_budget() {
    let run = |budget: usize| {
        let mut protocol = Cleartext::new();
        let p = Program::new(&mut protocol);
        p.set_budget(budget);
        let n = 300;
        let values: Vec<i32> = (0..n).map(|i| i * 7919 % 301 - 150).collect();
        let len = values.len();
        let x = Array::from_vec([len], p.input_vec(Party::Server, len, Some(&values)).expect("inputs"))
            .expect("sizes");
        let y = Array::from_vec([len], p.input_vec(Party::Client, len, Some(&values)).expect("inputs"))
            .expect("sizes");
        let total = sum(&p, n, &x).expect("runs");
        let product = product(&p, n, &y).expect("runs");
        let any = any(&p, n, &x, &y).expect("runs");
        let some = converted_once(&p, &p.mul(&total, &product)).expect("runs");
        let open = |v: &Shared<i32>| p.reveal(v, Reveal::Both).expect("opens");
        (open(&total), open(&product), open(&some), p.reveal(&any, Reveal::Both).expect("opens"))
    };
    let whole = run(1 << 20);
    for budget in [1, 2, 7, 100] {
        assert_eq!(run(budget), whole, "budget {budget}");
    }
}
