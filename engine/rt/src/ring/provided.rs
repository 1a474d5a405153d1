//! The provided-buffer ring: receive buffers that the kernel picks from, one set a core
//! (io_uring_register_buf_ring(3)).
//!
//! Buffer `id` is at any time in exactly one place: in the kernel's ring, or in one [`ProvidedBuf`]. A `ProvidedBuf`
//! is made only for an id that a completion named, and its drop puts the id back. The memory outlives the kernel's
//! use of it: the kernel side of the ring holds an `Rc` of the pool and drains before it lets go (see `kernel`).

#![allow(unsafe_code)]

use crate::buffer::{AlignedBuf, BUFFER_ALIGN};
use io_uring::types::BufRingEntry;
use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    rc::Rc,
    sync::atomic::{AtomicU16, Ordering},
};

/// 4 KiB: several Bolt requests fit; a large message takes several.
pub(crate) const BUFFER_BYTES: usize = 4096;

/// The buffers of one core, and the ring of descriptors through which the kernel takes them.
pub(crate) struct BufferPool {
    /// Keeps the allocation alive; touched through `entries` only.
    _ring: AlignedBuf,
    /// Keeps the allocation alive; touched through `memory` only.
    _memory: AlignedBuf,
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    count: u16,
    tail: Cell<u16>,
    /// Buffers that the kernel may take.
    available: Cell<u16>,
}

impl BufferPool {
    /// `count` buffers, a power of two up to 32,768; all of them in the ring.
    pub(crate) fn new(count: u16) -> Rc<BufferPool> {
        assert!(
            count.is_power_of_two() && count <= 1 << 15,
            "a valid size of a buffer ring"
        );
        let mut ring = AlignedBuf::zeroed(usize::from(count) * size_of::<BufRingEntry>());
        let mut memory = AlignedBuf::zeroed(usize::from(count) * BUFFER_BYTES);
        const { assert!(align_of::<BufRingEntry>() <= BUFFER_ALIGN) };
        let pool = BufferPool {
            entries: NonNull::from(&mut ring[..]).cast(),
            memory: NonNull::from(&mut memory[..]).cast(),
            _ring: ring,
            _memory: memory,
            count,
            tail: Cell::new(0),
            available: Cell::new(0),
        };
        (0..count).for_each(|id| pool.put_back(id));
        Rc::new(pool)
    }

    /// Address of the descriptor ring, for registration.
    pub(crate) fn ring_address(&self) -> u64 {
        self.entries.as_ptr() as u64
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Buffers that the kernel may take, as far as completions have told.
    pub(crate) fn available(&self) -> u16 {
        self.available.get()
    }

    /// Under an eighth left: what arrives should be moved to the heap, so that slow readers cannot starve others.
    pub(crate) fn is_low(&self) -> bool {
        self.available.get() < self.count / 8
    }

    /// Takes over buffer `id`, into which the kernel has put `len` bytes.
    ///
    /// # Safety
    /// A completion of this ring has just named `id` as used, and this is called once for that completion.
    pub(crate) unsafe fn filled(self: &Rc<Self>, id: u16, len: usize) -> ProvidedBuf {
        assert!(
            id < self.count && len <= BUFFER_BYTES,
            "the kernel names our own buffers"
        );
        self.available.set(self.available.get() - 1);
        ProvidedBuf {
            pool: self.clone(),
            id,
            len,
        }
    }

    fn put_back(&self, id: u16) {
        let tail = self.tail.get();
        let index = usize::from(tail & (self.count - 1));
        // SAFETY: `index < count` entries are allocated and zero-initialised in `_ring`; the kernel reads an entry
        // only once the tail has passed it, and this one is free: at most `count` ids exist, each in the ring at
        // most once. No other reference to the entry exists (the pool is `!Sync`). The address is that of a buffer
        // of BUFFER_BYTES inside `_memory`, since `id < count`.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(index);
            entry.set_addr(self.memory.as_ptr().add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        self.available.set(self.available.get() + 1);
        // SAFETY: the tail lies in the reserved field of the first entry, is aligned for u16, and is only ever
        // accessed atomically (by us) or by the kernel. Release: the entry is written before the kernel sees it.
        unsafe {
            let shared = BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            (*shared).store(tail, Ordering::Release);
        }
    }
}

/// One filled buffer. Dropping it gives it back to the kernel.
pub(crate) struct ProvidedBuf {
    pool: Rc<BufferPool>,
    id: u16,
    len: usize,
}

impl Deref for ProvidedBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: buffer `id` is ours alone until dropped (module header), initialised (zeroed at allocation), and
        // `len <= BUFFER_BYTES`.
        unsafe {
            std::slice::from_raw_parts(
                self.pool
                    .memory
                    .as_ptr()
                    .add(usize::from(self.id) * BUFFER_BYTES),
                self.len,
            )
        }
    }
}

impl DerefMut for ProvidedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.pool
                    .memory
                    .as_ptr()
                    .add(usize::from(self.id) * BUFFER_BYTES),
                self.len,
            )
        }
    }
}

impl Drop for ProvidedBuf {
    fn drop(&mut self) {
        self.pool.put_back(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_in_the_ring_or_in_one_hand() {
        let pool = BufferPool::new(4);
        assert_eq!(pool.available(), 4);
        // SAFETY: no kernel uses this pool; each id is taken once.
        let mut taken = unsafe { [pool.filled(0, 10), pool.filled(1, BUFFER_BYTES)] };
        assert_eq!(pool.available(), 2);
        taken[0].fill(1);
        taken[1].fill(2);
        assert_eq!(&taken[0][..], &[1; 10]);
        drop(taken);
        assert_eq!(pool.available(), 4);
        assert!(!pool.is_low());
    }
}
