#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
use super::*;
use crate::error::{Error, ErrorKind};
use crate::party::Party;
use crate::transport::machine::Io;
use crate::transport::memory;
use core::cell::RefCell;
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(300);

/// Runs both parties and returns their results.
fn both<T: Send>(run: impl Fn(&mut Channel) -> Result<T> + Sync) -> [Result<T>; 2] {
    let (a, b) = memory::pair();
    let run = &run;
    thread::scope(|scope| {
        let client = scope.spawn(move || run(&mut Channel::new(b, Party::Client, TIMEOUT)?));
        let server = Channel::new(a, Party::Server, TIMEOUT).and_then(|mut channel| run(&mut channel));
        [server, client.join().expect("the client does not panic")]
    })
}

fn both_ok<T: Send>(run: impl Fn(&mut Channel) -> Result<T> + Sync) -> [T; 2] {
    both(run).map(|result| result.expect("an honest run"))
}

/// Sums of both parties' values, in one level.
async fn open(io: Io, mine: Vec<u8>) -> Result<Vec<u8>> {
    let theirs = io.exchange(&mine, mine.len()).await;
    Ok(mine.iter().zip(theirs).map(|(a, b)| a.wrapping_add(b)).collect())
}

/// Passes every value to and fro `depth` times, the client first, and adds one each time: `depth` levels.
async fn ping_pong(io: Io, party: Party, mut values: Vec<u8>, depth: usize) -> Result<Vec<u8>> {
    for level in 0..depth {
        if (level % 2 == 0) == (party == Party::Client) {
            io.send(&values).await;
        } else {
            values = io.receive(values.len()).await.iter().map(|x| x.wrapping_add(1)).collect();
        }
    }
    Ok(values)
}

#[test]
fn operations_of_different_depth_share_half_rounds() {
    for in_flight in [1, 2, 3, 100] {
        let results = both_ok(|channel| {
            let party = channel.party();
            let (sums, deep) = (RefCell::new(vec![Vec::new(); 5]), RefCell::new(Vec::new()));
            let (opened, passed) = (&sums, &deep);
            // Windows of the flat operation before and after one machine of the deep one.
            let machines = (0..6).map(|i| {
                Ok(Machine::new(move |io| async move {
                    match i {
                        2 => *passed.borrow_mut() = ping_pong(io, party, vec![i; 3], 7).await?,
                        _ => {
                            let window = usize::from(i - u8::from(i > 2));
                            opened.borrow_mut()[window] = open(io, vec![i; 10]).await?;
                        }
                    }
                    Ok(())
                }))
            });
            let summary = run(channel, machines, in_flight)?;
            assert_eq!((summary.machines, summary.half_rounds), (6, 7));
            let total = channel.stats().total();
            assert_eq!(total.half_rounds, 7);
            let [odd, even] = [9, 12];
            let (sent, received) = if party == Party::Client { (even, odd) } else { (odd, even) };
            assert_eq!((total.bytes_sent, total.bytes_received), (50 + sent, 50 + received));
            Ok((sums.into_inner(), deep.into_inner()))
        });
        for (sums, _) in &results {
            assert_eq!(*sums, [0, 1, 3, 4, 5].map(|i| vec![2 * i; 10]), "in_flight {in_flight}");
        }
        assert_eq!(results[0].1, [2 + 7; 3]);
    }
}

/// Windows of `elements` with 8 bytes per element each way in two levels; `peak_bytes` of both parties.
fn stream(elements: usize, window: usize, in_flight: usize) -> [usize; 2] {
    both_ok(|channel| {
        let windows = elements.div_ceil(window);
        let sum = RefCell::new(0_u64);
        let total = &sum;
        let machines = (0..windows).map(|i| {
            Ok(Machine::new(move |io| async move {
                let message = vec![i as u8; 8 * window];
                let first = io.exchange(&message, message.len()).await;
                let second = io.exchange(&first, first.len()).await;
                assert_eq!(second, message);
                *total.borrow_mut() += second.len() as u64;
                Ok(())
            }))
        });
        let summary = run(channel, machines, in_flight)?;
        assert_eq!((summary.machines, summary.half_rounds), (windows as u64, 2));
        assert_eq!(sum.into_inner(), 8 * (windows * window) as u64);
        Ok(summary.peak_bytes)
    })
}

#[test]
fn memory_depends_on_the_window_not_on_the_number_of_elements() {
    let (window, in_flight) = (4096, 8);
    for peak in stream(1 << 20, window, in_flight) {
        // What is awaited at this level, and what may not be written yet of this level and the last.
        assert!(peak <= (3 * in_flight + 2) * 8 * window, "{peak}");
    }
}

#[test]
fn many_windows_in_flight_do_not_block_each_other() {
    // 64 windows of 1 MiB each way: far more than queue and pipe hold, on both sides at once.
    stream(64 << 17, 1 << 17, 64);
}

#[test]
fn a_fast_sender_waits_for_a_slow_receiver() {
    const WINDOW: usize = 1 << 20;
    let peaks = both_ok(|channel| {
        let party = channel.party();
        let machines = (0..40).map(|_| {
            Ok(Machine::new(move |io| async move {
                if party == Party::Server {
                    io.send(&vec![7; WINDOW]).await;
                } else {
                    thread::sleep(Duration::from_millis(2));
                    assert_eq!(io.receive(WINDOW).await.len(), WINDOW);
                }
                Ok(())
            }))
        });
        Ok(run(channel, machines, 4)?.peak_bytes)
    });
    assert!(peaks[0] <= QUEUE_LIMIT + 2 * WINDOW, "{peaks:?}");
    assert!(peaks[1] <= 4 * WINDOW, "{peaks:?}");
}

#[test]
fn machines_side_by_side_wait_for_the_network_together() {
    use crate::transport::throttle::{Link, Throttle};
    let link = Link::new(1 << 40, Duration::from_millis(40));
    let (a, b) = memory::pair();
    let play = move |end, party| {
        let mut channel = Channel::new(Throttle::new(end, link), party, TIMEOUT)?;
        let start = std::time::Instant::now();
        let machines = (0..20).map(|i| {
            Ok(Machine::new(move |io| async move {
                let depth = if i == 3 { 6 } else { 1 };
                ping_pong(io, party, vec![i; 100], depth).await.map(drop)
            }))
        });
        assert_eq!(run(&mut channel, machines, 20)?.half_rounds, 6);
        Ok::<_, Error>(start.elapsed())
    };
    let client = thread::spawn(move || play(b, Party::Client));
    let time = play(a, Party::Server).expect("an honest run");
    // The client receives the last message.
    let time = time.max(client.join().expect("no panic").expect("an honest run"));
    // Six delays of the link lie between the first message and the last.
    assert!(time.as_millis() >= 240, "{time:?}");
}

#[test]
fn an_error_of_a_machine_ends_the_run_on_both_sides() {
    let [server, client] = both(|channel| {
        let party = channel.party();
        let machine = Machine::new(move |io| async move {
            let byte = io.exchange(&[1], 1).await[0];
            if party == Party::Server && byte == 1 {
                return Err(Error::peer("one is not allowed"));
            }
            io.receive(1).await;
            Ok(())
        });
        run(channel, [Ok(machine)], 1)
    });
    assert_eq!(server.expect_err("the server refuses").kind(), ErrorKind::Peer);
    assert_eq!(client.expect_err("the client notices").kind(), ErrorKind::Closed);
}
