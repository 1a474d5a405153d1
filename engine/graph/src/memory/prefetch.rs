//! Prefetching: telling the processor what will be read soon, so that several misses are under way at once.
//!
//! Owned here: [`prefetch`], and [`Hint`], an address that is kept for nothing else. Called by `fork`, `block`, `page` and, through them, by
//! whoever works through a batch of vertices, or wants two things of which one leads to the other.
//! Always holds: nothing is read or written; an address that points nowhere does no harm.

use super::block::BlockRef;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Asks for the cache line of an address.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Where a block lies, or lay: to ask for it before the link to it has arrived. Never read through, so nothing depends on its being right.
#[derive(Debug)]
pub(crate) struct Hint(AtomicPtr<u8>);

impl Default for Hint {
    fn default() -> Self {
        Hint(AtomicPtr::new(ptr::null_mut()))
    }
}

impl Hint {
    /// Remembers a block.
    pub(crate) fn set<H, T>(&self, block: Option<BlockRef<'_, H, T>>) {
        let address = block.map_or(ptr::null_mut(), |block| block.raw().as_ptr().cast());
        self.0.store(address, Ordering::Relaxed);
    }

    /// Asks for the first `lines` cache lines of the block.
    #[inline(always)]
    pub(crate) fn prefetch(&self, lines: usize) {
        let address = self.0.load(Ordering::Relaxed);
        // An address that is not mapped costs a walk through the page tables.
        if address.is_null() {
            return;
        }
        for line in 0..lines {
            prefetch(address.wrapping_add(line * 64));
        }
    }
}
