//! The commit door: numbers, watermarks, and the journal behind it (design D9).
//!
//! Owned here: the sequence 1, 2, 3 … without holes; the watermark *sealed* (every transaction up to it has its number and frame)
//! and the watermark *visible* (readers start there; on a MAIN it is what is durable); room in the ring.
//! Called by `txn` to commit, by the journal's leader ([`Door::take_sealed`], [`Door::publish`]), by recovery and replicas
//! ([`Door::restart_at`], [`Door::publish`]).
//! Always holds: `visible ≤ sealed` and both only grow; between taking a number and setting its slot nothing can fail, and an
//! unwind there aborts the process; space is reserved before the number.
//! Left to others: bytes of frames and groups, disks, replicas (`log`), stamps (`txn`).

use crate::ids::CommitSeq;
use crate::memory::ring::SealRing;
use crate::sync::Padded;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Slots of the ring, a power of two; one less numbers may be sealed and not yet taken by the journal, so that the slot after the
/// last number is empty: it is how the watermark knows where to stop.
pub const RING_SLOTS: usize = 1 << 14;
/// Places that a core sets aside at a time.
const PLACES_AT_ONCE: u64 = 32;

/// What stands behind the door: the log, or nothing.
pub trait Journal: Send + Sync {
    /// Bytes to leave free at the start of a frame's buffer for [`Journal::finish_frame`] to fill.
    fn header_bytes(&self) -> usize;

    /// Sets aside space for a frame of `bytes` (header included) before its number is taken.
    fn reserve(&self, bytes: usize) -> Result<(), ReserveError>;

    /// Gives back what was reserved, for a frame that will not come.
    fn release(&self, bytes: usize);

    /// Makes the frame of a buffer whose first [`Journal::header_bytes`] are free: header and checksum, once.
    fn finish_frame(&self, buffer: Vec<u8>) -> Bytes;

    /// Called on core `core` after a frame was sealed: a leader should start if none is at work.
    fn kick(&self, door: &Door, core: u16);
}

/// Why a transaction got no room and no number. Nothing has happened; it may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// The log has no space left.
    #[error("the log is full: {0}")]
    JournalFull(String),
    /// Too many commits wait for the log, or it is being changed.
    #[error("too many commits are waiting for the log")]
    Busy,
    /// The journal takes no writes any more, for the reason it gives.
    #[error("the log takes no writes: {0}")]
    Closed(String),
}

/// See the module.
pub struct Door {
    next: Padded<AtomicU64>,
    visible: Padded<AtomicU64>,
    /// Places in the ring that no core has set aside.
    room: Padded<AtomicU64>,
    /// Places that a core has set aside for its next frames, so that most commits touch no line that others write.
    stocks: Box<[Padded<AtomicU64>]>,
    taken: Padded<AtomicU64>,
    ring: SealRing<Bytes>,
    journal: Arc<dyn Journal>,
}

/// Room for one frame, held from before its number until it is sealed; given back when dropped.
pub struct Reservation<'d> {
    door: &'d Door,
    core: u16,
    bytes: usize,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.door.journal.release(self.bytes);
        self.door.stock(self.core).fetch_add(1, Ordering::Release);
    }
}

/// Stops the process when a panic unwinds between a number and its slot: a hole in the order would hide every later commit.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("quoit: a commit failed after it had its number; stopping");
            std::process::abort();
        }
    }
}

impl Door {
    /// A door with nothing committed, for `cores` cores.
    pub fn new(journal: Arc<dyn Journal>, cores: u16) -> Door {
        Door {
            next: Padded(AtomicU64::new(0)),
            visible: Padded(AtomicU64::new(0)),
            room: Padded(AtomicU64::new(RING_SLOTS as u64 - 1)),
            stocks: (0..cores).map(|_| Padded(AtomicU64::new(0))).collect(),
            taken: Padded(AtomicU64::new(0)),
            ring: SealRing::new(RING_SLOTS),
            journal,
        }
    }

    /// The journal behind the door.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Every number up to this one has its transaction's stamps and frame in place.
    pub fn sealed(&self) -> CommitSeq {
        CommitSeq(self.ring.sealed())
    }

