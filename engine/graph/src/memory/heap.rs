//! The heap of one core: allocation, its credit, and the list of what waits to be freed.
//!
//! Owned here: [`Heap`] (one a core, `!Send`), [`Guard`] (an epoch entered). Called by everything that builds or replaces blocks.
//! Always holds: each allocation is counted with its owner and taken from the core's credit; what an operation was admitted to stays the
//! core's until it is used, the next operation asks, or the transaction ends ([`Heap::release`]); what is retired is freed after an
//! epoch has passed, by its core, or by [`Account::free_orphans`] if its core's heap is dropped first; an allocation never fails
//! for want of budget, an operation asks before it begins ([`Heap::admit`]).
//! Left to others: the limit itself (`budget`), arenas.

use super::account::{Account, MemoryOwner};
use super::budget::{CREDIT_MAX, MemoryLimitExceeded, SLICE};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

/// A list of this many retired things or fewer keeps its room.
const ROOM_KEPT: usize = 4096;

/// What freeing something gave back.
pub(super) struct Freed {
    pub(super) owner: MemoryOwner,
    pub(super) bytes: usize,
}

/// Something unlinked, and how to free it.
pub(super) struct Retired {
    pub(super) mark: u64,
    pub(super) pointer: *mut u8,
    /// Frees what `pointer` points to.
    pub(super) free: unsafe fn(*mut u8) -> Freed,
}

// SAFETY: a retired block is reached by its list alone (readers hold references, not the list); blocks hold atomics and plain data
// that may be freed on any thread (`block` asks for `Send` where a destructor runs).
unsafe impl Send for Retired {}

impl Retired {
    /// Frees it.
    ///
    /// # Safety
    /// No reader can hold a reference to it any more, and it is freed once.
    pub(super) unsafe fn free(&self) -> Freed {
        // SAFETY: `free` was made for `pointer` by `block`; the caller promises the rest.
        unsafe { (self.free)(self.pointer) }
    }
}

