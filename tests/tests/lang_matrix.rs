//! Every operator with every label it can have, on operands of all labels, signs and widths: in the clear against
//! plain Rust on edge values and values by chance, and between two parties against the oracle.

use core::fmt::Debug;
use ezpc_core::program::{Array, Program, Scalar, Shared};
use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Result};

/// The results with numbers, and with truth values.
const NUMBERS: usize = 23;
const BITS: usize = 18;

/// All operators on two operands as one function; and shifts and unary operators as another.
macro_rules! combination {
    ($name:ident: $x:ident $y:ident -> $z:ident) => {
        pub(crate) mod $name {
            ezpc_core::secure! {
                def void run($x x, $y y, $z[23] z, bool_bl[18] b) {
                    z[0] = x + y; z[1] = x +_al y; z[2] = x +_bl y;
                    z[3] = x - y; z[4] = x -_al y; z[5] = x -_bl y;
                    z[6] = x / y; z[7] = x /_al y; z[8] = x /_bl y;
                    z[9] = x % y; z[10] = x %_al y; z[11] = x %_bl y;
                    z[12] = x * y; z[13] = x *_al y;
                    z[14] = x & y; z[15] = x &_bl y;
                    z[16] = x | y; z[17] = x |_bl y;
                    z[18] = x ^ y; z[19] = x ^_bl y;
                    z[20] = x < y ? x : y; z[21] = x < y ?_al x : y; z[22] = x < y ?_bl x : y;
                    b[0] = x < y; b[1] = x <_al y; b[2] = x <_bl y;
                    b[3] = x <= y; b[4] = x <=_al y; b[5] = x <=_bl y;
                    b[6] = x > y; b[7] = x >_al y; b[8] = x >_bl y;
                    b[9] = x >= y; b[10] = x >=_al y; b[11] = x >=_bl y;
                    b[12] = x == y; b[13] = x ==_al y; b[14] = x ==_bl y;
                    b[15] = x != y; b[16] = x !=_al y; b[17] = x !=_bl y;
                }
            }
        }
    };
}

macro_rules! unary {
    ($name:ident: $x:ident -> $z:ident) => {
        pub(crate) mod $name {
            ezpc_core::secure! {
                def void run(int32_pl by, $x x, $z[11] z) {
                    z[0] = x << by; z[1] = x <<_bl by;
                    z[2] = x >> by; z[3] = x >>_bl by;
                    z[4] = x >>> by; z[5] = x >>>_bl by;
                    z[6] = ~x; z[7] = ~_bl x;
                    z[8] = -x; z[9] = -_al x; z[10] = -_bl x;
                }
            }
        }
    };
}

/// A value of a type by a seed, and the oracle.
trait Number: Scalar + PartialEq + Debug + Send + Sync {
    fn edges() -> Vec<Self>;
    fn by_chance(seed: u64) -> Self;
    fn results(self, y: Self) -> ([Self; NUMBERS], [bool; BITS]);
    fn shifted(self, by: u32) -> [Self; 11];
    fn is_zero(self) -> bool;
}

macro_rules! number {
    ($($t:ident $unsigned:ident),*) => {$(
        #[allow(
            clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss,
            reason = "values by chance and logical shifts"
        )]
        impl Number for $t {
            fn edges() -> Vec<Self> {
                let top = (1 as Self) << (Self::BITS - 1);
                let minus = (0 as Self).wrapping_sub(1);
                vec![0, 7, top, minus, 1, Self::MAX, Self::MAX / 3, top.wrapping_add(1)]
            }

            fn by_chance(seed: u64) -> Self {
                let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb).swap_bytes() as Self
            }

            fn results(self, y: Self) -> ([Self; NUMBERS], [bool; BITS]) {
                let x = self;
                let (sum, difference, product) = (x.wrapping_add(y), x.wrapping_sub(y), x.wrapping_mul(y));
                let (quotient, rest) = match y {
                    0 => ((0 as Self).wrapping_sub(1), x),
                    _ => (x.wrapping_div(y), x.wrapping_rem(y)),
                };
                let (and, or, xor, least) = (x & y, x | y, x ^ y, x.min(y));
                let numbers = [
                    sum, sum, sum, difference, difference, difference, quotient, quotient, quotient, rest, rest, rest,
                    product, product, and, and, or, or, xor, xor, least, least, least,
                ];
                let tests = [x < y, x <= y, x > y, x >= y, x == y, x != y];
                (numbers, core::array::from_fn(|i| tests[i / 3]))
            }

            fn shifted(self, by: u32) -> [Self; 11] {
                let logical = ((self as $unsigned) >> by) as Self;
                let (left, right, minus) = (self << by, self >> by, self.wrapping_neg());
                [left, left, right, right, logical, logical, !self, !self, minus, minus, minus]
            }

            fn is_zero(self) -> bool {
                self == 0
            }
        }
    )*};
}
number!(i8 u8, u8 u8, i16 u16, u16 u16, i32 u32, u32 u32, i64 u64, u64 u64);

/// Operands: edge values against each other, then by chance.
fn pairs<T: Number>(edges: usize, random: u64, zeros: bool) -> (Vec<T>, Vec<T>) {
    let edge = &T::edges()[..edges];
    let edge = edge.iter().flat_map(|&x| edge.iter().map(move |&y| (x, y)));
    let chance = (0..random).map(|i| (T::by_chance(2 * i + 1), T::by_chance(2 * i + 2)));
    edge.chain(chance).filter(|(_, y)| zeros || !y.is_zero()).unzip()
}

/// Passes a value to a function that takes it as a secret or a public one.
macro_rules! pass {
    (secret $value:expr) => {
        &$value.0
    };
    (public $value:expr) => {
        $value.1
    };
}

