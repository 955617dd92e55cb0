//! Whole arrays: initialisers, operators on all elements, and indices that are secret, against plain Rust.

use ezpc_core::Party;
use ezpc_core::program::{Array, Program, Scalar, Shared};
use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::secure;
use ezpc_core::testing::run_two;

secure! {
    mod whole;

    def void scale(int32_pl n, int32_al[n] x, int32_al by, int32_al[n] y) { y = x * by + 1; }

    def void main() {
        input(SERVER, x, int32_al[3]);
        input(CLIENT, y, int32_bl[3]);
        input(CLIENT, s, int32_al);
        input(ALL, n, int32_pl);
        int32_pl[2][3] table = {{1, -2, 3}, {2 * 2, 5, n},};
        int32_al[3] sum = x + y;
        output(ALL, sum);
        output(ALL, x * 2 - s);
        output(ALL, -x ^ y);
        bool_bl[3] less = x < y;
        output(ALL, less);
        output(ALL, less ? x : y);
        output(ALL, s > 0 ? x : table[1]);
        sum -= table[0];
        output(ALL, sum);
        int32_al[2][3] secret = table;
        secret[1] += secret[0] * x;
        output(ALL, secret);
        output(ALL, table + 1);
        output(ALL, int64(x) * 4294967296L);
        if (s > 100) { sum = x; } else { sum = sum * sum; }
        output(ALL, sum);
        int64_al[3] wide = x;
        output(ALL, wide);
        { int32_al[3] x = x; x[0] = 9; output(ALL, x); }
        scale(3, x, s, sum);
        output(ALL, sum);
    }
}

fn inputs() -> whole::Inputs {
    whole::Inputs { x: Some(vec![5, -3, i32::MAX]), y: Some(vec![4, 1, -1]), s: Some(7), n: Some(6) }
}

#[test]
fn operators_work_on_all_elements() {
    let o = whole::main(&mut Cleartext::new(), &inputs()).expect("runs");
    let (x, y) = ([5i32, -3, i32::MAX], [4i32, 1, -1]);
    let each = |f: fn(i32, i32) -> i32| (0..3).map(|i| f(x[i], y[i])).collect::<Vec<i32>>();
    assert_eq!(o.sum, each(i32::wrapping_add));
    assert_eq!(o.output, each(|x, _| x.wrapping_mul(2).wrapping_sub(7)));
    assert_eq!(o.output_2, each(|x, y| x.wrapping_neg() ^ y));
    assert_eq!(o.less, [false, true, false]);
    assert_eq!(
        o.output_3,
        each(i32::min).iter().zip(y).map(|(&a, b)| if a < b { a } else { b }).collect::<Vec<_>>()
    );
    assert_eq!(o.output_4, x);
    let sum = [8, 0, i32::MAX - 4];
    assert_eq!(o.sum_2, sum);
    let row = |i: usize| [1i32, -2, 3][i].wrapping_mul(x[i]).wrapping_add([4, 5, 6][i]);
    assert_eq!(o.secret, [vec![1, -2, 3], (0..3).map(row).collect()]);
    assert_eq!(o.output_5, [[2, -1, 4], [5, 6, 7]]);
    assert_eq!(o.output_6, x.map(|x| i64::from(x) << 32));
    assert_eq!(o.sum_3, sum.map(|v: i32| v.wrapping_mul(v)));
    assert_eq!(o.wide, x.map(i64::from));
    assert_eq!(o.x, [9, -3, i32::MAX]);
    assert_eq!(o.sum_4, x.map(|x| x.wrapping_mul(7).wrapping_add(1)));
}

#[test]
fn two_parties_agree_on_whole_arrays() {
    let expected = whole::main(&mut Cleartext::new(), &inputs()).expect("runs");
    let both = run_two(|p| {
        let all = inputs();
        let own = match p.party().expect("one party") {
            Party::Server => whole::Inputs { y: None, s: None, ..all },
            Party::Client => whole::Inputs { x: None, ..all },
        };
        whole::main(p, &own)
    });
    assert_eq!(both.expect("both run"), [expected.clone(), expected]);
}