    /// What reads and explicit transactions start from.
    pub fn visible(&self) -> CommitSeq {
        CommitSeq(self.visible.0.load(Ordering::Acquire))
    }

    /// Sets room aside for a frame of `bytes` of core `core`, in the ring and in the journal.
    pub fn reserve(&self, bytes: usize, core: u16) -> Result<Reservation<'_>, ReserveError> {
        self.take_place(core)?;
        if let Err(error) = self.journal.reserve(bytes) {
            self.stock(core).fetch_add(1, Ordering::Release);
            return Err(error);
        }
        Ok(Reservation {
            door: self,
            core,
            bytes,
        })
    }

    fn stock(&self, core: u16) -> &AtomicU64 {
        &self.stocks[usize::from(core)].0
    }

    /// Takes a place from the core's stock, which is filled from the common room.
    fn take_place(&self, core: u16) -> Result<(), ReserveError> {
        let one_less = |places: u64| places.checked_sub(1);
        let stock = self.stock(core);
        if stock
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_less)
            .is_ok()
        {
            return Ok(());
        }
        let wanted = |room: u64| room.min(PLACES_AT_ONCE);
        let room = self
            .room
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |room| {
                (room > 0).then(|| room - wanted(room))
            });
        let room = room.map_err(|_| ReserveError::Busy)?;
        stock.fetch_add(wanted(room) - 1, Ordering::Release);
        Ok(())
    }

    /// Takes the next number, lets `settle` store it in the transaction's commit cell, puts the frame into the ring, moves
    /// `sealed`, and kicks the journal on the reservation's core. From the number on nothing can fail; a panic aborts the process.
    pub fn seal(
        &self,
        reservation: Reservation<'_>,
        frame: Bytes,
        settle: impl FnOnce(CommitSeq),
    ) -> CommitSeq {
        // Allocate before the number.
        let frame = Box::new(frame);
        let guard = AbortOnUnwind;
        let core = reservation.core;
        // Both reservations pass to whoever takes the frame.
        std::mem::forget(reservation);
        let seq = CommitSeq(self.next.0.fetch_add(1, Ordering::AcqRel) + 1);
        settle(seq);
        self.ring.set(seq.0, frame);
        drop(guard);
        self.journal.kick(self, core);
        seq
    }

    /// Hands out sealed frames in order, each once: as many as fit `bytes_max` (always one, if there is any).
    /// Only the journal's leader calls it, one at a time.
    pub fn take_sealed(&self, bytes_max: usize, out: &mut Vec<(CommitSeq, Bytes)>) {
        let sealed = self.ring.sealed();
        let mut taken = self.taken.0.load(Ordering::Acquire);
        let mut bytes = 0;
        let before = out.len();
        while taken < sealed && bytes < bytes_max {
            let frame = self
                .ring
                .take(taken + 1)
                .expect("a sealed number has its frame until it is taken, once");
            bytes += frame.len();
            taken += 1;
            out.push((CommitSeq(taken), *frame));
        }
        self.taken.0.store(taken, Ordering::Release);
        self.room
            .0
            .fetch_add((out.len() - before) as u64, Ordering::Release);
    }

    /// Whether a sealed frame waits to be taken. A leader that lets go of its role fences and asks this once more.
    pub fn has_sealed(&self) -> bool {
        self.taken.0.load(Ordering::Acquire) < self.ring.sealed()
    }

    /// Lets readers see everything up to `seq`. An older mark than the present one changes nothing.
    pub fn publish(&self, seq: CommitSeq) {
        self.visible.0.fetch_max(seq.0, Ordering::AcqRel);
    }

    /// Recovery and promotion: everything up to `seq` is committed and visible, the next number is the one after it.
    /// Nothing may be in flight.
    pub fn restart_at(&self, seq: CommitSeq) {
        self.ring.restart_at(seq.0);
        self.next.0.store(seq.0, Ordering::Release);
        self.taken.0.store(seq.0, Ordering::Release);
        self.visible.0.store(seq.0, Ordering::Release);
    }
}

/// No journal: what is sealed is visible at once, nothing is kept.
#[derive(Debug, Default)]
pub struct NullJournal {
    leading: AtomicBool,
}

