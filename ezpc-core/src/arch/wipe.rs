//! Futures whose memory is wiped before it is given back.
//!
//! The state of an `async fn` has a place for every value that lives across an `.await`. A value that moves out of it
//! leaves its bytes behind: dropping the future does not visit them, so types that wipe themselves cannot help.

use core::future::Future;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::slice;
use core::task::{Context, Poll};

/// A future in a place of its own, which is zero once the future is dropped.
///
/// What is wiped is the place in which this is dropped, so it is made where it stays: by [`boxed`].
pub(crate) struct WipedFuture<F>(MaybeUninit<F>);

/// Takes a future that has not run, so that nothing has moved out of it yet.
pub(crate) fn boxed<F>(future: F) -> Pin<Box<WipedFuture<F>>> {
    Box::pin(WipedFuture(MaybeUninit::new(future)))
}

impl<F: Future> Future for WipedFuture<F> {
    type Output = F::Output;

    #[allow(unsafe_code, reason = "projects a pin to the only field")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing here moves what is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: the future is initialised from `boxed` until `drop`.
        let future = unsafe { this.0.assume_init_mut() };
        // SAFETY: it is pinned as we are: nobody moves it, `drop` drops it in place, and `WipedFuture<F>` is `Unpin` only if F
        // is, as `MaybeUninit<F>` is.
        let future = unsafe { Pin::new_unchecked(future) };
        future.poll(cx)
    }
}

impl<F> Drop for WipedFuture<F> {
    fn drop(&mut self) {
        /// Wipes also when dropping the future panics.
        struct Place<'a, F>(&'a mut MaybeUninit<F>);

        impl<F> Drop for Place<'_, F> {
            fn drop(&mut self) {
                wipe(self.0);
            }
        }

        let place = Place(&mut self.0);
        // SAFETY: the future is initialised until here, is dropped where it was pinned, and nobody uses it afterwards.
        #[allow(unsafe_code, reason = "ends the future before its place is wiped")]
        unsafe {
            place.0.assume_init_drop();
        }
    }
}

/// Every byte, padding too: a move of `MaybeUninit::zeroed()` need not carry that.
fn wipe<T>(place: &mut MaybeUninit<T>) {
    let start = place.as_mut_ptr().cast::<MaybeUninit<u8>>();
    // SAFETY: the bytes of a place that is borrowed uniquely; any content will do for them.
    #[allow(unsafe_code, reason = "sees a place as its bytes")]
    let bytes = unsafe { slice::from_raw_parts_mut(start, size_of::<T>()) };
    // Not byte by byte, as volatile stores are: places of a few kilobytes are wiped for every window.
    bytes.fill(MaybeUninit::zeroed());
    zeroize::optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use core::task::Waker;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Polls and drops a future; what its place holds then, which is read only where something was written last.
    #[allow(unsafe_code, reason = "looks at the place of a dropped value")]
    fn left_behind<F: Future>(future: F) -> (Poll<F::Output>, Vec<u8>) {
        let mut place = MaybeUninit::uninit();
        let wiped: &mut WipedFuture<F> = place.write(WipedFuture(MaybeUninit::new(future)));
        // SAFETY: it is dropped below, where it is.
        let pinned = unsafe { Pin::new_unchecked(wiped) };
        let poll = pinned.poll(&mut Context::from_waker(Waker::noop()));
        // SAFETY: initialised above and not used afterwards. It may panic.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe { place.assume_init_drop() }));
        // SAFETY: `drop` has written every byte; Miri would tell if not.
        let bytes = unsafe { slice::from_raw_parts(place.as_ptr().cast::<u8>(), size_of::<F>()) };
        (poll, bytes.to_vec())
    }

    #[test]
    fn what_moved_out_of_a_future_is_wiped() {
        let dropped = Cell::new(0);
        let count = || {
            struct Count<'a>(&'a Cell<u32>);
            impl Drop for Count<'_> {
                fn drop(&mut self) {
                    self.0.set(self.0.get() + 1);
                }
            }
            Count(&dropped)
        };
        for waits in [false, true] {
            dropped.set(0);
            let secret = core::hint::black_box([0xa5_u8; 33]);
            let odd = (core::hint::black_box(0xa5_u8), core::hint::black_box(0xa5a5_a5a5_u32));
            let (poll, bytes) = left_behind(async {
                let (held, secret) = (count(), secret);
                if waits {
                    core::future::pending::<()>().await;
                } else {
                    core::future::ready(()).await;
                }
                drop(held);
                (secret, odd)
            });
            assert_eq!(poll.is_pending(), waits);
            assert_eq!(dropped.get(), 1, "what the future holds is dropped once");
            assert!(bytes.len() >= 33 + 8 && bytes.iter().all(|byte| *byte == 0), "{bytes:x?}");
        }
    }

    #[test]
    fn a_future_that_panics_when_dropped_is_wiped() {
        struct Bad([u8; 13]);
        impl Future for Bad {
            type Output = ();
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                Poll::Pending
            }
        }
        impl Drop for Bad {
            fn drop(&mut self) {
                assert_eq!(self.0, [0; 13], "as meant");
            }
        }
        assert_eq!(left_behind(Bad([7; 13])).1, [0; 13]);
    }
}
