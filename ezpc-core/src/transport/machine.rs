//! Protocol state machines without I/O.
//!
//! A machine is an `async fn` that computes, and at every level of message dependency awaits
//! [`Io::exchange`]: it hands over the bytes it sends and says, from public shapes alone, how many it receives.
//! The compiler turns the function into the pull-style state machine; no runtime is involved, the only waker
//! is the one that does nothing, and [`Machine::step`] is the only caller. Sub-protocols compose with `.await`
//! one after the other, and with [`join`] side by side, sharing their levels.
//!
//! Both parties run the same machines in the same order, so messages need no headers: the position in the
//! stream says what a byte belongs to.

use crate::arch::wipe::boxed;
use crate::error::Result;
use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

/// The mailbox through which a machine talks; cheap to clone, one per machine.
#[derive(Clone, Default)]
pub struct Io(Rc<RefCell<Mailbox>>);

#[derive(Default)]
struct Mailbox {
    /// Bytes received for the level just completed, read by position.
    inbox: Vec<u8>,
    /// Bytes to send at the next level.
    outbox: Vec<u8>,
    /// Bytes to receive at the next level.
    need: usize,
    /// Whether somebody waits for a level, and not only for more of one.
    level: bool,
}

impl Io {
    /// One level: sends `message` and receives exactly `need` bytes of the peer's message of the same level.
    ///
    /// When both lengths are zero there is no level and nothing waits; the peer sees the same lengths.
    pub async fn exchange(&self, message: &[u8], need: usize) -> Vec<u8> {
        self.swap(message, need, true).await
    }

    /// The next part of the message of the level before, which only one party sends: as [`Io::exchange`], but no level. What
    /// comes in parts is computed and used part by part.
    pub async fn more(&self, message: &[u8], need: usize) -> Vec<u8> {
        self.swap(message, need, false).await
    }

    async fn swap(&self, message: &[u8], need: usize, level: bool) -> Vec<u8> {
        if message.is_empty() && need == 0 {
            return Vec::new();
        }
        let start = {
            let mut mailbox = self.0.borrow_mut();
            mailbox.level |= level;
            mailbox.outbox.extend_from_slice(message);
            let start = mailbox.need;
            mailbox.need += need;
            start
        };
        NextStep(false).await;
        let mailbox = self.0.borrow();
        mailbox.inbox[start..start + need].to_vec()
    }

    /// Sends a message while the peer sends nothing.
    pub async fn send(&self, message: &[u8]) {
        self.exchange(message, 0).await;
    }

    /// Receives exactly `need` bytes while this party sends nothing.
    pub async fn receive(&self, need: usize) -> Vec<u8> {
        self.exchange(&[], need).await
    }
}

/// Suspends until the next [`Machine::step`].
struct NextStep(bool);

impl Future for NextStep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}

/// Runs two sub-protocols side by side: at each level their messages travel together.
pub async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (core::pin::pin!(a), core::pin::pin!(b));
    let (mut left, mut right) = (None, None);
    core::future::poll_fn(|cx| {
        if left.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            left = Some(value);
        }
        if right.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            right = Some(value);
        }
        match (left.take(), right.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (left, right) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Runs any number of sub-protocols side by side: at each level their messages travel together.
pub async fn join_all<T>(parts: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut parts: Vec<_> = parts.into_iter().map(|part| (boxed(part), None)).collect();
    core::future::poll_fn(|cx| {
        let mut waiting = false;
        for (part, value) in &mut parts {
            if value.is_none() {
                match part.as_mut().poll(cx) {
                    Poll::Ready(ready) => *value = Some(ready),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    parts.into_iter().map(|(_, value)| value.expect("every part is ready")).collect()
}

/// What a machine wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a machine either waits or is done")]
pub enum Step {
    /// Exactly this many bytes of the peer, after this level's own message is on its way.
    Need {
        /// The length of the peer's message of this level, or of the next part of it.
        bytes: usize,
        /// Whether it is a level of its own, and not more of the one before.
        level: bool,
    },
    /// Nothing: the machine has finished.
    Done,
}

/// A protocol in progress. Its memory is wiped when it is dropped: values that moved out of it leave their bytes behind.
pub struct Machine<'a> {
    io: Io,
    run: Pin<Box<dyn Future<Output = Result<()>> + 'a>>,
}

impl<'a> Machine<'a> {
    /// The machine of `protocol`, which talks through the mailbox it is given.
    pub fn new<F: Future<Output = Result<()>> + 'a>(protocol: impl FnOnce(Io) -> F) -> Self {
        let io = Io::default();
        Self { run: boxed(protocol(io.clone())), io }
    }

    /// Advances by one level, or by one part of a level's message: takes the peer's message of the last step (exactly as long
    /// as asked for; empty at the first one), replaces the content of `message` by what to send now, and says what is needed.
    pub fn step(&mut self, received: Vec<u8>, message: &mut Vec<u8>) -> Result<Step> {
        {
            let mut mailbox = self.io.0.borrow_mut();
            mailbox.inbox = received;
            message.clear();
            core::mem::swap(&mut mailbox.outbox, message);
            mailbox.outbox.clear();
            (mailbox.need, mailbox.level) = (0, false);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let poll = self.run.as_mut().poll(&mut cx);
        let mut mailbox = self.io.0.borrow_mut();
        mailbox.inbox = Vec::new();
        core::mem::swap(&mut mailbox.outbox, message);
        match poll {
            Poll::Ready(result) => result.map(|()| Step::Done),
            Poll::Pending => Ok(Step::Need { bytes: mailbox.need, level: mailbox.level }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Two machines of different depth, side by side in one machine, against a peer that echoes.
    #[test]
    fn joined_protocols_share_levels() {
        let sum = Cell::new(0_u32);
        let mut machine = Machine::new(|io| {
            let sum = &sum;
            async move {
                let deep = async {
                    let mut value = 1;
                    for _ in 0..3 {
                        value += io.exchange(&[value], 1).await[0];
                    }
                    value
                };
                let shallow = async { io.exchange(&[10, 11], 2).await[1] };
                let (a, b) = join(deep, shallow).await;
                sum.set(u32::from(a) + u32::from(b));
                Ok(())
            }
        });
        let (mut inbox, mut levels) = (Vec::new(), 0);
        let mut message = Vec::new();
        while let Step::Need { bytes, .. } = machine.step(inbox, &mut message).expect("no error") {
            assert_eq!(bytes, message.len());
            inbox = message.clone();
            levels += 1;
        }
        assert_eq!((levels, sum.get()), (3, 8 + 11));
    }

    #[test]
    fn nothing_to_exchange_is_no_level() {
        let mut machine = Machine::new(|io| async move {
            io.exchange(&[], 0).await;
            Ok(())
        });
        assert_eq!(machine.step(Vec::new(), &mut Vec::new()).expect("no error"), Step::Done);
    }
}
