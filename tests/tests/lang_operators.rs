//! Every operator, label, signedness and width against plain Rust, on edge values.

use ezpc_core::Party;
use ezpc_core::program::{Array, Program, Scalar, Shared};
use ezpc_core::protocol::{Cleartext, Reveal};

/// The values of a type where operators go wrong.
trait Edges: Scalar + core::fmt::Debug + PartialEq {
    fn edges() -> Vec<Self>;
}

macro_rules! edges {
    ($($t:ty),*) => {$(
        impl Edges for $t {
            fn edges() -> Vec<Self> {
                let top = (1 as $t) << (<$t>::BITS - 1);
                let minus = (0 as $t).wrapping_sub(1);
                let pattern = (<$t>::MAX / 3).wrapping_add(7);
                vec![0, 1, 2, 3, 7, <$t>::MIN, <$t>::MAX, <$t>::MAX - 1, top, top.wrapping_add(1), minus, pattern]
            }
        }
    )*};
}
edges!(i8, u8, i16, u16, i32, u32, i64, u64);

type Binary<T, U> = fn(
    &Program<'_, Cleartext>,
    i32,
    &Array<Shared<T>, 1>,
    &Array<Shared<T>, 1>,
    &Array<Shared<U>, 1>,
) -> ezpc_core::Result<()>;

/// Runs an element-wise function of two arrays on all pairs of edge values.
fn pairs<T: Edges, U: Scalar + PartialEq + core::fmt::Debug>(
    name: &str,
    f: Binary<T, U>,
    oracle: impl Fn(T, T) -> U,
) {
    let edges = T::edges();
    let (x, y): (Vec<T>, Vec<T>) = edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a, b))).unzip();
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    let n = x.len();
    let array = |from, values: &[T]| {
        Array::from_vec([n], program.input_vec(from, n, Some(values)).expect("inputs")).expect("sizes")
    };
    let (a, b) = (array(Party::Server, &x), array(Party::Client, &y));
    let out = Array::filled([n], program.constant(U::from_lane(0))).expect("sizes");
    f(&program, i32::try_from(n).expect("few"), &a, &b, &out).expect("runs");
    let got = program.reveal_vec(&out.to_vec(), Reveal::Both).expect("opens").expect("both learn it");
    for i in 0..n {
        assert_eq!(got[i], oracle(x[i], y[i]), "{name} of {:?} and {:?}", x[i], y[i]);
    }
}

