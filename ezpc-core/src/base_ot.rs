//! Base oblivious transfer: random 1-of-2 OTs from the ristretto255 group.
//!
//! The "simplest OT" of Chou and Orlandi (<https://eprint.iacr.org/2015/267>), used for random OTs: the messages
//! are hash outputs. Semi-honest security from CDH in ristretto255 with the hash a random oracle.
//!
//! Deviations: the key derivation takes the session, the index and all public points, as the analyses of the
//! protocol's composition ask for; encodings of the identity and non-canonical encodings are refused.
//!
//! Two half-rounds, 32 bytes from the sender, then 32 bytes a transfer from the receiver. What they reveal:
//! `A = aG` is a uniform point; `B_i = b_i·G + c_i·A` is uniform whatever `c_i` is.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::crypto::{Block, Kdf, SessionId};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::Cost;
use crate::transport::machine::Io;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

/// The bytes of an encoded point.
const POINT: usize = 32;

/// Sends `count` random OTs: both messages of each.
pub async fn send(
    io: &Io,
    count: usize,
    rng: &mut (impl CryptoRng + ?Sized),
    session: &SessionId,
) -> Result<Zeroizing<Vec<[Block; 2]>>> {
    let a = random_scalar(rng);
    let point_a = RistrettoPoint::mul_base(&a);
    let encoded_a = point_a.compress();
    io.send(encoded_a.as_bytes()).await;

    let answer = io.receive(count * POINT).await;
    let a_times_a = Zeroizing::new(*a * point_a);
    let (points, _) = answer.as_chunks::<POINT>();
    let pairs = points.iter().enumerate().map(|(i, encoded_b)| {
        let shared = Zeroizing::new(*a * decode(encoded_b)?);
        let other = Zeroizing::new(*shared - *a_times_a);
        let key = |point: &RistrettoPoint| derive(session, i, encoded_a.as_bytes(), encoded_b, point);
        Ok([key(&shared), key(&other)])
    });
    Ok(Zeroizing::new(pairs.collect::<Result<_>>()?))
}

/// Receives one random OT for every choice: the message chosen.
pub async fn receive(
    io: &Io,
    choices: &BitVec,
    rng: &mut (impl CryptoRng + ?Sized),
    session: &SessionId,
) -> Result<Zeroizing<Vec<Block>>> {
    let encoded_a: [u8; POINT] = io
        .receive(POINT)
        .await
        .try_into()
        .expect("the machine hands over exactly as many bytes as asked for");
    let point_a = decode(&encoded_a)?;
    let table_a = RistrettoBasepointTable::create(&point_a);

    let mut message = Vec::with_capacity(choices.len() * POINT);
    let mut keys = Zeroizing::new(Vec::with_capacity(choices.len()));
    for (i, choice) in choices.to_lanes().into_iter().enumerate() {
        let b = random_scalar(rng);
        let masked = RistrettoPoint::conditional_select(
            &RistrettoPoint::identity(),
            &point_a,
            Choice::from(choice as u8),
        );
        let encoded_b = (RistrettoPoint::mul_base(&b) + masked).compress();
        let shared = Zeroizing::new(&*b * &table_a);
        keys.push(derive(session, i, &encoded_a, encoded_b.as_bytes(), &shared));
        message.extend_from_slice(encoded_b.as_bytes());
    }
    io.send(&message).await;
    Ok(keys)
}

/// The cost of `count` base OTs.
#[must_use]
pub fn cost(sender: Party, count: usize) -> Cost {
    Cost::message(sender, POINT).then(Cost::message(sender.peer(), count * POINT))
}

fn random_scalar(rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<Scalar> {
    let mut wide = Zeroizing::new([0; 64]);
    rng.fill_bytes(&mut *wide);
    Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
}

/// A point of the peer: canonical, and not the identity.
fn decode(bytes: &[u8; POINT]) -> Result<RistrettoPoint> {
    match CompressedRistretto(*bytes).decompress() {
        Some(point) if !point.is_identity() => Ok(point),
        _ => Err(Error::peer("base transfer: the peer sent an invalid point")),
    }
}

fn derive(
    session: &SessionId,
    index: usize,
    a: &[u8; POINT],
    b: &[u8; POINT],
    point: &RistrettoPoint,
) -> Block {
    let mut shared = point.compress();
    let key = Kdf::new("base transfer")
        .part(session.as_bytes())
        .part(&(index as u64).to_le_bytes())
        .part(a)
        .part(b)
        .part(shared.as_bytes())
        .block();
    shared.zeroize();
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Prg;
    use crate::error::ErrorKind;
    use crate::testing::{run_against, run_machines};

    fn session() -> SessionId {
        SessionId::new([7; 32])
    }

    #[test]
    fn the_receiver_gets_the_chosen_message_only() {
        let choices = Prg::from_seed(Block::new(5)).bits(40);
        let (pairs, chosen, counted) = run_machines(
            |io| async move { send(&io, 40, &mut Prg::from_seed(Block::new(1)), &session()).await },
            |io| {
                let choices = &choices;
                async move { receive(&io, choices, &mut Prg::from_seed(Block::new(2)), &session()).await }
            },
        );
        for i in 0..40 {
            let choice = usize::from(choices.bit(i));
            assert!(chosen[i] == pairs[i][choice] && chosen[i] != pairs[i][1 - choice]);
            assert!(i == 0 || chosen[i] != chosen[i - 1]);
        }
        assert_eq!(counted, cost(Party::Server, 40));
    }

    #[test]
    fn invalid_points_are_refused() {
        // The identity, a non-canonical field element, a negative one.
        let mut bad = [[0; POINT], [0xff; POINT], [0; POINT]];
        bad[2][0] = 1;
        for point in bad {
            let error = run_against(vec![point.to_vec()], |io| async move {
                let choices = BitVec::zeros(3);
                receive(&io, &choices, &mut Prg::from_seed(Block::new(2)), &session()).await.map(|_| ())
            })
            .expect_err("the point is invalid");
            assert_eq!(error.kind(), ErrorKind::Peer);
            let error = run_against(vec![vec![], point.to_vec()], |io| async move {
                send(&io, 1, &mut Prg::from_seed(Block::new(2)), &session()).await.map(|_| ())
            })
            .expect_err("the point is invalid");
            assert_eq!(error.kind(), ErrorKind::Peer);
        }
    }
}
