//! Fixed point of any format: within the documented bounds of real numbers, exactly what public values of the format
//! give, and the same between two parties.

use ezpc_core::program::{Array, Fix, Program, Scalar, Shared};
use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Result, secure};

/// All operators of one format, and the same on public values.
macro_rules! format {
    ($name:ident $bits:literal $fraction:literal) => {
        mod $name {
            pub(super) type Number = ezpc_core::program::Fix<$bits, $fraction>;

            ezpc_core::secure! {
                def void run(
                    int32_pl n, fix<$bits, $fraction>[n] x, fix<$bits, $fraction>[n] y,
                    fix<$bits, $fraction>_fl[8][n] z, bool_bl[3][n] b, int32_al[n] whole
                ) {
                    for i = [0:n] {
                        z[0][i] = x[i] + y[i];
                        z[1][i] = x[i] - y[i];
                        z[2][i] = x[i] * y[i];
                        z[3][i] = x[i] / y[i];
                        z[4][i] = -x[i];
                        z[5][i] = x[i] / 2.0;
                        z[6][i] = x[i] < y[i] ? x[i] : y[i];
                        z[7][i] = x[i] * 0.5 + 0.25;
                        b[0][i] = x[i] < y[i];
                        b[1][i] = x[i] >= y[i];
                        b[2][i] = x[i] == y[i];
                        whole[i] = int32(x[i]);
                    }
                }
                def fix<$bits, $fraction>_pl public(
                    int32_pl which, fix<$bits, $fraction>_pl x, fix<$bits, $fraction>_pl y
                ) {
                    if (which == 0) { return x + y; }
                    if (which == 1) { return x - y; }
                    if (which == 2) { return x * y; }
                    if (which == 3) { return x / y; }
                    if (which == 4) { return -x; }
                    if (which == 5) { return x * 0.5; }
                    if (which == 6) { return x < y ? x : y; }
                    return x * 0.5 + 0.25;
                }
            }

            super::checks!($name);
        }
    };
}

macro_rules! checks {
    ($name:ident) => {
        /// Results in rows, comparisons in rows, floors.
        type Results = (Vec<Vec<Number>>, Vec<Vec<bool>>, Vec<i32>);

        fn results<P: super::Protocol>(p: &mut P, x: &[Number], y: &[Number]) -> super::Result<Results> {
            let n = x.len();
            let own = |party, values| (p.party().is_none_or(|me| me == party)).then_some(values);
            let (a, b) = (own(super::Party::Server, x), own(super::Party::Client, y));
            let program = super::Program::new(p);
            let a = program.input_array(super::Party::Server, [n], a)?;
            let b = program.input_array(super::Party::Client, [n], b)?;
            let z = super::Array::filled([8, n], program.constant(Number::nearest(0.0)))?;
            let bits = super::Array::filled([3, n], program.constant(false))?;
            let whole = super::Array::filled([n], program.constant(0i32))?;
            run(&program, i32::try_from(n).expect("few"), &a, &b, &z, &bits, &whole)?;
            let numbers = program.reveal_vec(&z.to_vec(), super::Reveal::Both)?.expect("both learn it");
            let bits = program.reveal_vec(&bits.to_vec(), super::Reveal::Both)?.expect("both learn it");
            let whole = program.reveal_vec(&whole.to_vec(), super::Reveal::Both)?.expect("both learn it");
            let rows = |all: Vec<Number>| all.chunks(n).map(<[Number]>::to_vec).collect();
            Ok((rows(numbers), bits.chunks(n).map(<[bool]>::to_vec).collect(), whole))
        }

        #[test]
        fn within_the_bounds() {
            let (x, y) = super::operands::<Number>();
            let (z, bits, whole) = results(&mut super::Cleartext::new(), &x, &y).expect("runs");
            let mut protocol = super::Cleartext::new();
            let program = super::Program::new(&mut protocol);
            let unit = 2f64.powi(-<Number as super::Scalar>::FRACTION.cast_signed());
            let reach = 2f64.powi(
                (<Number as super::Scalar>::BITS - 1).cast_signed()
                    - 2 * <Number as super::Scalar>::FRACTION.cast_signed(),
            );
            for i in 0..x.len() {
                let (a, b) = (x[i].to_f64(), y[i].to_f64());
                let at = |row: usize| z[row][i].to_f64();
                assert_eq!((at(0), at(1), at(4)), (a + b, a - b, -a), "{a} and {b}");
                assert_eq!(at(6), a.min(b));
                assert!((a * b).abs() < reach && a.abs() < reach, "operands of the test");
                let below = a * b - at(2);
                assert!((0.0..unit).contains(&below), "{a} * {b} is {}", at(2));
                let toward_zero = (a / b).abs() - at(3).abs();
                assert!((0.0..unit).contains(&toward_zero), "{a} / {b} is {}", at(3));
                assert!((0.0..unit).contains(&(a / 2.0 - at(5))), "{a} / 2 is {}", at(5));
                assert!((0.0..unit).contains(&(a / 2.0 + 0.25 - at(7))));
                assert_eq!([bits[0][i], bits[1][i], bits[2][i]], [a < b, a >= b, a == b]);
                assert_eq!(f64::from(whole[i]), a.floor());
                // Public values of the format mean the same.
                for row in 0..8 {
                    let which = i32::try_from(row).expect("small");
                    assert_eq!(public(&program, which, x[i], y[i]).expect("runs"), z[row][i], "row {row}");
                }
            }
            assert!(public(&program, 3, x[0], Number::nearest(0.0)).is_err(), "division by a public zero");
        }

        #[test]
        fn two_parties_agree() {
            let (x, y) = super::operands::<Number>();
            let expected = results(&mut super::Cleartext::new(), &x, &y).expect("runs");
            let both = super::run_two(|p| results(p, &x, &y)).expect("runs");
            assert_eq!(both, [expected.clone(), expected]);
        }
    };
}
use checks;

