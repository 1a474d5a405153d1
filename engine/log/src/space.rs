//! Room in the log: found before a commit takes its number.
//!
//! Owns the account of blocks that are written with zeros and free, and of blocks promised to
//! transactions that are about to commit. Called by the door before each number
//! ([`Space::reserve`]), by the writer (which uses blocks up) and by the segment keeper (which makes
//! more). What always holds: every promised frame fits into the free blocks whatever the order in
//! which frames are written, so a full disk is a refusal before the number and never a stop after it.
//!
//! Groups do not cross segments. Filling segments one after the other wastes less than the largest
//! frame in each, so `n` promised blocks always fit when
//! `n <= sum over segments of max(0, free - largest promised)`; that is the rule, all in blocks.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::frame::{FRAME_BODY_BYTES_MAX, FRAME_HEADER};
use crate::segment::{BLOCK, lone_frame_bytes};

/// Segments made ahead, at most.
pub(crate) const SPARES_MAX: usize = 7;

/// Why there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoRoom {
    /// The next segment is being made: wait for it.
    Busy,
    /// The disk is full.
    Full,
    /// The transaction is longer than a frame may be.
    TooLarge,
}

/// The account. `promised` packs, so that one exchange changes all: blocks promised (24 bits), the
/// largest promise among them (24), a count of changes (16) against a look that spans two changes.
pub(crate) struct Space {
    promised: AtomicU64,
    /// Free blocks: the current segment's, then those of the spares, 0 where there is none.
    free: [AtomicU32; 1 + SPARES_MAX],
    full: AtomicBool,
    /// The largest promise refused since the keeper last looked, in blocks.
    demand: AtomicU32,
}

const COUNT_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

#[derive(Clone, Copy)]
struct Promised {
    blocks: u64,
    largest: u64,
    changes: u64,
}

impl Promised {
    fn unpack(word: u64) -> Promised {
        Promised {
            blocks: word & COUNT_MAX,
            largest: (word >> COUNT_BITS) & COUNT_MAX,
            changes: word >> (2 * COUNT_BITS),
        }
    }

    fn pack(self) -> u64 {
        let changes = (self.changes + 1) & 0xffff;
        self.blocks | self.largest << COUNT_BITS | changes << (2 * COUNT_BITS)
    }
}

impl Space {
    pub(crate) fn new() -> Space {
        Space {
            promised: AtomicU64::new(0),
            free: [const { AtomicU32::new(0) }; 1 + SPARES_MAX],
            full: AtomicBool::new(false),
            demand: AtomicU32::new(0),
        }
    }

    /// Blocks that a frame of `frame_bytes` (header included) is promised.
    pub(crate) fn frame_blocks(frame_bytes: usize) -> u64 {
        (lone_frame_bytes(frame_bytes) / BLOCK) as u64
    }

    /// Promises room for a frame of `frame_bytes`.
    pub(crate) fn reserve(&self, frame_bytes: usize) -> Result<(), NoRoom> {
        if frame_bytes > FRAME_BODY_BYTES_MAX + FRAME_HEADER {
            return Err(NoRoom::TooLarge);
        }
        self.reserve_blocks(Space::frame_blocks(frame_bytes))
    }

    /// Promises `blocks` that will be written as one record.
    pub(crate) fn reserve_blocks(&self, blocks: u64) -> Result<(), NoRoom> {
        loop {
            let word = self.promised.load(Ordering::Acquire);
            let mut promised = Promised::unpack(word);
            promised.blocks += blocks;
            promised.largest = promised.largest.max(blocks);
            if promised.blocks > COUNT_MAX || promised.blocks > self.fits(promised.largest) {
                if self.promised.load(Ordering::Acquire) != word {
                    continue;
                }
                self.demand.fetch_max(blocks as u32, Ordering::AcqRel);
                return Err(if self.full.load(Ordering::Acquire) {
                    NoRoom::Full
                } else {
                    NoRoom::Busy
                });
            }
            let exchanged = self.promised.compare_exchange(
                word,
                promised.pack(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if exchanged.is_ok() {
                return Ok(());
            }
        }
    }

    /// Takes a frame's promise back: it was written, or its transaction ended otherwise. Called after
    /// [`Space::used`] when it was written, so that the account errs on the safe side in between.
    pub(crate) fn release(&self, frame_bytes: usize) {
        self.release_blocks(Space::frame_blocks(frame_bytes));
    }

    /// See [`Space::release`].
    pub(crate) fn release_blocks(&self, blocks: u64) {
        let taken = self
            .promised
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let mut promised = Promised::unpack(word);
                promised.blocks = promised.blocks.checked_sub(blocks)?;
                if promised.blocks == 0 {
                    promised.largest = 0;
                }
                Some(promised.pack())
            });
        assert!(
            taken.is_ok(),
            "no more blocks are released than were promised"
        );
    }

