//! [`AlignedBuf`]: heap memory at a page boundary, as direct I/O asks (open(2), "O_DIRECT").
//!
//! What always holds: `ptr` comes from the global allocator with `layout(capacity)`, all `capacity` bytes are
//! initialised (zeroed at allocation), and `len <= capacity`.

#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// 4,096 bytes: a page, and at least the logical block of every device in use.
pub const BUFFER_ALIGN: usize = 4096;

/// A growable byte buffer whose memory begins at a multiple of [`BUFFER_ALIGN`] and whose capacity is one.
pub struct AlignedBuf {
    ptr: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the buffer owns its memory alone, like a `Vec<u8>`; no thread-bound state is attached to it.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared references only read plain bytes.
unsafe impl Sync for AlignedBuf {}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, BUFFER_ALIGN).expect("a capacity below isize::MAX")
}

impl AlignedBuf {
    /// An empty buffer for at least `capacity` bytes (rounded up to [`BUFFER_ALIGN`], at least one unit).
    ///
    /// # Panics
    /// When `capacity` exceeds `isize::MAX` less a page. Callers bound their sizes long before.
    pub fn with_capacity(capacity: usize) -> AlignedBuf {
        let capacity = capacity.max(1).next_multiple_of(BUFFER_ALIGN);
        let layout = layout(capacity);
        // SAFETY: the layout's size is not zero, since capacity is at least BUFFER_ALIGN.
        let ptr = unsafe { alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(ptr) else {
            handle_alloc_error(layout)
        };
        AlignedBuf {
            ptr,
            capacity,
            len: 0,
        }
    }

    /// A buffer of `len` zero bytes.
    pub fn zeroed(len: usize) -> AlignedBuf {
        let mut buf = AlignedBuf::with_capacity(len);
        buf.len = len;
        buf
    }

    /// Bytes that fit without growing.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Appends, growing by doubling when full.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self
            .len
            .checked_add(bytes.len())
            .expect("a length below usize::MAX");
        if end > self.capacity {
            self.grow(end);
        }
        let start = std::mem::replace(&mut self.len, end);
        self[start..].copy_from_slice(bytes);
    }

    /// Sets the length; bytes that come into view are zero.
    pub fn resize_zeroed(&mut self, len: usize) {
        if len > self.capacity {
            self.grow(len);
        }
        let old = std::mem::replace(&mut self.len, len);
        if len > old {
            // What lies above `old` may hold bytes of an earlier use.
            self[old..].fill(0);
        }
    }

    /// Pads with zeros to the next multiple of `block`.
    pub fn pad_to(&mut self, block: usize) {
        self.resize_zeroed(self.len.next_multiple_of(block));
    }

    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Shortens it to `len`; without effect when it is shorter.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes it immutable and reference counted without copying; slices of it at aligned offsets stay aligned.
    pub fn freeze(self) -> bytes::Bytes {
        bytes::Bytes::from_owner(self)
    }

    fn grow(&mut self, needed: usize) {
        let mut larger = AlignedBuf::with_capacity(needed.max(self.capacity.saturating_mul(2)));
        larger.len = self.len;
        larger.copy_from_slice(self);
        std::mem::swap(self, &mut larger);
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: allocated in `with_capacity` with this very layout, and dropped once.
        unsafe { dealloc(self.ptr.as_ptr(), layout(self.capacity)) }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes from `ptr` are allocated and initialised, and borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for AlignedBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Default for AlignedBuf {
    fn default() -> Self {
        AlignedBuf::with_capacity(0)
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuf({} of {} bytes)", self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_content_and_alignment() {
        let mut buf = AlignedBuf::default();
        let mut expected = Vec::new();
        for i in 0..1000u32 {
            buf.extend_from_slice(&i.to_le_bytes().repeat(7));
            expected.extend_from_slice(&i.to_le_bytes().repeat(7));
        }
        assert_eq!(&buf[..], &expected[..]);
        assert_eq!(buf.as_ptr() as usize % BUFFER_ALIGN, 0);
        buf.pad_to(512);
        assert_eq!(buf.len() % 512, 0);
        assert!(buf[expected.len()..].iter().all(|&b| b == 0));
        assert_eq!(buf.freeze().as_ptr() as usize % BUFFER_ALIGN, 0);
    }

    #[test]
    fn bytes_that_come_back_into_view_are_zero() {
        let mut buf = AlignedBuf::with_capacity(10);
        buf.extend_from_slice(&[7; 100]);
        buf.truncate(10);
        buf.resize_zeroed(100);
        assert_eq!(&buf[..10], &[7; 10]);
        assert!(buf[10..].iter().all(|&b| b == 0));
    }
}