/// The functions of one type: operators with each label they can have, written and inferred.
macro_rules! functions {
    ($module:ident $al:ident $bl:ident $pl:ident $shift:literal) => {
        mod $module {
            ezpc_core::secure! {
                def void add_al(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] +_al y[i]; }; }
                def void add_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] +_bl y[i]; }; }
                def void add_inferred(int32_pl n, $bl[n] x, $bl[n] y, $bl[n] z) { for i = [0:n] { z[i] = x[i] + y[i]; }; }
                def void sub_al(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] -_al y[i]; }; }
                def void sub_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] -_bl y[i]; }; }
                def void mul_al(int32_pl n, $bl[n] x, $bl[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] *_al y[i]; }; }
                def void and_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] & y[i]; }; }
                def void or_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] |_bl y[i]; }; }
                def void xor_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] ^ y[i]; }; }
                def void invert(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = ~(x[i] + y[i]); }; }
                def void negate(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = -x[i] + -_bl y[i]; }; }
                def void lt(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = x[i] < y[i]; }; }
                def void le(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = x[i] <= y[i]; }; }
                def void gt(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = x[i] >_al y[i]; }; }
                def void ge(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = (x[i] ^ 0) >= (y[i] ^ 0); }; }
                def void eq(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = x[i] == y[i]; }; }
                def void eq_bl(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = (x[i] & y[i]) == y[i]; }; }
                def void ne(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = x[i] != y[i]; }; }
                def void positive(int32_pl n, $al[n] x, $al[n] y, bool_bl[n] z) { for i = [0:n] { z[i] = (x[i] < 0) @ (0 < y[i]); }; }
                def void shl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] << $shift) + (y[i] << 1); }; }
                def void shl_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] ^ y[i]) << $shift; }; }
                def void shr(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] >> $shift) ^ (y[i] >> 1); }; }
                def void shr_logical(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] >>> $shift) ^ (y[i] >>>_bl 1); }; }
                def void mux_al(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] > y[i] ?_al x[i] : y[i]; }; }
                def void mux_bl(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] > y[i] ?_bl x[i] : y[i]; }; }
                def void mux_zero(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] > y[i] ? x[i] : 0) + (x[i] == y[i] ? 0 : y[i]); }; }
                def void mux_public(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = (x[i] > y[i] ? 5 : 3) * y[i] + (x[i] == y[i] ? 1 : 0) * x[i]; }; }
                def void div(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] / y[i]; }; }
                def void rem(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] %_bl y[i]; }; }
                def void div_public(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] / 4 + y[i] / 7; }; }
                def void rem_public(int32_pl n, $al[n] x, $al[n] y, $al[n] z) { for i = [0:n] { z[i] = x[i] % 8 + y[i] % 5; }; }

                def $pl add_pl($pl x, $pl y) { return x + y; }
                def $pl sub_pl($pl x, $pl y) { return x - y; }
                def $pl mul_pl($pl x, $pl y) { return x * y; }
                def $pl div_pl($pl x, $pl y) { return x / y; }
                def $pl rem_pl($pl x, $pl y) { return x % y; }
                def $pl shr_pl($pl x, $pl y) { return (x >> $shift) ^ (y >>> $shift) ^ (y << 1); }
                def $pl pow_pl($pl x, $pl y) { return x ^^ 5 + (y & 3); }
                def bool_pl lt_pl($pl x, $pl y) { return x < y; }
            }
        }
    };
}

functions!(int8 int8_al int8_bl int8_pl 3);
functions!(uint8 uint8_al uint8_bl uint8_pl 3);
functions!(int16 int16_al int16_bl int16_pl 5);
functions!(uint16 uint16_al uint16_bl uint16_pl 5);
functions!(int32 int32_al int32_bl int32_pl 9);
functions!(uint32 uint32_al uint32_bl uint32_pl 9);
functions!(int64 int64_al int64_bl int64_pl 33);
functions!(uint64 uint64_al uint64_bl uint64_pl 33);