/// Operands whose products and quotients are within reach.
fn operands<T: Scalar>() -> (Vec<T>, Vec<T>) {
    let reach = 2f64.powi((T::BITS - 1).cast_signed() - 2 * T::FRACTION.cast_signed());
    let limit = reach.min(1000.0);
    let unit = |v: f64| (v * 2f64.powi(T::FRACTION.cast_signed())).round();
    let lane = |v: f64| {
        #[allow(clippy::cast_possible_truncation, reason = "below the reach")]
        let raw = unit(v) as i64;
        T::from_lane(T::width().wrap(raw.cast_unsigned()))
    };
    let part = limit.sqrt() * 0.99;
    let values = [1.0, -1.0, 0.37, -0.73, 0.051, -0.999, 0.5];
    let pairs = values.iter().flat_map(|&a| values.iter().map(move |&b| (a * part, b * part)));
    pairs.filter(|&(_, b)| unit(b) != 0.0).map(|(a, b)| (lane(a), lane(b))).unzip()
}

format!(narrow 16 6);
format!(word 32 12);
format!(odd 40 16);
format!(wide 64 16);
format!(fine 64 28);
format!(coarse 32 2);

secure! {
    mod convert;

    fix<32, 12> scale = 2.5;

    def void main() {
        input(CLIENT, x, fix<32, 12>);
        input(SERVER, n, int16_al);
        input(ALL, p, fix<24, 8>_pl);
        input(SERVER, f, float_fl);
        fix<64, 24> finer = fix<64, 24>(x);
        output(ALL, finer * finer);
        output(ALL, fix<16, 4>(x));
        output(ALL, fix<32, 12>(n) * scale);
        output(ALL, int64(x * -2.0));
        output(ALL, float(x) + f);
        output(ALL, fix<32, 12>(f));
        output(ALL, fix<32, 12>(p) + x);
        output(ALL, bool(x));
        output(ALL, int8(p));
        float_pl third = 1.0 / 3.0;
        output(ALL, x * third);
        fix<32, 12>[2] list = {0.5, third};
        if (x > 1.0) { list[0] += x; }
        output(ALL, list);
    }
}

#[test]
fn formats_convert() {
    let number = |v: f64| Fix::<32, 12>::new(v).expect("in range");
    let inputs =
        convert::Inputs { x: Some(number(-3.3125)), n: Some(-7), p: Some(Fix::nearest(-2.75)), f: Some(1.5) };
    let o = convert::main(&mut Cleartext::new(), &inputs).expect("runs");
    assert_eq!(o.output.to_f64(), 3.3125 * 3.3125);
    assert_eq!((o.output_2.to_f64(), o.output_3.to_f64()), (-3.3125, -17.5));
    assert_eq!((o.output_4, o.output_5, o.output_6.to_f64()), (6, -1.8125, 1.5));
    assert_eq!((o.output_7.to_f64(), o.output_8, o.output_9), (-6.0625, true, -3));
    let third = number(1.0 / 3.0);
    assert_eq!(o.output_10, number(-3.3125) * third);
    assert_eq!(o.list, vec![number(0.5), third]);
    let both = run_two(|p| convert::main(p, &inputs)).expect("runs");
    assert_eq!(both, [o.clone(), o]);
}

/// Inputs are checked where they are made.
#[test]
fn what_does_not_fit_is_refused() {
    assert!(Fix::<16, 8>::new(127.99).is_ok());
    for value in [128.0, -128.01, f64::NAN, f64::INFINITY] {
        assert!(Fix::<16, 8>::new(value).is_err(), "{value}");
    }
    assert_eq!(Fix::<16, 8>::nearest(1e9).to_f64(), 127.996_093_75);
    assert_eq!(Fix::<64, 16>::new(-(2f64.powi(47))).expect("the least").raw(), i64::MIN);
    assert!(Fix::<64, 16>::new(2f64.powi(47)).is_err());
}

/// A sum of n products is at most n units below.
#[test]
fn sums_of_products() {
    secure! {
        def fix<48, 12> dot(int32_pl n, fix<48, 12>[n] x, fix<48, 12>[n] y) {
            fix<48, 12> sum = 0.0;
            for i = [0:n] { sum = sum + x[i] * y[i]; }
            return sum;
        }
    }
    let n = 200;
    let values: Vec<Fix<48, 12>> = (0..n).map(|i| Fix::nearest(f64::from(i) * 0.037 - 3.0)).collect();
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let x: Array<Shared<Fix<48, 12>>, 1> =
        program.input_array(Party::Server, [200], Some(&values)).expect("inputs");
    let sum = dot(&program, n, &x, &x).expect("runs");
    let sum = program.reveal(&sum, Reveal::Both).expect("opens").expect("both");
    let exact: f64 = values.iter().map(|v| v.to_f64() * v.to_f64()).sum();
    assert!((0.0..f64::from(n) / 4096.0).contains(&(exact - sum.to_f64())));
}
