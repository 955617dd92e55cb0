//! A streamed operation on 2^24 elements stays within 400 MB per party, and costs the half-rounds of a window.
//!
//! Alone in its binary, because it looks at the peak memory of the process.

use ezpc_core::transport::machine::Machine;
use ezpc_core::transport::{Channel, driver, memory};
use ezpc_core::{Party, Result};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

const ELEMENTS: usize = 1 << 24;
const WINDOW: usize = 4096;

/// Two levels per window: both parties swap differences, then sums; inputs and outputs stay in memory.
fn party(channel: &mut Channel) -> Result<()> {
    let seed = 1 + channel.party().index() as u64;
    let inputs = (0..ELEMENTS as u64).map(|i| i.wrapping_mul(seed)).collect::<Vec<_>>();
    let outputs = RefCell::new(vec![0_u64; ELEMENTS]);
    let done = &outputs;
    let windows = inputs.chunks(WINDOW).enumerate().map(|(index, window)| {
        Ok(Machine::new(move |io| async move {
            let swap = async |values: &[u64]| {
                let message = values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
                let received = io.exchange(&message, message.len()).await;
                received
                    .chunks_exact(8)
                    .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
                    .collect::<Vec<_>>()
            };
            let theirs = swap(window).await;
            let sums = window.iter().zip(&theirs).map(|(a, b)| a.wrapping_add(*b)).collect::<Vec<_>>();
            assert_eq!(swap(&sums).await, sums);
            done.borrow_mut()[index * WINDOW..][..sums.len()].copy_from_slice(&sums);
            Ok(())
        }))
    });
    let summary = driver::run(channel, windows, 16)?;
    assert_eq!(summary.machines, (ELEMENTS / WINDOW) as u64);
    assert!(summary.peak_bytes < 2 << 20, "{summary:?}");
    assert!((0..ELEMENTS as u64).zip(&*outputs.borrow()).all(|(i, &sum)| sum == i.wrapping_mul(3)));
    let total = channel.stats().total();
    assert_eq!((total.bytes_sent, total.half_rounds), (16 * ELEMENTS as u64, 2));
    Ok(())
}

#[test]
fn sixteen_million_elements_in_windows() {
    let (a, b) = memory::pair();
    let timeout = Duration::from_secs(60);
    let client = thread::spawn(move || party(&mut Channel::new(b, Party::Client, timeout)?));
    Channel::new(a, Party::Server, timeout)
        .and_then(|mut channel| party(&mut channel))
        .expect("an honest run");
    client.join().expect("no panic").expect("an honest run");
    if let Some(peak) = peak_kib() {
        assert!(peak <= 2 * 400_000, "both parties together took {peak} KiB");
    }
}

/// The peak memory of this process, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}
