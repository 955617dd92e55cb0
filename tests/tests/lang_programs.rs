//! Programs in the language, run in the clear.

use ezpc_core::program::{Program, Shared};
use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::testing::run_two;
use ezpc_core::{ErrorKind, Party, secure};

secure! {
    mod dot_product;
    (* A linear classifier: does <w; x> exceed b? *)
    uint32 dim = 2u;

    def void main() {
        input(SERVER, w, int32_al[dim]);
        input(SERVER, b, int32_bl);
        input(CLIENT, x, int32_al[dim]);
        int32_al acc = 0;
        uint32_pl lower = 0u;
        uint32_pl upper = dim;
        for i = [lower - lower : upper] { acc = acc + (w[i] * x[i]); };
        output(CLIENT, ((acc > b) ? 1 : 0));
    }
}

#[test]
fn dot_product_of_private_vectors() {
    let run = |w: [i32; 2], b: i32, x: [i32; 2]| {
        let inputs = dot_product::Inputs { w: Some(w.to_vec()), b: Some(b), x: Some(x.to_vec()) };
        dot_product::main(&mut Cleartext::new(), &inputs).expect("runs").output
    };
    assert_eq!(run([1, 2], 3, [5, 6]), Some(1));
    assert_eq!(run([1, 2], 17, [5, 6]), Some(0));
    assert_eq!(run([-1, 2], -8, [5, -1]), Some(1));
}

#[test]
fn inputs_are_checked() {
    let run = |inputs| dot_product::main(&mut Cleartext::new(), &inputs).expect_err("bad inputs");
    let missing = run(dot_product::Inputs { w: Some(vec![1, 2]), b: None, x: Some(vec![1, 2]) });
    assert_eq!(missing.kind(), ErrorKind::Usage);
    assert_eq!(missing.to_string(), "input `b`: the server gave no value for its input");
    let long = run(dot_product::Inputs { w: Some(vec![1, 2, 3]), b: Some(1), x: Some(vec![1, 2]) });
    assert_eq!(long.to_string(), "input `w`: 3 values where 2 are declared");
}

secure! {
    mod control;

    def uint32_al plus_five(uint32_al a) { return a + 5u; }

    def void main() {
        (* for *)
        int32_al total = 0;
        int32_pl n = 100;
        int32_al[n] arr;
        for i = [0:n] { arr[i] = i; };
        for i = [0:n] { total = total + arr[i]; };
        output(CLIENT, total);

        (* func *)
        uint32_al ten = 10u;
        uint32_al fifteen = plus_five(ten);
        output(SERVER, fifteen);

        (* if *)
        int32_al branch = 5;
        bool_pl b = true;
        if (b) { branch = 20; } else { branch = 30; };
        output(CLIENT, branch);

        (* while *)
        int32_al[10] yy;
        yy[0] = 0;
        int32_pl i = 1;
        while (i < 10) { yy[i] = yy[i-1] + 1; i = i + 1; };
        output(ALL, yy[9]);
    }
}

#[test]
fn loops_functions_and_branches() {
    let out = control::main(&mut Cleartext::new(), &control::Inputs::default()).expect("runs");
    let expected = control::Outputs { total: Some(4950), fifteen: Some(15), branch: Some(20), yy: 9 };
    assert_eq!(out, expected);
}

secure! {
    mod operators;

    def void main() {
        uint32_al a = 5u;
        uint32_al b = 10u;
        uint32_al c;
        bool_bl e;
        uint32_pl d;
        c = a+b; output(ALL, c);
        c = a-b; output(ALL, c);
        c = a*b; output(ALL, c);
        c = b/4u; output(ALL, c);
        d = 10u%4u; output(ALL, d);
        c = b>>2u; output(ALL, c);
        c = b<<2u; output(ALL, c);
        c = a^b; output(ALL, c);
        c = a&b; output(ALL, c);
        c = a|b; output(ALL, c);
        c = 2^^10; output(ALL, c);
        c = b>>>2u; output(ALL, c);
        e = true&&false; output(ALL, e);
        e = false||false; output(ALL, e);
        e = false@true; output(ALL, e);
        e = a>b; output(ALL, e);
        e = (a==b); output(ALL, e);
        e = a>=b; output(ALL, e);
        e = a<=b; output(ALL, e);
        e = a<b; output(ALL, e);
    }
}

