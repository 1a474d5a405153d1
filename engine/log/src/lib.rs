//! The log behind the commit door: frames, groups, segments, recovery, the follower's side.
//!
//! Owns `DIR/log/` of a data directory. Called by the graph's commit door (through its journal
//! trait), by the server (opening, waiting for durability) and by the replication crate (groups out,
//! groups in, catch-up). What always holds: one history of numbered groups, chained by checksums,
//! whose durable prefix survives the death of the process and of the machine; a commit is published
//! only when every group up to its own is in that prefix. What a delta means is the graph's; who is
//! MAIN and who must be waited for is replication's; the lock on the data directory is rt's.
//!
//! Modules in reading order: [`position`] (where a history stands), [`frame`], [`group`] (the bytes
//! that are equal on every node), [`segment`] (a node's own bytes around them), [`recovery`] (what
//! they mean after a stop) — pure so far; [`snapshot`]; then `log` (what cores share), `baton`, `space`, `core`,
//! `leader`, `keeper` (writing), `role`, `follower`, `catch_up`, `cut`, `open`.
//!
//! # The interface
//!
//! ```text
//! let log   = Log::new(LogOptions { directory, durability, cores, .. }) -> Arc<Log>;   // no I/O; it is the door's journal
//! let graph = Graph::new(GraphConfig { journal: log.clone(), .. });
//! let ledger = Rc::new(GraphLedger::new(graph.core(n), on_setting));                   // one per core, !Send
//! let report = log.recover(&rt, &*ledger, RecoverAs::Main).await? -> RecoveryReport;   // once, on one core, before anything else
//! let core  = LogCore::new(&log, ledger, &rt) -> Rc<LogCore>;                          // one per core, !Send
//!
//! // A MAIN. On a log with data: opens the next incarnation, durable on return. On an empty log: nothing is
//! // written; the first commit (or `found`) opens term 1 by itself.
//! core.start_as_main().await -> Result<LogPosition, LogError>
//! core.found().await         -> Result<LogPosition, LogError>   // REGISTER on an empty main: opens term 1 now; else no-op
//! core.promote().await       -> Result<LogPosition, LogError>   // replica → MAIN: publishes the whole durable prefix, then opens
//!                                                               // term counter+1 with a random id, durable on return
//! core.set_sink(Rc<dyn GroupSink>)                              // this core's replication lanes
//! core.durable(seq: CommitSeq).await -> Result<(), LogError>    // ready when seq is durable (and visible) here
//! core.room(frame_bytes).await       -> Result<(), LogError>    // after a commit was refused as busy: wait, then commit again
//!
//! // A replica.
//! core.start_as_follower().await -> Result<LogPosition, LogError>
//! core.append(Vec<Group>).await  -> Result<LogPosition, AppendError>  // verified, chained, durable on return: the position to acknowledge
//! core.apply_to(mark: GroupSeq).await -> Result<LogPosition, LogError> // applies and publishes up to min(durable, mark): the visible position
//! core.cut_back(to: &LogPosition).await -> Result<CutBack, LogError>  // drops held groups above `to` (kept in a rescue file)
//!
//! // Either.
//! log.tail() -> LogPosition            // durable here; any core
//! log.visible() -> LogPosition         // published here; any core
//! core.find(group: GroupSeq).await -> Result<Option<LogPosition>, LogError>   // position after `group` in this history
//! core.read_groups(from: GroupSeq, max_bytes: usize).await -> Result<Vec<Group>, LogError>
//!                                      // durable groups from `from` on, at least one if there is one; empty: caught up
//! log.counters() -> Counters           // frames encoded, groups written, bytes, …
//! core.close().await                   // shutdown: waits for the write in flight, writes the mark
//! ```

mod baton;
mod catch_up;
mod core;
mod cut;
#[cfg(test)]
mod tests;

pub mod check;
mod error;
mod fatal;
mod follower;
pub mod frame;
pub mod group;
mod index;
mod keeper;
mod leader;
mod ledger;
mod log;
mod open;
mod options;
pub mod position;
mod primitive;
pub mod recovery;
mod role;
mod scan;
pub mod segment;
mod sink;
pub mod snapshot;
mod space;
mod watermark;

pub use core::LogCore;
pub use cut::{CutBack, Rescue};
pub use error::{AppendError, LogError, Role};
pub use fatal::{EXIT_LOG_DAMAGED, EXIT_LOG_WRITE, Fatal};
pub use frame::{FRAME_HEADER, FrameKind, OpeningReason};
pub use group::{Group, GroupError, NotFollowing};
pub use ledger::{GraphLedger, Ledger};
pub use log::{Counters, Log};
pub use open::{RecoverAs, RecoveryReport};
pub use options::{Durability, LogOptions};
pub use position::{Chain, GroupSeq, Incarnation, LogPosition, Term};
pub use quoit_graph::ids::CommitSeq;
pub use sink::GroupSink;
pub use snapshot::{SnapshotError, SnapshotHead, SnapshotInfo, SnapshotStore};
