//! The first messages of a session: both parties see that they speak to the right kind of peer about the same
//! thing, or say what differs.
//!
//! Everything here is public. Authentication is the business of the transport; where it authenticates, the name of
//! the session depends on the connection and on both certificates, so everything that is derived from it does.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::Channel;
use super::cost::Cost;
use crate::error::{Error, Result};
use crate::party::Party;
use core::fmt;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// The version of the bytes on the wire; peers of different versions refuse each other.
pub const WIRE_VERSION: u32 = 1;

/// The longest that the handshake may take, however long the channel would wait otherwise.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// What every hello opens with: not the start of any text, with the line ends that careless transfers change.
const MAGIC: [u8; 8] = *b"\x89ezpc\r\n\x1a";

/// Magic and version: what stays the same in all versions.
const HEAD: usize = MAGIC.len() + 4;

/// Role, three bytes of zero, nonce, length of the parameters.
const BODY: usize = 4 + 16 + 4;

/// The longest list of parameters, name of one, and value of one, in bytes.
const MAX_PARAMETERS: usize = 16 << 10;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 256;

/// Named public parameters on which both parties must agree: which protocols, which sizes, which security.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// No parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more: printable ASCII, a name without `=`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !is_name(name) || !is_value(value) {
                return Err(Error::usage(format!(
                    "`{name}` = `{value}` cannot be a parameter of the session"
                )));
            }
            text.extend([name, "=", value, "\n"]);
        }
        if text.len() > MAX_PARAMETERS {
            return Err(Error::usage("too many parameters of the session"));
        }
        Ok(text.into_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let malformed = || Error::peer("the peer's list of parameters is malformed");
        let text = core::str::from_utf8(bytes).map_err(|_| malformed())?;
        let parameter = |line: &str| {
            let (name, value) = line.split_once('=').ok_or_else(malformed)?;
            if is_name(name) && is_value(value) { Ok((name.into(), value.into())) } else { Err(malformed()) }
        };
        text.split_terminator('\n').map(parameter).collect::<Result<_>>().map(Self)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// Fails with the first difference.
    fn compare(&self, peer: &Self) -> Result<()> {
        for (name, here) in &self.0 {
            match peer.value(name) {
                Some(there) if there == here => {}
                Some(there) => {
                    let message = format!("parameter `{name}` differs: {here} here, {there} there");
                    return Err(Error::handshake(message));
                }
                None => return Err(Error::handshake(format!("the peer does not know parameter `{name}`"))),
            }
        }
        match peer.0.iter().find(|(name, _)| self.value(name).is_none()) {
            None => Ok(()),
            Some((name, _)) => Err(Error::handshake(format!(
                "the peer has a parameter `{name}`, this side does not know it"
            ))),
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

fn is_value(text: &str) -> bool {
    text.len() <= MAX_VALUE && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The name of a session: the hash of both parties' hellos, so it depends on a nonce of each and on all parameters, and
/// of what the transport is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// The bytes, for deriving keys from.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Opens a session: both parties say who they are, with a fresh random `nonce` each, and compare parameters.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::error::ErrorKind::Handshake) with the difference, on both sides; the peer is
/// sure to get our hello before we hang up.
pub fn open(channel: &mut Channel, parameters: &Parameters, nonce: [u8; 16]) -> Result<SessionId> {
    let deadline = Instant::now() + channel.timeout().min(HANDSHAKE_TIMEOUT);
    let mine = hello(channel.party(), &nonce, &parameters.encode()?);
    let result = greet(channel, parameters, mine, deadline);
    channel.restore_timeout()?;
    result.map_err(|error| {
        channel.hang_up();
        error.context("handshake")
    })
}

/// Fails unless the peer gives the same `public` bytes; `what` is the subject of the message:
/// `the program's public shape`. One half-round of 32 bytes each way, whatever the length.
pub fn agree(channel: &mut Channel, what: &str, public: &[u8]) -> Result<()> {
    let mine = Sha256::new()
        .chain_update(b"ezpc agree\0")
        .chain_update((what.len() as u64).to_le_bytes())
        .chain_update(what)
        .chain_update(public)
        .finalize();
    let theirs = channel.exchange(mine.to_vec(), mine.len())?;
    if theirs == mine[..] {
        return Ok(());
    }
    Err(Error::handshake(format!("{what} differs: {} here, {} there", short(&mine), short(&theirs))))
}

/// The cost of [`agree`].
#[must_use]
pub fn agree_cost() -> Cost {
    Cost::level(32, 32)
}

/// Swaps public data whose length the peer does not know, such as a model card: at most `limit` bytes from the
/// peer, whose own limit ours must meet. `what` is the subject of the message.
pub fn exchange_public(channel: &mut Channel, what: &str, mine: Vec<u8>, limit: usize) -> Result<Vec<u8>> {
    let numbers = [mine.len() as u64, limit as u64].map(u64::to_le_bytes).concat();
    let theirs = channel.exchange(numbers, 16)?;
    let number = |at: usize| u64::from_le_bytes(theirs[at..at + 8].try_into().expect("eight bytes"));
    let (len, their_limit) = (number(0), number(8));
    if len > limit as u64 {
        return Err(Error::handshake(format!(
            "{what} of the peer has {len} bytes, this side takes at most {limit}"
        )));
    }
    if mine.len() as u64 > their_limit {
        return Err(Error::handshake(format!(
            "{what} has {} bytes, the peer takes at most {their_limit}",
            mine.len()
        )));
    }
    channel.exchange(mine, len as usize)
}

/// The bytes each party sends in [`open`].
#[must_use]
pub fn hello_len(parameters: &Parameters) -> usize {
    HEAD + BODY + parameters.encode().map_or(0, |p| p.len())
}

fn hello(party: Party, nonce: &[u8; 16], parameters: &[u8]) -> Vec<u8> {
    let mut hello = Vec::with_capacity(HEAD + BODY + parameters.len());
    hello.extend(MAGIC);
    hello.extend(WIRE_VERSION.to_le_bytes());
    hello.extend([party.index() as u8, 0, 0, 0]);
    hello.extend(nonce);
    hello.extend((parameters.len() as u32).to_le_bytes());
    hello.extend(parameters);
    hello
}

/// One half-round. Reads the peer's hello piece by piece, so that no more is taken than its version defines.
fn greet(
    channel: &mut Channel,
    parameters: &Parameters,
    mine: Vec<u8>,
    deadline: Instant,
) -> Result<SessionId> {
    channel.count_half_rounds(1);
    channel.post(mine.clone())?;
    let mut read = |len: usize| {
        channel.expect(len);
        channel.receive_by(len, deadline)
    };

    let head = read(HEAD)?;
    if head[..MAGIC.len()] != MAGIC {
        let hint = if head.starts_with(&[0x16, 3]) { ", it speaks TLS" } else { "" };
        return Err(Error::handshake(format!("the peer does not speak ezpc{hint}")));
    }
    let version = u32::from_le_bytes(head[MAGIC.len()..].try_into().expect("four bytes"));
    if version != WIRE_VERSION {
        return Err(Error::handshake(format!("peer runs wire version {version}, this side {WIRE_VERSION}")));
    }

    let body = read(BODY)?;
    let len = u32::from_le_bytes(body[20..].try_into().expect("four bytes")) as usize;
    if body[0] > 1 || body[1..4] != [0; 3] || len > MAX_PARAMETERS {
        return Err(Error::peer("the peer's hello is malformed"));
    }
    let list = read(len)?;
    let party = channel.party();
    if usize::from(body[0]) == party.index() {
        return Err(Error::handshake(format!("both sides are the {party}")));
    }
    parameters.compare(&Parameters::decode(&list)?)?;

    let theirs = [head, body, list].concat();
    let [server, client] = if party == Party::Server { [mine, theirs] } else { [theirs, mine] };
    let id = match channel.binding() {
        None => Sha256::new().chain_update(b"ezpc session\0"),
        Some(binding) => Sha256::new().chain_update(b"ezpc bound session\0").chain_update(binding),
    };
    Ok(SessionId(id.chain_update(server).chain_update(client).finalize().into()))
}

/// The first eight bytes in hexadecimal.
fn short(hash: &[u8]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