macro_rules! operators {
    ($test:ident $module:ident $t:ty as $unsigned:ty, $shift:literal) => {
        #[test]
        #[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "logical shifts")]
        fn $test() {
            use $module as m;
            let choose = |c: bool, x: $t| if c { x } else { 0 };
            pairs::<$t, $t>("+_al", m::add_al, <$t>::wrapping_add);
            pairs::<$t, $t>("+_bl", m::add_bl, <$t>::wrapping_add);
            pairs::<$t, $t>("+", m::add_inferred, <$t>::wrapping_add);
            pairs::<$t, $t>("-_al", m::sub_al, <$t>::wrapping_sub);
            pairs::<$t, $t>("-_bl", m::sub_bl, <$t>::wrapping_sub);
            pairs::<$t, $t>("*_al", m::mul_al, <$t>::wrapping_mul);
            pairs::<$t, $t>("&", m::and_bl, |x, y| x & y);
            pairs::<$t, $t>("|", m::or_bl, |x, y| x | y);
            pairs::<$t, $t>("^", m::xor_bl, |x, y| x ^ y);
            pairs::<$t, $t>("~", m::invert, |x, y| !x.wrapping_add(y));
            pairs::<$t, $t>("unary -", m::negate, |x, y| x.wrapping_neg().wrapping_add(y.wrapping_neg()));
            pairs::<$t, bool>("<", m::lt, |x, y| x < y);
            pairs::<$t, bool>("<=", m::le, |x, y| x <= y);
            pairs::<$t, bool>(">", m::gt, |x, y| x > y);
            pairs::<$t, bool>(">=", m::ge, |x, y| x >= y);
            pairs::<$t, bool>("==", m::eq, |x, y| x == y);
            pairs::<$t, bool>("== on Boolean shares", m::eq_bl, |x, y| x & y == y);
            pairs::<$t, bool>("!=", m::ne, |x, y| x != y);
            #[allow(unused_comparisons, clippy::absurd_extreme_comparisons, reason = "one oracle for both")]
            pairs::<$t, bool>("< 0", m::positive, |x, y| (x < 0) ^ (0 < y));
            pairs::<$t, $t>("<<", m::shl, |x, y| (x << $shift).wrapping_add(y << 1));
            pairs::<$t, $t>("<< on Boolean shares", m::shl_bl, |x, y| (x ^ y) << $shift);
            pairs::<$t, $t>(">>", m::shr, |x, y| (x >> $shift) ^ (y >> 1));
            let logical = |x: $t, by: u32| ((x as $unsigned) >> by) as $t;
            pairs::<$t, $t>(">>>", m::shr_logical, |x, y| logical(x, $shift) ^ logical(y, 1));
            pairs::<$t, $t>("?_al", m::mux_al, <$t>::max);
            pairs::<$t, $t>("?_bl", m::mux_bl, <$t>::max);
            pairs::<$t, $t>("? : 0", m::mux_zero, |x, y| choose(x > y, x).wrapping_add(choose(x != y, y)));
            pairs::<$t, $t>("? of public values", m::mux_public, |x, y| {
                (if x > y { 5 as $t } else { 3 }).wrapping_mul(y).wrapping_add(choose(x == y, x))
            });
            let ones = (0 as $t).wrapping_sub(1);
            pairs::<$t, $t>("/", m::div, |x, y| if y == 0 { ones } else { x.wrapping_div(y) });
            pairs::<$t, $t>("%", m::rem, |x, y| if y == 0 { x } else { x.wrapping_rem(y) });
            pairs::<$t, $t>("/ public", m::div_public, |x, y| (x / 4).wrapping_add(y / 7));
            pairs::<$t, $t>("% public", m::rem_public, |x, y| (x % 8).wrapping_add(y % 5));

            let mut protocol = Cleartext::new();
            let p = Program::new(&mut protocol);
            for x in <$t>::edges() {
                for y in <$t>::edges() {
                    assert_eq!(m::add_pl(&p, x, y).expect("+"), x.wrapping_add(y));
                    assert_eq!(m::sub_pl(&p, x, y).expect("-"), x.wrapping_sub(y));
                    assert_eq!(m::mul_pl(&p, x, y).expect("*"), x.wrapping_mul(y));
                    assert_eq!(m::lt_pl(&p, x, y).expect("<"), x < y);
                    assert_eq!(m::pow_pl(&p, x, y).expect("^^"), x.wrapping_pow(5).wrapping_add(y & 3));
                    let shifted = (x >> $shift) ^ logical(y, $shift) ^ (y << 1);
                    assert_eq!(m::shr_pl(&p, x, y).expect(">>"), shifted);
                    if y == 0 {
                        let error = m::div_pl(&p, x, y).expect_err("by zero");
                        assert_eq!(error.kind(), ezpc_core::ErrorKind::Usage);
                        assert!(m::rem_pl(&p, x, y).is_err());
                    } else {
                        assert_eq!(m::div_pl(&p, x, y).expect("/"), x.wrapping_div(y));
                        assert_eq!(m::rem_pl(&p, x, y).expect("%"), x.wrapping_rem(y));
                    }
                }
            }
        }
    };
}

operators!(int8_operators int8 i8 as u8, 3);
operators!(uint8_operators uint8 u8 as u8, 3);
operators!(int16_operators int16 i16 as u16, 5);
operators!(uint16_operators uint16 u16 as u16, 5);
operators!(int32_operators int32 i32 as u32, 9);
operators!(uint32_operators uint32 u32 as u32, 9);
operators!(int64_operators int64 i64 as u64, 33);
operators!(uint64_operators uint64 u64 as u64, 33);
