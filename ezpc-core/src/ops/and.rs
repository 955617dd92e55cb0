//! And of shared bits.
//!
//! A bit triple from two random OTs, one a direction (Beaver): with the pads' low bits m0, m1 of the OT in which
//! a party is the sender and the choice c and pad m_c of the other one, its shares are x = c, y = m0 ^ m1 and
//! z = x·y ^ m0 ^ m_c. Then the usual opening of d = a ^ x and e = b ^ y.
//!
//! Cost per bit: 2 COTs, 1 half-round, 2 bits each way. Each message is one-time padded by x and y, which the peer
//! does not know: it reveals nothing.

use crate::error::Result;
use crate::ops::Ctx;
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::Cost;
use zeroize::Zeroizing;

/// The cost of [`and`] on `len` bits.
#[must_use]
pub fn and_cost(len: usize) -> Cost {
    let bytes = 2 * len.div_ceil(8);
    Cost::of_cots(Party::Server, len).then(Cost::of_cots(Party::Client, len)).then(Cost::level(bytes, bytes))
}

/// The shares of `a & b`.
pub async fn and(cx: Ctx, a: &BitVec, b: &BitVec) -> Result<BitVec> {
    let len = a.len();
    let sent = Zeroizing::new(cx.send.cots.pads::<u64>(1, PadDomain::And));
    let (m0, m1) = (BitVec::from_lanes(&sent[0]), BitVec::from_lanes(&sent[1]));
    let (x, chosen) = cx.recv.cots.bit_pads::<u64>(PadDomain::And);
    let chosen = BitVec::from_lanes(&Zeroizing::new(chosen));
    let y = m0.xor(&m1);
    let z = x.and(&y).xor(&m0).xor(&chosen);

    let (d, e) = (a.xor(&x), b.xor(&y));
    let mut message = d.to_bytes();
    message.extend_from_slice(&e.to_bytes());
    let half = len.div_ceil(8);
    let received = cx.io.exchange(&message, 2 * half).await;
    let d = d.xor(&BitVec::from_bytes(len, &received[..half]));
    let e = e.xor(&BitVec::from_bytes(len, &received[half..]));
    let mut product = z.xor(&d.and(&y)).xor(&e.and(&x));
    if cx.party == Party::Server {
        product = product.xor(&d.and(&e));
    }
    Ok(product)
}
