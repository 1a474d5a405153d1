//! Stamps and commit cells: when something came to be or went, and who can see that (design D4).
//!
//! Owned here: the meaning of a stamp, the table of commit cells, and [`Sight`], the rule of visibility. Called by every reader
//! (through `view`) and writer (through `write`).
//!
//! ```text
//! 0                          settled: everyone agrees
//! 1 ..= 2^63 - 1             a CommitSeq
//! 1<<63 | cell<<32 | clause  in flight: ask the cell; the clause orders a transaction's own writes
//! 2^64 - 1                   never: not deleted; or, as a creation, undone
//! ```
//!
//! Always holds: a cell goes from active to its CommitSeq or to aborted, once; it is stored (Release) before the watermark passes
//! its number, so whoever took a snapshot from the watermark (Acquire) finds the number; a cell is used again only when no stamp names it and
//! every epoch that could have loaded such a stamp is over.
//! Left to others: rewriting stamps after commit (`settle`).

use crate::growing::Growing;
use crate::ids::CommitSeq;
use crate::mutants::Mutant;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Everyone sees it.
pub(crate) const SETTLED: u64 = 0;
/// Nobody sees it.
pub(crate) const NEVER: u64 = u64::MAX;
pub(crate) const IN_FLIGHT: u64 = 1 << 63;

/// The most transactions that may be writing, or waiting for their stamps to be rewritten, at once.
pub(crate) const CELLS_MAX: u32 = 1 << 22;
const CELLS_AT_ONCE: u32 = 64;
const _: () = assert!(CELLS_MAX as usize <= Growing::<AtomicU64>::LIMIT);

const ACTIVE: u64 = 0;
const ABORTED: u64 = u64::MAX;

/// Names a commit cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellId(u32);

impl CellId {
    /// The stamp of a write in this transaction's clause.
    pub(crate) fn stamp(self, clause: u32) -> u64 {
        IN_FLIGHT | u64::from(self.0) << 32 | u64::from(clause)
    }
}

/// The cell and clause of a stamp in flight.
pub(crate) fn in_flight(stamp: u64) -> Option<(CellId, u32)> {
    (stamp & IN_FLIGHT != 0 && stamp != NEVER)
        .then_some((CellId((stamp >> 32) as u32 & 0x7fff_ffff), stamp as u32))
}

/// Whether a stamp is a number, or settled, at or below `horizon`: then nobody needs to ask it again.
pub(crate) fn is_below(stamp: u64, horizon: CommitSeq) -> bool {
    stamp <= horizon.0
}

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Active,
    Committed(CommitSeq),
    Aborted,
}

/// All commit cells of a graph.
#[derive(Default)]
pub(crate) struct Cells {
    cells: Growing<AtomicU64>,
    next: AtomicU32,
}

impl Cells {
    fn cell(&self, id: CellId) -> &AtomicU64 {
        self.cells
            .get(id.0 as usize)
            .expect("a cell that a stamp names has been made")
    }

    /// Adds fresh cells to a core's stock; `false` when there are [`CELLS_MAX`].
    pub(crate) fn refill(&self, stock: &mut Vec<CellId>) -> bool {
        let taken = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                next.checked_add(CELLS_AT_ONCE)
                    .filter(|&limit| limit <= CELLS_MAX)
            });
        let Ok(first) = taken else { return false };
        for id in first..first + CELLS_AT_ONCE {
            self.cells.get_or_make(id as usize);
            stock.push(CellId(id));
        }
        true
    }

    /// What they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        Growing::<AtomicU64>::bytes_of(self.next.load(Ordering::Relaxed) as usize)
    }

    /// Begins a transaction on a cell from a core's stock.
    pub(crate) fn activate(&self, id: CellId) {
        self.cell(id).store(ACTIVE, Ordering::Relaxed);
    }

    /// The transaction has its number.
    pub(crate) fn commit(&self, id: CellId, seq: CommitSeq) {
        self.cell(id).store(seq.0, Ordering::Release);
    }

    /// The transaction is undone: from here on its stamps are no conflict for anyone.
    pub(crate) fn abort(&self, id: CellId) {
        self.cell(id).store(ABORTED, Ordering::Release);
    }

    /// What has become of the transaction.
    pub(crate) fn fate(&self, id: CellId) -> Fate {
        match self.cell(id).load(Ordering::Acquire) {
            ACTIVE => Fate::Active,
            ABORTED => Fate::Aborted,
            seq => Fate::Committed(CommitSeq(seq)),
        }
    }
}