#[test]
fn operators_on_constants() {
    let o = operators::main(&mut Cleartext::new(), &operators::Inputs::default()).expect("runs");
    let numbers = [o.c, o.c_2, o.c_3, o.c_4, o.d, o.c_5, o.c_6, o.c_7, o.c_8, o.c_9, o.c_10, o.c_11];
    assert_eq!(numbers, [15, 4_294_967_291, 50, 2, 2, 2, 40, 15, 0, 15, 1024, 2]);
    let bits = [o.e, o.e_2, o.e_3, o.e_4, o.e_5, o.e_6, o.e_7, o.e_8];
    assert_eq!(bits, [false, false, true, false, false, false, true, true]);
}

secure! {
    mod echo;

    def void main() {
        input(SERVER, w, uint32_al);
        input(SERVER, x, uint32_bl);
        input(SERVER, z, uint32_al[10]);
        input(CLIENT, a, uint32_al[10][100]);
        input(SERVER, b, bool_bl);
        input(CLIENT, c, bool_bl);
        input(ALL, p, int64_pl[2]);
        output(SERVER, w);
        output(ALL, x);
        output(SERVER, z);
        output(CLIENT, a);
        output(ALL, b);
        output(CLIENT, c);
        output(ALL, p);
    }
}

#[test]
fn inputs_come_out_as_they_went_in() {
    let inputs = echo::Inputs {
        w: Some(u32::MAX),
        x: Some(7),
        z: Some((0..10).collect()),
        a: Some((0..10).map(|i| (0..100).map(|j| i * 100 + j).collect()).collect()),
        b: Some(true),
        c: Some(false),
        p: Some(vec![-1, i64::MIN]),
    };
    let out = echo::main(&mut Cleartext::new(), &inputs).expect("runs");
    assert_eq!(out.w, inputs.w);
    assert_eq!(Some(out.x), inputs.x);
    assert_eq!(out.z, inputs.z);
    assert_eq!(out.a, inputs.a);
    assert_eq!((Some(out.b), out.c, Some(out.p)), (inputs.b, inputs.c, inputs.p));
}

secure! {
    mod talking;

    def void echo(int32_pl by) {
        input(CLIENT, x, int32_al);
        output(SERVER, x * by);
    }

    def void main() {
        for i = [1:4] { echo(i); };
        int32_pl r = -3;
        for i = [r:0] { output(ALL, i); }
    }
}

#[test]
fn inputs_and_outputs_in_functions_and_loops() {
    let inputs = talking::Inputs { x: Some(vec![5, 6, 7]) };
    let out = talking::main(&mut Cleartext::new(), &inputs).expect("runs");
    assert_eq!(out.output, Some(vec![5, 12, 21]));
    assert_eq!(out.i, [-3, -2, -1]);
    let short = talking::Inputs { x: Some(vec![5, 6]) };
    assert!(talking::main(&mut Cleartext::new(), &short).is_err());
}

