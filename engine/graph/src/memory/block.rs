//! Blocks: a header and an array in one allocation, reached through one atomic pointer.
//!
//! Owned here: [`Charged`] (whose memory a block is), [`Owned`] (being built), [`Link`] (the shared pointer), [`BlockRef`] (a reader's
//! view), [`Unlinked`] (on its way to a retire list), and [`Published`], the same for a boxed value with a destructor.
//! Called by `version`, `adjacency`, `page`, `tree`, `graph`; `fork` and `slab` build on it.
//! Always holds:
//! - what a link points to was complete before the link was stored (Release; partner: the Acquire in [`Link::load`]);
//! - a block has one link that owns it; only the holder of its shard's token changes that link, so a block is unlinked once;
//! - a block's parts need no destructor, so a retired block is plain memory;
//! - a dropped link frees nothing: owners walk their blocks ([`Link::take`]) and retire or free them.
//!
//! Left to others: keeping to the rule of the one owning link. A link in a block that is itself unlinked keeps pointing where it
//! pointed, for readers that stand there; what it owned has passed on ([`Link::inherit`]).

use super::account::MemoryOwner;
use super::heap::{Freed, Guard, Heap};
use super::prefetch::prefetch;
use super::slab::leave_place;
use crate::sync::{AtomicPtr, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::{needs_drop, offset_of};
use std::ptr::{self, NonNull};

/// Says whose memory the blocks with this header are, or the values published of this type.
pub(crate) trait Charged {
    /// The owner.
    const OWNER: MemoryOwner;
}

/// A block as it lies in memory: eight bytes, the header, the items.
#[repr(C)]
pub(super) struct Raw<H, T> {
    len: u32,
    /// 0 in an allocation of its own, or else where it lies in its slab (`slab`).
    place: u32,
    header: H,
    items: [T; 0],
}

impl<H: Charged, T> Raw<H, T> {
    const PLAIN: () = assert!(
        !needs_drop::<H>() && !needs_drop::<T>(),
        "blocks hold plain data"
    );

    pub(super) fn layout(len: usize) -> Layout {
        let () = Self::PLAIN;
        let items = Layout::array::<T>(len).expect("a block is far smaller than the address space");
        let size = (offset_of!(Raw<H, T>, items) + items.size()).max(size_of::<Raw<H, T>>());
        Layout::from_size_align(size, align_of::<Raw<H, T>>())
            .expect("a block is far smaller than the address space")
    }

    /// Writes a block.
    ///
    /// # Safety
    /// `raw` points to memory of [`Raw::layout`] that nobody else uses.
    pub(super) unsafe fn write(
        raw: NonNull<Raw<H, T>>,
        place: u32,
        header: H,
        len: usize,
        mut item: impl FnMut(usize) -> T,
    ) {
        // SAFETY: as the caller promises. `items` has the provenance of the whole block, since it is made from the raw pointer. A panic
        // in `item` leaks the block, no more.
        unsafe {
            Self::write_head(raw, place, header, len);
            let items = (&raw mut (*raw.as_ptr()).items).cast::<T>();
            for i in 0..len {
                items.add(i).write(item(i));
            }
        }
    }

    /// Writes what stands before a block's items.
    ///
    /// # Safety
    /// As for [`Raw::write`].
    unsafe fn write_head(raw: NonNull<Raw<H, T>>, place: u32, header: H, len: usize) {
        let len = u32::try_from(len).expect("a block has fewer than 2^32 items");
        // SAFETY: memory of the right size and alignment, as the caller promises; fields are written without reading them.
        unsafe {
            (&raw mut (*raw.as_ptr()).len).write(len);
            (&raw mut (*raw.as_ptr()).place).write(place);
            (&raw mut (*raw.as_ptr()).header).write(header);
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// `pointer` came from [`Heap::block`] or a slab with the same `H` and `T`, is freed once, and nobody refers to it.
    unsafe fn free(pointer: *mut u8) -> Freed {
        let raw = pointer.cast::<Raw<H, T>>();
        // SAFETY: the caller passes a live block of this type; both were written when it was made and never change.
        let (len, place) = unsafe { ((*raw).len, (*raw).place) };
        let bytes = if place == 0 {
            let layout = Self::layout(len as usize);
            // SAFETY: allocated in `Heap::block` with this layout.
            unsafe { dealloc(pointer, layout) };
            layout.size()
        } else {
            let block = NonNull::new(pointer).expect("a block has an address");
            // SAFETY: made by a slab with this place; freed once, as the caller promises.
            unsafe { leave_place(block, place) }
        };
        Freed {
            owner: H::OWNER,
            bytes,
        }
    }
}

impl Heap {
    /// A block with `len` items made by `item`.
    pub(crate) fn block<H: Charged, T>(
        &self,
        header: H,
        len: usize,
        item: impl FnMut(usize) -> T,
    ) -> Owned<'_, H, T> {
        let raw = self.room_for_block(len);
        // SAFETY: fresh memory of this layout.
        unsafe { Raw::write(raw, 0, header, len, item) };
        Owned::of(BlockRef::of(raw), self)
    }

    /// A block with a copy of these items.
    pub(crate) fn block_of<H: Charged, T: Copy>(&self, header: H, items: &[T]) -> Owned<'_, H, T> {
        let raw = self.room_for_block(items.len());
        // SAFETY: fresh memory of the layout for so many items, which are plain data from elsewhere.
        unsafe {
            Raw::write_head(raw, 0, header, items.len());
            let to = (&raw mut (*raw.as_ptr()).items).cast::<T>();
            ptr::copy_nonoverlapping(items.as_ptr(), to, items.len());
        }
        Owned::of(BlockRef::of(raw), self)
    }

    /// Memory for a block, counted.
    fn room_for_block<H: Charged, T>(&self, len: usize) -> NonNull<Raw<H, T>> {
        let layout = Raw::<H, T>::layout(len);
        // SAFETY: the layout is not empty, it holds at least the length.
        let raw = unsafe { alloc(layout) }.cast::<Raw<H, T>>();
        let Some(raw) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        self.count(H::OWNER, layout.size() as i64);
        raw
    }

    /// Retires a block that no link owns any more.
    pub(crate) fn retire_block<H: Charged, T>(&self, unlinked: Unlinked<H, T>) {
        self.retire(unlinked.raw.as_ptr().cast(), Raw::<H, T>::free);
    }

    /// Frees a block at once, where no other core can be reading: teardown.
    pub(crate) fn free_block<H: Charged, T>(&self, unlinked: Unlinked<H, T>, _alone: &mut Alone) {
        // SAFETY: `Alone` is made where the graph is owned exclusively, so nobody reads; the block is owned by `unlinked`, hence
        // freed once.
        let freed = unsafe { Raw::<H, T>::free(unlinked.raw.as_ptr().cast()) };
        self.count(freed.owner, -(freed.bytes as i64));
    }
}

/// Says that its maker is the only one who can reach the graph.
pub(crate) struct Alone(());

impl Alone {
    /// For `Drop` of what owns all links.
    ///
    /// # Safety
    /// No other thread can reach the links that are going to be freed, and no reference out of them is alive.
    unsafe fn new() -> Alone {
        Alone(())
    }

    /// Runs a teardown of `owner`, which is borrowed exclusively.
    pub(crate) fn with<T: ?Sized, R>(
        owner: &mut T,
        teardown: impl FnOnce(&mut T, &mut Alone) -> R,
    ) -> R {
        // SAFETY: all links of a graph are reached through their owner, and references out of them borrow an epoch guard of a
        // core, which holds the graph by `Arc`: `&mut` to the owner rules out both.
        let mut alone = unsafe { Alone::new() };
        teardown(owner, &mut alone)
    }
}

/// A block that nobody else has seen yet. Dropping it frees it.
pub(crate) struct Owned<'h, H: Charged, T> {
    block: BlockRef<'h, H, T>,
    heap: &'h Heap,
}

