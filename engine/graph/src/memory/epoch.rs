//! Epochs: when a block that was unlinked may be freed (design D6).
//!
//! Owned here: the global epoch and one slot a core. Called by `heap`.
//! A core stands in an epoch while it may hold references into shared storage. What is unlinked is marked with the global epoch
//! read *after* unlinking; it may be freed once the global epoch has passed the mark and no core stands in an epoch at or below it.
//!
//! Why that suffices. A reader stores its slot, fences, then loads pointers; the one who frees unlinks, fences, then reads the slots.
//! If the reader's fence comes first in the order of SeqCst fences, its slot is seen; its epoch is at most the mark, since a reader
//! that read a later epoch (Acquire, from an advance that follows the unlinking) sees the unlinking as well. If the other fence
//! comes first, the reader's loads see the unlinking and cannot reach the block. Looking at the global epoch again after the fence
//! only keeps a slow entrance from holding memory back.
//! Left to others: what is retired (`heap`), and the horizon, which is the other clock (`horizon`).

use crate::sync::{AtomicU64, Ordering, Padded, fence};

/// See the module. `FENCED` is false only in the model that shows what the fence is for.
#[derive(Debug)]
pub(crate) struct Epochs<const FENCED: bool = true> {
    /// Starts at 1; 0 in a slot means "outside".
    global: Padded<AtomicU64>,
    slots: Box<[Padded<AtomicU64>]>,
}

impl<const FENCED: bool> Epochs<FENCED> {
    /// Slots for `cores` cores, all outside.
    pub(crate) fn new(cores: usize) -> Epochs<FENCED> {
        Epochs {
            global: Padded(AtomicU64::new(1)),
            slots: (0..cores).map(|_| Padded(AtomicU64::new(0))).collect(),
        }
    }

    /// Enters; the caller is the only one that uses `slot`, and stands outside.
    pub(crate) fn enter(&self, slot: usize) {
        let slot = &self.slots[slot].0;
        let mut epoch = self.global.0.load(Ordering::Acquire);
        loop {
            slot.store(epoch, Ordering::Relaxed);
            if FENCED {
                fence(Ordering::SeqCst);
            }
            let now = self.global.0.load(Ordering::Acquire);
            if now == epoch {
                return;
            }
            epoch = now;
        }
    }

    /// Leaves; references loaded since entering are gone.
    pub(crate) fn leave(&self, slot: usize) {
        self.slots[slot].0.store(0, Ordering::Release);
    }

    /// The mark for something that has just been unlinked. The fence keeps the epoch from being read before the unlinking: another core
    /// may have advanced it meanwhile, and a reader entered there who still reaches the block.
    pub(crate) fn mark(&self) -> u64 {
        if FENCED {
            fence(Ordering::SeqCst);
        }
        self.global.0.load(Ordering::Acquire)
    }

    /// Advances the global epoch; what is marked below the answer may be freed.
    pub(crate) fn advance(&self) -> u64 {
        let mut free_below = self.global.0.fetch_add(1, Ordering::AcqRel) + 1;
        if FENCED {
            fence(Ordering::SeqCst);
        }
        for slot in &self.slots {
            let stands_in = slot.0.load(Ordering::Acquire);
            if stands_in != 0 {
                free_below = free_below.min(stands_in);
            }
        }
        free_below
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::sync::AtomicU32;
    use loom::sync::Arc;
    use loom::thread;

    const ALIVE: u32 = 1;
    const FREED: u32 = 2;

    /// A reader follows a link while a writer unlinks the block and frees it as soon as the epochs allow. With `ANOTHER` a third core
    /// advances the epoch meanwhile, for garbage of its own: the reader may enter the new epoch and the mark may have been read in the
    /// old one.
    fn reader_and_reclaimer<const FENCED: bool, const ANOTHER: bool>() {
        let mut model = loom::model::Builder::new();
        if ANOTHER {
            model.preemption_bound = Some(3);
        }
        model.check(|| {
            let epochs: Arc<Epochs<FENCED>> = Arc::new(Epochs::new(1));
            let linked = Arc::new(AtomicU32::new(1));
            let block = Arc::new(AtomicU32::new(ALIVE));
            let reader = {
                let (epochs, linked, block) = (epochs.clone(), linked.clone(), block.clone());
                thread::spawn(move || {
                    epochs.enter(0);
                    if linked.load(Ordering::Acquire) == 1 {
                        assert_eq!(
                            block.load(Ordering::Relaxed),
                            ALIVE,
                            "a reader stands in a block that was freed"
                        );
                    }
                    epochs.leave(0);
                })
            };
            let another = ANOTHER.then(|| {
                let epochs = epochs.clone();
                thread::spawn(move || {
                    epochs.advance();
                })
            });
            linked.store(0, Ordering::Release);
            let mark = epochs.mark();
            if mark < epochs.advance() {
                block.store(FREED, Ordering::Relaxed);
            }
            reader.join().unwrap();
            if let Some(another) = another {
                another.join().unwrap();
            }
        });
    }

    #[test]
    fn loom_nothing_is_freed_under_a_reader_while_another_core_advances() {
        reader_and_reclaimer::<true, true>();
    }

    #[test]
    #[should_panic(expected = "was freed")]
    fn loom_without_its_fences_the_other_core_lets_a_block_go_under_its_reader() {
        reader_and_reclaimer::<false, true>();
    }

    #[test]
    fn loom_nothing_is_freed_under_a_reader() {
        reader_and_reclaimer::<true, false>();
    }

    #[test]
    #[should_panic(expected = "was freed")]
    fn loom_without_its_fence_a_reader_can_stand_in_a_freed_block() {
        reader_and_reclaimer::<false, false>();
    }
}
