//! Loops over residues of primes below 2^26 and what they are made from, compiled for the widest vectors at hand.
//!
//! Each loop is written once; the compiler vectorises it for every instruction set, so that all give the same
//! results.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of code for an instruction set, behind a run-time check of the CPU")
)]

/// A prime below 2^26 with the constants of Montgomery arithmetic.
#[derive(Clone, Copy)]
pub(crate) struct Prime {
    /// p.
    pub(crate) p: u32,
    /// p^{-1} mod 2^32.
    pub(crate) inverse: u32,
    /// 2^32 mod p.
    pub(crate) r: u32,
    /// 2^64 mod p.
    pub(crate) r2: u32,
}

impl Prime {
    /// `a · b / 2^32` mod p, reduced.
    #[inline(always)]
    fn mont_mul(self, a: u32, b: u32) -> u32 {
        let product = u64::from(a) * u64::from(b);
        let q = (product as u32).wrapping_mul(self.inverse);
        let correction = ((u64::from(q) * u64::from(self.p)) >> 32) as u32;
        self.reduce(((product >> 32) as u32).wrapping_sub(correction).wrapping_add(self.p))
    }

    /// Takes p off once when that does not wrap.
    #[inline(always)]
    fn reduce(self, v: u32) -> u32 {
        v.min(v.wrapping_sub(self.p))
    }
}

/// Defines a function whose loop is compiled for several instruction sets.
macro_rules! widest {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[inline]
        pub(crate) fn $name($($arg: $ty),*) {
            #[inline(always)]
            fn body($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
                fn avx512($($arg: $ty),*) {
                    body($($arg),*);
                }

                #[target_feature(enable = "avx2,popcnt")]
                fn avx2($($arg: $ty),*) {
                    body($($arg),*);
                }

                if detected!("avx512f")
                    && detected!("avx512bw")
                    && detected!("avx512dq")
                    && detected!("avx512vl")
                    && detected!("avx512vpopcntdq")
                {
                    // SAFETY: the CPU has these instructions, checked above.
                    return unsafe { avx512($($arg),*) };
                }
                if detected!("avx2") && detected!("popcnt") {
                    // SAFETY: the CPU has these instructions, checked above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*);
        }
    };
}

pub(crate) use widest;

widest! {
    /// `v = v · w / 2^32` mod p.
    fn mul_assign(m: Prime, v: &mut [u32], w: &[u32]) {
        for (v, &w) in v.iter_mut().zip(w) {
            *v = m.mont_mul(*v, w);
        }
    }
}

widest! {
    /// `w · factor / 2^32` mod p for integers below p in absolute value.
    fn signed_residues(m: Prime, words: &[i64], factor: u32, out: &mut [u32]) {
        for (out, &w) in out.iter_mut().zip(words) {
            *out = m.mont_mul((w + (i64::from(m.p) & (w >> 63))) as u32, factor);
        }
    }
}

widest! {
    /// `v = v + x · w / 2^32` mod p.
    fn add_product(m: Prime, v: &mut [u32], x: &[u32], w: &[u32]) {
        for ((v, &x), &w) in v.iter_mut().zip(x).zip(w) {
            *v = m.reduce(*v + m.mont_mul(x, w));
        }
    }
}

widest! {
    /// `v = v + x` mod p.
    fn add_assign(m: Prime, v: &mut [u32], x: &[u32]) {
        for (v, &x) in v.iter_mut().zip(x) {
            *v = m.reduce(*v + x);
        }
    }
}

widest! {
    /// `v = v - x` mod p.
    fn subtract(m: Prime, v: &mut [u32], x: &[u32]) {
        for (v, &x) in v.iter_mut().zip(x) {
            *v = m.reduce(*v + m.p - x);
        }
    }
}

widest! {
    /// `v = c - v` mod p.
    fn subtract_from_constant(m: Prime, v: &mut [u32], c: u32) {
        for v in v.iter_mut() {
            *v = m.reduce(c + m.p - *v);
        }
    }
}

widest! {
    /// `v = (v · factor + summand) mod 2^bits`.
    fn affine_words(v: &mut [u64], factor: u64, summand: u64, bits: u32) {
        let mask = u64::MAX >> (64 - bits);
        for v in v.iter_mut() {
            *v = v.wrapping_mul(factor).wrapping_add(summand) & mask;
        }
    }
}

widest! {
    /// `v = x - v` mod p.
    fn subtract_from(m: Prime, v: &mut [u32], x: &[u32]) {
        for (v, &x) in v.iter_mut().zip(x) {
            *v = m.reduce(x + m.p - *v);
        }
    }
}

widest! {
    /// `v = v + e` mod p for small signed e.
    fn add_small(m: Prime, v: &mut [u32], e: &[i32]) {
        for (v, &e) in v.iter_mut().zip(e) {
            let residue = (e as u32).wrapping_add(m.p & (e >> 31) as u32);
            *v = m.reduce(*v + residue);
        }
    }
}

widest! {
    /// Small signed values mod p.
    fn small_residues(m: Prime, e: &[i32], out: &mut [u32]) {
        for (v, &e) in out.iter_mut().zip(e) {
            *v = (e as u32).wrapping_add(m.p & (e >> 31) as u32);
        }
    }
}

widest! {
    /// `v = wide · factor / 2^64` mod p for values below 2^57.
    fn wide_residues(m: Prime, wide: &[u64], factor: u32, out: &mut [u32]) {
        for (v, &w) in out.iter_mut().zip(wide) {
            // Below 2^52: one Montgomery step divides by 2^32.
            let folded = (w >> 32) * u64::from(m.r) + (w & 0xFFFF_FFFF);
            let q = (folded as u32).wrapping_mul(m.inverse);
            let correction = ((u64::from(q) * u64::from(m.p)) >> 32) as u32;
            let divided = ((folded >> 32) as u32).wrapping_sub(correction).wrapping_add(m.p);
            *v = m.mont_mul(m.reduce(divided), factor);
        }
    }
}

widest! {
    /// Differences of the numbers of ones among the low `bits` of two words each.
    fn binomial(bits: u32, left: &[u64], right: &[u64], out: &mut [i32]) {
        let mask = (1_u64 << bits) - 1;
        for ((v, &l), &r) in out.iter_mut().zip(left).zip(right) {
            *v = (l & mask).count_ones() as i32 - (r & mask).count_ones() as i32;
        }
    }
}

/// What recombines residues of two primes.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    /// The primes.
    pub(crate) primes: [Prime; 2],
    /// The inverse of the other prime, in Montgomery form.
    pub(crate) others: [u32; 2],
}

