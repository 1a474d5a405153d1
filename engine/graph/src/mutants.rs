//! Broken variants of the engine, for the tests of isolation: whatever is to prove isolation has to find each of them.
//!
//! Owned here: the list of variants and which one is on. Asked at the one place that each breaks. Always holds: without the
//! feature `mutants` every question is answered "no" at compile time, and nothing of this is left in the binary.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// Readers see what is committed by now, not by their snapshot.
    ReadsLatest = 1,
    /// Readers see what others have in flight.
    ReadsDirty,
    /// Readers do not see their own transaction's writes.
    BlindToOwn,
    /// Snapshots lie some commits ahead of the watermark.
    SnapshotAhead,
    /// Snapshots lie some commits behind it.
    SnapshotBehind,
    /// A commit since the snapshot is no conflict.
    NewerIsNoConflict,
    /// What is in flight is no conflict.
    InFlightIsNoConflict,
    /// A transaction is numbered, and may be visible, before its cell says so.
    NumberBeforeCell,
    /// Versions of vertices that were rolled back stay.
    ForgetsUndoOfVersions,
    /// Edges that were rolled back stay.
    ForgetsUndoOfEdges,
    /// A new edge stands in the list of its source only.
    EdgeOnOneSide,
    /// A deleted edge is gone from the list of its source only.
    DeletedOnOneSide,
    /// Edges are made at vertices that are being deleted.
    NoSharedRight,
    /// Vertices are deleted while edges are made at them.
    NoExclusiveRight,
}

#[cfg(feature = "mutants")]
mod active {
    use super::Mutant;
    use std::sync::atomic::{AtomicU8, Ordering};

    static ACTIVE: AtomicU8 = AtomicU8::new(0);

    impl Mutant {
        /// All of them.
        pub const ALL: [Mutant; 14] = [
            Mutant::ReadsLatest,
            Mutant::ReadsDirty,
            Mutant::BlindToOwn,
            Mutant::SnapshotAhead,
            Mutant::SnapshotBehind,
            Mutant::NewerIsNoConflict,
            Mutant::InFlightIsNoConflict,
            Mutant::NumberBeforeCell,
            Mutant::ForgetsUndoOfVersions,
            Mutant::ForgetsUndoOfEdges,
            Mutant::EdgeOnOneSide,
            Mutant::DeletedOnOneSide,
            Mutant::NoSharedRight,
            Mutant::NoExclusiveRight,
        ];

        /// Breaks the engine of this process.
        pub fn switch_on(self) {
            ACTIVE.store(self as u8, Ordering::SeqCst);
        }

        pub(crate) fn is_on(self) -> bool {
            ACTIVE.load(Ordering::Relaxed) == self as u8
        }
    }
}

#[cfg(not(feature = "mutants"))]
impl Mutant {
    #[inline(always)]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}