/// One core's part. Made once a core at a time.
pub(crate) struct Heap {
    account: Arc<Account>,
    slot: usize,
    depth: Cell<u32>,
    /// Bytes taken from the budget and not used; below zero only within [`Heap::count`].
    credit: Cell<i64>,
    /// The part of the credit that the operation at work was admitted to and has not used.
    promised: Cell<i64>,
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
            credit: Cell::new(0),
            promised: Cell::new(0),
            retired: RefCell::default(),
            stays: PhantomData,
        }
    }

    /// A heap for teardown, which may be beside the core's own: it only counts.
    pub(crate) fn teardown(account: Arc<Account>) -> Heap {
        let slot = account.teardown();
        Heap::new(account, slot)
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

    /// Counts `bytes` more (or, below zero, fewer) for an owner. For what is no block: frames, what queries hold.
    #[inline]
    pub(crate) fn count(&self, owner: MemoryOwner, bytes: i64) {
        self.account.count(self.slot, owner, bytes);
        let credit = self.credit.get() - bytes;
        self.credit.set(credit);
        let mut promised = self.promised.get();
        if promised > 0 {
            // What is given back is nobody's promise.
            promised -= bytes.clamp(0, promised);
            self.promised.set(promised);
        }
        if !(0..=CREDIT_MAX + promised).contains(&credit) {
            self.level_credit();
        }
    }

    /// Brings the credit back to one slice beyond what is promised.
    #[cold]
    fn level_credit(&self) {
        let credit = SLICE + self.promised.get();
        self.account.budget.take(credit - self.credit.get());
        self.credit.set(credit);
    }

    /// No operation is at work: what it was admitted to and has not used is given back.
    pub(crate) fn release(&self) {
        self.promised.set(0);
        if self.credit.get() > CREDIT_MAX {
            self.level_credit();
        }
    }

    /// Sees to it that `bytes` may be used: to be asked before an operation, for what it is going to keep. The promise lasts until the
    /// next one.
    #[inline]
    pub(crate) fn admit(&self, bytes: usize) -> Result<(), MemoryLimitExceeded> {
        if bytes as i64 > self.credit.get() {
            self.admit_more(bytes)?;
        }
        self.promised.set(bytes as i64);
        Ok(())
    }

    #[cold]
    fn admit_more(&self, bytes: usize) -> Result<(), MemoryLimitExceeded> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let credit = self.credit.get();
        let budget = &self.account.budget;
        // A whole slice if there is one, or else no more than is asked for.
        let slices = (bytes - credit).max(SLICE);
        let taken = match budget.try_take(slices) {
            Ok(()) => slices,
            Err(_) => {
                budget.try_take(bytes - credit)?;
                bytes - credit
            }
        };
        self.credit.set(credit + taken);
        Ok(())
    }

    pub(super) fn retire(&self, pointer: *mut u8, free: unsafe fn(*mut u8) -> Freed) {
        self.retired.borrow_mut().push_back(Retired {
            mark: self.account.epochs.mark(),
            pointer,
            free,
        });
    }

    /// What the list of what waits to be freed takes, in bytes.
    pub(crate) fn retired_list_bytes(&self) -> usize {
        self.retired.borrow().capacity() * size_of::<Retired>()
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
            let gone = unsafe { next.free() };
            self.count(gone.owner, -(gone.bytes as i64));
            freed += 1;
        }
        let mut retired = self.retired.borrow_mut();
        if retired.capacity() > ROOM_KEPT && retired.len() < retired.capacity() / 4 {
            // All at once: when the list is empty nobody comes by again.
            let room = ROOM_KEPT.max(2 * retired.len());
            retired.shrink_to(room);
        }
        freed
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.account.budget.give_back(self.credit.get());
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::{Charged, Link};

    struct Head;

    impl Charged for Head {
        const OWNER: MemoryOwner = MemoryOwner::Versions;
    }

    #[test]
    fn a_list_that_was_long_keeps_no_room_when_all_of_it_is_freed_at_once() {
        let account = Arc::new(Account::new(1));
        let heap = Heap::new(account.clone(), 0);
        for _ in 0..100_000 {
            let link = Link::owning(heap.block(Head, 1, |_| 0_u8));
            heap.retire_block(link.take().expect("it owns a block"));
        }
        assert!(account.bytes_of(MemoryOwner::Versions) > 100_000);
        assert_eq!(heap.collect(usize::MAX), 100_000);
        assert_eq!(account.live_bytes(), 0);
        assert!(heap.retired.borrow().capacity() <= 2 * ROOM_KEPT);
    }

    #[test]
    fn what_an_operation_is_admitted_to_is_nobody_elses_until_it_is_done() {
        const BATCH: usize = 8 << 20;
        let account = Arc::new(Account::new(2));
        account.budget.set_limit(Some(16 << 20));
        let (one, two) = (Heap::new(account.clone(), 0), Heap::new(account.clone(), 1));
        one.count(MemoryOwner::Versions, 2 * CREDIT_MAX);
        one.admit(BATCH).unwrap();
        one.count(MemoryOwner::Versions, 1);
        // Something else is freed meanwhile.
        one.count(MemoryOwner::Versions, -2 * CREDIT_MAX);
        let most = (16 << 20) - account.budget.reserve() as usize;
        assert!(two.admit(most - BATCH + SLICE as usize).is_err());
        two.admit(most - BATCH - CREDIT_MAX as usize).unwrap();
        two.count(MemoryOwner::Queries, 1);
        // What the batch was admitted to fits beside what others were admitted to.
        one.count(MemoryOwner::Versions, BATCH as i64 - 1);
        assert!(account.budget.taken() <= most as i64);
        // A promise that was not kept is given back by the end.
        assert!(one.admit(4 << 20).is_err());
        two.release();
        assert!(one.admit(4 << 20).is_ok());
    }

    #[test]
    fn a_core_gives_back_what_it_frees_so_that_another_may_have_it() {
        let account = Arc::new(Account::new(2));
        account.budget.set_limit(Some(16 << 20));
        let (one, two) = (Heap::new(account.clone(), 0), Heap::new(account.clone(), 1));
        let most = (16 << 20) - account.budget.reserve() as usize - SLICE as usize;
        one.admit(most).unwrap();
        one.count(MemoryOwner::Queries, most as i64);
        assert!(two.admit(1 << 20).is_err());
        one.count(MemoryOwner::Queries, -(most as i64));
        assert!(two.admit(8 << 20).is_ok());
    }
}
