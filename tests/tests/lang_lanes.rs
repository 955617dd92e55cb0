//! Loops that run as vectors compute what the same loops do in order, element by element.

#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "the plain loops wrap as the programs do"
)]

use ezpc_core::program::{Array, Program, Shared};
use ezpc_core::protocol::{Cleartext, Reveal};
use ezpc_core::{Party, secure};
use proptest::prelude::*;

secure! {
    (* Element-wise, with values of the iteration, a variable of the body and public ones. *)
    def void elementwise(int32_pl n, int32_al[n] x, int32_al[n] y, int32_al[n] z) {
        for i = [0:n] {
            int32_pl twice = 2 * i;
            int32_al t = x[i] * y[i] + i;
            t = t - twice;
            { int32_pl twice = i * i + 1; t = t + twice * x[i]; }
            z[i] = t + y[n - 1 - i] * 3 + twice;
        }
    }
    (* Two interleaved halves: neither touches the other. *)
    def void interleaved(int32_pl n, int32_al[2 * n] a) {
        for i = [0:n] { a[2 * i] = a[2 * i + 1] * 5 - a[2 * i]; }
    }
    (* Each iteration needs the one before. *)
    def void running(int32_pl n, int32_al[n] a) {
        for i = [1:n] { a[i] = a[i] * 3 + a[i - 1]; }
    }
    (* The order matters: what is read was written two iterations ago. *)
    def void two_apart(int32_pl n, int32_al[n] a) {
        for i = [2:n] { a[i] = a[i - 2] ^ a[i]; }
    }
    (* Writes meet: the last one stays. *)
    def void scattered(int32_pl n, int32_al[n] a, int32_al[n] b) {
        for i = [0:n] { b[i % 3] = a[i] + 1; }
    }
    (* Reads anywhere. *)
    def void gathered(int32_pl n, int32_al[n] a, int32_al[n] b) {
        for i = [0:n] { b[i] = a[(i * i + 1) % n] - a[n / 2]; }
    }
    (* The arguments may be one array. *)
    def void shifted(int32_pl n, int32_al[n] a, int32_al[n] b) {
        for i = [1:n] { b[i] = a[i - 1] * 2 + b[i]; }
    }
    def int32_al reductions(int32_pl n, int32_al[n] x, int32_al[n] y, bool_bl[4] flags, int32_al[2] out) {
        int32_al sum = 7;
        int32_al product = 1;
        int32_al bits = 0;
        uint8_al count = 0;
        bool_bl any = flags[0];
        bool_bl all = flags[1];
        bool_bl odd = flags[2];
        for i = [0:n] {
            sum = sum + x[i] * y[i] - i;
            product = product * (x[i] | 1);
            bits = bits ^ x[i];
            if (x[i] < y[i]) { count = count + 1; }
            any = any || x[i] == y[i] || x[i] < -100;
            all = (x[i] > -120) && all;
            odd = odd @ (x[i] > y[i]);
            out[1] = out[1] - x[i];
        }
        flags[0] = any;
        flags[1] = all;
        flags[2] = odd;
        out[0] = product;
        return sum + bits + int32(count);
    }
    (* A variable outside that is read is no sum. *)
    def int32_al prefix(int32_pl n, int32_al[n] x, int32_al[n] y) {
        int32_al s = 0;
        for i = [0:n] { s = s + x[i]; y[i] = s; }
        return s;
    }
    def int32_al clamp(int32_al x, int32_pl most) {
        int32_al low = x < 0 ? 0 : x;
        if (low > most) { low = most; }
        return low;
    }
    (* Calls, public branches, secret branches, secret indices. *)
    def void mixed(int32_pl n, int32_pl most, int32_al[n] x, int32_al[n] y, int32_al[4] table) {
        for i = [0:n] {
            int32_al t = clamp(x[i], most);
            if (most > 3) { t = t + 1; } else { t = t - 1; }
            if (t > y[i]) { y[i] = t; }
            y[i] = y[i] + table[x[i] & 3];
        }
    }
    (* Rows and columns; the inner loop adds to an element of a matrix. *)
    def void matrix(int32_pl n, int32_al[n][n] a, int32_al[n][n] b, int32_al[n][n] c) {
        for i = [0:n] {
            for j = [0:n] {
                c[i][j] = 0;
                for k = [0:n] { c[i][j] = c[i][j] + a[i][k] * b[k][j]; }
            }
        }
        for i = [1:n] { for j = [0:n] { c[i][j] = c[i][j] + c[i - 1][j]; } }
    }
    (* Conversions of parts of one array, again and again. *)
    def void converted(int32_pl n, int32_al[n] x, int32_al[n] y) {
        for i = [0:n] { x[i] = x[i] * x[i]; }
        for i = [0:n - 1] { y[i] = (x[i] & x[i + 1]) * (x[i] >> 3); }
        for i = [0:n / 2] { y[n - 1] = y[n - 1] + (x[2 * i] ^ y[i]); }
    }
    (* Counters that move with the loop; two loops count on. *)
    def void counted(int32_pl n, int32_al[n] x, int32_al[n] y) {
        uint64_pl up = 3uL;
        int8_pl down = 100;
        for i = [1:n] {
            y[i] = x[i] * int32(up) + int32(down);
            up = up + 5uL;
            down = down - 7;
            y[i] = y[i] ^ int32(up);
        }
        for i = [n:1] { y[0] = y[0] + 1; up = up + 1uL; }
        for i = [0:2] { y[i] = y[i] + int32(up) * 3 + int32(down); up = up + 1uL; }
    }
    (* The largest and smallest of a chain, in order and with their places. *)
    def void extremes(int32_pl n, int32_al[n] x, int32_al[4] out) {
        int32_al most = x[0];
        int32_al least = x[0];
        int32_al place = 0;
        int32_al second = x[0];
        for i = [1:n] { most = x[i] > most ? x[i] : most; }
        for i = [1:n] { if (x[i] < least) { least = x[i]; } }
        for i = [1:n] { if (x[i] >= second) { second = x[i]; place = i; } }
        out[0] = most;
        out[1] = least;
        out[2] = second;
        out[3] = place;
    }
    (* A chain of joins over vectors of different lengths. *)
    def void triangle(int32_pl n, int32_al[n] x, bool_bl[n] found) {
        for i = [0:n] { for j = [0:i] { found[j] = found[j] || x[i] == x[j]; } }
    }
}

