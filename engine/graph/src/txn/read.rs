//! What a transaction sees: statements, and views of its snapshot with its own writes.
//!
//! Owned here: [`Statement`] and the making of views. Called by `query`.
//! Always holds: a view shows its snapshot and the transaction's own writes of earlier clauses, by its isolation; what a statement sees is kept
//! while it lives; nobody goes back to an older snapshot.
//! Left to others: what is visible (`stamp`), what is kept for whom (`horizon`).

use super::{Isolation, Txn};
use crate::core::{Core, Epoch};
use crate::ids::CommitSeq;
use crate::mutants::Mutant;
use crate::stamp::Sight;
use crate::view::View;
use std::sync::atomic::{Ordering, fence};

/// What a statement of a transaction sees, from its first step to its last row, whatever later statements do. While it lives, what it
/// sees is kept.
pub struct Statement {
    snapshot: CommitSeq,
    /// The clause whose state a statement that only reads goes on seeing; `None`: that of the transaction.
    clause: Option<u32>,
    /// Where the snapshot is held, if the transaction may let go of it before.
    held: Option<Core>,
}

impl Statement {
    /// The commit it sees the graph at.
    pub fn snapshot(&self) -> CommitSeq {
        self.snapshot
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if let Some(core) = &self.held {
            core.0
                .snapshots
                .end(&core.0.graph.horizon, core.slot(), self.snapshot);
        }
    }
}

impl Txn {
    /// Begins a statement: a new snapshot, at the visible watermark, where the isolation asks for one. A statement that `reads` only
    /// goes on seeing the writes made before it, and no later ones.
    pub fn begin_statement(&mut self, reads: bool) -> Statement {
        let graph = self.core.graph();
        let snapshots = &self.core.0.snapshots;
        let clause = reads.then_some(self.clause);
        if self.isolation == Isolation::Snapshot {
            return Statement {
                snapshot: self.snapshot,
                clause,
                held: None,
            };
        }
        // An auto-commit write may stand ahead of the visible mark; nobody goes back.
        if graph.door().visible() > self.snapshot {
            let newer = snapshots.begin(&graph.horizon, self.core.slot(), || {
                graph.door().visible().0
            });
            snapshots.end(&graph.horizon, self.core.slot(), self.snapshot);
            self.snapshot = newer;
        }
        snapshots.hold(self.snapshot);
        Statement {
            snapshot: self.snapshot,
            clause,
            held: Some(self.core.clone()),
        }
    }

    /// What it sees: its snapshot and its own writes of earlier clauses.
    pub fn view<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        self.view_at(epoch, self.snapshot, self.clause)
    }

    /// As [`Txn::view`], with the writes of the current clause made so far (MERGE).
    pub fn view_including_current_clause<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        self.view_at(epoch, self.snapshot, self.clause + 1)
    }

    /// As [`Txn::view`] was for a statement, also when later ones have begun since: for results that are read lazily.
    pub fn view_of_statement<'e>(&self, epoch: &'e Epoch<'_>, statement: &Statement) -> View<'e> {
        let clause = statement.clause.unwrap_or(self.clause);
        self.view_at(epoch, statement.snapshot, clause)
    }

    /// The newest state of everything that is not undone: committed, durable or not, or in flight, own writes of the current clause
    /// included. For decisions that have to hold whatever others are doing: who writes first and looks here after it either finds what a
    /// concurrent transaction has written, or that one, doing the same, finds this. So of two MERGEs of one key at least
    /// one meets the other, and gives way ([`Txn::conflict`]).
    pub fn newest_view<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        // Between my write and my look; partner of the fence of whoever writes and looks at the same time.
        fence(Ordering::SeqCst);
        self.view_through(epoch, Sight::ALL_COMMITTED, self.clause + 1, true)
    }

    fn view_at<'e>(&self, epoch: &'e Epoch<'_>, snapshot: CommitSeq, clause: u32) -> View<'e> {
        if self.isolation == Isolation::ReadUncommitted || Mutant::ReadsDirty.is_on() {
            self.view_through(epoch, Sight::ALL_COMMITTED, clause, true)
        } else if Mutant::ReadsLatest.is_on() {
            self.view_through(epoch, Sight::ALL_COMMITTED, clause, false)
        } else {
            self.view_through(epoch, snapshot, clause, false)
        }
    }

    fn view_through<'e>(
        &self,
        epoch: &'e Epoch<'_>,
        snapshot: CommitSeq,
        clauses_below: u32,
        uncommitted: bool,
    ) -> View<'e> {
        debug_assert!(
            std::ptr::eq(epoch.graph, &**self.core.graph()),
            "an epoch of another graph"
        );
        let sight = Sight {
            cells: &epoch.graph.cells,
            snapshot,
            own: self.cell,
            clauses_below,
            uncommitted,
        };
        View::new(epoch.graph, &epoch.guard, sight)
    }
}