impl<'h, H: Charged, T> Owned<'h, H, T> {
    pub(super) fn of(block: BlockRef<'h, H, T>, heap: &'h Heap) -> Owned<'h, H, T> {
        Owned { block, heap }
    }

    /// The block, for whoever builds it to look at.
    pub(crate) fn as_ref(&self) -> BlockRef<'_, H, T> {
        self.block
    }

    pub(super) fn into_raw(self) -> NonNull<Raw<H, T>> {
        let raw = self.block.raw;
        std::mem::forget(self);
        raw
    }
}

impl<H: Charged, T> Drop for Owned<'_, H, T> {
    fn drop(&mut self) {
        // SAFETY: never linked (`into_raw` forgets `self`), so this is the only pointer.
        let freed = unsafe { Raw::<H, T>::free(self.block.raw.as_ptr().cast()) };
        self.heap.count(freed.owner, -(freed.bytes as i64));
    }
}

/// A block as a reader sees it, for as long as its epoch.
pub(crate) struct BlockRef<'g, H, T> {
    raw: NonNull<Raw<H, T>>,
    life: PhantomData<&'g (H, T)>,
}

impl<H, T> Clone for BlockRef<'_, H, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H, T> Copy for BlockRef<'_, H, T> {}

impl<'g, H, T> BlockRef<'g, H, T> {
    pub(super) fn of(raw: NonNull<Raw<H, T>>) -> BlockRef<'g, H, T> {
        BlockRef {
            raw,
            life: PhantomData,
        }
    }

    pub(super) fn raw(self) -> NonNull<Raw<H, T>> {
        self.raw
    }

    /// Its header.
    #[inline]
    pub(crate) fn header(self) -> &'g H {
        // SAFETY: alive for 'g (an epoch is held, or the block is owned); published whole; changed only through atomics.
        unsafe { &(*self.raw.as_ptr()).header }
    }

    /// Its items.
    #[inline]
    pub(crate) fn items(self) -> &'g [T] {
        // SAFETY: as for the header; `len` items follow, all written before the block was published. The pointer comes from the
        // raw block pointer, so its provenance covers them.
        unsafe {
            let raw = self.raw.as_ptr();
            std::slice::from_raw_parts((&raw const (*raw).items).cast::<T>(), (*raw).len as usize)
        }
    }

    /// What a link in it points to. The epoch that keeps this block keeps that one too: it is loaded within the epoch, and what is
    /// unlinked later waits for the epoch to pass.
    #[inline]
    pub(crate) fn follow<A, B>(self, link: &'g Link<A, B>) -> Option<BlockRef<'g, A, B>> {
        NonNull::new(link.0.load(Ordering::Acquire)).map(|raw| BlockRef {
            raw,
            life: PhantomData,
        })
    }
}

