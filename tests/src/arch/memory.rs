//! An allocator that tells what becomes of memory.

#![expect(unsafe_code, reason = "implements an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, watched. What it calls may not allocate.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "built with a literal by tests")]
pub struct Watched {
    /// Called with the size of every block that is given out.
    pub taken: fn(usize),
    /// Called with the content of every block that is given back.
    pub freed: fn(&[u8]),
}

// SAFETY: everything is passed on to the system's allocator as it came; a block is read before it is given back.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        (self.taken)(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`. Zeroed, so that what is read in `dealloc` is initialised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until the end of this function, and was zeroed when it was made.
        (self.freed)(unsafe { core::slice::from_raw_parts(place, layout.size()) });
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}
