//! The heap of one core: allocation, accounting, and the list of what waits to be freed.
//!
//! Owned here: [`Heap`] (one a core, `!Send`), [`Guard`] (an epoch entered), [`Account`] (live bytes over all cores).
//! Called by everything that builds or replaces blocks.
//! Always holds: bytes are counted from allocation until they are freed, retired ones included; what is retired is freed after an
//! epoch has passed, by its core, or by [`Account::free_orphans`] if its core's heap is dropped first.
//! Left to others: arenas and size classes, which will stand behind the same calls.

use super::block::Alone;
use super::epoch::Epochs;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sync::Padded;

/// Something unlinked, and how to free it.
pub(super) struct Retired {
    pub(super) mark: u64,
    pub(super) pointer: *mut u8,
    /// Frees what `pointer` points to and says how many bytes it was.
    pub(super) free: unsafe fn(*mut u8) -> usize,
}

// SAFETY: a retired block is reached by its list alone (readers hold references, not the list); blocks hold atomics and plain data
// that may be freed on any thread (`block` asks for `Send` where a destructor runs).
unsafe impl Send for Retired {}

impl Retired {
    /// Frees it.
    ///
    /// # Safety
    /// No reader can hold a reference to it any more, and it is freed once.
    unsafe fn free(&self) -> usize {
        // SAFETY: `free` was made for `pointer` by `block`; the caller promises the rest.
        unsafe { (self.free)(self.pointer) }
    }
}

/// Epochs and byte counts that all heaps of a graph share.
pub(crate) struct Account {
    epochs: Epochs,
    live: Box<[Padded<AtomicI64>]>,
    /// What heaps left behind when they were dropped.
    orphans: Mutex<Vec<Retired>>,
}

impl Account {
    /// For `cores` heaps.
    pub(crate) fn new(cores: usize) -> Account {
        Account {
            epochs: Epochs::new(cores),
            live: (0..cores).map(|_| Padded(AtomicI64::new(0))).collect(),
            orphans: Mutex::new(Vec::new()),
        }
    }

    /// Bytes allocated and not freed, over all heaps.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live
            .iter()
            .map(|bytes| bytes.0.load(Ordering::Relaxed))
            .sum::<i64>()
            .max(0) as u64
    }

    /// Frees what dropped heaps left behind, when nobody can be reading any more.
    pub(crate) fn free_orphans(&self, _alone: &mut Alone) {
        let orphans = std::mem::take(
            &mut *self
                .orphans
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
        for retired in orphans {
            // SAFETY: `Alone` says that no reader is left; each entry has left the list and is freed once.
            let bytes = unsafe { retired.free() };
            self.live[0].0.fetch_sub(bytes as i64, Ordering::Relaxed);
        }
    }
}

/// One core's part. Made once a core at a time.
pub(crate) struct Heap {
    account: Arc<Account>,
    slot: usize,
    depth: Cell<u32>,
    retired: RefCell<VecDeque<Retired>>,
    stays: PhantomData<*const ()>,
}

impl Heap {
    /// The heap of slot `slot`; the caller sees to it that a slot has one heap at a time.
    pub(crate) fn new(account: Arc<Account>, slot: usize) -> Heap {
        Heap {
            account,
            slot,
            depth: Cell::new(0),
            retired: RefCell::default(),
            stays: PhantomData,
        }
    }

    /// Enters an epoch, or stays in the one this core stands in.
    #[inline]
    pub(crate) fn enter(&self) -> Guard<'_> {
        let depth = self.depth.get();
        if depth == 0 {
            self.account.epochs.enter(self.slot);
        }
        self.depth.set(depth + 1);
        Guard { heap: self }
    }

    pub(super) fn count(&self, bytes: i64) {
        self.account.live[self.slot]
            .0
            .fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn retire(&self, pointer: *mut u8, free: unsafe fn(*mut u8) -> usize) {
        self.retired.borrow_mut().push_back(Retired {
            mark: self.account.epochs.mark(),
            pointer,
            free,
        });
    }

    /// The mark for something (not memory) that must rest until an epoch has passed; see [`Heap::passed`].
    pub(crate) fn mark(&self) -> u64 {
        self.account.epochs.mark()
    }

    /// What is marked below this may be used again.
    pub(crate) fn passed(&self) -> u64 {
        self.account.epochs.advance()
    }

    /// Frees up to `budget` things whose epoch has passed; how many it freed.
    pub(crate) fn collect(&self, budget: usize) -> usize {
        if self.retired.borrow().is_empty() {
            return 0;
        }
        let free_below = self.account.epochs.advance();
        let mut freed = 0;
        while freed < budget {
            let next = {
                let mut retired = self.retired.borrow_mut();
                match retired.front() {
                    Some(first) if first.mark < free_below => retired.pop_front(),
                    _ => None,
                }
            };
            let Some(next) = next else { break };
            // SAFETY: it was unlinked before its mark was read, and no core stands in an epoch at or below the mark (`epoch`'s
            // argument); it has left the list, so it is freed once.
            let bytes = unsafe { next.free() };
            self.count(-(bytes as i64));
            freed += 1;
        }
        freed
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        let mut orphans = self
            .account
            .orphans
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        orphans.extend(self.retired.borrow_mut().drain(..));
    }
}

/// An epoch entered: references into shared storage live no longer than this.
pub(crate) struct Guard<'h> {
    heap: &'h Heap,
}

impl Guard<'_> {
    /// The heap of the core that entered.
    pub(crate) fn heap(&self) -> &Heap {
        self.heap
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let depth = self.heap.depth.get() - 1;
        self.heap.depth.set(depth);
        if depth == 0 {
            self.heap.account.epochs.leave(self.heap.slot);
        }
    }
}