secure! {
    mod library;

    /// The larger of two numbers.
    def int32_bl larger(int32_bl a, int32_bl b) { return a > b ? a : b; }

    def int32_pl factorial(int32_pl n) {
        if (n < 2) { return 1; }
        return n * factorial(n - 1);
    }

    def void sort_pair(uint64_al[2] pair) {
        if (pair[0] > pair[1]) {
            uint64_al first = pair[0];
            pair[0] = pair[1];
            pair[1] = first;
        }
    }

    def void sort_rows(int32_pl n, uint64_al[n][2] rows) {
        for i = [0:n] { sort_pair(rows[i]); }
    }

    def int32_al nested(int32_al a, int32_al b) {
        int32_al r = 0;
        if (a > 0) {
            r = 1;
            if (b > 0) { r = 2; } else { int32_al t = b * b; r = r + t; }
            r += 10;
        } else if (b > 0) { r = 3; }
        else r = -4;
        return r;
    }

    def uint32_al read(uint32_al[5] a, uint8_al i) { return a[i]; }
    def void write(uint32_al[5] a, uint8_al i, uint32_al v) { a[i] = v; }
    def bool_bl read_bit(bool_bl[3] a, int32_bl i) { return a[i]; }

    def int32_pl collatz(int64_al start) {
        int64_al x = start;
        int32_pl steps = 0;
        while (reveal(ALL, x != 1L)) {
            x = (x % 2 == 0) ? x / 2 : 3 * x + 1;
            steps += 1;
        }
        return steps;
    }

    def int32_al out_of_bounds(int32_al[3] a, int32_pl i) { return a[i]; }
    def int64_al widths(int8_al a, uint16_bl b, int64_al c) { return int64(a) * c + int64(b) + (bool(a) ? 1 : 0); }
}

#[test]
fn functions_are_rust_functions() {
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    let input = |x: i32| p.input(Party::Client, Some(x)).expect("input");
    let open = |x: &Shared<i32>| p.reveal(x, Reveal::Both).expect("opens").expect("both learn it");
    assert_eq!(open(&library::larger(&p, &input(-5), &input(3)).expect("runs")), 3);
    assert_eq!(library::factorial(&p, 10).expect("runs"), 3_628_800);
    for (a, b, expected) in [(1, 1, 12), (1, -3, 20), (0, 1, 3), (0, 0, -4)] {
        assert_eq!(open(&library::nested(&p, &input(a), &input(b)).expect("runs")), expected, "{a} {b}");
    }
    let start = p.input(Party::Server, Some(6i64)).expect("input");
    assert_eq!(library::collatz(&p, &start).expect("runs"), 8);

    let (a, b, c) =
        (p.constant(-3i8), p.constant(65535u16), p.input(Party::Server, Some(-7i64)).expect("input"));
    let wide = library::widths(&p, &a, &b, &c).expect("runs");
    assert_eq!(p.reveal(&wide, Reveal::Both).expect("opens"), Some(21 + 65535 + 1));
}

#[test]
fn arrays_are_passed_by_reference() {
    use ezpc_core::program::Array;
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    let values = p.input_vec(Party::Server, 6, Some(&[3u64, 2, 1, u64::MAX, 9, 9])).expect("inputs");
    let rows = Array::from_vec([3, 2], values).expect("sizes");
    library::sort_rows(&p, 3, &rows).expect("runs");
    let sorted = p.reveal_vec(&rows.to_vec(), Reveal::Both).expect("opens");
    assert_eq!(sorted, Some(vec![2, 3, 1, u64::MAX, 9, 9]));

    let array = Array::filled([3], p.constant(1i32)).expect("sizes");
    let error = library::out_of_bounds(&p, &array, -1).expect_err("out of bounds");
    assert!(error.to_string().ends_with("index -1 is outside an array of 3"), "{error}");
    let array = Array::filled([4], p.constant(1i32)).expect("sizes");
    let error = library::out_of_bounds(&p, &array, 1).expect_err("another size");
    assert_eq!(error.to_string(), "array `a` has sizes [4] where [3] are declared");
}

