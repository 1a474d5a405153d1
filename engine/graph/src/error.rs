//! Errors of transactions, and what names the thing they are about.
//!
//! Owned here: types only. Always holds: an operation that gives one of these has changed nothing.

use crate::constraint::{ContestedKey, Violation};
use crate::delta::{DeltaError, NameKind};
use crate::door::ReserveError;
use crate::ids::{CommitSeq, EdgeId, VertexId};
use crate::memory::MemoryLimitExceeded;
use crate::names::NameError;
use crate::value::NotStorable;

/// What a conflict is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// A vertex.
    Vertex(VertexId),
    /// An edge.
    Edge(EdgeId),
    /// A unique key that a vertex is about to take, or to let go.
    Key(Box<ContestedKey>),
    /// An index or a constraint.
    Schema,
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entity::Vertex(id) => write!(f, "node {id}"),
            Entity::Edge(id) => write!(f, "relationship {id}"),
            Entity::Key(key) => write!(f, "{key}"),
            Entity::Schema => f.write_str("the index or constraint"),
        }
    }
}

/// Why a write was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The first updater was another: a transient error, the transaction can only be rolled back and tried again.
    #[error("{entity} is being changed, or has been changed, by a concurrent transaction")]
    Conflict {
        /// What both wanted.
        entity: Entity,
    },
    /// The vertex does not exist for this transaction.
    #[error("node {0} has been deleted")]
    VertexDeleted(VertexId),
    /// The edge does not exist for this transaction.
    #[error("relationship {0} has been deleted")]
    EdgeDeleted(EdgeId),
    /// Deleting it would leave edges without an end; delete them first, or detach.
    #[error("node {0} still has relationships")]
    DeleteConnectedVertex(VertexId),
    /// The value cannot be a property.
    #[error(transparent)]
    NotStorable(#[from] NotStorable),
    /// Something has reached its bound.
    #[error("limit exceeded: {0}")]
    LimitExceeded(&'static str),
    /// The memory limit has been reached; the transaction can be rolled back.
    #[error(transparent)]
    MemoryLimit(#[from] MemoryLimitExceeded),
    /// A name could not be interned.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An id that was never interned.
    #[error("there is no {kind:?} with number {id}")]
    UnknownName {
        /// Label, type or key.
        kind: NameKind,
        /// The id given.
        id: u32,
    },
    /// The transaction was begun with read access.
    #[error("the transaction is read-only")]
    ReadOnly,
    /// It met a conflict before: it can only be rolled back.
    #[error("the transaction has failed and can only be rolled back")]
    Doomed,
    /// A schema change that cannot be made in this transaction, or not at all.
    #[error("{0}")]
    Schema(&'static str),
    /// Another transaction is making the same index or constraint: a transient error, as a conflict is.
    #[error("another transaction is just making it")]
    SchemaInTheMaking,
    /// What is there already stands against a schema change.
    #[error("{0}")]
    SchemaExists(&'static str),
    /// A constraint is not fulfilled. Nothing has been changed; trying again helps only if another transaction changes something.
    #[error("{violation}")]
    Constraint {
        /// Which, where and how.
        violation: Box<Violation>,
        /// The newest commit that this rests on: the answer must not leave before it is visible (durable).
        rests_on: CommitSeq,
    },
}

/// Why a transaction was not committed. It has been rolled back.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// No room behind the commit door.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// It met a conflict before.
    #[error("the transaction has failed and can only be rolled back")]
    Doomed,
    /// What is looked at when a transaction ends: a property that has to exist, or the filling of an index or a constraint.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a frame from a log could not be applied. The graph may hold a part of the frame, which must not be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The bytes are no deltas.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// The names contradict earlier ones.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The deltas do not fit what was applied before.
    #[error("commit {seq} does not fit the graph: {reason}")]
    Unfit {
        /// The commit.
        seq: CommitSeq,
        /// What does not fit.
        reason: String,
    },
}