secure! {
    mod secret;

    def int32_al first(int32_al[3][4] a, uint8_al i, int32_pl j) { return a[i][j]; }
    def int32_al both(int32_al[3][4] a, uint8_al i, int32_al j) { return a[i][j]; }
    def int32_bl public_table(int32_pl[3][4] a, uint8_al i, int32_al j) { return a[i][j]; }
    def void row(int32_al[3][4] a, uint8_al i, int32_al[4] out) { out = a[i]; }
    def int32_al deep(int32_al[2][3][4] a, uint8_al i, uint8_al k) { return a[i][1][k]; }

    def void set_first(int32_al[3][4] a, uint8_al i, int32_pl j, int32_al v) { a[i][j] = v; }
    def void add_both(int32_al[3][4] a, uint8_al i, int32_al j, int32_al v) { a[i][j] += v; }
    def void set_last(int32_al[3][4] a, int32_pl i, uint8_al j, int32_al v) { a[i][j] = v; }
    def void set_row(int32_al[3][4] a, uint8_al i, int32_al[4] row) { a[i] = row; }
    def void fill_row(int32_al[3][4] a, uint8_al i) { a[i] = 5; }
    def void maybe(int32_al[3][4] a, uint8_al i, int32_pl j, int32_al v) {
        if (v > 0) { a[i][j] = v; } else { a[i][j] = 2 * v; }
    }
    def void far(int32_pl n, int32_al[n][2] a, int8_al i, int32_al v) { a[i][0] = v; }
    def void product(int32_pl n, int32_pl m, int32_al[n] x, int32_al[m] y, int32_al[n] z) { z = x * y; }
}

type Table = Array<Shared<i32>, 2>;

struct Run<'a> {
    program: &'a Program<'a, Cleartext>,
}

impl Run<'_> {
    fn index<T: Scalar>(&self, value: T) -> Shared<T> {
        self.program.input(Party::Client, Some(value)).expect("input")
    }

    fn table<const R: usize>(&self, sizes: [usize; R]) -> Array<Shared<i32>, R> {
        let values: Vec<i32> = (10..).take(sizes.iter().product()).collect();
        let values = self.program.input_vec(Party::Server, values.len(), Some(&values)).expect("inputs");
        Array::from_vec(sizes, values).expect("sizes")
    }

    fn open<const R: usize>(&self, a: &Array<Shared<i32>, R>) -> Vec<i32> {
        self.program.reveal_vec(&a.to_vec(), Reveal::Both).expect("opens").expect("both learn it")
    }

    fn one(&self, x: &Shared<i32>) -> i32 {
        self.program.reveal(x, Reveal::Both).expect("opens").expect("both learn it")
    }
}

fn at(i: usize, j: usize) -> i32 {
    if i < 3 && j < 4 {
        10 + 4 * i32::try_from(i).expect("small") + i32::try_from(j).expect("small")
    } else {
        0
    }
}

#[test]
fn any_index_can_be_secret_when_reading() {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let run = Run { program: &program };
    let a = run.table([3, 4]);
    let public = Array::from_vec([3, 4], (10..22).collect()).expect("sizes");
    let deep = run.table([2, 3, 4]);
    for i in 0..5u8 {
        let row = Array::filled([4], program.constant(0)).expect("sizes");
        secret::row(&program, &a, &run.index(i), &row).expect("runs");
        assert_eq!(run.open(&row), (0..4).map(|j| at(i.into(), j)).collect::<Vec<_>>());
        for j in 0..4 {
            let (here, n) = (usize::from(i), i32::try_from(j).expect("small"));
            let first = secret::first(&program, &a, &run.index(i), n).expect("runs");
            assert_eq!(run.one(&first), at(here, j), "{i} {j}");
            // One beyond the row, and below it.
            for j in [n, n + 4, -n - 1] {
                let expected = usize::try_from(j).map_or(0, |j| at(here, j));
                let both = secret::both(&program, &a, &run.index(i), &run.index(j)).expect("runs");
                assert_eq!(run.one(&both), expected, "{i} {j}");
                let both =
                    secret::public_table(&program, &public, &run.index(i), &run.index(j)).expect("runs");
                assert_eq!(run.one(&both), expected, "{i} {j}");
            }
            let k = u8::try_from(j).expect("small");
            let found = secret::deep(&program, &deep, &run.index(i), &run.index(k)).expect("runs");
            let expected = if i < 2 { 10 + 12 * i32::from(i) + 4 + n } else { 0 };
            assert_eq!(run.one(&found), expected, "{i} 1 {j}");
        }
    }
}