/// What a reader sees: its snapshot, and its own writes of clauses below a limit; or everything that is not undone.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'e> {
    pub(crate) cells: &'e Cells,
    pub(crate) snapshot: CommitSeq,
    pub(crate) own: Option<CellId>,
    pub(crate) clauses_below: u32,
    /// Whether what others have in flight is seen too; then `snapshot` is [`Sight::ALL_COMMITTED`].
    pub(crate) uncommitted: bool,
}

impl Sight<'_> {
    /// A snapshot that no commit is newer than.
    pub(crate) const ALL_COMMITTED: CommitSeq = CommitSeq(IN_FLIGHT - 1);

    /// Whether what the stamp marks has happened for this reader.
    #[inline]
    pub(crate) fn sees(&self, stamp: u64) -> bool {
        if stamp & IN_FLIGHT == 0 {
            return stamp <= self.snapshot.0;
        }
        self.sees_in_flight(stamp)
    }

    fn sees_in_flight(&self, stamp: u64) -> bool {
        let Some((cell, clause)) = in_flight(stamp) else {
            return false;
        };
        if self.own == Some(cell) && !Mutant::BlindToOwn.is_on() {
            return clause < self.clauses_below;
        }
        match self.cells.fate(cell) {
            Fate::Committed(seq) => seq <= self.snapshot,
            Fate::Active => self.uncommitted,
            Fate::Aborted => false,
        }
    }
}

/// How a stamp stands to a writer; see [`Author::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its own.
    Mine,
    /// Settled, or committed within its snapshot.
    Old,
    /// Committed behind its snapshot, or in flight: the first updater was another.
    Contested,
    /// Undone, or never: as if it were not there.
    Void,
}

/// Who writes: a transaction, or the log.
#[derive(Clone, Copy)]
pub(crate) struct Author<'e> {
    pub(crate) cells: &'e Cells,
    pub(crate) snapshot: CommitSeq,
    /// `None` for the log.
    pub(crate) cell: Option<CellId>,
    /// The stamp of what it writes now.
    pub(crate) stamp: u64,
    /// Whether it may name things that others have in flight: it reads uncommitted.
    pub(crate) uncommitted: bool,
}

