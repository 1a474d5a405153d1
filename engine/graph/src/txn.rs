//! Transactions: a snapshot, the writes made on it, and their end.
//!
//! Owned here: [`Txn`], one file a subject: what it sees ([`read`]), what it writes ([`vertex`], [`edge`], [`schema`]) into its frame ([`frame`]), and
//! its end ([`commit`]). Called by `query` (reads and writes), `server` (begin, commit, rollback).
//! Always holds: a write that fails has changed nothing, or else dooms the transaction, as every conflict does; what has no number
//! yet is undone when the transaction is dropped.
//! Left to others: how a write is made (`write`), what an answer waits for after the commit (`server`).

mod commit;
mod edge;
mod frame;
mod read;
mod schema;
mod vertex;

pub use commit::Committed;
pub use read::Statement;

use crate::core::Core;
use crate::delta::NameKind;
use crate::error::{Entity, WriteError};
use crate::ids::{CommitSeq, KeyId, LabelId, TypeId, VertexId};
use crate::schema::SchemaChange;
use crate::settle::Write;
use crate::stamp::CellId;
use crate::statistics::Tally;
use crate::value::Value;
use hashbrown::HashSet;

/// The largest frame of one transaction, in bytes.
pub const TXN_BYTES_MAX: usize = 256 << 20;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only: writes are refused.
    Read,
    /// Reads and writes.
    Write,
}

/// What a transaction sees of others. Whatever the level, the first updater wins: nobody writes over what another has in flight, or has
/// committed since the writer's present snapshot; and no edge dangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// The graph as of its beginning.
    #[default]
    Snapshot,
    /// The graph as of the beginning of each statement, with its own writes.
    ReadCommitted,
    /// The newest state of everything that is not undone, whoever wrote it, committed or not; it may change under a
    /// statement. What is written still conflicts with others as of the beginning of each statement.
    ReadUncommitted,
}

/// What a transaction has done, for the client's summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Vertices created.
    pub vertices_created: u64,
    /// Vertices deleted.
    pub vertices_deleted: u64,
    /// Edges created.
    pub edges_created: u64,
    /// Edges deleted.
    pub edges_deleted: u64,
    /// Properties set or removed, those of created things included.
    pub properties_set: u64,
    /// Labels added, those of created vertices included.
    pub labels_added: u64,
    /// Labels removed.
    pub labels_removed: u64,
    /// Indexes made.
    pub indexes_added: u64,
    /// Indexes dropped.
    pub indexes_removed: u64,
    /// Constraints made.
    pub constraints_added: u64,
    /// Constraints dropped.
    pub constraints_removed: u64,
}

/// A vertex to be made, see [`Txn::create_vertices`].
#[derive(Clone, Copy, Debug)]
pub struct NewVertex<'p> {
    /// Its labels, in any order; repeated ones count once.
    pub labels: &'p [LabelId],
    /// Its properties; null ones are left out.
    pub properties: &'p [(KeyId, Value)],
}

/// An edge to be made, see [`Txn::create_edges`].
#[derive(Clone, Copy, Debug)]
pub struct NewEdge<'p> {
    /// Where it starts.
    pub source: VertexId,
    /// Where it ends.
    pub target: VertexId,
    /// Its type.
    pub type_: TypeId,
    /// Its properties; null ones are left out.
    pub properties: &'p [(KeyId, Value)],
}

/// A transaction; `!Send`, owned by a session. Dropping it rolls it back.
pub struct Txn {
    core: Core,
    access: Access,
    isolation: Isolation,
    snapshot: CommitSeq,
    clause: u32,
    /// Taken with the first write.
    cell: Option<CellId>,
    /// Room for the frame's header, then deltas.
    frame: Vec<u8>,
    writes: Vec<Write>,
    /// Bytes of the frame and of the list of writes that are counted.
    charged: usize,
    /// Vertices that may lack what has to exist when it ends.
    unfinished: Vec<VertexId>,
    defined: HashSet<(NameKind, u32)>,
    stats: WriteStats,
    tally: Tally,
    schema: Vec<SchemaChange>,
    doomed: bool,
    /// The newest commit that a violation it met rests on.
    rests_on: CommitSeq,
}

impl Txn {
    pub(crate) fn new(
        core: Core,
        access: Access,
        isolation: Isolation,
        snapshot: CommitSeq,
    ) -> Txn {
        Txn {
            core,
            access,
            isolation,
            snapshot,
            clause: 0,
            cell: None,
            frame: Vec::new(),
            writes: Vec::new(),
            charged: 0,
            unfinished: Vec::new(),
            defined: HashSet::new(),
            stats: WriteStats::default(),
            tally: Tally::default(),
            schema: Vec::new(),
            doomed: false,
            rests_on: CommitSeq(0),
        }
    }

    /// The commit it sees the graph at: that of its present statement, if it takes one for each.
    pub fn snapshot(&self) -> CommitSeq {
        self.snapshot
    }

    /// What it was begun with.
    pub fn access(&self) -> Access {
        self.access
    }

    /// What it was begun with.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The core it belongs to.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The transaction has met another at `entity` and gives way: it can only be rolled back. The error says so.
    pub fn conflict(&mut self, entity: Entity) -> WriteError {
        self.doomed = true;
        WriteError::Conflict { entity }
    }

    /// From here on [`Txn::view`] shows what has been written so far.
    pub fn next_clause(&mut self) {
        self.clause += 1;
    }

    /// The current clause, counted from 0.
    pub fn clause(&self) -> u32 {
        self.clause
    }

    /// The label of a name, made if need be.
    pub fn label(&mut self, name: &str) -> Result<LabelId, WriteError> {
        Ok(self.core.graph().names().intern_label(name)?)
    }

    /// The edge type of a name, made if need be.
    pub fn edge_type(&mut self, name: &str) -> Result<TypeId, WriteError> {
        Ok(self.core.graph().names().intern_type(name)?)
    }

    /// The property key of a name, made if need be.
    pub fn key(&mut self, name: &str) -> Result<KeyId, WriteError> {
        Ok(self.core.graph().names().intern_key(name)?)
    }

    /// What it has done so far.
    pub fn stats(&self) -> WriteStats {
        self.stats
    }

    /// The newest commit, beyond its snapshot, that an error it met rests on: a key was found taken by a commit that may not be durable
    /// yet. No such error may be told before this is visible.
    pub fn rests_on(&self) -> CommitSeq {
        self.rests_on
    }

    /// Whether it will have a frame.
    pub fn wrote(&self) -> bool {
        self.frame.len() > self.core.graph().door().journal().header_bytes()
    }

    /// The size of its frame so far, header included, in bytes.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }
}
