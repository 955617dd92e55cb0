//! How fast is the link? Measured once when a session starts; both parties end with the same numbers.
//!
//! Everything here is public: bytes of zero, and what was measured.

use super::cost::Cost;
use super::{Channel, Link};
use crate::error::{Error, Result};
use std::time::{Duration, Instant};

/// Small messages there and back, of which the fastest counts.
const PINGS: usize = 3;

/// The bytes of a small message: two numbers.
const PING: usize = 16;

/// Pieces of the long message, each of [`PIECE`] bytes.
const PIECES: usize = 8;
const PIECE: usize = 32 << 10;

/// The cost of [`probe`].
pub(crate) fn probe_cost() -> Cost {
    let level = |bytes| Cost::level(bytes, bytes);
    let pings = (0..PINGS).fold(Cost::none(), |cost, _| cost.then(level(PING)));
    pings.then(level(PIECES * PIECE)).then(level(PING))
}

/// Measures the link: delay by small messages, bandwidth by the pace at which the later pieces of a long one arrive,
/// when the network has got going. The slower of both parties' numbers count, as
/// powers of two.
pub(crate) fn probe(channel: &mut Channel) -> Result<Link> {
    let mut delay = Duration::MAX;
    for _ in 0..PINGS {
        let start = Instant::now();
        channel.exchange(vec![0; PING], PING)?;
        delay = delay.min(start.elapsed());
    }
    channel.count_half_rounds(1);
    channel.post(vec![0; PIECES * PIECE])?;
    let mut arrivals = Vec::with_capacity(PIECES);
    for _ in 0..PIECES {
        channel.expect(PIECE);
        channel.receive(PIECE)?;
        arrivals.push(Instant::now());
    }
    let mut gaps: Vec<Duration> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let later = &mut gaps[PIECES / 2 - 1..];
    later.sort_unstable();
    let pace = later[later.len() / 2].as_nanos().max(1);
    let bandwidth = u64::try_from(8_000_000_000 * PIECE as u128 / pace).unwrap_or(u64::MAX);
    let nanoseconds = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    let mine = [bandwidth.to_le_bytes(), nanoseconds.to_le_bytes()].concat();
    let theirs = channel.exchange(mine, PING)?;
    let number = |at: usize| theirs[at..at + 8].try_into().map(u64::from_le_bytes);
    let (Ok(their_bandwidth), Ok(their_delay)) = (number(0), number(8)) else {
        return Err(Error::peer("what the peer measured is malformed"));
    };
    // In powers of two, so that sessions over one network mostly take it for the same.
    let bandwidth = 1 << bandwidth.min(their_bandwidth).max(1).ilog2();
    let delay = Duration::from_nanos(nanoseconds.max(their_delay).min(1 << 40).next_power_of_two());
    Ok(Link::new(bandwidth, delay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Party;
    use crate::transport::memory;
    use crate::transport::throttle::Throttle;

    /// Both parties get the same numbers, and they tell a thin link from a thick one.
    #[test]
    fn both_parties_measure_the_same_link() {
        let slow = Link::new(20_000_000, Duration::from_millis(5));
        let (server, client) = memory::pair();
        let run = |transport, party| {
            move || {
                let mut channel =
                    Channel::new(Throttle::new(transport, slow), party, Duration::from_secs(300))?;
                let link = probe(&mut channel)?;
                Ok::<_, Error>((link, channel.stats().total()))
            }
        };
        let client = std::thread::spawn(run(client, Party::Client));
        let (link, counts) = run(server, Party::Server)().expect("no error");
        let (other, _) = client.join().expect("no panic").expect("no error");
        assert_eq!(link, other);
        // How long the delay seems depends on the machine: a party that it wakes late finds it over.
        assert!(link.bits_per_second < 100_000_000, "{link:?}");
        let cost = probe_cost();
        assert_eq!(counts.bytes_sent, cost.bytes(Party::Server) as u64);
        assert_eq!(counts.half_rounds, cost.half_rounds() as u64);
    }
}
