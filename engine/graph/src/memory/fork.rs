//! Forks: one atomic pointer to a block of either of two kinds, told apart by the pointer's lowest bit.
//!
//! Owned here: [`Fork`]. Called by `adjacency`, whose list is one chunk or a directory of chunks.
//! Always holds what `block` says of a link; the kind and the address change in one store, so a reader never takes one for the other.
//! Left to others: what the kinds are.

use super::block::{BlockRef, Charged, Owned, Raw, Unlinked};
use super::heap::Guard;
use super::prefetch::prefetch;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// One of two.
pub(crate) enum Either<A, B> {
    /// The first kind.
    First(A),
    /// The second kind.
    Second(B),
}

/// The four types of a fork, named without owning any.
type Kinds<H1, T1, H2, T2> = PhantomData<fn() -> (H1, T1, H2, T2)>;

/// A block of either kind by its address.
type RawForked<H1, T1, H2, T2> = Either<NonNull<Raw<H1, T1>>, NonNull<Raw<H2, T2>>>;

/// See the module.
pub(crate) struct Fork<H1, T1, H2, T2> {
    pointer: AtomicPtr<u8>,
    kinds: Kinds<H1, T1, H2, T2>,
}

/// What a fork points to, as a reader sees it.
pub(crate) type Forked<'g, H1, T1, H2, T2> = Either<BlockRef<'g, H1, T1>, BlockRef<'g, H2, T2>>;

/// What a fork pointed to.
pub(crate) type Unforked<H1, T1, H2, T2> = Either<Unlinked<H1, T1>, Unlinked<H2, T2>>;

const SECOND: usize = 1;

impl<H1, T1, H2, T2> Default for Fork<H1, T1, H2, T2> {
    fn default() -> Self {
        Fork {
            pointer: AtomicPtr::new(ptr::null_mut()),
            kinds: PhantomData,
        }
    }
}

impl<H1, T1, H2, T2> Fork<H1, T1, H2, T2> {
    const ALIGNED: () = assert!(
        align_of::<Raw<H1, T1>>() > SECOND && align_of::<Raw<H2, T2>>() > SECOND,
        "the lowest bit of a block's address is free"
    );

    /// The kind and the block behind a pointer that this fork stored.
    fn tell(pointer: *mut u8) -> Option<RawForked<H1, T1, H2, T2>> {
        let () = Self::ALIGNED;
        if pointer.addr() & SECOND == 0 {
            NonNull::new(pointer.cast()).map(Either::First)
        } else {
            NonNull::new(pointer.map_addr(|at| at & !SECOND).cast()).map(Either::Second)
        }
    }

    /// What it points to.
    #[inline]
    pub(crate) fn load<'g>(&self, _guard: &'g Guard<'_>) -> Option<Forked<'g, H1, T1, H2, T2>> {
        Some(match Self::tell(self.pointer.load(Ordering::Acquire))? {
            Either::First(raw) => Either::First(BlockRef::of(raw)),
            Either::Second(raw) => Either::Second(BlockRef::of(raw)),
        })
    }

    /// Asks the processor to fetch the first `lines` cache lines of what it points to.
    #[inline]
    pub(crate) fn prefetch(&self, lines: usize) {
        let pointer = self.pointer.load(Ordering::Relaxed);
        // An address that is not mapped costs a walk through the page tables.
        if pointer.is_null() {
            return;
        }
        for line in 0..lines {
            prefetch(pointer.wrapping_add(line * 64));
        }
    }

    fn swap(&self, pointer: *mut u8) -> Option<Unforked<H1, T1, H2, T2>> {
        Some(
            match Self::tell(self.pointer.swap(pointer, Ordering::AcqRel))? {
                Either::First(raw) => Either::First(Unlinked::of(raw)),
                Either::Second(raw) => Either::Second(Unlinked::of(raw)),
            },
        )
    }

    /// Points it to a new block of the first kind.
    pub(crate) fn set_first(&self, block: Owned<'_, H1, T1>) -> Option<Unforked<H1, T1, H2, T2>>
    where
        H1: Charged,
    {
        self.swap(block.into_raw().as_ptr().cast())
    }

    /// Points it to a new block of the second kind.
    pub(crate) fn set_second(&self, block: Owned<'_, H2, T2>) -> Option<Unforked<H1, T1, H2, T2>>
    where
        H2: Charged,
    {
        let raw: *mut u8 = block.into_raw().as_ptr().cast();
        self.swap(raw.map_addr(|at| at | SECOND))
    }

    /// Points it to an existing block of the first kind, whose former link is in a block about to be unlinked.
    pub(crate) fn pass_first(
        &self,
        block: BlockRef<'_, H1, T1>,
    ) -> Option<Unforked<H1, T1, H2, T2>> {
        self.swap(block.raw().as_ptr().cast())
    }

    /// Points it to nothing.
    pub(crate) fn take(&self) -> Option<Unforked<H1, T1, H2, T2>> {
        self.swap(ptr::null_mut())
    }
}
