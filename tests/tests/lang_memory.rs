//! The memory of a program is bounded by its budget, however long it runs.
//!
//! Alone in its binary, because it looks at the peak memory of the process.

use ezpc_core::program::Program;
use ezpc_core::protocol::{Cleartext, Reveal};
use ezpc_core::{Party, secure};

secure! {
    def uint64_al chain(int32_pl n, uint64_al x) {
        uint64_al s = x;
        for i = [0:n] {
            s = s * x + uint64(i);
            if ((s & 3uL) == 1uL) { s = s + x; }
        }
        return s;
    }
}

fn run(n: i32) {
    let mut protocol = Cleartext::new();
    let program = Program::new(&mut protocol);
    program.set_budget(1 << 10);
    let start = 0x9e37_79b9_7f4a_7c15u64;
    let x = program.input(Party::Server, Some(start)).expect("input");
    let s = chain(&program, n, &x).expect("runs");
    let expected = (0..u64::try_from(n).expect("not negative")).fold(start, |s, i| {
        let s = s.wrapping_mul(start).wrapping_add(i);
        if s & 3 == 1 { s.wrapping_add(start) } else { s }
    });
    assert_eq!(program.reveal(&s, Reveal::Both).expect("opens"), Some(expected));
}

#[test]
fn ten_times_the_steps_take_the_same_memory() {
    run(2_000);
    let before = peak_kib();
    run(20_000);
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after <= before + 4096, "{before} KiB for 2,000 steps, {after} KiB for 20,000");
    }
}

/// The peak memory of this process, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}