type Ints<'p> = Array<Shared<i32>, 1>;

/// Runs on arrays of ints and gives what they hold afterwards.
fn run(
    budget: usize,
    arrays: &[Vec<i32>],
    f: impl Fn(&Program<'_, Cleartext>, &[Ints<'_>]) -> Vec<i32>,
) -> Vec<Vec<i32>> {
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    p.set_budget(budget);
    let arrays: Vec<Ints<'_>> = arrays
        .iter()
        .map(|v| {
            let values = p.input_vec(Party::Server, v.len(), Some(v)).expect("inputs");
            Array::from_vec([v.len()], values).expect("sizes")
        })
        .collect();
    let extra = f(&p, &arrays);
    let mut all: Vec<Vec<i32>> = arrays
        .iter()
        .map(|a| p.reveal_vec(&a.to_vec(), Reveal::Both).expect("opens").expect("both"))
        .collect();
    all.push(extra);
    all
}

fn open(p: &Program<'_, Cleartext>, x: &Shared<i32>) -> i32 {
    p.reveal(x, Reveal::Both).expect("opens").expect("both")
}

fn bits(p: &Program<'_, Cleartext>, x: &Array<Shared<bool>, 1>) -> Vec<i32> {
    let all = p.reveal_vec(&x.to_vec(), Reveal::Both).expect("opens").expect("both");
    all.into_iter().map(i32::from).collect()
}