/// A block that no link owns: it must be retired, or freed in a teardown.
#[must_use = "an unlinked block that is not retired is leaked"]
pub(crate) struct Unlinked<H, T> {
    raw: NonNull<Raw<H, T>>,
}

impl<H, T> Unlinked<H, T> {
    pub(super) fn of(raw: NonNull<Raw<H, T>>) -> Unlinked<H, T> {
        Unlinked { raw }
    }

    /// Its header, whose links may have to be inherited.
    pub(crate) fn header(&self) -> &H {
        // SAFETY: not yet retired, hence alive; the borrow ends before `self` is given to a retire list.
        unsafe { &(*self.raw.as_ptr()).header }
    }

    /// Its items.
    pub(crate) fn items(&self) -> &[T] {
        BlockRef {
            raw: self.raw,
            life: PhantomData,
        }
        .items()
    }
}

/// An atomic pointer to a block, or to nothing.
#[derive(Debug)]
pub(crate) struct Link<H, T>(AtomicPtr<Raw<H, T>>);

impl<H, T> Default for Link<H, T> {
    fn default() -> Self {
        Link(AtomicPtr::new(ptr::null_mut()))
    }
}

impl<H, T> Link<H, T> {
    /// A link to an existing block, which passes to it: the block's former link is in a block about to be unlinked.
    pub(crate) fn to(block: Option<BlockRef<'_, H, T>>) -> Link<H, T> {
        Link(AtomicPtr::new(
            block.map_or(ptr::null_mut(), |block| block.raw.as_ptr()),
        ))
    }

