//! Slabs: one allocation for many small blocks that are read one after the other.
//!
//! Owned here: [`Slab`] (being filled) and the count of blocks that still lie in one. Called by `adjacency::layout`; blocks find their slab
//! by their `place`, so readers and retire lists treat them as any other block.
//! Always holds: a slab is freed with its last block, by whichever heap frees that; a slab being filled counts as one block; bytes are
//! charged for the slab as a whole, from its making to its end.
//! The Release decrement of each leaving block is the partner of the Acquire fence before the slab is freed.
//! Left to others: when blocks move into a slab and when so many have left that the rest should move on.

use super::account::MemoryOwner;
use super::block::{BlockRef, Charged, Owned, Raw};
use super::heap::Heap;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

/// The most bytes a slab takes up, its head included: a size that allocators have without waste, and half of what fits into a level 2
/// cache.
const SLAB_BYTES: usize = 64 << 10;
/// Where blocks start, in bytes from the slab, and what their starts are multiples of.
const ALIGN: usize = 8;
const FIRST: usize = size_of::<SlabHead>();
/// What all blocks of a slab may take up together, in bytes.
pub(crate) const SLAB_ROOM: usize = SLAB_BYTES - FIRST;

#[repr(C)]
struct SlabHead {
    /// Blocks that have not been freed, and one more while it is being filled.
    blocks: AtomicU32,
    bytes: u32,
}

const _: () = assert!(FIRST.is_multiple_of(ALIGN));

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("a slab is far smaller than the address space")
}

/// A slab being filled.
pub(crate) struct Slab<'h> {
    head: NonNull<SlabHead>,
    used: usize,
    owner: MemoryOwner,
    heap: &'h Heap,
}

impl<'h> Slab<'h> {
    /// What a block takes up in a slab, in bytes.
    pub(crate) fn room<H: Charged, T>(len: usize) -> usize {
        Raw::<H, T>::layout(len).size().next_multiple_of(ALIGN)
    }

    /// A slab for blocks that take up `room` bytes together; at most [`SLAB_ROOM`].
    pub(crate) fn new(room: usize, owner: MemoryOwner, heap: &'h Heap) -> Slab<'h> {
        let bytes = FIRST + room;
        assert!(bytes <= SLAB_BYTES, "a slab of {bytes} bytes is too large");
        let layout = layout(bytes);
        // SAFETY: the layout is not empty, it holds the head.
        let Some(head) = NonNull::new(unsafe { alloc(layout) }.cast::<SlabHead>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: fresh memory of at least the head's size and of its alignment.
        unsafe {
            head.as_ptr().write(SlabHead {
                blocks: AtomicU32::new(1),
                bytes: bytes as u32,
            });
        }
        heap.count(owner, bytes as i64);
        Slab {
            head,
            used: FIRST,
            owner,
            heap,
        }
    }

    /// A block in the slab. There must be room, see [`Slab::room`].
    pub(crate) fn block<H: Charged, T>(
        &mut self,
        header: H,
        len: usize,
        item: impl FnMut(usize) -> T,
    ) -> Owned<'h, H, T> {
        const { assert!(align_of::<Raw<H, T>>() <= ALIGN) };
        let room = Self::room::<H, T>(len);
        // SAFETY: the head is alive while the slab is being filled.
        let head = unsafe { self.head.as_ref() };
        assert!(
            self.used + room <= head.bytes as usize,
            "a slab was made too small"
        );
        // SAFETY: within the allocation, as just checked; aligned, since every start is a multiple of `ALIGN`.
        let raw = unsafe { self.head.cast::<u8>().add(self.used) }.cast::<Raw<H, T>>();
        let place = (self.used / ALIGN) as u32;
        // SAFETY: memory of this slab that no other block has, of the right size and alignment.
        unsafe { Raw::write(raw, place, header, len, item) };
        head.blocks.fetch_add(1, Ordering::Relaxed);
        self.used += room;
        Owned::of(BlockRef::of(raw), self.heap)
    }
}

impl Drop for Slab<'_> {
    fn drop(&mut self) {
        // SAFETY: the slab counted itself as a block until now.
        let bytes = unsafe { leave(self.head) };
        self.heap.count(self.owner, -(bytes as i64));
    }
}

/// One block fewer; frees the slab after the last. How many bytes that gave back.
///
/// # Safety
/// The caller's block, or the filling, was counted, and is not used any more.
unsafe fn leave(head: NonNull<SlabHead>) -> usize {
    // SAFETY: the slab is alive while it counts the caller's block.
    let slab = unsafe { head.as_ref() };
    if slab.blocks.fetch_sub(1, Ordering::Release) != 1 {
        return 0;
    }
    fence(Ordering::Acquire);
    let bytes = slab.bytes as usize;
    // SAFETY: no block is left, and only blocks lead to the slab.
    unsafe { dealloc(head.as_ptr().cast(), layout(bytes)) };
    bytes
}

/// A block at `place` of its slab leaves it. How many bytes that gave back.
///
/// # Safety
/// `block` was made by [`Slab::block`] with this place, is freed once, and nobody refers to it.
pub(super) unsafe fn leave_place(block: NonNull<u8>, place: u32) -> usize {
    // SAFETY: the block lies `place * ALIGN` bytes behind its slab's head, in the same allocation.
    let head = unsafe { block.sub(place as usize * ALIGN) }.cast::<SlabHead>();
    // SAFETY: as the caller promises.
    unsafe { leave(head) }
}