#[test]
fn any_index_can_be_secret_when_writing() {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let run = Run { program: &program };
    let check = |name: &str, write: &dyn Fn(&Table), expected: &dyn Fn(usize, usize) -> i32| {
        let a = run.table([3, 4]);
        write(&a);
        let want: Vec<i32> = (0..12).map(|n| expected(n / 4, n % 4)).collect();
        assert_eq!(run.open(&a), want, "{name}");
    };
    for i in 0..4u8 {
        for j in 0..4usize {
            let (here, n, k) =
                (usize::from(i), i32::try_from(j).expect("small"), u8::try_from(j).expect("small"));
            let hit = move |r, c, new: i32| if (r, c) == (here, j) { new } else { at(r, c) };
            let v = run.index(99);
            let index = || run.index(i);
            check("first", &|a| secret::set_first(&program, a, &index(), n, &v).expect("runs"), &|r, c| {
                hit(r, c, 99)
            });
            check(
                "add",
                &|a| secret::add_both(&program, a, &index(), &run.index(n), &v).expect("runs"),
                &|r, c| hit(r, c, at(r, c) + 99),
            );
            for (v, new) in [(6, 6), (-6, -12)] {
                let v = run.index(v);
                check("maybe", &|a| secret::maybe(&program, a, &index(), n, &v).expect("runs"), &|r, c| {
                    hit(r, c, new)
                });
            }
            if i < 3 {
                let row = i32::from(i);
                check(
                    "last",
                    &|a| secret::set_last(&program, a, row, &run.index(k), &v).expect("runs"),
                    &|r, c| hit(r, c, 99),
                );
            }
        }
        let here = usize::from(i);
        let row = run.table([4]);
        check("row", &|a| secret::set_row(&program, a, &run.index(i), &row).expect("runs"), &|r, c| {
            if r == here { at(0, c) } else { at(r, c) }
        });
        check("fill", &|a| secret::fill_row(&program, a, &run.index(i)).expect("runs"), &|r, c| {
            if r == here { 5 } else { at(r, c) }
        });
    }
}

/// An index of 8 bits does not come around in a longer array.
#[test]
fn short_indices_do_not_wrap() {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let run = Run { program: &program };
    for i in [-128i8, -1, 0, 77, 127] {
        let a = run.table([300, 2]);
        let before = run.open(&a);
        secret::far(&program, 300, &a, &run.index(i), &run.index(-1)).expect("runs");
        let changed: Vec<usize> =
            run.open(&a).iter().zip(before).enumerate().filter(|x| *x.1.0 != x.1.1).map(|x| x.0).collect();
        let expected: Vec<usize> = usize::try_from(i).map(|i| 2 * i).into_iter().collect();
        assert_eq!(changed, expected, "{i}");
    }
}

#[test]
fn sizes_of_the_run_are_checked() {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let run = Run { program: &program };
    let (short, long, z) = (run.table([2]), run.table([3]), run.table([2]));
    secret::product(&program, 2, 2, &short, &short, &z).expect("runs");
    assert_eq!(run.open(&z), [100, 121]);
    let error = secret::product(&program, 2, 3, &short, &long, &z).expect_err("other sizes");
    assert!(error.to_string().ends_with("index 2 is outside an array of 2"), "{error}");
    assert!(secret::product(&program, 3, 2, &long, &short, &long).is_err());
}

secure! {
    mod reads;

    def int32_al one(int32_pl n, int32_al[n] a, int32_al i) { return a[i]; }
    def int32_al one_small(int32_pl n, int32_al[n] a, uint8_al i) { return a[i]; }
    def int32_al scan(int32_pl n, int32_al[n] a, int32_al i) {
        int32_al found = 0;
        for k = [0:n] { found = found + (i == k ? a[k] : 0); }
        return found;
    }
    def void many(int32_pl n, int32_pl m, int32_al[n] a, int64_al[m] i, int32_al[m] out) {
        for k = [0:m] { out[k] = a[i[k]] + a[i[k] + 1L] * 1000; }
    }
    def void many_public(int32_pl n, int32_pl m, int32_pl[n] a, int16_bl[m] i, int32_al[m] out) {
        for k = [0:m] { out[k] = a[i[k]]; }
    }
    def bool_bl bit(int32_pl n, bool_bl[n] a, int8_al i) { return a[i]; }
}

