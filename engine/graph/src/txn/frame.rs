//! A transaction's frame as it grows: what is asked and reserved before each write.
//!
//! Owned here: beginning a write (may it, is there memory), names and values on their way into the frame, the counting of what the transaction
//! itself takes. Called by the transaction's writes.
//! Always holds: memory is admitted before it is taken; each name the frame uses is defined in a durable frame or in this one, before its
//! first use; a conflict dooms the transaction.
//! Left to others: the bytes of deltas (`delta`), the memory's limit (`memory`).

use super::schema::SCHEMA_ALONE;
use super::{Access, Isolation, TXN_BYTES_MAX, Txn};
use crate::delta::{DeltaWriter, NameKind};
use crate::draft::Draft;
use crate::error::WriteError;
use crate::ids::KeyId;
use crate::memory::MemoryOwner;
use crate::settle::Write;
use crate::stamp::{Author, NEVER};
use crate::state::PropertiesRef;
use crate::value::Value;
use crate::value::codec::{Properties, encode_properties, put_varint};
use crate::write::Pen;

/// What a write is admitted to beyond its values, in bytes: a page, the lists and index nodes that it copies.
const WRITE_BYTES: usize = 64 << 10;

/// Room in the frame for what stands beside a write's values, in bytes.
const DELTA_BYTES: usize = 256;

/// The same for each of a batch: vertices or edges with a few labels.
const BATCHED_DELTA_BYTES: usize = 40;

/// What each of a batch is admitted to in the graph beyond its values, in bytes: slot, version, entries on both sides.
const BATCHED_BYTES: usize = 192;

/// What a property takes up, for a guess at what several do.
const PROPERTY_BYTES: usize = 16;

/// Up to this size a frame grows by doubling, beyond by half, in bytes.
const FRAME_DOUBLES_TO: usize = 1 << 20;

const NULL: &[u8] = &[crate::value::codec::tag::NULL];

impl Txn {
    pub(super) fn begin_write(&mut self) -> Result<(), WriteError> {
        if !self.schema.is_empty() {
            return Err(WriteError::Schema(SCHEMA_ALONE));
        }
        self.begin_any_write()
    }

    pub(super) fn begin_any_write(&mut self) -> Result<(), WriteError> {
        if self.access == Access::Read {
            return Err(WriteError::ReadOnly);
        }
        if self.doomed {
            return Err(WriteError::Doomed);
        }
        if self.frame.len() > TXN_BYTES_MAX {
            return Err(WriteError::LimitExceeded(
                "bytes written by one transaction, which are 256 MiB at most; do the work in several",
            ));
        }
        self.make_room(DELTA_BYTES, WRITE_BYTES)?;
        if self.cell.is_none() {
            let cell = self.core.take_cell();
            self.cell =
                Some(cell.ok_or(WriteError::LimitExceeded("transactions writing at once"))?);
            let header = self.core.graph().door().journal().header_bytes();
            self.frame.resize(header, 0);
        }
        Ok(())
    }

    /// Counts what the transaction itself takes.
    pub(super) fn charge(&mut self, bytes: usize) {
        if bytes != self.charged {
            let more = bytes as i64 - self.charged as i64;
            self.core.heap().count(MemoryOwner::Transactions, more);
            self.charged = bytes;
        }
    }

