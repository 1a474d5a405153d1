//! The ring of sealed slots: numbered boxes become one contiguous prefix, in any order of arrival (design D9).
//!
//! Owned here: the slots and the watermark `sealed`. Called by `door` alone.
//! Always holds: `sealed` only grows; when it is `n`, slots 1 to n have been set; a box is handed out once.
//! The store of a slot (Release, by `swap`) makes the box and all that the committer wrote before it visible; its partner is the
//! Acquire load in [`SealRing::advance`]. Between setting my slot and looking at my neighbour's stands a SeqCst fence: of two
//! committers who set adjacent slots at once, at least one sees both, so nobody waits for a watermark that nobody moves.
//! Left to others: room (the caller never has more than `slots - 1` numbers set and not taken, so the slot behind the last is empty).

use crate::sync::{AtomicPtr, AtomicU64, Ordering, Padded, fence};
use std::ptr;

/// One slot: empty, or the owner of a box.
#[derive(Debug)]
struct Slot<T>(AtomicPtr<T>);

impl<T> Slot<T> {
    fn new() -> Slot<T> {
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    fn put(&self, value: Box<T>) {
        let before = self.0.swap(Box::into_raw(value), Ordering::AcqRel);
        assert!(
            before.is_null(),
            "a slot of the ring is set again before it was taken"
        );
    }

    fn is_set(&self) -> bool {
        !self.0.load(Ordering::Acquire).is_null()
    }

    fn take(&self) -> Option<Box<T>> {
        let taken = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: a non-null pointer in the slot came from `Box::into_raw` in `put`; the swap gave its ownership to this caller alone.
        (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// See the module. `FENCED` is false only in the model that shows what the fence is for.
#[derive(Debug)]
pub(crate) struct SealRing<T, const FENCED: bool = true> {
    slots: Box<[Slot<T>]>,
    sealed: Padded<AtomicU64>,
}

impl<T, const FENCED: bool> SealRing<T, FENCED> {
    /// An empty ring of `slots` places, a power of two; the first number is 1.
    pub(crate) fn new(slots: usize) -> SealRing<T, FENCED> {
        assert!(slots.is_power_of_two());
        SealRing {
            slots: (0..slots).map(|_| Slot::new()).collect(),
            sealed: Padded(AtomicU64::new(0)),
        }
    }

    fn slot(&self, seq: u64) -> &Slot<T> {
        &self.slots[seq as usize & (self.slots.len() - 1)]
    }

    /// Gives number `seq` its box and moves the watermark as far as it goes.
    pub(crate) fn set(&self, seq: u64, value: Box<T>) {
        self.slot(seq).put(value);
        if FENCED {
            fence(Ordering::SeqCst);
        }
        self.advance();
    }

    fn advance(&self) {
        let mut sealed = self.sealed.0.load(Ordering::Acquire);
        // A slot that is set belongs to the next number: that of one round earlier was taken before room was given for this one.
        while self.slot(sealed + 1).is_set() {
            match self.sealed.0.compare_exchange(
                sealed,
                sealed + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => sealed += 1,
                Err(now) => sealed = now,
            }
        }
    }

    /// The watermark.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed.0.load(Ordering::Acquire)
    }

    /// The box of a number at or below the watermark, once.
    pub(crate) fn take(&self, seq: u64) -> Option<Box<T>> {
        debug_assert!(seq <= self.sealed());
        self.slot(seq).take()
    }

    /// Starts over behind `seq`. Nothing may be set and not taken, and nobody else may be using the ring.
    pub(crate) fn restart_at(&self, seq: u64) {
        assert!(
            self.slots.iter().all(|slot| !slot.is_set()),
            "the ring restarts while frames are in it"
        );
        self.sealed.0.store(seq, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Three commits set their slots in any order: afterwards the watermark stands at three.
    fn committers<const FENCED: bool>() {
        loom::model(|| {
            let ring: Arc<SealRing<u64, FENCED>> = Arc::new(SealRing::new(4));
            let others: Vec<_> = [1, 2]
                .into_iter()
                .map(|seq| {
                    let ring = ring.clone();
                    thread::spawn(move || ring.set(seq, Box::new(seq)))
                })
                .collect();
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(
                ring.sealed(),
                2,
                "a commit is stuck behind a watermark that nobody moves"
            );
            assert_eq!(ring.take(1).as_deref(), Some(&1));
            assert_eq!(ring.take(2).as_deref(), Some(&2));
        });
    }

    #[test]
    fn loom_the_watermark_reaches_the_last_of_adjacent_commits() {
        committers::<true>();
    }

    #[test]
    #[should_panic(expected = "a commit is stuck")]
    fn loom_without_its_fence_the_watermark_can_get_stuck() {
        committers::<false>();
    }
}
