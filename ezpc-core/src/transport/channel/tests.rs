#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
use super::*;
use crate::error::ErrorKind;
use crate::transport::fault::{Fault, Faulty};
use crate::transport::{memory, tcp};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;

const TIMEOUT: Duration = Duration::from_secs(300);

fn tcp_pair() -> [tcp::TcpTransport; 2] {
    let listener = tcp::Listener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_address().to_string();
    let peer = thread::spawn(move || tcp::connect(&address, TIMEOUT).expect("somebody listens"));
    [listener.accept(TIMEOUT).expect("somebody connects"), peer.join().expect("no panic")]
}

/// Runs both parties over a pair of transports.
fn both<A: Transport + 'static, T: Send>(
    [a, b]: [A; 2],
    timeout: Duration,
    run: impl Fn(&mut Channel) -> Result<T> + Sync,
) -> [Result<T>; 2] {
    let run = &run;
    thread::scope(|scope| {
        let client = scope.spawn(move || run(&mut Channel::new(b, Party::Client, timeout)?));
        let server = Channel::new(a, Party::Server, timeout).and_then(|mut channel| run(&mut channel));
        [server, client.join().expect("the client does not panic")]
    })
}

/// Both parties write 256 MiB at the same time.
fn flood(pair: [impl Transport + 'static; 2]) {
    const LEN: usize = 256 << 20;
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let results = both(pair, TIMEOUT, |channel| {
        let fill = |party: Party| 3 + party.index() as u8;
        let received = channel.exchange(vec![fill(channel.party()); LEN], LEN)?;
        assert!(received.len() == LEN && received.iter().all(|&x| x == fill(channel.party().peer())));
        let total = channel.stats().total();
        assert_eq!((total.bytes_sent, total.bytes_received), (LEN as u64, LEN as u64));
        assert_eq!(total.half_rounds, 1);
        Ok(())
    });
    for result in results {
        result.expect("nobody waits for ever");
    }
}

#[test]
fn both_parties_write_256_mib_over_memory() {
    let (a, b) = memory::pair();
    flood([a, b]);
}

#[test]
fn both_parties_write_256_mib_over_tcp() {
    flood(tcp_pair());
}

#[cfg(unix)]
#[test]
fn both_parties_write_256_mib_over_unix_sockets() {
    use crate::transport::unix;
    let path = std::env::temp_dir().join(format!("ezpc-channel-{}.socket", std::process::id()));
    let listener = unix::Listener::bind(&path).expect("a new file");
    let name = path.clone();
    let peer = thread::spawn(move || unix::connect(name, TIMEOUT).expect("somebody listens"));
    let a = listener.accept(TIMEOUT).expect("somebody connects");
    assert!(!path.exists(), "the file goes with the listener");
    flood([a, peer.join().expect("no panic")]);
}

#[test]
fn lopsided_streams_do_not_block_each_other() {
    // The server only sends for a while, then only receives; queues and pipes fill up on the way.
    let (a, b) = memory::pair();
    let results = both([a, b], TIMEOUT, |channel| {
        for turn in [Party::Server, Party::Client] {
            for i in 0..200_u8 {
                if channel.party() == turn {
                    channel.send(vec![i; 100_000])?;
                } else {
                    assert_eq!(channel.receive_only(100_000)?, vec![i; 100_000]);
                }
            }
        }
        Ok(channel.stats().total().half_rounds)
    });
    assert_eq!(results.map(|result| result.expect("an honest run")), [400, 400]);
}

#[test]
fn messages_keep_their_order_whatever_their_sizes() {
    let sizes = [1, 8 << 10, 0, 100_000, 3, 65_536, 65_535, 1, 1 << 20, 2, 2, 2];
    for pair in [tcp_pair(), tcp_pair()] {
        let results = both(pair, TIMEOUT, |channel| {
            for (i, &len) in sizes.iter().cycle().take(10 * sizes.len()).enumerate() {
                let [mine, theirs] = [len, sizes[(i + 5) % sizes.len()]];
                let (send, need) =
                    if channel.party() == Party::Server { (mine, theirs) } else { (theirs, mine) };
                assert_eq!(channel.exchange(vec![i as u8; send], need)?, vec![i as u8; need]);
            }
            let total = channel.stats().total();
            Ok((total.bytes_sent, total.bytes_received, total.half_rounds))
        });
        let sum = 10 * sizes.iter().sum::<usize>() as u64;
        assert_eq!(results.map(|result| result.expect("an honest run")), [(sum, sum, 120); 2]);
    }
}

#[test]
fn statistics_are_exact_per_phase_and_scope() {
    let (a, b) = memory::pair();
    let results = both([a, b], TIMEOUT, |channel| {
        channel.exchange(vec![0; 5], 5)?;
        channel.set_phase(Phase::Online);
        channel.set_scope("layer");
        channel.exchange(vec![0; 7], 7)?;
        channel.exchange(Vec::new(), 0)?;
        channel.exchange(vec![0; 8], 8)?;
        thread::sleep(Duration::from_millis(5));
        let stats = channel.stats();
        let counts =
            |counts: crate::transport::Counts| (counts.bytes_sent, counts.bytes_received, counts.half_rounds);
        assert_eq!(counts(stats.phase(Phase::Setup)), (5, 5, 1));
        assert_eq!(counts(stats.phase(Phase::Offline)), (0, 0, 0));
        assert_eq!(counts(stats.scope("layer")), (15, 15, 2));
        assert!(stats.scope("layer").seconds >= 0.005);
        assert!(stats.phase(Phase::Setup).seconds > 0.0);
        Ok(())
    });
    for result in results {
        result.expect("an honest run");
    }
}

#[test]
fn a_peer_that_vanishes_is_an_error_at_once() {
    for need in [10, 10 << 20] {
        let [server, client] = both(tcp_pair(), TIMEOUT, |channel| {
            if channel.party() == Party::Client {
                return channel.send(vec![1; 9]).map(|()| Vec::new());
            }
            channel.exchange(vec![0; need], need)
        });
        client.expect("it left in peace");
        let error = server.expect_err("nothing comes");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn a_peer_that_sends_too_little_times_out() {
    let [a, b] = tcp_pair();
    let (_read, mut write) = b.split().expect("it is connected");
    write.write_all(&[0; 9]).expect("there is room");
    let mut channel = Channel::new(a, Party::Server, Duration::from_millis(100)).expect("it is connected");
    let error = channel.exchange(vec![0; 10], 10).expect_err("nine bytes came");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        format!("receiving from {}: the peer did not answer in time", channel.peer())
    );
}

#[test]
fn a_peer_that_takes_nothing_times_out() {
    let (a, _b) = memory::pair();
    let mut channel = Channel::new(a, Party::Server, Duration::from_millis(50)).expect("memory");
    channel.send(vec![0; 10 << 20]).expect("it is queued");
    let error = channel.send(vec![0; 1]).expect_err("the queue stays full");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "sending to the other thread: the peer did not answer in time");
    // The error stays.
    assert_eq!(channel.send(vec![0; 1]).expect_err("broken").kind(), ErrorKind::Timeout);
}

#[test]
fn what_was_sent_arrives_before_the_end() {
    let results = both(tcp_pair(), TIMEOUT, |channel| match channel.party() {
        Party::Server => channel.send(vec![5; 30 << 20]).map(|()| Vec::new()),
        Party::Client => {
            thread::sleep(Duration::from_millis(50));
            channel.receive_only(30 << 20)
        }
    });
    let [server, client] = results.map(|result| result.expect("an honest run"));
    assert_eq!((server.len(), client), (0, vec![5; 30 << 20]));
}

/// Nothing of a channel is left behind, not even a thread that is about to end.
#[test]
fn a_closed_channel_has_no_thread() {
    for _ in 0..500 {
        let (a, _b) = memory::pair();
        let channel = Channel::new(a, Party::Server, TIMEOUT).expect("a channel");
        let transport = Arc::clone(&channel.transport);
        channel.close().expect("nothing was to be written");
        assert_eq!(Arc::strong_count(&transport), 1);
    }
}

#[test]
fn an_error_while_writing_is_reported() {
    for len in [100, 1 << 20] {
        let (a, b) = memory::pair();
        let mut channel =
            Channel::new(Faulty::new(a, Fault::DropAfter(50)), Party::Server, TIMEOUT).expect("memory");
        let error = channel.exchange(vec![0; len], 1).expect_err("the line breaks");
        assert_eq!(error.kind(), ErrorKind::Closed);
        // The line breaks for both directions, and either may notice first.
        let told = ["sending to", "receiving from"]
            .map(|what| format!("{what} the other thread: the peer closed the connection"));
        assert!(told.contains(&error.to_string()), "{error}");
        drop(b);
    }
}

#[test]
fn memory_for_a_message_is_taken_as_it_arrives() {
    // Nothing comes of a message of 2^60 bytes: an error, not an attempt to find room for it.
    let (a, b) = memory::pair();
    let mut channel = Channel::new(a, Party::Server, TIMEOUT).expect("memory");
    drop(b);
    assert_eq!(channel.receive_only(1 << 60).expect_err("nothing comes").kind(), ErrorKind::Closed);
}

/// A peer that sends a byte now and then and never ends.
fn dripping(need: usize, set: impl FnOnce(&mut Channel)) -> Error {
    let (a, b) = memory::pair();
    let (_read, mut write) = b.split().expect("memory splits");
    thread::scope(|scope| {
        scope.spawn(move || {
            while write.write_all(&[0]).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let mut channel = Channel::new(a, Party::Server, Duration::from_millis(200)).expect("memory");
        set(&mut channel);
        channel.receive_only(need).expect_err("it never ends")
    })
}

#[test]
fn a_dripping_peer_cannot_stall() {
    let error = dripping(1000, |_| {});
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "receiving from the other thread: the peer sends too slowly");
    // A message long enough that its own limit is far away.
    let error = dripping(1 << 30, |channel| channel.set_deadline(Some(Duration::from_millis(50))));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "receiving from the other thread: the session has reached its deadline");
}
