use super::*;
use crate::protocol::{Cleartext, Tally};
use crate::testing::{conformance, exhaustive, run_two};

fn same_counts(server: &Stats, client: &Stats, tally: &Tally) {
    for phase in Phase::ALL {
        let (s, c, t) = (server.phase(phase), client.phase(phase), tally.phase(phase));
        assert_eq!([s.bytes_sent, c.bytes_sent], t.bytes, "{phase:?}: bytes sent by server and client");
        assert_eq!([c.bytes_received, s.bytes_received], t.bytes, "{phase:?}: bytes received");
        assert_eq!([s.half_rounds, c.half_rounds], [t.half_rounds; 2], "{phase:?}: half-rounds");
    }
}

#[test]
fn two_parties_conform_and_cost_what_the_tally_says() {
    let [server, client] = run_two(|p| {
        conformance(p)?;
        Ok(p.stats().clone())
    })
    .expect("no error");
    let mut tally = Tally::new(Cleartext::new());
    conformance(&mut tally).expect("no error");
    same_counts(&server, &client, &tally);
}

#[test]
fn two_parties_conform_on_small_rings() {
    run_two(|p| {
        for bits in 1..=5 {
            exhaustive(p, Width::new(bits))?;
        }
        Ok(())
    })
    .expect("no error");
}