#[test]
fn secret_indices() {
    use ezpc_core::program::Array;
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    let values = [10u32, 11, 12, 13, 14];
    for i in 0..7u8 {
        let array = Array::from_vec([5], p.input_vec(Party::Server, 5, Some(&values)).expect("inputs"))
            .expect("sizes");
        let index = p.input(Party::Client, Some(i)).expect("input");
        let element = library::read(&p, &array, &index).expect("runs");
        let expected = values.get(usize::from(i)).copied().unwrap_or(0);
        assert_eq!(p.reveal(&element, Reveal::Both).expect("opens"), Some(expected));
        library::write(&p, &array, &index, &p.constant(99)).expect("runs");
        let mut written = values.to_vec();
        if let Some(element) = written.get_mut(usize::from(i)) {
            *element = 99;
        }
        assert_eq!(p.reveal_vec(&array.to_vec(), Reveal::Both).expect("opens"), Some(written));
        let bits =
            Array::from_vec([3], vec![p.constant(true), p.constant(false), p.constant(true)]).expect("sizes");
        let index = p.input(Party::Client, Some(i32::from(i) - 1)).expect("input");
        let bit = library::read_bit(&p, &bits, &index).expect("runs");
        assert_eq!(p.reveal(&bit, Reveal::Both).expect("opens"), Some(i == 1 || i == 3));
    }
}

ezpc_core::secure_file! { mod forest; "tests/programs/forest.ezpc" }

#[test]
fn a_program_from_a_file() {
    let at = |t: usize, i: usize, by: usize, below: u64| {
        ((t * 31 + i * 17 + by) as u64).wrapping_mul(2_654_435_761) % below
    };
    let table = |len, by, below| {
        (0..3).map(|t| (0..len).map(|i| at(t, i, by, below)).collect()).collect::<Vec<Vec<u64>>>()
    };
    let (feature, threshold, leaf) = (table(7, 1, 4), table(7, 2, 100), table(8, 3, 1000));
    for person in 0..6 {
        let x: Vec<u64> = (0..4).map(|i| at(person, i, 5, 100)).collect();
        let vote = |t: usize| {
            let mut place = 0;
            for _ in 0..3 {
                let left = x[usize::try_from(feature[t][place]).expect("small")] < threshold[t][place];
                place = 2 * place + if left { 1 } else { 2 };
            }
            leaf[t][place - 7]
        };
        let expected: u64 = (0..3).map(vote).sum();
        let inputs = forest::Inputs {
            feature: Some(feature.clone()),
            threshold: Some(threshold.clone()),
            leaf: Some(leaf.clone()),
            x: Some(x.clone()),
        };
        let got = forest::main(&mut Cleartext::new(), &inputs).expect("runs").sum;
        assert_eq!(got, Some(expected));
    }
}

secure! {
    mod fractions;

    def float_fl plus_one(float_fl a) { float one = 1.0; return a + one; }

    def void main() {
        input(SERVER, w, float_fl[5]);
        input(SERVER, b, float_fl);
        input(CLIENT, x, float_fl[5]);
        float_fl acc = 0.0;
        for i = [0:5] { acc = acc + (w[i] * x[i]); };
        output(CLIENT, acc > b ? true : false);
        output(ALL, acc);
        output(ALL, plus_one(10.0));
        float_fl[10] yy;
        float_fl y = 1.0;
        yy[0] = y;
        int32_pl i = 1;
        while (i < 10) { y = y/2.0; yy[i] = yy[i-1] + y; i = i + 1; };
        output(ALL, yy);
        output(ALL, acc / w[1]);
        output(ALL, -acc / 3.0);
        float_pl pi = 3.14;
        float_pl euler = 2.718;
        output(ALL, pi > euler ? 20 : 30);
    }
}

#[test]
fn fractions_are_fixed_point() {
    let ramp: Vec<f64> = (1..=5).map(f64::from).collect();
    let inputs = fractions::Inputs { w: Some(ramp.clone()), b: Some(100.0), x: Some(ramp) };
    let out = fractions::main(&mut Cleartext::new(), &inputs).expect("runs");
    let close = |got: f64, want: f64| assert!((got - want).abs() <= 1.0 / 65536.0, "{got} is not {want}");
    assert_eq!(out.output, Some(false));
    close(out.acc, 55.0);
    close(out.output_2, 11.0);
    for (i, &y) in out.yy.iter().enumerate() {
        close(y, 2.0 - 0.5f64.powi(i32::try_from(i).expect("small")));
    }
    close(out.output_3, 27.5);
    close(out.output_4, -55.0 / 3.0);
    assert_eq!(out.output_5, 20);
}

