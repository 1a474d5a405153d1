//! A transaction's end.
//!
//! Owned here: [`Committed`], committing, rolling back. Called by `server`.
//! Always holds: everything that can fail fails before the number, and gives the transaction back or undoes it; what has no number when
//! it is dropped is void from that moment on.
//! Left to others: the number and what is visible (`door`), stamps after the end (`settle`).

use super::Txn;
use crate::error::{CommitError, WriteError};
use crate::ids::{CommitSeq, VertexId};
use crate::memory::Guard;
use crate::mutants::Mutant;
use crate::schema::Schema;

/// A transaction that has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What the answer waits for until it is visible: the transaction's number, or a reader's snapshot.
    pub seq: CommitSeq,
    /// Whether there is a frame.
    pub wrote: bool,
}

impl Txn {
    /// Commits: takes a number, after which nothing can fail. The caller waits until the number is visible (durable), and for
    /// replicas, before it answers. On an error everything is rolled back.
    pub fn commit(self) -> Result<Committed, CommitError> {
        self.try_commit().map_err(|(error, _)| error)
    }

    /// As [`commit`](Self::commit), but a refused transaction is given back as it was: one that was refused as busy may be
    /// committed again once the journal has room for [`frame_bytes`](Self::frame_bytes).
    pub fn try_commit(mut self) -> Result<Committed, (CommitError, Box<Txn>)> {
        if self.doomed {
            return Err((CommitError::Doomed, Box::new(self)));
        }
        if !self.wrote() {
            return Ok(Committed {
                seq: self.snapshot,
                wrote: false,
            });
        }
        if let Err(error) = self.complete() {
            if let WriteError::Constraint { rests_on, .. } = &error {
                self.rests_on = self.rests_on.max(*rests_on);
            }
            self.doomed = true;
            return Err((error.into(), Box::new(self)));
        }
        let core = self.core.clone();
        let graph = core.graph();
        let door = graph.door();
        let reservation = match door.reserve(self.frame.len(), core.number()) {
            Ok(reservation) => reservation,
            Err(error) => return Err((error.into(), Box::new(self))),
        };
        let frame = door.journal().finish_frame(std::mem::take(&mut self.frame));
        self.charge(0);
        let seq = door.seal(reservation, frame, |seq| {
            if let Some(cell) = self.cell
                && !Mutant::NumberBeforeCell.is_on()
            {
                graph.cells.commit(cell, seq);
            }
        });
        if Mutant::NumberBeforeCell.is_on() {
            std::thread::yield_now();
            self.cell
                .iter()
                .for_each(|&cell| graph.cells.commit(cell, seq));
        }
        for &(kind, id) in &self.defined {
            graph.names().mark_defined(kind, id, seq);
        }
        let numbers = &mut core.0.end_numbers.borrow_mut();
        graph.counts[core.slot()].0.add(&mut self.tally, numbers);
        for change in std::mem::take(&mut self.schema) {
            change.commit(&core, seq);
        }
        if let Some(cell) = self.cell.take() {
            let writes = std::mem::take(&mut self.writes);
            core.0.ended(cell, Some(seq), writes);
        }
        Ok(Committed { seq, wrote: true })
    }

    /// Undoes everything.
    pub fn rollback(self) {}

    /// What a transaction has to fulfil when it ends: properties that have to exist, and schema changes that are not done yet.
    fn complete(&self) -> Result<(), WriteError> {
        self.schema
            .iter()
            .try_for_each(|change| change.complete(&self.core))?;
        let graph = self.core.graph();
        let guard = self.core.heap().enter();
        let schema = graph.schema.load(&guard);
        // Others were whole whenever they were written, and who makes a constraint meets what was written before it.
        self.unfinished
            .iter()
            .try_for_each(|&id| self.ends_well(id, schema, &guard))
    }

    /// Whether this transaction's last state of a vertex may stay.
    fn ends_well(
        &self,
        id: VertexId,
        schema: &Schema,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        let graph = self.core.graph();
        let Some(state) = graph.states(id, guard).next() else {
            return Ok(());
        };
        for item in schema.constraints(graph.labels_of(&state)) {
            let Some(constraint) = item.constraint() else {
                continue;
            };
            if let Some(fault) = constraint.fault_at_end(|key| state.get(key)) {
                let since = item.since().unwrap_or_default();
                return Err(constraint.error(graph, Some(id), fault, since));
            }
        }
        Ok(())
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        self.charge(0);
        self.core.heap().release();
        let state = &self.core.0;
        for change in std::mem::take(&mut self.schema) {
            change.rollback(&self.core);
        }
        if let Some(cell) = self.cell.take() {
            state.graph.cells.abort(cell);
            state.ended(cell, None, std::mem::take(&mut self.writes));
        }
        state
            .snapshots
            .end(&state.graph.horizon, self.core.slot(), self.snapshot);
    }
}
