//! Quoit's graph: values, shards, versions, adjacency, indexes, transactions, and the commit door.
//!
//! Owned here: the property graph in memory and what a transaction on it means. Knows no query text, no socket, no file and no
//! runtime: callers (`query`, `log`, `replication`, `server`) bring those. Suggested reading order is that of the modules.
//!
//! ```
//! use quoit_graph::door::NullJournal;
//! use quoit_graph::value::Value;
//! use quoit_graph::{Access, Direction, Graph, GraphConfig, Isolation};
//! use std::sync::Arc;
//!
//! let graph = Graph::new(GraphConfig { shards: 1, cores: 1, journal: Arc::new(NullJournal::default()) });
//! let core = graph.core(0);
//! let mut txn = core.begin(Access::Write, Isolation::Snapshot);
//! let (person, knows, name) = (txn.label("Person")?, txn.edge_type("KNOWS")?, txn.key("name")?);
//! let ann = txn.create_vertex(&[person], &[(name, "Ann".into())])?;
//! let bob = txn.create_vertex(&[person], &[(name, "Bob".into())])?;
//! txn.create_edge(ann, bob, knows, &[])?;
//! txn.commit()?;
//!
//! let txn = core.begin(Access::Read, Isolation::Snapshot);
//! let epoch = core.enter();
//! let view = txn.view(&epoch);
//! let friend = view.edges(ann, Direction::Out, &[knows]).next().unwrap().neighbour;
//! assert!(view.vertex(friend).unwrap().property(name).unwrap().is(&Value::string("Bob")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What belongs to a core stays on its thread:
//!
//! ```compile_fail
//! fn sent<T: Send>() {}
//! sent::<quoit_graph::Txn>();
//! ```

pub mod ids;
pub mod value;

pub mod delta;
pub mod door;
pub mod names;

mod adjacency;
mod analysis;
mod apply;
mod charge;
mod column;
mod constraint;
mod core;
mod draft;
mod error;
mod expand;
mod graph;
mod growing;
mod horizon;
mod housekeeping;
pub mod image;
mod index;
mod labels;
mod lend;
mod long;
mod memory;
#[cfg(not(feature = "mutants"))]
mod mutants;
#[cfg(feature = "mutants")]
pub mod mutants;
mod page;
mod page_column;
mod prune;
mod records;
mod scan;
mod schema;
mod settle;
mod shard;
mod stamp;
mod state;
mod statistics;
mod survey;
mod sync;
mod tree;
mod txn;
mod version;
mod view;
mod waiting;
mod write;

pub use crate::core::{Core, Epoch};
pub use analysis::{Analysis, GroupStatistics, IndexStatistics};
pub use apply::AppliedSetting;
pub use charge::MemoryCharge;
pub use column::kernel::Summary;
pub use constraint::{ConstraintDefinition, ContestedKey, PropertyType, UniqueRef, Violation};
pub use error::{ApplyError, CommitError, Entity, WriteError};
pub use graph::{Graph, GraphConfig};
pub use housekeeping::FoldWork;
pub use index::{
    Bound, Cursor, EdgeIndexRef, IndexDefinition, IndexRef, KEY_MAX, KeyRange, NextKey, Order, Seek,
};
pub use lend::{LentSnapshot, Loan, LoanUse};
pub use memory::{MemoryLimitExceeded, MemoryOwner, MemoryReport};
pub use page_column::{
    Codes, ColumnValues, Floats, Offsets, OneByOne, PageColumn, SlotBits, each_slot,
};
pub use scan::{PageView, Selection};
pub use schema::{ConstraintInfo, INDEXES_MAX, IndexInfo, SchemaBuild, SchemaState};
pub use state::PropertiesRef;
pub use statistics::{EdgeEnds, End, Statistics};
pub use survey::PageSurvey;
pub use txn::{
    Access, Committed, Isolation, NewEdge, NewVertex, Statement, TXN_BYTES_MAX, Txn, WriteStats,
};
pub use value::codec::Properties;
pub use view::{Direction, EdgeRef, Edges, EdgesBetween, Incidence, VertexRef, View};