/// Values of all kinds of indices, in the array and outside of it.
fn read_many<P: Protocol>(p: &mut P, n: usize) -> ezpc_core::Result<(Vec<i32>, Vec<i32>)> {
    let size = i32::try_from(n).expect("small");
    let values: Vec<i32> = (0..size).map(|k| 7 * k - 20).collect();
    let wide = [0, 1, i64::from(size) - 1, size.into(), -1, i64::MIN, 1 << 32, i64::MAX, 2];
    let short = [0i16, 1, -1, 300, i16::MIN, i16::MAX, 2];
    let own = |party| p.party().is_none_or(|me| me == party);
    let (server, client) = (own(Party::Server), own(Party::Client));
    let program = Program::new(p);
    let a = program.input_array(Party::Server, [n], server.then_some(&values[..]))?;
    let i = program.input_array(Party::Client, [wide.len()], client.then_some(&wide[..]))?;
    let j = program.input_array(Party::Client, [short.len()], client.then_some(&short[..]))?;
    let (x, y) = (
        Array::filled([wide.len()], program.constant(0))?,
        Array::filled([short.len()], program.constant(0))?,
    );
    reads::many(&program, size, i32::try_from(wide.len()).expect("few"), &a, &i, &x)?;
    let public = Array::from_vec([n], values)?;
    reads::many_public(&program, size, i32::try_from(short.len()).expect("few"), &public, &j, &y)?;
    let open = |a: &Array<Shared<i32>, 1>| program.reveal_vec(&a.to_vec(), Reveal::Both);
    Ok((open(&x)?.expect("both"), open(&y)?.expect("both")))
}

#[test]
fn reads_in_loops_give_zero_outside() {
    for n in [1, 2, 3, 4, 5, 16, 33] {
        let at = |i: i128| {
            let size = i128::try_from(n).expect("small");
            if (0..size).contains(&i) { i32::try_from(7 * i - 20).expect("small") } else { 0 }
        };
        let wide = [0, 1, i64::try_from(n).expect("small") - 1, i64::try_from(n).expect("small"), -1];
        let wide = wide.into_iter().chain([i64::MIN, 1 << 32, i64::MAX, 2]);
        let expected: Vec<i32> = wide.map(|i| at(i.into()) + 1000 * at(i.wrapping_add(1).into())).collect();
        let short: Vec<i32> =
            [0i16, 1, -1, 300, i16::MIN, i16::MAX, 2].into_iter().map(|i| at(i.into())).collect();
        let clear = read_many(&mut Cleartext::new(), n).expect("runs");
        assert_eq!(clear, (expected, short), "{n} elements");
        assert_eq!(run_two(|p| read_many(p, n)).expect("runs"), [clear.clone(), clear]);
    }
}

#[test]
fn truth_values_at_secret_indices() {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let bits: Vec<bool> = (0..200).map(|i| i % 3 == 0).collect();
    let a = program.input_array(Party::Server, [200], Some(&bits)).expect("inputs");
    for i in [0, 1, 126, 127, -1, i8::MIN] {
        let at = program.input(Party::Client, Some(i)).expect("input");
        let bit = reads::bit(&program, 200, &a, &at).expect("runs");
        let expected = usize::try_from(i).is_ok_and(|i| bits[i]);
        assert_eq!(program.reveal(&bit, Reveal::Both).expect("opens"), Some(expected), "{i}");
    }
}

/// A read at a secret index is never dearer than comparing the index with every position, and takes no more half-rounds.
#[test]
fn reads_are_the_cheaper_way() {
    use ezpc_core::protocol::Tally;
    use ezpc_core::transport::Phase;
    type Read = dyn Fn(&Program<'_, Tally<Cleartext>>, i32, &Array<Shared<i32>, 1>) -> Shared<i32>;
    fn index<I: Scalar>(p: &Program<'_, Tally<Cleartext>>) -> Shared<I> {
        p.input(Party::Client, Some(I::from_lane(0))).expect("input")
    }
    let cost = |n: i32, read: &Read| {
        let mut tally = Tally::new(Cleartext::new());
        {
            let program = Program::new(&mut tally);
            let values: Vec<i32> = (0..n).collect();
            let a = program.input_array(Party::Server, [values.len()], Some(&values)).expect("inputs");
            program.reveal(&read(&program, n, &a), Reveal::Both).expect("opens");
        }
        let online = tally.phase(Phase::Online);
        // A correlation has its price as well: some bits that are made ahead.
        (online.bytes.iter().sum::<u64>() + online.ots() / 2, online.half_rounds)
    };
    for n in (1..20).chain([33, 64, 100, 255, 1000]) {
        let read = cost(n, &|p, n, a| reads::one(p, n, a, &index(p)).expect("runs"));
        let scan = cost(n, &|p, n, a| reads::scan(p, n, a, &index(p)).expect("runs"));
        let small = cost(n, &|p, n, a| reads::one_small(p, n, a, &index(p)).expect("runs"));
        assert!(read.0 <= scan.0 && read.1 <= scan.1, "{n}: {read:?} for a read, {scan:?} for a scan");
        assert!(small.0 <= scan.0 && small.1 <= read.1, "{n}: {small:?} at a small index, {read:?}");
    }
}