    /// What fits for certain when the largest record has `largest` blocks. The current segment is read
    /// first and filled last when segments change, so that a spare is never counted twice.
    fn fits(&self, largest: u64) -> u64 {
        self.free
            .iter()
            .map(|free| u64::from(free.load(Ordering::Acquire)).saturating_sub(largest))
            .sum()
    }

    /// The writer used `blocks` of the current segment up.
    pub(crate) fn used(&self, blocks: u64) {
        let before = self.free[0].fetch_sub(blocks as u32, Ordering::AcqRel);
        assert!(
            u64::from(before) >= blocks,
            "the writer looked at the room that is left"
        );
    }

    /// Free blocks of the current segment.
    pub(crate) fn current(&self) -> u64 {
        u64::from(self.free[0].load(Ordering::Acquire))
    }

    /// The writer goes on to the spare in `slot`, or to a segment that was made on the spot.
    pub(crate) fn switch(&self, slot: Option<usize>, blocks: u64) {
        if let Some(slot) = slot {
            self.free[slot].store(0, Ordering::Release);
        }
        self.free[0].store(blocks as u32, Ordering::Release);
    }

    /// The keeper made a spare: the slot it got, or `None` when all are taken.
    pub(crate) fn add_spare(&self, blocks: u64) -> Option<usize> {
        let slot = (1..=SPARES_MAX).find(|&slot| self.free[slot].load(Ordering::Acquire) == 0)?;
        self.free[slot].store(blocks as u32, Ordering::Release);
        self.full.store(false, Ordering::Release);
        Some(slot)
    }

    /// Whether another spare can be counted.
    pub(crate) fn takes_spare(&self) -> bool {
        self.free[1..]
            .iter()
            .any(|free| free.load(Ordering::Acquire) == 0)
    }

    /// A spare was passed over because a record did not fit into it.
    pub(crate) fn drop_spare(&self, slot: usize) {
        self.free[slot].store(0, Ordering::Release);
    }

    /// Says whether the disk is full.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    /// The largest record that was refused since the last call, in blocks.
    pub(crate) fn take_demand(&self) -> u64 {
        u64::from(self.demand.swap(0, Ordering::AcqRel))
    }

    /// Blocks promised now.
    pub(crate) fn promised(&self) -> u64 {
        Promised::unpack(self.promised.load(Ordering::Acquire)).blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quoit_rt::Rng;

    #[test]
    fn whatever_was_promised_can_be_written_in_any_order() {
        let mut refused = 0;
        let mut switches = 0;
        for seed in 0..300 {
            let mut rng = Rng::new(seed);
            let space = Space::new();
            space.switch(None, 20);
            let mut spares = std::collections::VecDeque::new();
            let mut promised = Vec::new();
            for _ in 0..200 {
                match rng.below(4) {
                    0 if spares.len() < 3 => {
                        let blocks = 20 + rng.below(60);
                        spares.push_back((space.add_spare(blocks).unwrap(), blocks));
                    }
                    1 | 2 => {
                        let blocks = 1 + rng.below(30);
                        match space.reserve_blocks(blocks) {
                            Ok(()) => promised.push(blocks),
                            Err(NoRoom::Busy) => refused += 1,
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                    _ if !promised.is_empty() => {
                        let at = rng.below(promised.len() as u64) as usize;
                        let blocks = promised.swap_remove(at);
                        while space.current() < blocks {
                            let (slot, room) = spares.pop_front().expect("a promise fits");
                            space.switch(Some(slot), room);
                            switches += 1;
                        }
                        space.used(blocks);
                        space.release_blocks(blocks);
                    }
                    _ => {}
                }
            }
        }
        assert!(
            refused > 100 && switches > 100,
            "the walk met both: {refused} refused, {switches} switches"
        );
    }

    #[test]
    fn a_full_disk_refuses_and_a_new_spare_ends_it() {
        let space = Space::new();
        space.switch(None, 4);
        assert_eq!(space.reserve(100), Ok(()));
        assert_eq!(space.reserve_blocks(9), Err(NoRoom::Busy));
        space.set_full(true);
        assert_eq!(space.reserve_blocks(9), Err(NoRoom::Full));
        assert_eq!(space.take_demand(), 9);
        space.add_spare(40).unwrap();
        assert_eq!(space.reserve_blocks(9), Ok(()));
        assert_eq!(space.reserve(usize::MAX), Err(NoRoom::TooLarge));
        space.release_blocks(9);
        space.release(100);
        assert_eq!(space.promised(), 0);
    }
}