fn check(budget: usize, x: &[i32], y: &[i32]) {
    let n = x.len();
    let size = n as i32;
    let two = [x.to_vec(), y.to_vec(), vec![0; n]];
    let at = |i: usize| i as i32;

    let z: Vec<i32> = (0..n)
        .map(|i| {
            let t = x[i].wrapping_mul(y[i]).wrapping_add(at(i)).wrapping_sub(2 * at(i));
            let t = t.wrapping_add((at(i) * at(i) + 1).wrapping_mul(x[i]));
            t.wrapping_add(y[n - 1 - i].wrapping_mul(3)).wrapping_add(2 * at(i))
        })
        .collect();
    let got = run(budget, &two, |p, a| {
        elementwise(p, size, &a[0], &a[1], &a[2]).expect("runs");
        vec![]
    });
    assert_eq!(got, [x.to_vec(), y.to_vec(), z, vec![]]);

    let mut a: Vec<i32> = x.iter().chain(y).copied().collect();
    let got = run(budget, &[a.clone()], |p, a| {
        interleaved(p, size, &a[0]).expect("runs");
        vec![]
    });
    (0..n).for_each(|i| a[2 * i] = a[2 * i + 1].wrapping_mul(5).wrapping_sub(a[2 * i]));
    assert_eq!(got[0], a);

    let mut a = x.to_vec();
    let got = run(budget, &[a.clone()], |p, a| {
        running(p, size, &a[0]).expect("runs");
        two_apart(p, size, &a[0]).expect("runs");
        vec![]
    });
    (1..n).for_each(|i| a[i] = a[i].wrapping_mul(3).wrapping_add(a[i - 1]));
    (2..n).for_each(|i| a[i] ^= a[i - 2]);
    assert_eq!(got[0], a);

    let mut b = y.to_vec();
    let got = run(budget, &two, |p, a| {
        scattered(p, size, &a[0], &a[1]).expect("runs");
        gathered(p, size, &a[0], &a[2]).expect("runs");
        vec![]
    });
    (0..n).for_each(|i| b[i % 3] = x[i].wrapping_add(1));
    assert_eq!(got[1], b);
    let g: Vec<i32> = (0..n).map(|i| x[(i * i + 1) % n].wrapping_sub(x[n / 2])).collect();
    assert_eq!(got[2], g);

    let (mut b, mut both) = (y.to_vec(), x.to_vec());
    let got = run(budget, &two, |p, a| {
        shifted(p, size, &a[0], &a[1]).expect("runs");
        shifted(p, size, &a[0], &a[0]).expect("runs");
        vec![]
    });
    (1..n).for_each(|i| b[i] = x[i - 1].wrapping_mul(2).wrapping_add(b[i]));
    (1..n).for_each(|i| both[i] = both[i - 1].wrapping_mul(2).wrapping_add(both[i]));
    assert_eq!((&got[1], &got[0]), (&b, &both));

    let mut sum = 7i32;
    let (mut product, mut ors, mut count, mut rest) = (1i32, 0, 0u8, 5i32);
    let (mut any, mut all, mut odd) = (false, true, false);
    for i in 0..n {
        sum = sum.wrapping_add(x[i].wrapping_mul(y[i])).wrapping_sub(at(i));
        product = product.wrapping_mul(x[i] | 1);
        ors ^= x[i];
        count = count.wrapping_add(u8::from(x[i] < y[i]));
        any = any || x[i] == y[i] || x[i] < -100;
        all = x[i] > -120 && all;
        odd ^= x[i] > y[i];
        rest = rest.wrapping_sub(x[i]);
    }
    let got = run(budget, &[x.to_vec(), y.to_vec(), vec![9, 5]], |p, a| {
        let flags = [false, true, false, false].map(|b| p.constant(b));
        let flags = Array::from_vec([4], flags.to_vec()).expect("sizes");
        let s = reductions(p, size, &a[0], &a[1], &flags, &a[2]).expect("runs");
        let mut out = vec![open(p, &s)];
        out.extend(bits(p, &flags));
        out
    });
    assert_eq!(got[2], [product, rest]);
    let sum = sum.wrapping_add(ors).wrapping_add(i32::from(count));
    assert_eq!(got[3], [sum, i32::from(any), i32::from(all), i32::from(odd), 0]);

    let got = run(budget, &two, |p, a| vec![open(p, &prefix(p, size, &a[0], &a[2]).expect("runs"))]);
    let prefixes: Vec<i32> = x
        .iter()
        .scan(0i32, |s, &v| {
            *s = s.wrapping_add(v);
            Some(*s)
        })
        .collect();
    assert_eq!((got[2].last(), &got[2]), (got[3].last(), &prefixes));

    for most in [2, 40] {
        let table = [3, -1, 70, 9];
        let got = run(budget, &[x.to_vec(), y.to_vec(), table.to_vec()], |p, a| {
            mixed(p, size, most, &a[0], &a[1], &a[2]).expect("runs");
            vec![]
        });
        let step = |i: usize| {
            let t = x[i].clamp(0, most) + if most > 3 { 1 } else { -1 };
            t.max(y[i]).wrapping_add(table[(x[i] & 3) as usize])
        };
        assert_eq!(got[1], (0..n).map(step).collect::<Vec<_>>());
    }

    let got = run(budget, &two, |p, a| {
        counted(p, size, &a[0], &a[1]).expect("runs");
        vec![]
    });
    let (mut c, mut up, mut down) = (y.to_vec(), 3i32, 100i8);
    for i in 1..n {
        c[i] = x[i].wrapping_mul(up).wrapping_add(i32::from(down));
        (up, down) = (up + 5, down.wrapping_sub(7));
        c[i] ^= up;
    }
    for v in &mut c[..2] {
        *v = v.wrapping_add(up * 3).wrapping_add(i32::from(down));
        up += 1;
    }
    assert_eq!(got[1], c);

    let got = run(budget, &[x.to_vec(), vec![0; 4]], |p, a| {
        extremes(p, size, &a[0], &a[1]).expect("runs");
        vec![]
    });
    let (most, least) = (*x.iter().max().expect("some"), *x.iter().min().expect("some"));
    let place = x.iter().rposition(|&v| v == most).expect("some");
    assert_eq!(got[1], [most, least, most, at(place)]);

    let mut squares: Vec<i32> = x.iter().map(|v| v.wrapping_mul(*v)).collect();
    let mut c = vec![0i32; n];
    for i in 0..n - 1 {
        c[i] = (squares[i] & squares[i + 1]).wrapping_mul(squares[i] >> 3);
    }
    for i in 0..n / 2 {
        c[n - 1] = c[n - 1].wrapping_add(squares[2 * i] ^ c[i]);
    }
    let got = run(budget, &two, |p, a| {
        converted(p, size, &a[0], &a[2]).expect("runs");
        vec![]
    });
    assert_eq!((&got[0], &got[2]), (&squares, &c));
    squares.clear();

    let got = run(budget, &[x.to_vec()], |p, a| {
        let found = Array::filled([n], p.constant(false)).expect("sizes");
        triangle(p, size, &a[0], &found).expect("runs");
        bits(p, &found)
    });
    let later = |j: usize| i32::from(x[j + 1..].contains(&x[j]));
    assert_eq!(got[1], (0..n).map(later).collect::<Vec<_>>());
}