widest! {
    /// `v / Q` mod 1, up to 2^-50, in `[0, 2)`.
    fn pair_fractions(pair: Pair, low: &[u32], high: &[u32], out: &mut [f64]) {
        let [p, q] = pair.primes;
        let (per_p, per_q) = (1.0 / f64::from(p.p), 1.0 / f64::from(q.p));
        for ((v, &a), &b) in out.iter_mut().zip(low).zip(high) {
            // Below 2^26: the conversion from signed integers is the cheaper one.
            let a = p.mont_mul(a, pair.others[0]) as i32;
            let b = q.mont_mul(b, pair.others[1]) as i32;
            *v = f64::from(a) * per_p + f64::from(b) * per_q;
        }
    }
}

widest! {
    /// The `bits` highest bits, at most 45, of fractions in `[0, 8)`, rounded, mod 2^bits.
    fn keep_fractions(bits: u32, fractions: &[f64], out: &mut [u64]) {
        let scale = (1_u64 << bits) as f64;
        let mask = (1_u64 << bits) - 1;
        for (v, &f) in out.iter_mut().zip(fractions) {
            // Adding 2^52 rounds to an integer and puts it into the low bits.
            *v = (f * scale + 4_503_599_627_370_496.0).to_bits() & mask;
        }
    }
}

widest! {
    /// `f = f + e · scale + add`.
    fn add_scaled(scale: f64, add: f64, e: &[i32], fractions: &mut [f64]) {
        for (f, &e) in fractions.iter_mut().zip(e) {
            *f += f64::from(e) * scale + add;
        }
    }
}

widest! {
    /// Words of `bits` bits without masks, of which the bits above the lowest `slack` are the shares.
    fn mask_words(bits: u32, slack: u32, masks: &[u64], words: &mut [u64], shares: &mut [u64]) {
        let all = (1 << bits) - 1;
        for ((word, share), &r) in words.iter_mut().zip(shares.iter_mut()).zip(masks) {
            let r = r & all;
            *word = word.wrapping_sub(r) & all;
            *share = r >> slack;
        }
    }
}

widest! {
    /// Sums of words of `bits` bits, divided by `2^slack` and rounded up.
    fn add_ceil(bits: u32, slack: u32, words: &[u64], sums: &mut [u64]) {
        let (all, ceil) = ((1 << bits) - 1, (1 << slack) - 1);
        for (sum, &word) in sums.iter_mut().zip(words) {
            *sum = ((word.wrapping_add(*sum) & all) + ceil) >> slack;
        }
    }
}

widest! {
    /// The integers in `-Q/2..Q/2`, divided by `2^drop` and rounded, as two's complement.
    fn pair_lift(pair: Pair, drop: u32, low: &[u32], high: &[u32], out: &mut [u64]) {
        let [p, q] = pair.primes;
        let modulus = u64::from(p.p) * u64::from(q.p);
        let half = (1_u64 << drop) >> 1;
        for ((v, &a), &b) in out.iter_mut().zip(low).zip(high) {
            let digit = q.mont_mul(q.reduce(b + q.p - q.reduce(a)), pair.others[1]);
            let value = u64::from(a) + u64::from(p.p) * u64::from(digit);
            let negative = ((modulus / 2).wrapping_sub(value) as i64 >> 63) as u64;
            let centred = value.wrapping_sub(modulus & negative);
            *v = (centred.wrapping_add(half) as i64 >> drop) as u64;
        }
    }
}