impl Journal for NullJournal {
    fn header_bytes(&self) -> usize {
        0
    }

    fn reserve(&self, _bytes: usize) -> Result<(), ReserveError> {
        Ok(())
    }

    fn release(&self, _bytes: usize) {}

    fn finish_frame(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from(buffer)
    }

    fn kick(&self, door: &Door, _core: u16) {
        let mut frames = Vec::new();
        while door.has_sealed() {
            // Partner of the leader's fence: either it sees my frame when it looks again, or I see that it has let go.
            fence(Ordering::SeqCst);
            if self.leading.swap(true, Ordering::Acquire) {
                return;
            }
            frames.clear();
            door.take_sealed(usize::MAX, &mut frames);
            if let Some((last, _)) = frames.last() {
                door.publish(*last);
            }
            self.leading.store(false, Ordering::Release);
            // A commit that found me leading relies on my looking again.
            fence(Ordering::SeqCst);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Takes no frames by itself.
    struct Still;

    impl Journal for Still {
        fn header_bytes(&self) -> usize {
            0
        }
        fn reserve(&self, _: usize) -> Result<(), ReserveError> {
            Ok(())
        }
        fn release(&self, _: usize) {}
        fn finish_frame(&self, buffer: Vec<u8>) -> Bytes {
            Bytes::from(buffer)
        }
        fn kick(&self, _: &Door, _: u16) {}
    }

    #[test]
    fn a_full_ring_refuses_and_its_watermark_stands_at_the_last_number() {
        let door = Door::new(Arc::new(Still), 1);
        let mut out = Vec::new();
        for round in 1..=3 {
            let mut last = CommitSeq(0);
            while let Ok(room) = door.reserve(1, 0) {
                last = door.seal(room, Bytes::from_static(b"x"), |_| {});
            }
            assert_eq!(last, CommitSeq(round * (RING_SLOTS as u64 - 1)));
            assert_eq!(door.sealed(), last);
            out.clear();
            door.take_sealed(usize::MAX, &mut out);
            assert_eq!(out.len(), RING_SLOTS - 1);
        }
    }

    #[test]
    fn numbers_are_dense_and_frames_come_out_in_order_once() {
        let door = Door::new(Arc::new(Still), 1);
        for i in 1..=5u64 {
            let room = door.reserve(1, 0).unwrap();
            let mut stored = None;
            let seq = door.seal(room, Bytes::from(vec![i as u8]), |seq| stored = Some(seq));
            assert_eq!((seq, stored), (CommitSeq(i), Some(CommitSeq(i))));
        }
        assert_eq!(
            (door.sealed(), door.visible()),
            (CommitSeq(5), CommitSeq(0))
        );
        let mut out = Vec::new();
        door.take_sealed(2, &mut out);
        assert_eq!(out.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [1, 2]);
        door.take_sealed(usize::MAX, &mut out);
        assert_eq!(
            out.iter().map(|(_, frame)| frame[0]).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        assert!(!door.has_sealed());
        door.publish(CommitSeq(4));
        door.publish(CommitSeq(2));
        assert_eq!(door.visible(), CommitSeq(4));
    }

    #[test]
    fn room_is_bounded_and_comes_back_when_a_reservation_is_dropped() {
        let door = Door::new(Arc::new(NullJournal::default()), 1);
        let held: Vec<_> = (1..RING_SLOTS)
            .map(|_| door.reserve(1, 0).unwrap())
            .collect();
        assert!(matches!(door.reserve(1, 0), Err(ReserveError::Busy)));
        drop(held);
        assert!(door.reserve(1, 0).is_ok());
    }

    #[test]
    fn commits_from_many_threads_all_become_visible() {
        let door = Arc::new(Door::new(Arc::new(NullJournal::default()), 4));
        std::thread::scope(|scope| {
            for core in 0..4 {
                let door = &door;
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        let room = loop {
                            match door.reserve(8, core) {
                                Ok(room) => break room,
                                Err(_) => std::thread::yield_now(),
                            }
                        };
                        door.seal(room, Bytes::from_static(b"12345678"), |_| {});
                    }
                });
            }
        });
        assert_eq!(door.visible(), CommitSeq(20_000));
    }
}
