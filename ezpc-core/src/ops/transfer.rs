//! Products of a bit that one party knows with a value that the other one knows, one COT each.
//!
//! The sender knows d in Z_{2^k}, the receiver a bit v. With the sender's pads p_0, p_1 reordered so that the receiver
//! knows p_v, the sender keeps -p_0 and sends d + p_0 - p_1; the receiver computes p_v + v·(d + p_0 - p_1), which is
//! p_0 + v·d. The correction is uniform to the receiver, who lacks one of the pads; the flips `v ^ choice` that
//! reorder are uniform to the sender. Where the receiver may use its random choice as v there are no flips.
//!
//! Cost: 1 COT; 1 bit of flips one way, then k bits the other way.

use crate::ops::lanes::{Lane, LaneReader, LaneWriter, message_len};
use crate::ot::{Pad, PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::ring::BitVec;
use crate::secret::Wiped;
use crate::transport::cost::Cost;
use crate::transport::machine::Io;

/// Secret lanes, wiped when dropped.
pub(crate) type Lanes = Wiped<u64>;

/// Bits as 0 and 1 in lanes.
pub(crate) fn lanes_of(bits: &BitVec) -> Lanes {
    Lanes::new(bits.to_lanes())
}

/// The sender's pads of S slots.
pub(crate) fn secret_pads<T: Lane + Pad, const S: usize>(
    cots: SenderCots,
    domain: PadDomain,
) -> [Wiped<T>; S] {
    let mut pads = cots.pads::<T>(S.trailing_zeros() as usize, domain).into_iter().map(Wiped::new);
    core::array::from_fn(|_| pads.next().expect("a pad for every slot"))
}

/// `2^bits - 1`, for `bits` in `0..=64`.
pub(crate) const fn low_mask(bits: u32) -> u64 {
    if bits == 0 { 0 } else { u64::MAX >> (64 - bits) }
}

/// The cost of `n` products of `bits` bits in which the receiver chooses its bits.
pub(crate) fn product_cost(sender: Party, bits: u32, n: usize) -> Cost {
    if bits == 0 {
        return Cost::none();
    }
    Cost::of_cots(sender, n)
        .then(Cost::message(sender.peer(), message_len(n, 1)))
        .then(Cost::message(sender, message_len(n, bits as usize)))
}

/// One value per product: the bits of its ring, and the values that the sender knows.
pub(crate) type Payload<'a> = (u32, &'a [u64]);

/// The sender's corrections and shares of products mod 2^`bits`; `flips` are those of the receiver, if it chose
/// its bits.
pub(crate) fn correct(
    cots: SenderCots,
    domain: PadDomain,
    bits: u32,
    flips: Option<&BitVec>,
    values: &[u64],
) -> (Lanes, Lanes) {
    correct_all(cots, domain, flips, &[(bits, values)]).pop().expect("one payload")
}

