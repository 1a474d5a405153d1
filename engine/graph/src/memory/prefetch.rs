//! Prefetching: telling the processor what will be read soon, so that several misses are under way at once.
//!
//! Owned here: [`prefetch`]. Called by `fork`, `block` and, through them, by whoever works through a batch of vertices.
//! Always holds: nothing is read or written; an address that points nowhere does no harm.

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