/// A value as both.
fn given<T: Number, P: Protocol>(p: &Program<'_, P>, from: Party, value: T) -> Result<(Shared<T>, T)> {
    Ok((p.input(from, Some(value))?, value))
}

/// One combination on all pairs: for each pair the numbers and the truth values by operator.
macro_rules! run {
    ($p:expr, $t:ident $module:ident, $of_x:ident, $of_y:ident, $x:expr, $y:expr) => {{
        let program = Program::new($p);
        let (mut numbers, mut bits) = (Vec::new(), Vec::new());
        for (&x, &y) in $x.iter().zip($y) {
            let (x, y) = (given(&program, Party::Server, x)?, given(&program, Party::Client, y)?);
            let z = Array::filled([NUMBERS], program.constant::<$t>(0))?;
            let b = Array::filled([BITS], program.constant(false))?;
            $module::run(&program, pass!($of_x x), pass!($of_y y), &z, &b)?;
            numbers.extend(z.to_vec());
            bits.extend(b.to_vec());
        }
        let numbers = program.reveal_vec(&numbers, Reveal::Both)?.expect("both learn it");
        let bits = program.reveal_vec(&bits, Reveal::Both)?.expect("both learn it");
        Ok::<_, ezpc_core::Error>((numbers, bits))
    }};
}

macro_rules! check {
    ($t:ident $module:ident, $of_x:ident $of_y:ident, zeros: $zeros:literal) => {{
        let (x, y) = pairs::<$t>(6, 8, $zeros);
        let oracle = |p: &mut Cleartext| run!(p, $t $module, $of_x, $of_y, &x, &y);
        let (numbers, bits) = oracle(&mut Cleartext::new()).expect("runs");
        for (i, (&x, &y)) in x.iter().zip(&y).enumerate() {
            let (want, truth) = x.results(y);
            assert_eq!(numbers[i * NUMBERS..][..NUMBERS], want, "{x} and {y}");
            assert_eq!(bits[i * BITS..][..BITS], truth, "{x} and {y}");
        }
    }};
    // Between two parties.
    (two: $t:ident $module:ident, $of_x:ident $of_y:ident) => {{
        let (x, y) = pairs::<$t>(3, 3, true);
        let oracle = |p: &mut Cleartext| run!(p, $t $module, $of_x, $of_y, &x, &y);
        let expected = oracle(&mut Cleartext::new()).expect("runs");
        let both = run_two(|p| run!(p, $t $module, $of_x, $of_y, &x, &y)).expect("both run");
        assert_eq!(both, [expected.clone(), expected]);
    }};
}

macro_rules! shifts {
    ($t:ident $module:ident, $of_x:ident) => {{
        let (x, _) = pairs::<$t>(8, 4, true);
        let mut protocol = Cleartext::new();
        let program = Program::new(&mut protocol);
        for by in 0..$t::BITS {
            let run = || -> Result<Vec<$t>> {
                let mut all = Vec::new();
                for &x in &x {
                    let x = given(&program, Party::Server, x)?;
                    let z = Array::filled([11], program.constant::<$t>(0))?;
                    $module::run(&program, i32::try_from(by).expect("small"), pass!($of_x x), &z)?;
                    all.extend(z.to_vec());
                }
                Ok(program.reveal_vec(&all, Reveal::Both)?.expect("both learn it"))
            };
            let got = run().expect("runs");
            for (i, &x) in x.iter().enumerate() {
                assert_eq!(got[11 * i..][..11], x.shifted(by), "{x} by {by}");
            }
        }
    }};
}

macro_rules! types {
    ($($test:ident $t:ident $al:ident $bl:ident $pl:ident)*) => {$(
        mod $test {
            use super::*;
            combination!(al_al: $al $al -> $al);
            combination!(al_bl: $al $bl -> $bl);
            combination!(bl_al: $bl $al -> $al);
            combination!(bl_bl: $bl $bl -> $bl);
            combination!(al_pl: $al $pl -> $al);
            combination!(pl_al: $pl $al -> $bl);
            combination!(bl_pl: $bl $pl -> $al);
            combination!(pl_bl: $pl $bl -> $bl);
            combination!(pl_pl: $pl $pl -> $al);
            unary!(of_al: $al -> $al);
            unary!(of_bl: $bl -> $bl);
            unary!(of_pl: $pl -> $al);

            #[test]
            fn operators() {
                check!($t al_al, secret secret, zeros: true);
                check!($t al_bl, secret secret, zeros: true);
                check!(two: $t al_bl, secret secret);
                check!($t bl_al, secret secret, zeros: true);
                check!($t bl_bl, secret secret, zeros: true);
                check!($t al_pl, secret public, zeros: true);
                check!(two: $t al_pl, secret public);
                check!($t pl_al, public secret, zeros: true);
                check!(two: $t pl_al, public secret);
                check!($t bl_pl, secret public, zeros: true);
                check!($t pl_bl, public secret, zeros: true);
                // A public division by zero is an error.
                check!($t pl_pl, public public, zeros: false);
                shifts!($t of_al, secret);
                shifts!($t of_bl, secret);
                shifts!($t of_pl, public);
            }
        }
    )*};
}

types! {
    int8 i8 int8_al int8_bl int8_pl
    uint8 u8 uint8_al uint8_bl uint8_pl
    int16 i16 int16_al int16_bl int16_pl
    uint16 u16 uint16_al uint16_bl uint16_pl
    int32 i32 int32_al int32_bl int32_pl
    uint32 u32 uint32_al uint32_bl uint32_pl
    int64 i64 int64_al int64_bl int64_pl
    uint64 u64 uint64_al uint64_bl uint64_pl
}
