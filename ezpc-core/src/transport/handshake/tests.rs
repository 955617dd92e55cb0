#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
use super::*;
use crate::error::ErrorKind;
use crate::transport::{Transport, memory};
use std::io::{Read, Write};
use std::thread;

const TIMEOUT: Duration = Duration::from_secs(300);

/// Runs both sides, each with its party; both are the same value where a test says so.
fn between<T: Send>(
    parties: [Party; 2],
    run: impl Fn(&mut Channel, usize) -> Result<T> + Sync,
) -> [Result<T>; 2] {
    let (a, b) = memory::pair();
    let run = &run;
    thread::scope(|scope| {
        let second = scope.spawn(move || run(&mut Channel::new(b, parties[1], TIMEOUT)?, 1));
        let first = Channel::new(a, parties[0], TIMEOUT).and_then(|mut channel| run(&mut channel, 0));
        [first, second.join().expect("the second side does not panic")]
    })
}

fn assert_refused<T>(results: [Result<T>; 2], messages: [&str; 2]) {
    for (result, message) in results.into_iter().zip(messages) {
        let error = result.err().expect("the handshake fails");
        assert_eq!((error.to_string().as_str(), error.kind()), (message, ErrorKind::Handshake));
    }
}

/// What a side says to a peer that sends `bytes` and then waits for the end.
fn against(bytes: Vec<u8>) -> Error {
    against_within(bytes, TIMEOUT)
}

fn against_within(bytes: Vec<u8>, timeout: Duration) -> Error {
    let (a, b) = memory::pair();
    thread::scope(|scope| {
        let (mut read, mut write) = b.split().expect("memory splits");
        scope.spawn(move || {
            write.write_all(&bytes).expect("there is room");
            // Some peers wait for us to hang up.
            let _ = read.read_to_end(&mut Vec::new());
        });
        let mut channel = Channel::new(a, Party::Server, timeout).expect("memory");
        open(&mut channel, &Parameters::new(), [1; 16]).expect_err("no honest hello")
    })
}

#[test]
fn both_sides_name_the_session_alike() {
    let parameters = Parameters::new().with("cot", "softspoken").with("window", 4096);
    let open_both = |nonce: u8| {
        between(Party::BOTH, |channel, side| {
            let id = open(channel, &parameters, [nonce + side as u8; 16])?;
            assert_eq!(channel.stats().total().half_rounds, 1);
            assert_eq!(channel.stats().total().bytes_sent, (36 + 15 + 12) as u64);
            agree(channel, "the shape", b"same")?;
            Ok(id)
        })
        .map(|id| id.expect("honest parties"))
    };
    let [a, b] = open_both(1);
    assert_eq!(a, b);
    assert_ne!(a, open_both(2)[0]);
}

#[test]
fn differences_are_named_on_both_sides() {
    let same_role = between([Party::Server; 2], |channel, _| open(channel, &Parameters::new(), [0; 16]));
    assert_refused(same_role, ["handshake: both sides are the server"; 2]);

    let cot = between(Party::BOTH, |channel, side| {
        let cot = ["softspoken", "ferret"][side];
        open(channel, &Parameters::new().with("security", 128).with("cot", cot), [0; 16])
    });
    assert_refused(
        cot,
        [
            "handshake: parameter `cot` differs: softspoken here, ferret there",
            "handshake: parameter `cot` differs: ferret here, softspoken there",
        ],
    );

    let unknown = between(Party::BOTH, |channel, side| {
        let all = Parameters::new().with("security", 128);
        open(channel, &if side == 0 { all } else { Parameters::new() }, [0; 16])
    });
    assert_refused(
        unknown,
        [
            "handshake: the peer does not know parameter `security`",
            "handshake: the peer has a parameter `security`, this side does not know it",
        ],
    );
}

#[test]
fn shapes_differ() {
    let results =
        between(Party::BOTH, |channel, side| agree(channel, "the program's public shape", &[side as u8]));
    let messages = results.each_ref().map(|result| result.as_ref().expect_err("they differ").to_string());
    let hashes = messages[0].strip_prefix("the program's public shape differs: ").expect("names the subject");
    let (here, there) = hashes.split_once(" here, ").expect("two hashes");
    let there = there.strip_suffix(" there").expect("two hashes");
    assert_eq!(messages[1], format!("the program's public shape differs: {there} here, {here} there"));
    assert_refused(results, [&messages[0], &messages[1]]);
}

#[test]
fn public_data_is_bounded_by_the_receiver() {
    let swap = |limits: [usize; 2]| {
        between(Party::BOTH, move |channel, side| {
            let mine = if side == 0 { vec![7; 1000] } else { Vec::new() };
            exchange_public(channel, "the model card", mine, limits[side])
        })
    };
    let [server, client] = swap([0, 1000]).map(|result| result.expect("within the limits"));
    assert_eq!((server.len(), client), (0, vec![7; 1000]));
    assert_refused(
        swap([0, 999]),
        [
            "the model card has 1000 bytes, the peer takes at most 999",
            "the model card of the peer has 1000 bytes, this side takes at most 999",
        ],
    );
}

#[test]
fn strangers_are_recognised() {
    let error = against(b"GET / HTTP/1.1\r\n\r\n".to_vec());
    assert_eq!(error.to_string(), "handshake: the peer does not speak ezpc");
    assert_eq!(error.kind(), ErrorKind::Handshake);

    let error = against([&[0x16, 3, 1][..], &[0; 100]].concat());
    assert_eq!(error.to_string(), "handshake: the peer does not speak ezpc, it speaks TLS");

    let mut newer = hello(Party::Client, &[0; 16], b"");
    newer[8] = 2;
    let error = against(newer);
    assert_eq!(error.to_string(), "handshake: peer runs wire version 2, this side 1");
    assert_eq!(error.kind(), ErrorKind::Handshake);
}

#[test]
fn malformed_hellos_are_refused_without_allocating() {
    let honest = || hello(Party::Client, &[0; 16], b"");
    let mut role = honest();
    role[12] = 2;
    let mut reserved = honest();
    reserved[15] = 1;
    let mut huge = honest();
    huge[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    for bytes in [role, reserved, huge] {
        let error = against(bytes);
        assert_eq!(error.to_string(), "handshake: the peer's hello is malformed");
        assert_eq!(error.kind(), ErrorKind::Peer);
    }
    for list in [&b"no value"[..], b"=1", b"a\x1b[31m=1\n", b"a=\xff", b"a=1\n\nb=2"] {
        let error = against(hello(Party::Client, &[0; 16], list));
        assert_eq!(error.to_string(), "handshake: the peer's list of parameters is malformed");
        assert_eq!(error.kind(), ErrorKind::Peer);
    }
    // A peer that starts well and then says nothing.
    let error = against_within(MAGIC.to_vec(), Duration::from_millis(100));
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn parameters_that_cannot_be_sent_are_usage_errors() {
    for parameters in [Parameters::new().with("a=b", 1), Parameters::new().with("a", "two\nlines")] {
        assert_eq!(parameters.encode().expect_err("not printable").kind(), ErrorKind::Usage);
    }
}
