//! Corners of the recorder: branches that are equal, nodes whose names are used again, comparisons that another
//! operation has absorbed, openings that fail.

use ezpc_core::program::{Array, Fix, Program, Shared};
use ezpc_core::protocol::{Cleartext, Reveal};
use ezpc_core::{Party, secure};

secure! {
    (* Both branches are false, but not the same false: an integer zero lies between. *)
    def bool_bl equal_branches(int32_al x) {
        bool_bl seen = false;
        int32_al n = 0;
        if (x > 5) { seen = false; n = 1; }
        return seen;
    }
    def bool_bl public_bits(bool_pl[5] bits, uint32_al at) {
        return bits[at];
    }
    (* The comparison and its opposite are used by a maximum and by another chain. *)
    def void running_maximum(int32_pl n, int32_al[n] x, int32_al[1] most, bool_bl[1] first) {
        int32_al m = x[0];
        bool_bl fresh = true;
        for i = [1:n] {
            if (x[i] >= m) { m = x[i]; fresh = false; }
        }
        most[0] = m;
        first[0] = fresh;
    }
    def void maximum_and_order(int32_al x, int32_al y, int32_al[1] most, bool_bl[1] less) {
        bool_bl c = x >= y;
        most[0] = c ? x : y;
        less[0] = !c;
    }
    def bool_bl both(bool_bl c) { return c && (c || c); }
    def int32_al as_32(bool_bl c) { return int32(c) + 0; }
    def uint64_al as_64(bool_bl c) {
        uint64_al s = 0uL;
        s = s + uint64(c);
        return s;
    }
    def uint64_bl mixed(int32_pl i, uint64_bl a, uint64_bl b) { return (a >> i) & b; }
    def uint64_al low(uint64_al s) { return s & 255uL; }
}

fn with<T>(f: impl FnOnce(&Program<'_, Cleartext>) -> T) -> T {
    let mut protocol = Cleartext::new();
    f(&Program::new(&mut protocol))
}

fn input<P: ezpc_core::Protocol>(program: &Program<'_, P>, x: i32) -> Shared<i32> {
    program.input(Party::Client, Some(x)).expect("an input")
}

#[test]
fn a_choice_between_equal_bits_is_that_bit() {
    for x in [4, 5, 6] {
        with(|p| {
            let seen = equal_branches(p, &input(p, x)).expect("runs");
            assert_eq!(p.reveal(&seen, Reveal::Both).expect("opens"), Some(false), "x = {x}");
        });
    }
}

#[test]
fn public_bits_are_read_at_secret_places() {
    for bits in 0_u32..32 {
        let table: Vec<bool> = (0..5).map(|i| bits >> i & 1 == 1).collect();
        let array = Array::from_vec([5], table.clone()).expect("five");
        for at in 0..7_usize {
            with(|p| {
                let index =
                    p.input(Party::Client, Some(u32::try_from(at).expect("small"))).expect("an input");
                let bit = public_bits(p, &array, &index).expect("runs");
                let expected = table.get(at).copied().unwrap_or(false);
                assert_eq!(p.reveal(&bit, Reveal::Both).expect("opens"), Some(expected), "{bits:b} at {at}");
            });
        }
    }
}

#[test]
fn a_comparison_that_only_a_maximum_and_a_chain_use_is_computed() {
    for x in [[3, 1, 2], [1, 3, 3], [2, 2, 2], [-1, -2, -1]] {
        with(|p| {
            let array = Array::from_vec([3], x.map(|x| input(p, x)).to_vec()).expect("three");
            let (most, first) = (one(p.constant(0)), one(p.constant(false)));
            running_maximum(p, 3, &array, &most, &first).expect("runs");
            let later = x[1] >= x[0] || x[2] >= x[0].max(x[1]);
            let found = (most.get([0]).expect("one"), first.get([0]).expect("one"));
            let (most, first) = (p.output(&found.0, Reveal::Both), p.output(&found.1, Reveal::Both));
            p.open_all().expect("opens");
            assert_eq!((p.opened(&most), p.opened(&first)), (x.iter().max().copied(), Some(!later)), "{x:?}");
        });
    }
    for [x, y] in [[1, 2], [2, 1], [3, 3]] {
        with(|p| {
            let (most, less) = (one(p.constant(0)), one(p.constant(false)));
            maximum_and_order(p, &input(p, x), &input(p, y), &most, &less).expect("runs");
            let found = (most.get([0]).expect("one"), less.get([0]).expect("one"));
            let (most, less) = (p.output(&found.0, Reveal::Both), p.output(&found.1, Reveal::Both));
            p.open_all().expect("opens");
            assert_eq!((p.opened(&most), p.opened(&less)), (Some(x.max(y)), Some(x < y)));
        });
    }
}

fn one<T>(value: Shared<T>) -> Array<Shared<T>, 1> {
    Array::from_vec([1], vec![value]).expect("one")
}

/// A bit becomes numbers of two widths, goes, and others take its name.
#[test]
fn versions_of_a_value_that_is_gone_are_not_taken_for_others() {
    for bit in [false, true] {
        with(|p| {
            let c: Shared<bool> = p.input(Party::Client, Some(bit)).expect("an input");
            let wide = |x: u64| p.input::<u64>(Party::Server, Some(x)).expect("an input");
            let (a, b) = (wide(0x1234_5678_9abc_def0), wide(0xfedc_ba98_7654_3210));
            let c = both(p, &c).expect("runs");
            let (narrow, s) = (as_32(p, &c).expect("runs"), as_64(p, &c).expect("runs"));
            drop(c);
            assert_eq!(p.reveal(&narrow, Reveal::Both).expect("opens"), Some(i32::from(bit)));
            assert_eq!(p.reveal(&s, Reveal::Both).expect("opens"), Some(u64::from(bit)));
            let others: Vec<_> = (0..8).map(|i| mixed(p, i, &a, &b).expect("runs")).collect();
            p.reveal_vec(&others, Reveal::Both).expect("opens");
            let low = low(p, &s).expect("runs");
            assert_eq!(p.reveal(&low, Reveal::Both).expect("opens"), Some(u64::from(bit)));
        });
    }
}

#[test]
fn public_and_secret_quotients_by_powers_of_two_agree() {
    type F = Fix<16, 6>;
    for raw in [-32768, -129, -65, -64, -2, -1, 0, 1, 63, 64, 65, 511] {
        let x = F::from_raw(raw);
        with(|p| {
            let secret: Shared<F> = p.input(Party::Client, Some(x)).expect("an input");
            for power in 6..15 {
                let by = F::from_raw(1 << power);
                let quotient = p.div(&secret, &p.constant(by));
                let secret = p.reveal(&quotient, Reveal::Both).expect("opens");
                assert_eq!(secret, Some(x.quotient(by).expect("not zero")), "{x:?} / {by:?}");
            }
            // The least value is no power of two.
            let least = F::from_raw(-32768);
            let quotient =
                p.div(&p.input(Party::Client, Some(F::from_raw(-64))).expect("an input"), &p.constant(least));
            assert_eq!(p.reveal(&quotient, Reveal::Both).expect("opens"), Some(F::from_raw(0)));
        });
    }
}