    pub(super) fn with_pen<R>(
        &mut self,
        work: impl FnOnce(&Pen<'_>) -> Result<R, WriteError>,
    ) -> Result<R, WriteError> {
        let state = &self.core.0;
        let guard = state.heap.enter();
        let cells = &state.graph.cells;
        let stamp = self.cell.map_or(NEVER, |cell| cell.stamp(self.clause));
        let author = Author {
            cells,
            snapshot: self.snapshot,
            cell: self.cell,
            stamp,
            uncommitted: self.isolation == Isolation::ReadUncommitted,
        };
        let tally = std::mem::take(&mut self.tally);
        let pen = Pen::new(state, &guard, author, tally);
        let result = work(&pen);
        self.tally = pen.tally.into_inner();
        let touched = pen.touched.into_inner();
        self.unfinished.extend(pen.unfinished.into_inner());
        self.writes.extend(
            touched
                .iter()
                .map(|&(edge, record)| Write::Record(edge, record)),
        );
        drop(guard);
        match &result {
            Err(WriteError::Conflict { .. }) => self.doomed = true,
            Err(WriteError::Constraint { rests_on, .. }) => {
                self.rests_on = self.rests_on.max(*rests_on);
            }
            _ => {}
        }
        result
    }

    /// Sees to it that the log knows a name before this frame uses it.
    pub(super) fn define(&mut self, kind: NameKind, id: u32) -> Result<(), WriteError> {
        let graph = self.core.graph();
        let durable = graph
            .names()
            .defined(kind, id)
            .is_some_and(|seq| seq <= graph.door().visible());
        if durable || self.defined.contains(&(kind, id)) {
            return Ok(());
        }
        let name = graph
            .names()
            .name(kind, id)
            .ok_or(WriteError::UnknownName { kind, id })?;
        DeltaWriter::new(&mut self.frame).define_name(kind, id, name);
        self.defined.insert((kind, id));
        Ok(())
    }

    pub(super) fn encode(&mut self, properties: &[(KeyId, Value)]) -> Result<Vec<u8>, WriteError> {
        for (key, value) in properties {
            if !value.is_null() {
                self.define(NameKind::Key, key.0)?;
            }
        }
        let mut bytes = Vec::with_capacity(properties.len() * PROPERTY_BYTES);
        encode_properties(properties, &mut bytes)?;
        self.make_room_for_values(bytes.len())?;
        Ok(bytes)
    }

    /// As [`Txn::encode`], with null for "removed".
    pub(super) fn encode_changes(
        &mut self,
        changes: &[(KeyId, Value)],
    ) -> Result<Vec<u8>, WriteError> {
        for (key, _) in changes {
            self.define(NameKind::Key, key.0)?;
        }
        let mut bytes = Vec::with_capacity(changes.len() * PROPERTY_BYTES);
        crate::value::codec::encode_changes(changes, &mut bytes)?;
        self.make_room_for_values(bytes.len())?;
        Ok(bytes)
    }

    /// Sees to it that a write with so many bytes of values may be done.
    pub(super) fn make_room_for_values(&mut self, values: usize) -> Result<(), WriteError> {
        self.make_room(DELTA_BYTES + values, WRITE_BYTES + values)
    }

    /// Sees to it that so many things with so many bytes of values in all may be made.
    pub(super) fn make_room_for_batch(
        &mut self,
        things: usize,
        values: usize,
    ) -> Result<(), WriteError> {
        self.make_room(
            DELTA_BYTES + things * BATCHED_DELTA_BYTES + values,
            WRITE_BYTES + things * BATCHED_BYTES + values,
        )
    }

    /// Sees to it that there is memory for what is kept in the graph, and room in the frame for deltas, which is made here so that it is
    /// admitted before it is taken.
    pub(super) fn make_room(&mut self, deltas: usize, kept: usize) -> Result<(), WriteError> {
        self.charge(self.frame.capacity() + self.writes.capacity() * size_of::<Write>());
        let (len, capacity) = (self.frame.len(), self.frame.capacity());
        let wanted = len + deltas;
        let mut room = 0;
        if wanted > capacity {
            let growth = if capacity < FRAME_DOUBLES_TO {
                capacity
            } else {
                capacity / 2
            };
            room = wanted.max(capacity + growth);
        }
        self.core.heap().admit(kept + room)?;
        if room > 0 {
            self.frame.reserve_exact(room - len);
        }
        Ok(())
    }
}

/// The properties that take the place of the present ones, with the changes that lead there; nothing if there is none.
pub(super) fn replacement<'d>(
    present: PropertiesRef<'_>,
    bytes: &'d [u8],
    changes: &mut Vec<u8>,
) -> Option<Draft<'d>> {
    changes.clear();
    let new = Properties::trusted(bytes);
    let mut removed: Vec<(KeyId, &[u8])> = present
        .iter()
        .map(|(key, _)| (key, NULL))
        .filter(|(key, _)| new.get(*key).is_none())
        .collect();
    removed.extend(new.raw());
    removed.sort_by_key(|(key, _)| *key);
    for (key, value) in removed {
        put_varint(changes, u64::from(key.0));
        changes.extend_from_slice(value);
    }
    (!changes.is_empty()).then(|| Draft::of(new))
}