/// What one party is told is its input from there on; the other does not learn it.
#[test]
fn revealed_to_one_party() {
    secure! {
        mod told;
        def void main() {
            input(SERVER, a, int32_al);
            input(CLIENT, b, int32_al);
            int32_al product = reveal(CLIENT, a * b);
            bool_bl larger = reveal(SERVER, a > b);
            output(ALL, larger ? product + 1 : product);
            output(CLIENT, reveal(CLIENT, 5));
        }
    }
    let inputs = told::Inputs { a: Some(7), b: Some(-6) };
    let clear = told::main(&mut Cleartext::new(), &inputs).expect("runs");
    assert_eq!((clear.output, clear.output_2), (-41, Some(5)));
    let both = run_two(|p| {
        let own = match p.party() {
            Some(Party::Server) => told::Inputs { b: None, ..inputs.clone() },
            _ => told::Inputs { a: None, ..inputs.clone() },
        };
        told::main(p, &own).map(|o| (o.output, o.output_2))
    });
    assert_eq!(both.expect("runs"), [(-41, None), (-41, Some(5))]);
}

/// A recursion whose public condition never holds is an error that names the function.
#[test]
fn recursion_has_an_end() {
    secure! {
        def int32_al down(int32_pl n, int32_al x) {
            if (n == 0) { return x; }
            int32_al y = x * 3;
            if (y > 4) { y = y - x; }
            return down(n - 1, y) + 1;
        }
    }
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let x = program.constant(1);
    let fine = down(&program, 200, &x).expect("ends");
    assert!(program.reveal(&fine, Reveal::Both).expect("opens").is_some());
    let error = down(&program, -1, &x).expect_err("does not end").to_string();
    assert!(error.contains("`down` calls itself more than 500 times"), "{error}");
    // What was counted goes with the calls.
    down(&program, 499, &x).expect("ends");
}

/// A search keeps the first of equal values between two parties as well, and carries fixed-point values with it.
#[test]
fn searches_between_two_parties() {
    secure! {
        mod nearest;
        def void main() {
            input(SERVER, x, int32_al[9]);
            input(SERVER, price, fix<32, 8>[9]);
            input(CLIENT, q, int32_al);
            int32_al least = 2147483647;
            int32_al at = -1;
            fix<32, 8> cost = 0.0;
            for i = [0:9] {
                int32_al d = (x[i] - q) * (x[i] - q);
                if (d < least) { least = d; at = i; cost = price[i]; }
            }
            output(CLIENT, at);
            output(CLIENT, cost);
            output(ALL, least);
        }
    }
    let values = vec![40, -3, 17, 8, 9, 11, 8, 12, 40];
    let prices = (0..9).map(|i| ezpc_core::program::Fix::nearest(f64::from(i) + 0.5)).collect();
    let all = nearest::Inputs { x: Some(values), price: Some(prices), q: Some(10) };
    let clear = nearest::main(&mut Cleartext::new(), &all).expect("runs");
    assert_eq!((clear.at, clear.cost.map(|c| c.to_f64()), clear.least), (Some(4), Some(4.5), 1));
    let both = run_two(|p| {
        let own = match p.party() {
            Some(Party::Server) => nearest::Inputs { q: None, ..all.clone() },
            _ => nearest::Inputs { x: None, price: None, ..all.clone() },
        };
        nearest::main(p, &own)
    });
    let [server, client] = both.expect("runs");
    assert_eq!((server.at, server.least), (None, 1));
    assert_eq!(client, clear);
}