    /// A link to a new block.
    pub(crate) fn owning(block: Owned<'_, H, T>) -> Link<H, T>
    where
        H: Charged,
    {
        Link(AtomicPtr::new(block.into_raw().as_ptr()))
    }

    /// What it points to.
    #[inline]
    pub(crate) fn load<'g>(&self, _guard: &'g Guard<'_>) -> Option<BlockRef<'g, H, T>> {
        NonNull::new(self.0.load(Ordering::Acquire)).map(|raw| BlockRef {
            raw,
            life: PhantomData,
        })
    }

    /// Asks the processor to fetch the first `lines` cache lines of what it points to.
    #[inline]
    pub(crate) fn prefetch(&self, lines: usize) {
        let pointer: *mut u8 = self.0.load(Ordering::Relaxed).cast();
        // An address that is not mapped costs a walk through the page tables.
        if pointer.is_null() {
            return;
        }
        for line in 0..lines {
            prefetch(pointer.wrapping_add(line * 64));
        }
    }

    /// Whether it points to nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    fn swap(&self, pointer: *mut Raw<H, T>) -> Option<Unlinked<H, T>> {
        NonNull::new(self.0.swap(pointer, Ordering::AcqRel)).map(|raw| Unlinked { raw })
    }

    /// Points it to a new block.
    pub(crate) fn set(&self, block: Owned<'_, H, T>) -> Option<Unlinked<H, T>>
    where
        H: Charged,
    {
        self.swap(block.into_raw().as_ptr())
    }

    /// Points it to what another link owns.
    pub(crate) fn pass(&self, from: Link<H, T>) -> Option<Unlinked<H, T>> {
        self.swap(from.0.load(Ordering::Relaxed))
    }

    /// Points it to nothing.
    pub(crate) fn take(&self) -> Option<Unlinked<H, T>> {
        self.swap(ptr::null_mut())
    }

    /// Points it past its block to what that block owned (`next`): a splice out of a chain.
    pub(crate) fn splice(&self, next: Option<BlockRef<'_, H, T>>) -> Option<Unlinked<H, T>> {
        self.swap(next.map_or(ptr::null_mut(), |block| block.raw.as_ptr()))
    }

    /// Takes over what a link of an unlinked block owns, leaving the link for readers that stand there.
    pub(crate) fn inherit(&self) -> Option<Unlinked<H, T>> {
        NonNull::new(self.0.load(Ordering::Relaxed)).map(|raw| Unlinked { raw })
    }
}

/// An atomic pointer to a boxed value, replaced as a whole.
pub(crate) struct Published<T>(std::sync::atomic::AtomicPtr<T>);

impl<T: Charged + Send + Sync + 'static> Published<T> {
    /// A first value.
    pub(crate) fn new(value: T) -> Published<T> {
        Published(std::sync::atomic::AtomicPtr::new(Box::into_raw(Box::new(
            value,
        ))))
    }

    /// The present value.
    #[inline]
    pub(crate) fn load<'g>(&self, _guard: &'g Guard<'_>) -> &'g T {
        // SAFETY: never null; the value it pointed to at any time of this epoch is freed only after the epoch (`replace`).
        unsafe { &*self.0.load(Ordering::Acquire) }
    }

    /// Publishes another value and retires the old one.
    pub(crate) fn replace(&self, value: T, heap: &Heap) {
        /// # Safety
        /// `pointer` is a `Box<T>` turned raw, dropped once.
        unsafe fn free<T: Charged>(pointer: *mut u8) -> Freed {
            // SAFETY: as the caller promises.
            drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
            Freed {
                owner: T::OWNER,
                bytes: size_of::<T>(),
            }
        }
        let old = self
            .0
            .swap(Box::into_raw(Box::new(value)), Ordering::AcqRel);
        heap.count(T::OWNER, size_of::<T>() as i64);
        heap.retire(old.cast(), free::<T>);
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        // SAFETY: dropped by its owner, so nobody loads from it; the present value is not in any retire list.
        drop(unsafe { Box::from_raw(*self.0.get_mut()) });
    }
}

// SAFETY: a reference to the value is shared between threads and the last of them drops it, hence both bounds.
unsafe impl<T: Send + Sync> Sync for Published<T> {}