impl<'e> Author<'e> {
    /// The newest state of everything that is not undone.
    pub(crate) fn newest_sight(&self) -> Sight<'e> {
        Sight {
            cells: self.cells,
            snapshot: Sight::ALL_COMMITTED,
            own: self.cell,
            clauses_below: u32::MAX,
            uncommitted: true,
        }
    }

    /// Whether what the stamp marks has happened for good, for this author or only for later ones.
    pub(crate) fn is_committed(&self, stamp: u64) -> bool {
        match in_flight(stamp) {
            None => stamp != NEVER,
            Some((cell, _)) => matches!(self.cells.fate(cell), Fate::Committed(_)),
        }
    }

    /// The table of conflicts, asked by the holder of the token:
    ///
    /// | stamp                         | standing  |
    /// | ----------------------------- | --------- |
    /// | never, or its cell is aborted | void      |
    /// | of my cell                    | mine      |
    /// | number ≤ my snapshot          | old       |
    /// | number above it, or in flight | contested |
    pub(crate) fn standing(&self, stamp: u64) -> Standing {
        if stamp == NEVER {
            return Standing::Void;
        }
        let seq = match in_flight(stamp) {
            None => CommitSeq(stamp),
            Some((cell, _)) if self.cell == Some(cell) => return Standing::Mine,
            Some((cell, _)) => match self.cells.fate(cell) {
                Fate::Active if Mutant::InFlightIsNoConflict.is_on() => return Standing::Old,
                Fate::Active => return Standing::Contested,
                Fate::Aborted => return Standing::Void,
                Fate::Committed(seq) => seq,
            },
        };
        if seq <= self.snapshot || Mutant::NewerIsNoConflict.is_on() {
            Standing::Old
        } else {
            Standing::Contested
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn visibility_and_conflict_follow_the_table() {
        let cells = Cells::default();
        let mut stock = Vec::new();
        assert!(cells.refill(&mut stock));
        let [mine, active, early, late, aborted] =
            [stock[0], stock[1], stock[2], stock[3], stock[4]];
        for cell in [mine, active, early, late, aborted] {
            cells.activate(cell);
        }
        cells.commit(early, CommitSeq(5));
        cells.commit(late, CommitSeq(11));
        cells.abort(aborted);
        let snapshot = CommitSeq(10);
        let sight = Sight {
            cells: &cells,
            snapshot,
            own: Some(mine),
            clauses_below: 3,
            uncommitted: false,
        };
        let newest = Sight {
            snapshot: Sight::ALL_COMMITTED,
            uncommitted: true,
            ..sight
        };
        let author = Author {
            cells: &cells,
            snapshot,
            cell: Some(mine),
            stamp: mine.stamp(3),
            uncommitted: false,
        };
        let table = [
            (SETTLED, true, true, Standing::Old),
            (10, true, true, Standing::Old),
            (11, false, true, Standing::Contested),
            (NEVER, false, false, Standing::Void),
            (mine.stamp(2), true, true, Standing::Mine),
            (mine.stamp(3), false, false, Standing::Mine),
            (active.stamp(0), false, true, Standing::Contested),
            (early.stamp(9), true, true, Standing::Old),
            (late.stamp(0), false, true, Standing::Contested),
            (aborted.stamp(0), false, false, Standing::Void),
        ];
        for (stamp, seen, newest_seen, standing) in table {
            assert_eq!(
                (
                    sight.sees(stamp),
                    newest.sees(stamp),
                    author.standing(stamp)
                ),
                (seen, newest_seen, standing),
                "stamp {stamp:#x}"
            );
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::memory::ring::SealRing;
    use loom::sync::Arc;
    use loom::thread;

    /// A transaction commits on one core; on another a snapshot is taken from the watermark and meets its stamp.
    fn commit_and_snapshot<const CELL_FIRST: bool>() {
        loom::model(|| {
            let cells = Arc::new(Cells::default());
            let mut stock = Vec::new();
            assert!(cells.refill(&mut stock));
            let cell = stock[0];
            cells.activate(cell);
            let ring: Arc<SealRing<u64>> = Arc::new(SealRing::new(4));
            let reader = {
                let (cells, ring) = (cells.clone(), ring.clone());
                thread::spawn(move || {
                    let sight = Sight {
                        cells: &cells,
                        snapshot: CommitSeq(ring.sealed()),
                        own: None,
                        clauses_below: 0,
                        uncommitted: false,
                    };
                    if sight.snapshot == CommitSeq(1) {
                        assert!(
                            sight.sees(cell.stamp(0)),
                            "a snapshot does not see a commit that it stands behind"
                        );
                    }
                })
            };
            if CELL_FIRST {
                cells.commit(cell, CommitSeq(1));
            }
            ring.set(1, Box::new(1));
            if !CELL_FIRST {
                cells.commit(cell, CommitSeq(1));
            }
            reader.join().unwrap();
        });
    }

    #[test]
    fn loom_whoever_finds_a_number_below_the_watermark_finds_it_in_its_cell() {
        commit_and_snapshot::<true>();
    }

    #[test]
    #[should_panic(expected = "does not see a commit")]
    fn loom_a_number_behind_the_watermark_before_it_stands_in_its_cell_is_missed() {
        commit_and_snapshot::<false>();
    }
}