fn check_matrix(budget: usize, n: usize, x: &[i32]) {
    let mut protocol = Cleartext::new();
    let p = Program::new(&mut protocol);
    p.set_budget(budget);
    let square = |values: &[i32]| {
        let values = p.input_vec(Party::Client, n * n, Some(values)).expect("inputs");
        Array::from_vec([n, n], values).expect("sizes")
    };
    let (a, b) = (&x[..n * n], &x[1..=n * n]);
    let (sa, sb, sc) = (square(a), square(b), square(a));
    matrix(&p, n as i32, &sa, &sb, &sc).expect("runs");
    let got = p.reveal_vec(&sc.to_vec(), Reveal::Both).expect("opens").expect("both");
    let mut c = vec![0i32; n * n];
    for i in 0..n {
        for j in 0..n {
            for k in 0..n {
                c[i * n + j] = c[i * n + j].wrapping_add(a[i * n + k].wrapping_mul(b[k * n + j]));
            }
        }
    }
    for i in n..n * n {
        c[i] = c[i].wrapping_add(c[i - n]);
    }
    assert_eq!(got, c);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn vectors_compute_what_loops_do(
        values in prop::collection::vec((-130i32..130, -130i32..130), 3..40),
        large in prop::collection::vec(any::<i32>(), 26),
        budget in prop::sample::select(vec![1usize, 2, 7, 64, 1 << 20]),
    ) {
        let (x, y): (Vec<i32>, Vec<i32>) = values.into_iter().unzip();
        check(budget, &x, &y);
        check(budget, &large[..13], &large[13..]);
        check_matrix(budget, 5, &large);
    }
}