/// As [`correct`], for several payloads that the same bits multiply: each has its own slice of the pads.
///
/// # Panics
/// When the payloads have more than 128 bits together.
pub(crate) fn correct_all(
    cots: SenderCots,
    domain: PadDomain,
    flips: Option<&BitVec>,
    payloads: &[Payload<'_>],
) -> Vec<(Lanes, Lanes)> {
    match payloads.iter().map(|(bits, _)| bits).sum::<u32>() {
        ..=64 => correct_in::<u64>(cots, domain, flips, payloads),
        total => {
            assert!(total <= 128, "payloads of {total} bits");
            correct_in::<u128>(cots, domain, flips, payloads)
        }
    }
}

fn correct_in<T: Lane + Pad>(
    cots: SenderCots,
    domain: PadDomain,
    flips: Option<&BitVec>,
    payloads: &[Payload<'_>],
) -> Vec<(Lanes, Lanes)> {
    let [mut zeros, mut ones] = secret_pads::<T, 2>(cots, domain);
    if let Some(flips) = flips {
        for ((p0, p1), flip) in zeros.iter_mut().zip(ones.iter_mut()).zip(flips.to_lanes()) {
            let swap = (*p0 ^ *p1) & T::from_u64(flip).spread();
            (*p0, *p1) = (*p0 ^ swap, *p1 ^ swap);
        }
    }
    let mut offset = 0;
    let mut correct = |&(bits, values): &Payload<'_>| {
        let mask = low_mask(bits);
        let pair = |((p0, p1), value): ((&T, &T), &u64)| {
            let (p0, p1) = ((*p0 >> offset).low(), (*p1 >> offset).low());
            (value.wrapping_add(p0).wrapping_sub(p1) & mask, p0.wrapping_neg() & mask)
        };
        let (corrections, shares): (Vec<u64>, Vec<u64>) =
            zeros.iter().zip(ones.iter()).zip(values).map(pair).unzip();
        offset += bits;
        (Lanes::new(corrections), Lanes::new(shares))
    };
    payloads.iter().map(&mut correct).collect()
}

/// The receiver's shares, from its pads and the sender's corrections.
pub(crate) fn finish(bits: u32, choices: &[u64], pads: Vec<u64>, corrections: &[u64]) -> Lanes {
    finish_slice(bits, choices, &Lanes::new(pads), 0, corrections)
}

/// As [`finish`], with the pads' slice from bit `offset` on.
fn finish_slice<T: Lane>(bits: u32, choices: &[u64], pads: &[T], offset: u32, corrections: &[u64]) -> Lanes {
    let mask = low_mask(bits);
    let share = |((pad, choice), correction): ((&T, &u64), &u64)| {
        (*pad >> offset).low().wrapping_add(correction & choice.wrapping_neg()) & mask
    };
    pads.iter().zip(choices).zip(corrections).map(share).collect()
}

/// The receiver's shares of several payloads, whose corrections are next in `message`.
pub(crate) fn finish_all(
    cots: ReceiverCots,
    domain: PadDomain,
    choices: &[u64],
    payloads: &[u32],
    message: &mut LaneReader<'_>,
) -> Vec<Lanes> {
    match payloads.iter().sum::<u32>() {
        ..=64 => finish_in::<u64>(cots, domain, choices, payloads, message),
        _ => finish_in::<u128>(cots, domain, choices, payloads, message),
    }
}

fn finish_in<T: Lane + Pad>(
    cots: ReceiverCots,
    domain: PadDomain,
    choices: &[u64],
    payloads: &[u32],
    message: &mut LaneReader<'_>,
) -> Vec<Lanes> {
    let pads = Wiped::new(cots.pads::<T>(1, domain).1);
    let mut offset = 0;
    let mut finish = |&bits: &u32| {
        let shares = finish_slice(bits, choices, &pads, offset, &message.pull::<u64>(bits));
        offset += bits;
        shares
    };
    payloads.iter().map(&mut finish).collect()
}

/// The side that knows `values`: its shares of the products with the receiver's bits, mod 2^`bits`.
pub(crate) async fn send_products(
    io: &Io,
    cots: SenderCots,
    domain: PadDomain,
    bits: u32,
    values: &[u64],
) -> Lanes {
    let n = values.len();
    if bits == 0 {
        return Lanes::zeros(n);
    }
    let received = io.receive(message_len(n, 1)).await;
    let flips = LaneReader::new(&received, n, 1).pull_bits();
    let (corrections, shares) = correct(cots, domain, bits, Some(&flips), values);
    let mut message = LaneWriter::new(n, bits as usize);
    message.push(bits, &corrections);
    io.send(&message.finish()).await;
    shares
}

/// The side that knows the bits.
pub(crate) async fn receive_products(
    io: &Io,
    cots: ReceiverCots,
    domain: PadDomain,
    bits: u32,
    choices: &BitVec,
) -> Lanes {
    let n = choices.len();
    if bits == 0 {
        return Lanes::zeros(n);
    }
    let (random, pads) = cots.bit_pads::<u64>(domain);
    let mut flips = LaneWriter::new(n, 1);
    flips.push_bits(&choices.xor(&random));
    io.send(&flips.finish()).await;
    let received = io.receive(message_len(n, bits as usize)).await;
    let corrections = LaneReader::new(&received, n, bits as usize).pull::<u64>(bits);
    finish(bits, &lanes_of(choices), pads, &corrections)
}

/// `d ^ v` for bits that are XOR shares: `mine + 2 * product` mod 2^`bits`, from a share of -d·v.
pub(crate) fn unmask(bits: u32, mine: &[u64], mut products: Lanes) -> Lanes {
    let mask = low_mask(bits);
    for (product, bit) in products.iter_mut().zip(mine) {
        *product = bit.wrapping_sub(*product << 1) & mask;
    }
    products
}
